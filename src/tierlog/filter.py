"""
Stamping the current context on records, on the thread that logs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tierlog.context import Context, current
from tierlog.exceptions import exception_data, raised
from tierlog.plain import text_of
from tierlog.report import report
from tierlog.tracing import MODULE as OPENTELEMETRY
from tierlog.tracing import modules, trace_ids


__all__ = ["ContextFilter", "Stamp"]

Source = Callable[[], Mapping[str, Any]]


class Stamp:
    """
    What a filter noted on a record that a queue would take from it.

    Attributes:
        context: The ids of the thread that logged.

        message: The message without the exception's text behind it.

        exc: The exception as data.

        stack: The stack as text.
    """

    __slots__ = ("context", "exc", "message", "stack")

    def __init__(self, context: Context, message: str, exc: dict[str, Any] | None, stack: str | None) -> None:
        self.context = context
        self.message = message
        self.exc = exc
        self.stack = stack


class ContextFilter(logging.Filter):
    """
    Keeps with a record what is bound where it was made, so that a queue can follow.

    It belongs in front of the queue: on the ``QueueHandler``, or on the logger;
    behind it, another thread's context would be read. It never drops a record.

    Args:
        name: As for :class:`logging.Filter`, but never used to drop: for
            ``fileConfig`` and habit.

        source: Ids from elsewhere: a callable that returns a mapping with any of
            ``project_id``, ``build_id``, ``user_id``, ``req_id``, ``tier``,
            ``kind`` and ``src``, for example a registry of contextvars-extras.
            What :func:`tierlog.bind` bound fills what it leaves out.

    Attributes:
        is_plain: Whether it reads tierlog's own context only, so that a handler
            that does so itself needs no stamp.
    """

    def __init__(self, name: str = "", *, source: Source | None = None) -> None:
        super().__init__(name)
        self._source = source
        self.is_plain = source is None

    def filter(self, record: logging.LogRecord) -> bool:
        """
        Stamp *record* and let it pass.
        """
        if "_tierlog" not in record.__dict__:
            context = current() if self._source is None else self._from_source()
            if record.exc_info or record.stack_info:
                record._tierlog = _noted(record, context)  # noqa: SLF001 -- an attribute of ours
            else:
                record._tierlog = context  # noqa: SLF001
            if OPENTELEMETRY in modules:
                for name, value in trace_ids().items():
                    record.__dict__.setdefault(name, value)  # as if it were in extra
        return True

    def _from_source(self) -> Context:
        try:
            found = dict(self._source()) if self._source is not None else {}
            return current().replace(found)
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            report("context source", f"the source of a ContextFilter gives no ids ({type(e).__name__}); bound ones stand instead")
            return current()


def _noted(record: logging.LogRecord, context: Context) -> Stamp:
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 -- wrong arguments are no reason to lose a record
        message = f"{text_of(record.msg)} {text_of(record.args)}"
    error = raised(record.exc_info)
    return Stamp(context, message, exception_data(error) if error is not None else None, record.stack_info)
