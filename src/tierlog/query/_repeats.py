r"""
How much a pattern's counted repeats make of it.

Each copy of what is repeated becomes states, and those of ``\w`` are many, as it is any
letter of any language: a pattern of twenty characters may take minutes to compile.
"""

from __future__ import annotations

import math
import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
import re._parser as parser  # type: ignore[import-not-found, unused-ignore]
from typing import Any


__all__ = ["DIFFERENT", "MOST_WEIGHT", "repeated_weight"]

DIFFERENT = ("[[", "[:", "--", "&&", "~~", "||", "\\Q")
"""What Python's parser may take for something else than Hyperscan's."""

MOST_WEIGHT = 4_500
"""What ordinary patterns weigh at most, such as ``user-\\w{3,16}``, which takes a second or two."""

_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_ANY, _WORD, _DIGIT, _SPACE = 5, 250, 30, 8  # a letter is 1
_CATEGORIES = {
    ops.CATEGORY_WORD: _WORD,
    ops.CATEGORY_NOT_WORD: _WORD,
    ops.CATEGORY_DIGIT: _DIGIT,
    ops.CATEGORY_NOT_DIGIT: _DIGIT,
    ops.CATEGORY_SPACE: _SPACE,
    ops.CATEGORY_NOT_SPACE: _SPACE,
}
_NUMBERS = re.compile(r"\{(\d{0,9}),?(\d{0,9})")
_OWN = re.compile(  # what Hyperscan has and Python hasn't
    r"\\(?P<any>[pP](?:\{[^}]*\}|.)|[hHNRXC])|(?P<posix>\[:\^?[a-z]+:\])|(?P<letter>\\x\{[0-9a-fA-F]+\}|\\z)|(?P<name>\(\?<\w+>)|\\.",
    re.DOTALL,
)
_INSTEAD = {"any": r"\w", "posix": r"\w", "letter": "x", "name": "("}


def repeated_weight(pattern: str) -> int:
    r"""
    Return how much the parts of *pattern* weigh that are repeated a counted number of times.

    >>> repeated_weight(r"\d{1,3}(\.\d{1,3}){3}"), repeated_weight(r"(\w{1,60}\W){1,60}x"), repeated_weight(r"\w+: .*")
    (363, 915000, 0)
    """
    if "{" not in pattern:
        return 0
    spelt = _OWN.sub(lambda match: _INSTEAD[match.lastgroup] if match.lastgroup else match[0], pattern)
    if not any(sign in spelt for sign in DIFFERENT):
        try:
            return _weight(parser.parse(spelt), 0)
        except (re.error, RecursionError, OverflowError):
            pass
    # It isn't known what is repeated, nor which repeats are within others.
    counts = (max(int(number or 0) for number in match.groups()) for match in _NUMBERS.finditer(spelt))
    times = math.prod(count for count in counts if count > 1)
    return _WORD * times if times > 1 else 0


def _weight(tree: Any, times: int) -> int:
    """
    Return what *tree* weighs that is within counted repeats, so many times all in all.
    """
    total = 0
    for op, value in tree:
        if op in _REPEATS:
            least, most, inner = value
            count = least if most is ops.MAXREPEAT else most
            total += _weight(inner, max(times, 1) * count if count > 1 else times)
        elif op is ops.SUBPATTERN:
            total += _weight(value[-1], times)
        elif op is ops.ATOMIC_GROUP:
            total += _weight(value, times)
        elif op is ops.BRANCH:
            total += sum(_weight(branch, times) for branch in value[1])
        else:
            total += times * _cost(op, value)
    return total


def _cost(op: Any, value: Any) -> int:
    if op is ops.IN:
        return max(_cost(*one) for one in value)
    if op is ops.CATEGORY:
        return _CATEGORIES.get(value, _WORD)
    return _ANY if op in {ops.ANY, ops.NEGATE, ops.NOT_LITERAL} else 1
