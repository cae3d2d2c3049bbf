"""
What can be told from a pattern: how its matches begin and how long they are, and what Hyperscan is to look for.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
import re._parser as parser  # type: ignore[import-not-found, unused-ignore]
from collections.abc import Iterable, Sequence
from typing import Any


__all__ = ["begins_with", "capped", "loose", "width"]

_LENGTH_0 = (ops.AT, ops.ASSERT, ops.ASSERT_NOT)
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_MOST = 256
_COUNTED = 16

_Nodes = Iterable[tuple[Any, Any]]


def begins_with(pattern: str, literals: Sequence[str]) -> bool:
    """
    Tell that each match of *pattern* begins with one of *literals*.

    It may be true and not be told.

    >>> begins_with("gh[ps]_[a-z]{9}", ["ghp_", "ghs_"]), begins_with("x?ghp_", ["ghp_"])
    (True, False)
    """
    longest = max(map(len, literals), default=0)
    tree = parser.parse(pattern)
    if not longest or tree.state.flags & ops.SRE_FLAG_IGNORECASE:
        return False
    heads, _is_whole = _heads(tree, longest)
    return all(head.startswith(tuple(literals)) for head in heads)


def width(pattern: re.Pattern[str]) -> int:
    """
    Return the characters of the longest match of *pattern*.
    """
    return int(parser.parse(pattern.pattern, pattern.flags).getwidth()[1])


def capped(trigger: str) -> str:
    """
    Return *trigger* with its long repeats as shorter ones without end: Hyperscan takes
    a hundred times as long to count far behind a literal that is everywhere.
    """
    return re.sub(r"\{(\d+)(?:,\d*)?\}", lambda match: match[0] if int(match[1]) <= _COUNTED else f"{{{_COUNTED},}}", trigger)


def loose(pattern: str) -> str:
    """
    Return *pattern* without its named groups and upper bounds, which take long to compile,
    and with the ends of a text as ends of a line: several may be looked at together.
    """
    pattern = re.sub(r"(?<!\\)((?:\\\\)*)\\([AZ])", lambda match: match[1] + ("^" if match[2] == "A" else "$"), pattern)
    return re.sub(r"\{(\d+),\d{3,}\}", r"{\1,}", re.sub(r"\(\?P<\w+>", "(?:", pattern))


def _heads(nodes: _Nodes, longest: int) -> tuple[list[str], bool]:
    """
    Return the first characters of all that *nodes* match, and whether that is all of it.
    """
    heads = [""]
    for op, value in nodes:
        if op in _LENGTH_0:
            continue
        inner, is_whole = _of_one(op, value, longest)
        if len(heads) * len(inner) > _MOST:
            return heads, False
        heads = [head + more for head in heads for more in inner]
        if not is_whole or min(map(len, heads)) >= longest:
            return heads, False
    return heads, True


def _of_one(op: Any, value: Any, longest: int) -> tuple[list[str], bool]:
    if op is ops.LITERAL:
        return [chr(value)], True
    if op is ops.IN:
        return _of_set(value)
    if op is ops.BRANCH:
        parts = [_heads(branch, longest) for branch in value[1]]
        return list(dict.fromkeys(head for heads, _ in parts for head in heads)), all(is_whole for _, is_whole in parts)
    nodes, is_whole = _inner(op, value, longest)
    heads, is_all = _heads(nodes, longest)
    return heads, is_whole and is_all


def _inner(op: Any, value: Any, longest: int) -> tuple[_Nodes, bool]:
    """
    Return what an item begins with, and whether it is all of it.
    """
    if op is ops.SUBPATTERN and not value[1] & ops.SRE_FLAG_IGNORECASE:
        return value[-1], True
    if op is ops.ATOMIC_GROUP:
        return value, True
    if op in _REPEATS and value[0] == value[1] <= longest:
        return list(value[2]) * value[0], True
    return (value[2], False) if op in _REPEATS and value[0] else ((), False)


def _of_set(items: _Nodes) -> tuple[list[str], bool]:
    chars: list[str] = []
    for op, value in items:
        if op is ops.LITERAL:
            chars.append(chr(value))
        elif op is ops.RANGE:
            chars += map(chr, range(value[0], value[1] + 1))
        else:
            return [""], False
    return chars, True
