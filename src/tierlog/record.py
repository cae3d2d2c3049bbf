"""
LogRecords at half the price.

The standard library works the names of file and module out anew for each record;
here they are remembered by path. Every attribute is there and has the value it
always has, so other people's handlers and formatters see no difference.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any


__all__ = ["FastRecord", "install_record_factory"]

_REMEMBERED = 4_096
_KNOWN = [
    *("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module", "exc_info", "exc_text"),
    *("stack_info", "lineno", "funcName", "created", "msecs", "relativeCreated", "thread", "threadName"),
    *("processName", "process"),
]

_sample = logging.LogRecord("", 0, "", 0, "", (), None)
_HAS_TASKS = "taskName" in _sample.__dict__
_started = _sample.created - _sample.relativeCreated / 1000
_names: dict[str, tuple[str, str]] = {}

_time = time.time  # noqa: TID251 -- what the stdlib reads, whatever clock the handler has
_getpid = os.getpid
_get_ident = threading.get_ident
_current_thread = threading.current_thread
_level_name = logging.getLevelName
_loaded = sys.modules.get


class FastRecord(logging.LogRecord):
    """
    A LogRecord made with less work.
    """

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: Any,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        created = _time()
        if args and len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            args = args[0]
        names = _names.get(pathname) or _file_names(pathname)
        multiprocessing = _loaded("multiprocessing") if logging.logMultiprocessing else None
        has_thread = logging.logThreads
        self.__dict__ = {
            "name": name,
            "msg": msg,
            "args": args,
            "levelname": _level_name(level),
            "levelno": level,
            "pathname": pathname,
            "filename": names[0],
            "module": names[1],
            "exc_info": exc_info,
            "exc_text": None,
            "stack_info": sinfo,
            "lineno": lineno,
            "funcName": func,
            "created": created,
            "msecs": int(created % 1 * 1000) + 0.0,
            "relativeCreated": (created - _started) * 1000,
            "thread": _get_ident() if has_thread else None,
            "threadName": _current_thread().name if has_thread else None,
            "processName": _process_name(multiprocessing),
            "process": _getpid() if logging.logProcesses else None,
        }
        if _HAS_TASKS:
            self.__dict__["taskName"] = _task_name()


def _file_names(pathname: Any) -> tuple[str, str]:
    if len(_names) >= _REMEMBERED:
        _names.clear()
    made = logging.LogRecord("", 0, pathname, 0, "", (), None)
    names = _names[pathname] = (made.filename, made.module)
    return names


def _process_name(multiprocessing: Any) -> str | None:
    if multiprocessing is None:
        return "MainProcess" if logging.logMultiprocessing else None
    try:
        name: str = multiprocessing.current_process().name
    except Exception:  # noqa: BLE001 -- as the stdlib: it may be half imported
        return "MainProcess"
    return name


def _task_name() -> str | None:
    asyncio = _loaded("asyncio") if getattr(logging, "logAsyncioTasks", False) else None
    if asyncio is None:
        return None
    try:
        name: str = asyncio.current_task().get_name()
    except Exception:  # noqa: BLE001 -- as the stdlib: no loop runs here, mostly
        return None
    return name


def install_record_factory() -> None:
    """
    Let :mod:`logging` make its records of this class.

    A factory that somebody else has set stays, and so does the standard one on a
    Python whose records have attributes unknown here.
    """
    known = [*_KNOWN, "taskName"] if _HAS_TASKS else _KNOWN
    if logging.getLogRecordFactory() is logging.LogRecord and list(_sample.__dict__) == known:
        logging.setLogRecordFactory(FastRecord)
