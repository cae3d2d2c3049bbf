"""
A stdlib logger that is cheaper per call.

Where a :class:`tierlog.TierHandler` is the only handler a record would come to,
no LogRecord is made: the call goes straight to the line. Everywhere else, and for
everything unusual, it is the logger it always was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from tierlog.handler import TierHandler
from tierlog.record import FastRecord


__all__ = ["TierLogger", "get_logger", "upgrade", "upgrade_all"]

_RESERVED = frozenset([*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime", "taskName"])

_factory = logging.getLogRecordFactory
_Logger = logging.Logger
_LogRecord = logging.LogRecord
_call_handlers = logging.Logger.callHandlers  # error trackers put their own in its place, to see each record


def _method(levelno: int, lvl: str) -> Callable[..., None]:
    def log(
        self: TierLogger,
        msg: object,
        *args: object,
        exc_info: Any = None,
        stack_info: bool = False,
        stacklevel: int = 1,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        enabled = self._cache.get(levelno)  # what isEnabledFor() asks first
        if (self.isEnabledFor(levelno) if enabled is None else enabled) and not self.disabled:
            pipeline = None if exc_info or stack_info else self._direct(levelno)
            if pipeline is None:
                self._log(levelno, msg, args, exc_info, extra, stack_info, stacklevel + 1)
            else:
                pipeline.emit(None, None, lvl, self.name, msg, args, extra, None, None, None, None, None)

    log.__name__ = log.__qualname__ = logging.getLevelName(levelno).lower()
    log.__doc__ = f"Log at {logging.getLevelName(levelno)}; as :class:`logging.Logger` does."
    return log


class TierLogger(logging.Logger):
    """
    What :func:`get_logger` returns.

    Its ``extra`` may have any key: those that clash with LogRecord's own
    attributes, for which the standard library raises, become data.
    """

    _cache: dict[int, bool]

    debug = _method(logging.DEBUG, "debug")
    info = _method(logging.INFO, "info")
    warning = _method(logging.WARNING, "warn")
    error = _method(logging.ERROR, "error")

    def makeRecord(  # noqa: N802 -- the stdlib's name
        self,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        extra: Mapping[str, object] | None = None,
        sinfo: str | None = None,
    ) -> logging.LogRecord:
        """
        Make a record; no key of *extra* raises.
        """
        return super().makeRecord(name, level, fn, lno, msg, args, exc_info, func, _without_clashes(extra), sinfo)

    def _direct(self, level: int) -> Any:
        """
        Return the pipeline of the only handler on the way, None if there are more,
        or anything on the way that may want the record.
        """
        logger: Any = self
        while not (handlers := logger.handlers):
            logger = logger.parent if logger.propagate else None
            if logger is None:
                return None
        found: Any = handlers[0]
        if type(found) is not TierHandler or len(handlers) > 1 or level < found.level or self.filters:
            return None
        while logger.propagate and (logger := logger.parent) is not None:
            if logger.handlers:
                return None
        filters = found.filters
        if filters and (filters[0] is not found.plain_filter or len(filters) > 1):
            return None
        factory = _factory()
        if (factory is not FastRecord and factory is not _LogRecord) or _Logger.callHandlers is not _call_handlers:
            return None
        return found.pipeline


def upgrade(logger: logging.Logger) -> logging.Logger:
    """
    Make *logger* cheaper per call, if it is a plain one, and return it.
    """
    if type(logger) is logging.Logger:
        logger.__class__ = TierLogger
    return logger


def upgrade_all() -> None:
    """
    Make every plain logger that there is cheaper per call, and those to come.
    """
    if logging.getLoggerClass() is logging.Logger:
        logging.setLoggerClass(TierLogger)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            upgrade(logger)


def get_logger(name: str | None = None) -> logging.Logger:
    """
    Return the logger called *name*, as :func:`logging.getLogger` does, made
    cheaper per call.

    It is the very logger that everyone else gets under this name. One whose class
    is somebody else's, and the root logger, are returned as they are.
    """
    return upgrade(logging.getLogger(name))


def _without_clashes(extra: Mapping[str, object] | None) -> Mapping[str, object] | None:
    if not extra or _RESERVED.isdisjoint(extra):
        return extra
    clashing = {key: extra[key] for key in extra if key in _RESERVED}
    rest = {key: extra[key] for key in extra if key not in _RESERVED}
    data = rest.get("data")
    own = data if isinstance(data, dict) else {} if data is None else {"data": data}
    return {**rest, "data": {**clashing, **own}}
