"""
Telling before a pattern is used that it can't be made to run for long.

:mod:`re` tries one way after the other, and texts are written by strangers. So
patterns of users may hold only what takes few steps at each place of a text,
which is told from the pattern's parse tree.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
import re._parser as parser  # type: ignore[import-not-found, unused-ignore]
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from tierlog.redact._charsets import EVERY, UNITS, chars_of


__all__ = ["MAX_STEPS", "MAX_WIDTH", "problem"]

MAX_STEPS = 64
"""Steps that repeats may take at each place of a text."""

MAX_WIDTH = 16_384
"""Longest match in characters: what a match may span is held back by streams."""

_MAX_PATTERN = 4_096
_MAX_WAYS = 4_096
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_LOOKS = (ops.ASSERT, ops.ASSERT_NOT)
_REFERENCES = (ops.GROUPREF, ops.GROUPREF_EXISTS)

_Nodes = Iterable[tuple[Any, Any]]


class _Item(NamedTuple):
    """
    What one item of a sequence matches: which characters, and how many.
    """

    chars: int
    least: int
    most: int
    goes_back: bool


def problem(pattern: str, flags: int = 0) -> str | None:
    r"""
    Return why *pattern* may not be used, and what to write instead, or None.

    >>> problem(r"acme_[A-Za-z0-9]{20,64}")
    >>> problem(r"acme_\w+")
    'repeats without an upper bound; write one, such as {1,200} for +'
    """
    if len(pattern) > _MAX_PATTERN:
        return f"is longer than {_MAX_PATTERN} characters; make it several rules"
    try:
        tree = parser.parse(pattern, flags & ~re.DEBUG)
        least, most = tree.getwidth()
    except (re.error, RecursionError, OverflowError) as e:
        return f"doesn't compile: {e}".replace("\n", " ")
    if least == 0:
        return "can match the empty string; begin it with something that must be there"
    found = next(_of_nodes(tree, within=False), None)
    if found:
        return found
    if most > MAX_WIDTH:
        return f"can match {most} characters, over {MAX_WIDTH}; lower the bounds of its repeats"
    return next(chain.from_iterable(map(_of_sequence, _sequences(tree))), None) or _of_start(list(_items(tree)))


def _of_nodes(nodes: _Nodes, *, within: bool) -> Iterator[str]:
    """
    Yield what is wrong with single items; *within* a repeat that goes back.
    """
    for op, value in nodes:
        if op in _REFERENCES:
            yield "refers back to a group, which needs backtracking; write out what it may be"
        elif op in _LOOKS and any(inner in _REPEATS and part[0] != part[1] for inner, part in _flat(value[1])):
            yield "looks ahead or behind over a repeat; look at a fixed number of characters"
        elif op in _REPEATS:
            low, high, _inner = value
            if high is ops.MAXREPEAT:
                yield "repeats without an upper bound; write one, such as {1,200} for +"
            if within and low != high:
                yield "has a repeat within a repeat, which needs backtracking; make one of them fixed or possessive"
        elif op is ops.BRANCH and within and len({branch.getwidth() for branch in value[1]}) > 1:
            yield "has alternatives of different length within a repeat, which needs backtracking; make the repeat possessive"
        for inner, goes_back in _inside(op, value):
            yield from _of_nodes(inner, within=within or goes_back)


def _of_sequence(items: list[_Item]) -> Iterator[str]:
    """
    Yield what is wrong with repeats that follow one another.
    """
    for index, first in enumerate(items):
        if not first.goes_back:
            continue
        for second in items[index + 1 :]:
            ways = (first.most - first.least + 1) * (second.most - second.least + 1)
            if second.chars & first.chars and second.goes_back and ways > _MAX_WAYS:
                yield "has two repeats that can match the same text, which needs backtracking; put something else between them"
            if second.least and not second.chars & first.chars:
                break


def _of_start(items: list[_Item]) -> str | None:
    """
    Return what is wrong if too much is run over from each place where a match may begin.
    """
    head = 0
    for index, item in enumerate(items):
        if item.least != item.most:
            run = sum(one.most for one in items[index:])
            is_told_apart = any(not one.chars & item.chars for one in items[:index])
            if not is_told_apart and run > MAX_STEPS * max(head, 1):
                return "can run over much text from every place; begin it with a longer literal, or one its repeats can't match"
            return None
        head += item.most
    return None


def _items(nodes: _Nodes) -> Iterator[_Item]:
    for op, value in nodes:
        if op in UNITS:
            yield _Item(chars_of(op, value), 1, 1, goes_back=False)
        elif op in _REPEATS:
            low, high, inner = value
            width = inner.getwidth()[1]
            yield _Item(_chars(inner), low, high * width, goes_back=low != high and op is not ops.POSSESSIVE_REPEAT)
        elif op is ops.SUBPATTERN:
            yield from _items(value[-1])
        elif op is ops.BRANCH:
            widths = [branch.getwidth() for branch in value[1]]
            chars = 0
            for branch in value[1]:
                chars |= _chars(branch)
            yield _Item(chars, min(low for low, _ in widths), max(high for _, high in widths), goes_back=False)


def _chars(nodes: _Nodes) -> int:
    found = 0
    for op, value in _flat(nodes):
        found |= chars_of(op, value) if op in UNITS else 0
    return found or EVERY


def _sequences(nodes: _Nodes) -> Iterator[list[_Item]]:
    yield list(_items(nodes))
    for op, value in nodes:
        for inner, _goes_back in _inside(op, value):
            yield from _sequences(inner)


def _inside(op: Any, value: Any) -> Iterator[tuple[_Nodes, bool]]:
    """
    Yield the sequences within an item, and whether each is in a repeat that goes back.
    """
    if op is ops.BRANCH:
        yield from ((branch, False) for branch in value[1])
    elif op is ops.SUBPATTERN:
        yield value[-1], False
    elif op is ops.ATOMIC_GROUP:
        yield value, False
    elif op in _LOOKS:
        yield value[1], False
    elif op in _REPEATS:
        yield value[2], value[0] != value[1] and op is not ops.POSSESSIVE_REPEAT


def _flat(nodes: _Nodes) -> Iterator[tuple[Any, Any]]:
    for op, value in nodes:
        yield op, value
        for inner, _goes_back in _inside(op, value):
            yield from _flat(inner)
