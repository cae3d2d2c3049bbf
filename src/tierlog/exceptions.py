"""
An exception as data: type, message, frames, notes, causes and groups.

Frames are read from the traceback itself; no source file is opened, and locals
are taken only when asked for.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

from tierlog.plain import text_of


__all__ = ["exception_data", "raised"]

_MAX_CHAIN = 16
_MAX_GROUP = 32
_FIRST_FRAMES = 20
_LAST_FRAMES = 80
_MAX_LOCALS = 50
_MAX_LOCAL_CHARS = 1_024
_WORD_END = re.compile(r"[^\s,;'\"]*\Z")

_own = vars(BaseException)  # descriptors, where a user's class may have properties, which may raise
_exceptions = vars(BaseExceptionGroup)["exceptions"].__get__


def raised(exc_info: Any) -> BaseException | None:
    """
    Return the exception of a record's ``exc_info``, None if it has none.
    """
    found = exc_info[1] if type(exc_info) is tuple and len(exc_info) > 1 else exc_info
    return found if issubclass(type(found), BaseException) else None


def exception_data(error: BaseException, *, with_locals: bool = False) -> dict[str, Any]:
    """
    Return *error* as a dict of plain values, not yet redacted.

    Keys are ``type``, ``module``, ``message``, ``frames`` (outermost first, the
    middle of more than 100 left out), and where there are any ``notes``,
    ``exceptions``, ``cause`` and ``context``; cycles are cut.

    Args:
        error: The exception.

        with_locals: Whether frames carry their local variables, as text.
    """
    return _describe(error, with_locals=with_locals, seen=set(), room=_MAX_CHAIN)


def _describe(error: BaseException, *, with_locals: bool, seen: set[int], room: int) -> dict[str, Any]:
    seen.add(id(error))
    cls = type(error)
    found: dict[str, Any] = {
        "type": cls.__qualname__,
        "module": cls.__module__,
        "message": _message(error),
        "frames": _frames(_own["__traceback__"].__get__(error), with_locals=with_locals),
    }
    if notes := _notes(error):
        found["notes"] = notes
    inner = _exceptions(error) if issubclass(cls, BaseExceptionGroup) else ()
    if inner and room > 0:
        found["exceptions"] = [
            _describe(one, with_locals=with_locals, seen=seen, room=room - 1) for one in inner[:_MAX_GROUP] if id(one) not in seen
        ]
    cause, context = _own["__cause__"].__get__(error), _own["__context__"].__get__(error)
    name, linked = ("cause", cause) if cause is not None else ("context", context)
    is_shown = name == "cause" or not _own["__suppress_context__"].__get__(error)
    if linked is not None and is_shown and id(linked) not in seen and room > 0:
        found[name] = _describe(linked, with_locals=with_locals, seen=seen, room=room - 1)
    return found


def _message(error: BaseException) -> str:
    try:
        return str.__str__(str(error))
    except Exception:  # noqa: BLE001 -- a user's __str__
        return text_of(list(_own["args"].__get__(error)))


def _notes(error: BaseException) -> list[str]:
    try:
        notes = getattr(error, "__notes__", ())
        return [text_of(note) for note in list(notes)[:_MAX_GROUP]] if isinstance(notes, (list, tuple)) else []
    except Exception:  # noqa: BLE001 -- a user's property
        return []


def _frames(traceback: TracebackType | None, *, with_locals: bool) -> list[dict[str, Any]]:
    chain: list[TracebackType] = []
    while traceback is not None:
        chain.append(traceback)
        traceback = traceback.tb_next
    frames = [_frame(one, with_locals=with_locals) for one in chain[:_FIRST_FRAMES]]
    if len(chain) > _FIRST_FRAMES + _LAST_FRAMES:
        frames.append({"omitted": len(chain) - _FIRST_FRAMES - _LAST_FRAMES})
    return frames + [_frame(one, with_locals=with_locals) for one in chain[_FIRST_FRAMES:][-_LAST_FRAMES:]]


def _frame(traceback: TracebackType, *, with_locals: bool) -> dict[str, Any]:
    code = traceback.tb_frame.f_code
    found: dict[str, Any] = {"file": code.co_filename, "line": traceback.tb_lineno, "func": code.co_qualname}
    if with_locals:
        values = list(traceback.tb_frame.f_locals.items())[:_MAX_LOCALS]
        found["locals"] = {name: _short(value) for name, value in values}
    return found


def _short(value: object) -> str:
    """
    Return *value* as a text that isn't cut through a word: a half of a secret
    isn't known for one.
    """
    text = text_of(value)
    return text if len(text) <= _MAX_LOCAL_CHARS else _WORD_END.sub("", text[:_MAX_LOCAL_CHARS]) + "[TRUNCATED]"
