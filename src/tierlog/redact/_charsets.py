"""
Which characters one item of a parsed pattern can match.

A set is an int with one bit for each ASCII character, and one for all others.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
from typing import Any


__all__ = ["EVERY", "UNITS", "chars_of"]

_LAST = 127
_OTHER = 1 << (_LAST + 1)
EVERY = (_OTHER << 1) - 1
"""All characters."""

UNITS = frozenset([ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY])
"""What matches exactly one character."""


def _ascii(pattern: str) -> int:
    return sum(1 << ord(char) for char in re.findall(pattern, "".join(map(chr, range(_LAST + 1)))))


_CATEGORIES = {
    ops.CATEGORY_DIGIT: _ascii(r"\d"),
    ops.CATEGORY_NOT_DIGIT: _ascii(r"\D") | _OTHER,
    ops.CATEGORY_SPACE: _ascii(r"\s"),
    ops.CATEGORY_NOT_SPACE: _ascii(r"\S") | _OTHER,
    ops.CATEGORY_WORD: _ascii(r"\w"),
    ops.CATEGORY_NOT_WORD: _ascii(r"\W") | _OTHER,
}


def chars_of(op: Any, value: Any) -> int:
    """
    Return what the item (*op*, *value*), one of :data:`UNITS`, may match; letters in both cases.
    """
    if op is ops.ANY:
        return EVERY
    if op is not ops.IN:
        found = _between(value, value)
        return found if op is ops.LITERAL else EVERY & ~(1 << min(value, _LAST + 1)) | _OTHER
    found = 0
    for kind, part in value:
        if kind is ops.CATEGORY:
            found |= _CATEGORIES.get(part, EVERY)
        elif kind is not ops.NEGATE:
            found |= _between(part, part) if kind is ops.LITERAL else _between(*part)
    return EVERY & ~found | _OTHER if value[0][0] is ops.NEGATE else found


def _between(low: int, high: int) -> int:
    mask = _OTHER if high > _LAST else 0
    for code in range(low, min(high, _LAST) + 1):
        char = chr(code)
        mask |= 1 << ord(char.lower()) | 1 << ord(char.upper())
    return mask
