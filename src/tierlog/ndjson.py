"""
The parts of a line as JSON, and a line back to an event.

Only exact builtins reach orjson, and no ``default=``: given anything else it can
kill the process, and no log call may do that.
"""

from __future__ import annotations

from typing import Any

import orjson

from tierlog.envelope import DATA_MAX_BYTES, KEYS, MSG_MAX_BYTES, TRUNCATED
from tierlog.plain import encodable


__all__ = ["LINE", "decode", "dump_data", "dump_text", "fit", "truncate"]

LINE = b'{"ts":%d%b%d%b,"msg":%b,"data":%b}\n'
"""A line, from ``ts``, head, ``seq``, source, message and data."""

_PREVIEW_CHARS = 1_024
_ROOM_FOR_NOTES = 4_096
_MAX_NAMED = 16
_MAX_NAME = 64
_LONG_CHARS = MSG_MAX_BYTES // 6  # no text this short can be too many bytes, even of surrogates


def dump_text(text: str) -> bytes:
    r"""
    Return *text* as JSON; lone surrogates become ``\ud800`` in letters.
    """
    try:
        return orjson.dumps(text)
    except TypeError:
        return orjson.dumps(encodable(text))


def dump_data(data: Any) -> bytes:
    """
    Return a tree of exact builtins as JSON.
    """
    try:
        return orjson.dumps(data)
    except TypeError:
        return orjson.dumps(encodable(data))


def truncate(text: str) -> str:
    """
    Return *text* so that it fits ``msg``: cut on a character and marked if too long.
    """
    if len(text) <= _LONG_CHARS:
        return text
    encoded = text.encode("utf-8", "backslashreplace")
    if len(encoded) <= MSG_MAX_BYTES:
        return text
    return encoded[: MSG_MAX_BYTES - len(TRUNCATED)].decode("utf-8", "ignore") + TRUNCATED


def fit(message: bytes, data: dict[str, Any]) -> bytes:
    """
    Return *data* as JSON, pruned so that it fits a line beside *message*.

    The largest values of the first level go first: each is replaced by the
    beginning of its JSON, as text. What was cut is named in ``_tierlog.pruned``.

    Args:
        message: The message as JSON.

        data: A tree of exact builtins.
    """
    body = dump_data(data)
    room = DATA_MAX_BYTES - len(message)
    if len(body) <= room:
        return body
    own = data.get("_tierlog")
    kept = {name: value for name, value in data.items() if name != "_tierlog"}
    sizes = {name: _size(name, value) for name, value in kept.items()}
    notes: dict[str, Any] = {"pruned": [], "bytes": len(body)}
    if type(own) is dict and len(dump_data(own)) < _ROOM_FOR_NOTES:
        notes = {**own, **notes}
    elif own is not None:
        notes["pruned"].append("_tierlog")
    room -= 3 * _ROOM_FOR_NOTES
    total = sum(sizes.values())
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total <= room:
            break
        kept[name] = _preview(kept[name])
        total += _size(name, kept[name]) - sizes[name]
        sizes[name] = _size(name, kept[name])
        if len(notes["pruned"]) < _MAX_NAMED:
            notes["pruned"].append(name[:_MAX_NAME])
    while total > room:  # very many values, or very long names: the last go
        name, _ = kept.popitem()
        total -= sizes[name]
        notes["omitted"] = notes.get("omitted", 0) + 1
    return dump_data({**kept, "_tierlog": notes})


def _size(name: str, value: Any) -> int:
    return len(dump_text(name)) + len(dump_data(value)) + 2  # a colon and a comma


def _preview(value: Any) -> str:
    text = value if type(value) is str else dump_data(value)[: 4 * _PREVIEW_CHARS].decode("utf-8", "ignore")
    return text if len(text) <= _PREVIEW_CHARS else text[:_PREVIEW_CHARS] + TRUNCATED


def decode(line: bytes) -> dict[str, Any]:
    """
    Return the event of a line.

    Raises:
        ValueError: The line isn't an envelope: it is torn, or not ours.
    """
    event = orjson.loads(line)
    if type(event) is not dict or event.keys() != set(KEYS):
        raise ValueError("not an envelope")
    return event
