"""
Logging that is acknowledged, record by record.

A record's number goes to the parent process once the log call has returned: that
is what a record's keeping is measured by.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

import tierlog
from tierlog.demo._input import Transcript
from tierlog.demo._secrets import planted
from tierlog.demo._text import level_of


__all__ = ["Worker", "say"]

_STDOUT = 1


class Worker:
    """
    Logs, and acknowledges what it logged.

    Attributes:
        ids: Ids of projects and builds, by name.

        finish: Set when the work is to be ended.
    """

    def __init__(self, ids: Mapping[str, str], values: Mapping[str, str]) -> None:
        self.ids = ids
        self.finish = threading.Event()
        self._values = values
        self._numbers = itertools.count()

    def log(self, logger: logging.Logger, level: int, msg: str, *args: object, **extra: Any) -> None:
        """
        Log a record as any application would, and acknowledge it.
        """
        number = next(self._numbers)
        extra["data"] = {**extra.get("data", {}), "n": number}
        logger.log(level, msg, *args, exc_info=extra.pop("exc_info", None), extra=extra)
        os.write(_STDOUT, b"%d\n" % number)

    def event(self, tier: str, kind: str, lvl: str, msg: str, data: Mapping[str, Any], **ids: str) -> None:
        """
        Write an event without a record, and acknowledge it.
        """
        number = next(self._numbers)
        tierlog.log_event(tier, kind, lvl, msg, {**data, "n": number}, **ids)
        os.write(_STDOUT, b"%d\n" % number)

    def replay(self, logger: logging.Logger, told: Transcript, *, src: str | None = None) -> None:
        """
        Log every line of a transcript, and how the command ended.

        Args:
            logger: The logger.

            told: The transcript.

            src: The producer; the line's stream if None.
        """
        for line in told.lines:
            data = {"stream": line.stream, "ms": line.ms}
            self.log(logger, level_of(line.text), line.text, src=src or line.stream, data=data)
        level = logging.ERROR if told.exit_code else logging.INFO
        data = {"exit_code": told.exit_code, "duration_ms": told.duration_ms}
        self.log(logger, level, "%s ended with exit code %d", told.command, told.exit_code, data=data)

    def plant(self, logger: logging.Logger) -> None:
        """
        Log the secrets, and tell what was hidden so far.
        """
        for one in planted(self._values):
            self.log(logger, logging.WARNING, one.msg, *one.args, data={**one.data, "planted": one.name})
        say({"redactions": tierlog.stats()["redactions"]})

    def together(self, *jobs: Callable[[Worker], None]) -> None:
        """
        Run *jobs*, each on a thread of its own.
        """
        with ThreadPoolExecutor(len(jobs)) as pool:
            for done in [pool.submit(job, self) for job in jobs]:
                done.result()


def say(message: Mapping[str, Any]) -> None:
    """
    Tell the parent.
    """
    os.write(_STDOUT, orjson.dumps(message) + b"\n")
