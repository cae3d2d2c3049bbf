"""
How rules of tokens with a form of their own are written down, and which tokens are mere examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tierlog.redact._rule import Rule


__all__ = ["A_UUID", "UUID", "begin", "free", "is_mixed", "not_example", "token"]

UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
A_UUID = "{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}"
"""One, as :func:`~tierlog.redact._rule.sample` takes it."""

_WORDS = (
    "example", "placeholder", "place_holder", "your-", "your_", "yourapi", "yourtoken", "yourkey", "yoursecret", "redacted",
    "changeme", "change-me", "change_me", "abcdefghijklmn", "tokenhere", "token-here", "key-here", "key_here", "secret-here",
    "01234567890123456789", "12345678901234567890",
)  # fmt: skip
_VARIED = 14
_TAIL = 60
_HALF = 2
_ESCAPES = (
    r"\\[nrtbfv]", r"%[0-9A-Fa-f]{2}", r"\\x[0-9A-Fa-f]{2}", r"\\u00[0-9A-Fa-f]{2}",
    r"[\[;][0-9]m", r"[\[;][0-9]{2}m", r"[\[;][0-9]{3}m",
)  # fmt: skip
_FIRST = re.compile(r"(?P<char>\[[^\]]+\]|\w)(?:\{(?P<times>\d+)\})?(?![{?*+])", re.ASCII)


def not_example(value: str) -> bool:
    """
    Tell that *value* isn't one of documentation: a word that says so, a row of
    letters in order, or mostly one character.
    """
    tail = value[-_TAIL:]
    kinds = set(tail)
    if len(kinds) < _VARIED and max(map(tail.count, kinds)) * _HALF > len(tail):
        return False
    lower = value.lower()
    return not any(word in lower for word in _WORDS)


def is_mixed(value: str) -> bool:
    """
    Tell that *value* has a small letter, a capital and a digit, as what was drawn at random.
    """
    return (
        not_example(value)
        and any(char.isdigit() for char in value)
        and any(char.islower() for char in value)
        and any(char.isupper() for char in value)
    )


def begin(before: str, first: str = "") -> str:
    """
    Return a pattern for *first*, one character, with nothing of what *before* matches
    before it, or an escape that ends in such: a newline, a sign, a colour.

    To look behind the character is faster than to look behind before it.
    """
    return rf"{first}(?:(?<!{before}{first})|" + "|".join(rf"(?<={one}{first})" for one in _ESCAPES) + ")"


def token(
    name: str,
    literals: str,
    pattern: str,
    *positive: str,
    accepts: Callable[[str], bool] = not_example,
    lead: int | None = None,
    trigger: str = "",
    negative: tuple[str, ...] = (),
) -> Rule:
    """
    Return a rule for a token that stands alone, with its *literals* in one string, separated by spaces.

    With *lead*, a token begins so many characters before one of the literals.
    """
    return Rule(
        name,
        tuple(literals.split()),
        pattern,
        is_token=True,
        accepts=accepts,
        leads=() if lead is None else (lead,) * len(literals.split()),
        spread=1,
        trigger=trigger,
        positive=positive,
        negative=negative,
    )


def free(
    name: str,
    literals: str,
    pattern: str,
    *positive: str,
    before: str = r"[\w-]",
    accepts: Callable[[str], bool] = not_example,
    lead: int | None = None,
    spread: int = 1,
    heads: tuple[str, ...] = (),
    trigger: str = "",
    negative: tuple[str, ...] = (),
) -> Rule:
    """
    Return a rule for a token that has nothing of what *before* matches before it, or an escape.

    The pattern says so itself, so that a long repeat in it begins once in each
    word: else hostile texts would take long. With *lead*, a token begins so many
    characters before one of the literals, or up to *spread* behind that.
    """
    first = _FIRST.match(pattern)
    if first and "|" not in re.sub(r"\(.*\)", "", pattern):
        times = int(first["times"] or 1) - 1
        pattern = begin(before, first["char"]) + (f"{first['char']}{{{times}}}" if times else "") + pattern[first.end() :]
    else:
        pattern = f"{begin(before)}(?:{pattern})"
    return Rule(
        name,
        tuple(literals.split()),
        pattern,
        accepts=accepts,
        leads=() if lead is None else (lead,) * len(literals.split()),
        spread=spread,
        heads=heads,
        trigger=trigger,
        positive=positive,
        negative=negative,
    )
