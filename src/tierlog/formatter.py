"""
A formatter for other people's handlers.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from tierlog.typing import Clock


__all__ = ["EnvelopeFormatter"]


class _Last:
    """
    A sink that holds one line until it is asked for.
    """

    def __init__(self) -> None:
        self.line = b""

    def write(self, event_line: bytes, route: Any) -> None:  # noqa: ARG002
        self.line = event_line

    def flush(self) -> None:
        return

    def close(self) -> None:
        return


class EnvelopeFormatter(logging.Formatter):
    """
    Turns each record into the envelope's line, without its newline.

    Each formatter is a stream of its own, with its own ``instanceId`` and ``seq``.

    Args:
        fmt: Not used; accepted so that ``fileConfig`` and ``dictConfig`` can
            name this class as they name any formatter. *datefmt*, *style* and
            *validate* likewise.

        instance_name: What ``instanceId`` begins with; ``TIERLOG_INSTANCE_NAME``
            or the host's name if None.

        instance_id: The whole ``instanceId``.

        default_tier: The tier of a record that names none.

        id_format: ``ulid`` or ``slug``: which ids are valid.

        redact: As for :class:`tierlog.TierHandler`.

        exc_locals: As for :class:`tierlog.TierHandler`.

        clock: Returns nanoseconds since the epoch.

    Raises:
        ConfigError: An option can't work.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,  # noqa: FBT001, FBT002 -- the stdlib's signature
        *,
        defaults: Any = None,
        instance_name: str | None = None,
        instance_id: str | None = None,
        default_tier: str = "system",
        id_format: str = "ulid",
        redact: Any = "on",
        exc_locals: bool = False,
        clock: Clock = time.time_ns,
    ) -> None:
        # What a process that only imports tierlog doesn't need: half of the import's time.
        from tierlog.pipeline import Pipeline  # noqa: PLC0415
        from tierlog.stream import stream_options  # noqa: PLC0415

        del fmt, datefmt, style, validate, defaults
        super().__init__()
        options = stream_options(
            instance_name=instance_name,
            instance_id=instance_id,
            default_tier=default_tier,
            id_format=id_format,
            redact=redact,
        )
        self._sink = _Last()
        self.pipeline = Pipeline(
            self._sink,
            name=options.name,
            instance_id=options.instance_id,
            redactor=options.redactor,
            default_tier=options.default_tier,
            id_format=options.id_format,
            clock=clock,
            exc_locals=exc_locals,
        )

    def format(self, record: logging.LogRecord) -> str:
        """
        Return the line of *record*.
        """
        lock = self.pipeline.fork_lock()
        lock.acquire()
        try:
            self._sink.line = b""
            self.pipeline.record(record)
            return self._sink.line[:-1].decode()
        finally:
            lock.release()
