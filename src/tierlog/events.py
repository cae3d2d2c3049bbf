"""
Events that need no logger, and builds, which end.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from tierlog.context import Context, bound, current
from tierlog.handler import all_handlers as _handlers
from tierlog.handler import handlers
from tierlog.kinds import LEVELS, level_name
from tierlog.plain import text_of
from tierlog.report import report


__all__ = ["build", "log_event"]

_NUMBERS = {name: number for number, name in LEVELS.items()}
_SRC = "event"


def log_event(
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

        lvl: ``debug``, ``info``, ``warn`` or ``error``. The stdlib's names are
            taken, too, in any case of letters, and so are its numbers; what is
            neither becomes ``info``, and ``data._tierlog`` says what it was.

        msg: The message.

        data: The payload; a dict as a rule.

        project_id: Stands instead of the context's.

        build_id: Likewise.

        user_id: Likewise.

        req_id: Likewise.

        src: Who says so; the context's, else ``event``.
    """
    level = _NUMBERS.get(lvl) if type(lvl) is str else None
    if level is None:
        lvl, level, data = _with_level(lvl, data)
    ids = None
    if project_id is not None or build_id is not None or user_id is not None or req_id is not None:
        ids = _given(project_id, build_id, user_id, req_id)
    handler = _handlers[-1] if _handlers else None
    filters = handler.filters if handler is not None else ()
    if handler is None or (filters and (filters[0] is not handler.plain_filter or len(filters) > 1)):
        _log_as_record(handler, level, tier, kind, msg, data, ids, src)
    elif level >= handler.level:
        handler.pipeline.emit(None, None, lvl, _SRC, msg, None, None, data, tier, kind, ids, src)


def _given(project_id: Any, build_id: Any, user_id: Any, req_id: Any) -> dict[str, Any]:
    ids = {"project_id": project_id, "build_id": build_id, "user_id": user_id, "req_id": req_id}
    return {name: value for name, value in ids.items() if value is not None}


def _with_level(given: Any, data: Any) -> tuple[str, int, Any]:
    """
    Return the ``lvl`` and number of one that isn't one of the four, and the data
    with its name.
    """
    number = int.__index__(given) if isinstance(given, int) and not isinstance(given, bool) else None
    if isinstance(given, str):  # an enum's member, too
        number = logging.getLevelNamesMapping().get(str.upper(str.strip(given)))
    if number is None:
        report("lvl", "an event's lvl is none, and became info; its data._tierlog.invalid says what was given")
        return "info", logging.INFO, _with(data, "_tierlog", {"invalid": {"lvl": text_of(given)}})
    if number in LEVELS:
        return LEVELS[number], number, data
    return level_name(number), number, _with(data, "level", logging.getLevelName(number))


def _with(data: Any, name: str, value: Any) -> dict[str, Any]:
    own = data if type(data) is dict else {} if data is None else {"data": data}
    return {**own, name: value}


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
    extra["src"] = src or current().src or _SRC
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
