"""
A handler that routes records to a sink, never raising.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any, Never

from tierlog._version import __version__
from tierlog.context import EMPTY
from tierlog.filter import ContextFilter
from tierlog.kinds import TIERS
from tierlog.typing import Clock


__all__ = ["TierHandler", "all_handlers", "handlers"]

_BRIDGED = 5.0  # seconds; building a configuration doesn't take longer


class TierHandler(logging.Handler):
    """
    Writes each record as one line to its sink.

    It works from ``dictConfig`` alone. A formatter set on it isn't used: the
    line is the envelope.

    Args:
        level: As for every handler.

        sink: See :func:`tierlog.sink_config.make_sink`; segments below ``logs``
            if None.

        instance_name: What ``instanceId`` begins with; ``TIERLOG_INSTANCE_NAME``
            or the host's name if None.

        instance_id: The whole ``instanceId``, for those who guarantee that it is
            unique to one run of one process.

        default_tier: The tier of a record that names none.

        redact: ``"on"``, ``"off"``, options of a
            :class:`tierlog.redact.Redactor`, or one.

        process_events: Whether to write a record at the start and at a clean stop.

        exc_locals: Whether exceptions carry the locals of their frames, redacted.

        clock: Returns nanoseconds since the epoch.

    Attributes:
        pipeline: The way of a record to the sink.

        plain_filter: The filter, among its own, that does nothing but read the
            context, which the pipeline does itself.

    Raises:
        ConfigError: An option can't work.
    """

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        sink: Any = None,
        instance_name: str | None = None,
        instance_id: str | None = None,
        default_tier: str = "system",
        redact: Any = "on",
        process_events: bool = False,
        exc_locals: bool = False,
        clock: Clock = time.time_ns,
        **unknown: Never,
    ) -> None:
        # What a process that only imports tierlog doesn't need: half of the import's time.
        from tierlog.pipeline import Pipeline  # noqa: PLC0415
        from tierlog.sink_config import check_handler_names, make_sink  # noqa: PLC0415
        from tierlog.stream import stream_options  # noqa: PLC0415

        if unknown:
            check_handler_names("", unknown, TierHandler)
        made = make_sink({"type": "segments"} if sink is None else sink)
        options = stream_options(
            instance_name=instance_name,
            instance_id=instance_id,
            default_tier=default_tier,
            id_format=getattr(made, "id_format", "ulid"),
            redact=redact,
        )
        # Before the base class shows the handler to those who flush all there are.
        self.plain_filter: ContextFilter | None = None
        self.pipeline = Pipeline(
            made,
            name=options.name,
            instance_id=options.instance_id,
            redactor=options.redactor,
            default_tier=options.default_tier,
            id_format=options.id_format,
            clock=clock,
            exc_locals=exc_locals,
        )
        self._started = time.monotonic()
        self._process_events = process_events
        self._is_closed = False
        self.createLock()  # the base class is one statement late with it
        super().__init__(level)
        if process_events:
            self.pipeline.on_start = self._write_start
            self._write_start()
        if not options.hides:
            self._write_own("warn", "security", "redaction is off: secrets are written as they come", {"event": "redaction_off"})
        _remember(self)

    def handle(self, record: logging.LogRecord) -> bool:
        """
        Write *record* if the filters let it pass.

        The lock of :class:`logging.Handler` isn't taken: the pipeline has its own,
        and holds it for the write only.
        """
        filters = self.filters
        if filters and (filters[0] is not self.plain_filter or len(filters) > 1):
            passed = self.filter(record)
            if not passed:
                return False
            if isinstance(passed, logging.LogRecord):  # 3.12: a filter may replace it
                record = passed
        self.pipeline.record(record)
        return True

    def addFilter(self, filter: Any) -> None:  # noqa: A002, N802 -- the stdlib's names
        """
        Add *filter*, and remember it if it does nothing but read the context.
        """
        super().addFilter(filter)
        if type(filter) is ContextFilter and filter.is_plain:
            self.plain_filter = filter

    def emit(self, record: logging.LogRecord) -> None:
        """
        Write *record*.
        """
        self.pipeline.record(record)

    def has_plain_filters(self) -> bool:
        """
        Tell whether the filters do nothing that the pipeline doesn't do itself.
        """
        filters = self.filters
        return not filters or (filters[0] is self.plain_filter and len(filters) == 1)

    def flush(self) -> None:
        """
        Bring every buffered line to where it belongs.
        """
        self.pipeline.sink.flush()

    def end_build(self, build_id: str) -> None:
        """
        Finish the files of a build.
        """
        end = getattr(self.pipeline.sink, "end_build", None)
        if end is not None:
            end(build_id)

    def stats(self) -> dict[str, Any]:
        """
        Return the counters; see :func:`tierlog.stats`.
        """
        return self.pipeline.stats()

    def close(self) -> None:
        """
        Write the stop event, if they are on, and close the sink.

        It waits for no thread. A record that comes later is kept all the same.
        """
        if not self._is_closed:
            self._is_closed = True
            if self._process_events:
                self._write_stop()
            self.pipeline.sink.close()
            _bridge(self)
        super().close()

    def _write_start(self) -> None:
        self._started = time.monotonic()
        facts = {
            "event": "start",
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "tierlog": __version__,
            "tiers": list(TIERS),
            "sink": type(self.pipeline.sink).__name__,
        }
        self._write_own("info", "meta", "process started", facts)

    def _write_stop(self) -> None:
        stats = self.stats()
        facts = {
            "event": "stop",
            "pid": os.getpid(),
            "uptime_ms": int((time.monotonic() - self._started) * 1000),
            "last_seq": stats["accepted"],  # its own
            "accepted": stats["accepted"] + 1,
            "dropped": stats["dropped"],
        }
        self._write_own("info", "meta", "process stopped", facts)

    def _write_own(self, lvl: str, kind: str, msg: str, data: dict[str, Any]) -> None:
        self.pipeline.event(self.pipeline.now_ms(), EMPTY, lvl, "tierlog", msg, data=data, tier="system", kind=kind)


all_handlers: list[TierHandler] = []
"""The handlers that may be open; the one made last is the current one, which is
where events without a logger go."""


def _remember(handler: TierHandler) -> None:
    """
    Keep *handler* as the current one, and those before it while they are open.

    The last one stays even when it is closed: between two configurations, what
    is logged without a logger still has somewhere to go.
    """
    all_handlers[:] = [one for one in all_handlers if not one._is_closed]  # noqa: SLF001 -- our own
    all_handlers.append(handler)


def handlers() -> list[TierHandler]:
    """
    Return the handlers that are open, and the one made last.
    """
    return [one for one in all_handlers if one is all_handlers[-1] or not one._is_closed]  # noqa: SLF001 -- our own


class _Bridge(logging.Handler):
    """
    A handler of last resort for the moment in which ``dictConfig`` has taken the
    old handlers away and not put the new ones there yet.

    Args:
        before: The handler of last resort that there was.

        handler: The handler that was closed.
    """

    def __init__(self, before: logging.Handler | None, handler: TierHandler) -> None:  # no super(): not to be shut down
        self.level = logging.NOTSET
        self.before = before
        self._handler = handler
        self._ends = time.monotonic() + _BRIDGED

    def handle(self, record: logging.LogRecord) -> bool:
        """
        Keep *record* if that moment can be now; else do what was done before.
        """
        if time.monotonic() < self._ends and not logging.getLogger().handlers:
            return self._handler.handle(record)
        if self.before is not None and record.levelno >= self.before.level:
            return bool(self.before.handle(record))
        return False


def _bridge(handler: TierHandler) -> None:
    last = logging.lastResort
    before = last.before if isinstance(last, _Bridge) else last
    logging.lastResort = _Bridge(before, handler)
