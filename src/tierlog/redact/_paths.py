"""
Paths to values that users want hidden, such as ``user.ssn`` or ``headers.x-*``.

A path begins at the top of the data and names one level after the other, so a walk
that goes down through the data carries along what is left to be met, and asks at
each step. Where nothing is left, there is nothing to ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tierlog.redact._keys import plain


__all__ = ["Paths", "State"]

State = frozenset[tuple[str, ...]]
"""What is left of the patterns that may still meet something; empty if none."""

_MAX_CHARS = 512
_MAX_SEGMENTS = 32
_MAX_NAME = 1_024
_REMEMBERED = 4_096
_REMEMBERED_CHARS = 64
_ANY, _ANY_DEPTH = "*", "**"
_QUOTED = r"""\[(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)\]"""
_SEGMENT = re.compile(rf"(?P<quoted>{_QUOTED})|\[(?P<index>\*|\d+)\]|(?P<dot>\.?)(?P<name>[^.\[\]]+)", re.DOTALL)


class Paths:
    """
    Paths to the values that are to be hidden.

    Names are compared without case and signs, so ``userName`` is ``user_name``. In
    a pattern, ``*`` stands for any name or any part of one, and ``**`` for any
    number of levels, none included. Brackets work too: ``a["b.c"][0]``.

    Lists may be left out, so ``users.email`` meets each user's, or be named by
    ``*`` or an index from 0: ``users.0.email``. A name with full stops in it
    counts as one level, and also as many.

    Safe to share between threads.

    Args:
        patterns: What to hide.

    Raises:
        ValueError: One of them can't be meant so; says which, and what to write.

    Attributes:
        start: The state at the top of the data.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.start: State = frozenset(map(_parsed, patterns))
        self._known: dict[tuple[State, str | int], tuple[State, bool]] = {}

    def step(self, state: State, name: str | int) -> tuple[State, bool]:
        """
        Return the state one level down, at *name* or at an index of a list, and
        whether the value there is to be hidden.
        """
        if not state:
            return state, False
        found = self._known.get((state, name))
        if found is None:
            found = _stepped(state, name)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if isinstance(name, int) or len(name) <= _REMEMBERED_CHARS:
                self._known[state, name] = found
        return found


def _stepped(state: State, name: str | int) -> tuple[State, bool]:
    if isinstance(name, int):
        at_index, is_hidden = _moved(state, str(name))
        return state | at_index, is_hidden
    moved, is_hidden = _moved(state, _folded(name))
    if "." in name[:_MAX_NAME]:
        inner, is_inner = state, False
        for part in name[:_MAX_NAME].split("."):
            inner, is_inner = _moved(inner, _folded(part))
        return moved | inner, is_hidden or is_inner
    return moved, is_hidden


def _moved(state: State, name: str) -> tuple[State, bool]:
    """
    Return what is left behind *name*, and whether anything ended there.
    """
    left = set()
    for segments in state:
        rest = segments
        while rest and rest[0] == _ANY_DEPTH:
            left.add(rest)
            rest = rest[1:]
        if _matches(rest[0], name):
            left.add(rest[1:])
    return frozenset(one for one in left if one), () in left


def _matches(segment: str, name: str) -> bool:
    if segment in {_ANY, name}:
        return True
    if _ANY not in segment:
        return False
    first, *parts, last = segment.split(_ANY)
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    position, end = len(first), len(name) - len(last)
    for part in parts:
        position = name.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def _folded(name: str) -> str:
    """
    Return *name* without case and signs; a name of signs alone is only itself.
    """
    name = name[:_MAX_NAME]
    return "".join(filter(str.isalnum, plain(name).casefold())) or name


def _parsed(pattern: str) -> tuple[str, ...]:
    if not isinstance(pattern, str):
        raise ValueError(f"path {pattern!r} isn't text; write the names of the levels, such as 'user.ssn'")  # noqa: TRY004
    if not pattern.strip():
        raise ValueError(f"path {pattern!r} is empty; write the names of the levels, such as 'user.ssn'")
    if len(pattern) > _MAX_CHARS:
        raise ValueError(f"path {pattern[:40]!r}... is longer than {_MAX_CHARS} characters; write '**' for some of its levels")
    segments = tuple(_segments(pattern))
    if len(segments) > _MAX_SEGMENTS:
        raise ValueError(f"path {pattern!r} has more than {_MAX_SEGMENTS} levels; write '**' for some of them")
    if _ANY_DEPTH in segments and {_ANY, _ANY_DEPTH} >= set(segments):
        raise ValueError(f"path {pattern!r} would hide everything; write a name as well, such as '**.ssn'")
    while segments[-1] == _ANY_DEPTH:  # a hidden value is hidden with all that is in it
        segments = segments[:-1]
    return segments


def _segments(pattern: str) -> Iterable[str]:
    position = 0
    while position < len(pattern):
        match = _SEGMENT.match(pattern, position)
        if match is None or (match["name"] and (bool(match["dot"]) is (position == 0) or not match["name"].strip())):
            raise ValueError(f"path {pattern!r} has an empty or unclosed level; write one full stop between two names")
        if match["quoted"] is not None:
            text = re.sub(r"\\(.)", r"\1", match["quoted"][2:-2], flags=re.DOTALL)
        else:
            text = (match["index"] or match["name"]).strip()
            text = str(int(text)) if match["index"] and text != _ANY else text
        yield _segment(pattern, text)
        position = match.end()


def _segment(pattern: str, text: str) -> str:
    if text in {_ANY, _ANY_DEPTH}:
        return text
    if _ANY not in text:
        return _folded(text)
    parts = ["".join(filter(str.isalnum, plain(part).casefold())) for part in re.split(r"\*+", text)]
    if not any(parts):
        raise ValueError(f"path {pattern!r} has a level of signs alone, {text!r}; write '*' for any name, or letters beside it")
    return _ANY.join(parts)
