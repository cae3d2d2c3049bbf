"""
Events that need no logger, and builds, which end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from tierlog.context import Context, bound, current
from tierlog.handler import all_handlers as _handlers
from tierlog.handler import handlers


__all__ = ["build", "log_event"]

_Level = tuple[str, int, str | None]

_LEVELS: dict[str, _Level] = {
    "debug": ("debug", 10, None),
    "info": ("info", 20, None),
    "warn": ("warn", 30, None),
    "warning": ("warn", 30, None),
    "error": ("error", 40, None),
    "critical": ("error", 50, "CRITICAL"),
}
"""``lvl``, the number, and what ``data.level`` says."""

_SRC = "event"
_time_ns = time.time_ns


def log_event(  # noqa: PLR0913 -- the envelope's own fields
    tier: str,
    kind: str | None,
    lvl: str,
    msg: Any,
    data: Any = None,
    *,
    project_id: Any = None,
    build_id: Any = None,
    user_id: Any = None,
    req_id: Any = None,
    src: str | None = None,
) -> None:
    """
    Write one event without a LogRecord; never raise.

    It goes to the :class:`tierlog.TierHandler` made last; where there is none, to
    the logger ``tierlog.event`` as an ordinary record.

    Args:
        tier: ``system``, ``build``, ``deploy``, ``action`` or ``lifecycle``.

        kind: What happened, in the tier's vocabulary; the tier's default if None.

        lvl: ``debug``, ``info``, ``warn`` or ``error``; ``warning`` and
            ``critical`` are taken, too.

        msg: The message.

        data: The payload; a dict as a rule.

        project_id: Stands instead of the context's, as do the other ids.

        src: Who says so; the context's, else ``event``.
    """
    handler = _handlers[-1] if _handlers else None
    level = _LEVELS.get(lvl) if type(lvl) is str else None
    if level is None or level[2] is not None:
        level, data = _with_level(level, lvl, data)
    ids = None
    if project_id is not None or build_id is not None or user_id is not None or req_id is not None:
        ids = _given(project_id, build_id, user_id, req_id)
    if handler is None or (handler.filters and not handler.has_plain_filters()):
        _log_as_record(handler, level[1], tier, kind, msg, data, ids, src)
    elif level[1] >= handler.level:
        context = current()
        handler.pipeline.event(_time_ns() // 1_000_000, context, level[0], src or _SRC, msg, None, None, data, tier, kind, ids)


def _given(project_id: Any, build_id: Any, user_id: Any, req_id: Any) -> dict[str, Any]:
    ids = {"project_id": project_id, "build_id": build_id, "user_id": user_id, "req_id": req_id}
    return {name: value for name, value in ids.items() if value is not None}


def _with_level(level: _Level | None, given: Any, data: Any) -> tuple[_Level, Any]:
    """
    Return the level of one that isn't one of the four, and the data with its name.
    """
    name = level[2] if level is not None else given
    own = data if type(data) is dict else {} if data is None else {"data": data}
    return level or _LEVELS["info"], {**own, "level": name}


def _log_as_record(
    handler: logging.Handler | None,
    levelno: int,
    tier: str,
    kind: str | None,
    msg: Any,
    data: Any,
    ids: Mapping[str, Any] | None,
    src: str | None,
) -> None:
    logger = logging.getLogger("tierlog.event")
    extra = {"tier": tier, "kind": kind, "data": {} if data is None else data, **(ids or {})}
    extra |= {"src": src} if src is not None else {}
    if handler is None:
        logger.log(levelno, msg, extra=extra, stacklevel=3)
    elif levelno >= handler.level:
        handler.handle(logger.makeRecord(logger.name, levelno, __file__, 0, msg, (), None, None, extra))


class build:  # noqa: N801 -- used as a function, as contextlib's own are
    """
    Everything that is logged in this block belongs to a build, whose file ends
    with it.

    It binds ``build_id``, ``project_id`` and the tier ``build``, for ``with`` and
    ``async with``.

    Args:
        build_id: The build.

        project_id: Its project; the context's if None.
    """

    __slots__ = ("_bound", "_build_id")

    def __init__(self, build_id: str, *, project_id: str | None = None) -> None:
        self._build_id = build_id
        ids = {"build_id": build_id, "tier": "build", "kind": None}
        self._bound = bound(**ids, **({} if project_id is None else {"project_id": project_id}))

    def __enter__(self) -> Context:
        return self._bound.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._bound.__exit__(exc_type, exc, traceback)
        for handler in handlers():
            handler.end_build(self._build_id)

    async def __aenter__(self) -> Context:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__()
