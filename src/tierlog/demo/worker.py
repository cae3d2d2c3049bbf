"""
One process of the demo: ``python -m tierlog.demo.worker``.

Its orders come on standard input: a line of JSON, then ``go``, then ``finish``. On
standard output it answers with the number of each record once the log call has
returned, which is what a record's keeping is measured by, and with lines of JSON.
"""

from __future__ import annotations

import logging
import logging.config
import os
import threading

import orjson

import tierlog
from tierlog.demo._scripts import SCRIPTS
from tierlog.demo._work import Worker, say
from tierlog.handler import handlers


__all__ = ["main"]

_STDIN = 0


def set_up(root: str, name: str) -> str:
    """
    Configure logging, and return the ``instanceId``.
    """
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"context": {"()": "tierlog.ContextFilter"}},
            "handlers": {
                "tiers": {
                    "class": "tierlog.TierHandler",
                    "filters": ["context"],
                    "instance_name": name,
                    "process_events": True,
                    "sink": {"type": "segments", "root": root},
                },
            },
            "root": {"level": "INFO", "handlers": ["tiers"]},
        }
    )
    return handlers()[-1].pipeline.instance_id


def hear() -> bytes:
    """
    Return the parent's next line, empty when there is no parent any more.

    It reads without a buffer, whose lock a thread would hold at exit.
    """
    line = bytearray()
    while char := os.read(_STDIN, 1):
        if char == b"\n":
            break
        line += char
    return bytes(line)


def main() -> None:
    """
    Do what the parent says.
    """
    job = orjson.loads(hear())
    instance = set_up(job["root"], job["name"])
    worker = Worker(job["ids"], job["secrets"])
    say({"ready": instance})
    if not hear():
        return

    def wait() -> None:
        hear()
        worker.finish.set()

    threading.Thread(target=wait, daemon=True).start()
    SCRIPTS[job["script"]](worker)
    logging.shutdown()
    say({"redactions": tierlog.stats()["redactions"]})


if __name__ == "__main__":
    main()
