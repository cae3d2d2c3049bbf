r"""
Which characters one item of a parsed pattern can match.

A set is an int with one bit for each ASCII character. Of the others only two
kinds are told apart, those ``\w`` matches and those it doesn't, so for them a
set says what *may* match and what *must*.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
from typing import Any, NamedTuple


__all__ = ["ALL", "END", "NEWLINE", "UNITS", "WORD", "Chars", "chars_of", "is_pure"]

_ASCII = (1 << 128) - 1
_OTHER_WORD, _OTHER = 1 << 128, 1 << 129
_BEYOND = _OTHER_WORD | _OTHER
END = 1 << 130
"""Stands for the end of the text, which is no character."""
ALL = _ASCII | _BEYOND | END
NEWLINE = 1 << 10
UNITS = frozenset([ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY])
"""What matches exactly one character."""


class Chars(NamedTuple):
    """
    The characters that an item may match, and those it surely does.
    """

    may: int
    must: int


def _ascii(pattern: str) -> int:
    return sum(1 << ord(char) for char in re.findall(pattern, "".join(map(chr, range(128)))))


_DIGIT, _SPACE, _WORD = _ascii(r"\d"), _ascii(r"\s"), _ascii(r"\w")
WORD = _WORD | _OTHER_WORD
_FOLDS_BEYOND = _ascii("[kKsSiI]")  # letters that a sign outside ASCII equals without case
_CATEGORIES = {
    ops.CATEGORY_DIGIT: Chars(_DIGIT | _OTHER_WORD, _DIGIT),
    ops.CATEGORY_SPACE: Chars(_SPACE | _OTHER, _SPACE),
    ops.CATEGORY_WORD: Chars(WORD, WORD),
}
_OPPOSITES = {
    ops.CATEGORY_NOT_DIGIT: ops.CATEGORY_DIGIT,
    ops.CATEGORY_NOT_SPACE: ops.CATEGORY_SPACE,
    ops.CATEGORY_NOT_WORD: ops.CATEGORY_WORD,
}


def is_pure(mask: int) -> bool:
    r"""
    Tell whether ``\b`` never holds between two characters of *mask*.
    """
    return not mask & ~WORD or not mask & WORD


def chars_of(op: Any, value: Any, flags: int) -> Chars:
    """
    Return what the item (*op*, *value*), one of :data:`UNITS`, matches.
    """
    if op is ops.ANY:
        every = ALL & ~END if flags & re.DOTALL else ALL & ~END & ~NEWLINE
        return Chars(every, every)
    if op is ops.IN:
        is_negated = value[0][0] is ops.NEGATE
        members = [_member(kind, part, flags) for kind, part in value[is_negated:]]
    else:
        is_negated = op is ops.NOT_LITERAL
        members = [_member(ops.LITERAL, value, flags)]
    may = must = 0
    for member in members:
        may, must = may | member.may, must | member.must
    return _negated(Chars(may, must)) if is_negated else Chars(may, must)


def _negated(chars: Chars) -> Chars:
    return Chars(ALL & ~END & ~chars.must, ALL & ~END & ~chars.may)


def _member(op: Any, value: Any, flags: int) -> Chars:
    if op is ops.CATEGORY:
        return _category(value, flags)
    low, high = (value, value) if op is ops.LITERAL else value
    mask = _ASCII & ((1 << (min(high, 127) + 1)) - (1 << low)) if low <= 127 else 0  # noqa: PLR2004
    return _folded(mask, is_beyond=high > 127, flags=flags)  # noqa: PLR2004


def _category(value: Any, flags: int) -> Chars:
    if value in _OPPOSITES:
        return _negated(_category(_OPPOSITES[value], flags))
    found = _CATEGORIES[value]
    return Chars(found.may & _ASCII, found.must & _ASCII) if flags & re.ASCII else found


def _folded(mask: int, *, is_beyond: bool, flags: int) -> Chars:
    may = must = mask
    if flags & re.IGNORECASE:
        letters = [chr(bit) for bit in range(65, 123) if mask >> bit & 1 and chr(bit).isalpha()]
        must = may = mask | sum({1 << ord(letter.swapcase()) for letter in letters})
        if not flags & re.ASCII and may & _FOLDS_BEYOND:
            may |= _BEYOND
        if not flags & re.ASCII and is_beyond:
            may |= _FOLDS_BEYOND
    return Chars(may | _BEYOND if is_beyond else may, must)
