"""
An exception of a record as Python would print it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


__all__ = ["exception_lines"]

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_DEEPEST = 40


def exception_lines(exc: Any, *, room: int = _DEEPEST) -> Iterator[str]:
    """
    Yield the lines of ``data.exc``; what isn't formed like one yields as far as it is.
    """
    if not isinstance(exc, dict) or room <= 0:
        return
    for name, sentence in (("cause", _CAUSE), ("context", _CONTEXT)):
        if isinstance(exc.get(name), dict):
            yield from exception_lines(exc[name], room=room - 1)
            yield from ("", sentence, "")
    frames = [one for one in _list(exc.get("frames")) if isinstance(one, dict)]
    if frames:
        yield "Traceback (most recent call last):"
    for frame in frames:
        yield from _frame_lines(frame)
    yield from _last_lines(exc)
    inner = _list(exc.get("exceptions"))
    for number, one in enumerate(inner, 1):
        yield f"  +---------------- {number} of {len(inner)}"
        for line in exception_lines(one, room=room - 1):
            yield f"  | {line}"


def _frame_lines(frame: dict[str, Any]) -> Iterator[str]:
    if "omitted" in frame:
        yield f"  … {frame['omitted']} more"
        return
    yield f'  File "{frame.get("file", "?")}", line {frame.get("line", "?")}, in {frame.get("func", "?")}'
    values = frame.get("locals")
    if isinstance(values, dict):
        for name, value in values.items():
            yield f"    {name} = {value}"


def _last_lines(exc: dict[str, Any]) -> Iterator[str]:
    module, name, message = exc.get("module"), str(exc.get("type", "?")), str(exc.get("message", ""))
    whole = name if module in {None, "builtins", "__main__"} else f"{module}.{name}"
    first, *rest = message.split("\n")
    yield f"{whole}: {first}" if first else whole
    yield from rest
    for note in _list(exc.get("notes")):
        yield from str(note).split("\n")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
