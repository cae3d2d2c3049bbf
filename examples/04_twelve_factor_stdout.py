# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
The envelope on standard output, for platforms that collect it from there.

Nothing of tierlog's but the formatter and the filter: the handler is the standard
library's. You will see one line of JSON for each record, the last with its
exception as data.
"""

from __future__ import annotations

import logging
import logging.config

import tierlog


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "tierlog.ContextFilter"}},
    "formatters": {"envelope": {"()": "tierlog.EnvelopeFormatter", "instance_name": "example"}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "envelope",
            "filters": ["context"],
        },
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
}


def main() -> None:
    """
    Log, with a request's id.
    """
    logging.config.dictConfig(LOGGING)
    log = logging.getLogger("app")

    with tierlog.bound(req_id="req-7f3a"):
        log.info("listening", extra={"port": 8000})
        try:
            int("eighty")
        except ValueError:
            log.exception("no port")


if __name__ == "__main__":
    main()
