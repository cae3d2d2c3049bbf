"""
What differs between two states: what changed, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import takewhile
from typing import Any

from tierlog.plain import free_name, key_text, unwrap


__all__ = ["changed_names", "changes", "difference", "names_only", "remember", "snapshot_of", "without_sides"]

_MAX_CHANGES = 100
_MAX_ITEMS = 10_000
_MAX_DEPTH = 12
_MAX_CHARS = 1_024
_MAX_INNER = 20
_MISSING = object()
_VALUES = re.compile(r"values?\Z|(?:old|new|before|after|previous|current)(?:_?values?)?\Z", re.IGNORECASE)


def remember(data: dict[str, Any]) -> None:
    """
    Put into *data*, which may have a ``before``, what that is now: it may change.

    Raises:
        Exception: It is a user's function, which raised.
    """
    if "before" in data:
        data["before"] = _snapshot_now(data.pop("before"))


def difference(data: Mapping[str, Any], *, only_names: bool) -> dict[str, Any]:
    """
    Return the difference of what *data* has as ``before`` and ``after``, as data.

    Args:
        data: Its ``before`` is remembered already. Without an ``after`` there is none.

        only_names: Whether they are environment variables.

    Raises:
        Exception: ``after`` is a user's function, which raised.
    """
    if "after" not in data:
        return {}
    before, after = data.get("before"), _snapshot_now(data["after"])
    return {"changes": changed_names(before, after)} if only_names else changes(before, after)


def without_sides(data: Mapping[str, Any], *, only_names: bool) -> Mapping[str, Any]:
    """
    Return *data* without both sides, of which only the difference is written.
    """
    rest = {name: value for name, value in data.items() if name not in {"before", "after"}}
    return names_only(rest) if only_names else rest


def snapshot_of(value: Any) -> Any:
    """
    Return a copy of *value* of exact builtins, which doesn't change with it; a set
    becomes a tuple, since its order says nothing.
    """
    return _copied(value, 0, [_MAX_ITEMS])


def changes(before: Any, after: Any) -> dict[str, Any]:
    """
    Return the difference of two snapshots, as data.

    ``changes`` has a path, such as ``limits.memory`` or ``tags[2]``, with its
    ``before`` and its ``after``; what was added has no ``before``, what was removed
    no ``after``. Of a set, ``before`` has what left it and ``after`` what came. Of
    more than 100, ``changesOmitted`` counts the rest. Long texts and large values are
    described: a text is never cut, since half a secret isn't known for one.
    """
    found: dict[str, Any] = {}
    omitted = 0
    for path, old, new in _differences(_side(before), _side(after), ""):
        if len(found) == _MAX_CHANGES:
            omitted += 1
            continue
        sides = {"before": old, "after": new}
        found[free_name(found, path)] = {side: _short(value) for side, value in sides.items() if value is not _MISSING}
    return {"changes": found, "changesOmitted": omitted} if omitted else {"changes": found}


def changed_names(before: Any, after: Any) -> dict[str, list[str]]:
    """
    Return the names that were added, removed and changed, and no value.
    """
    found: dict[str, list[str]] = {}
    for name, old, new in _differences(_side(before), _side(after), ""):
        found.setdefault("added" if old is _MISSING else "removed" if new is _MISSING else "changed", []).append(name)
    return found


def names_only(data: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *data* without values of variables: of a mapping its keys, of
    ``NAME=value`` and of a pair in a list the name, and nothing of a field that is
    called ``value``.
    """
    return {key: _names(value, 0) for key, value in data.items() if not _VALUES.match(key)}


def _names(value: Any, depth: int) -> Any:
    plain = unwrap(value)
    if type(plain) is dict:
        return [key_text(key) for key in list(plain)[:_MAX_ITEMS]]
    if type(plain) is list and depth:  # a name with its value
        return _names(plain[0], depth + 1) if plain and depth < _MAX_DEPTH else None
    if type(plain) is list:
        return [_names(item, depth + 1) for item in plain[:_MAX_ITEMS]]
    return plain.partition("=")[0] if type(plain) is str else plain


def _snapshot_now(side: Any) -> Any:
    value = side() if callable(side) else side
    if hasattr(type(value), "__await__"):
        getattr(value, "close", int)()  # or it would warn that nobody awaited it
        raise TypeError("it is a coroutine, which nobody awaits here")
    return snapshot_of(value)


def _side(snapshot: Any) -> Any:
    return {} if snapshot is None else snapshot


def _copied(value: Any, depth: int, room: list[int]) -> Any:
    plain = unwrap(value)
    if type(plain) not in {dict, list}:
        return plain
    if depth == _MAX_DEPTH or room[0] <= 0:
        return f"<{type(value).__name__} of {len(plain)}>"
    room[0] -= len(plain)
    if type(plain) is list:
        items = [_copied(item, depth + 1, room) for item in plain]
        return tuple(sorted(items, key=repr)) if issubclass(type(value), AbstractSet) else items
    return {key_text(key): _copied(item, depth + 1, room) for key, item in plain.items()}


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if type(old) is dict and type(new) is dict:
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key, _MISSING), new.get(key, _MISSING), f"{path}.{key}" if path else key)
    elif type(old) is list and type(new) is list:
        tail = _same_tail(old, new) if len(old) != len(new) else 0
        for index in range(max(len(old), len(new)) - tail):
            yield from _differences(_at(old, index, tail), _at(new, index, tail), f"{path}[{index}]")
    elif type(old) is tuple and type(new) is tuple:
        left, came = _not_in(old, new), _not_in(new, old)
        if left or came:
            yield path or "value", left or _MISSING, came or _MISSING
    elif not _same(old, new):
        yield path or "value", old, new


def _same_tail(old: list[Any], new: list[Any]) -> int:
    """
    Return how many items at the end of both are the same: what stands behind one that
    was added or removed has another index, and hasn't changed.
    """
    pairs = zip(reversed(old), reversed(new), strict=False)
    return sum(1 for _ in takewhile(lambda pair: next(_differences(*pair, ""), None) is None, pairs))


def _at(items: list[Any], index: int, tail: int) -> Any:
    return items[index] if index < len(items) - tail else _MISSING


def _not_in(some: tuple[Any, ...], others: tuple[Any, ...]) -> list[Any]:
    known = {repr(item) for item in others}
    return [item for item in some if repr(item) not in known]


def _same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and bool(old == new)


def _short(value: Any, depth: int = 0) -> Any:
    if type(value) is str:
        return value if len(value) <= _MAX_CHARS else f"<text of {len(value)} characters>"
    if type(value) not in {dict, list, tuple}:
        return value
    if depth == 2 or len(value) > _MAX_INNER:  # noqa: PLR2004 -- what is large isn't a minimal difference
        return f"<{'object' if type(value) is dict else 'list'} of {len(value)}>"
    if type(value) is not dict:
        return [_short(item, depth + 1) for item in value]
    return {key: _short(item, depth + 1) for key, item in value.items()}
