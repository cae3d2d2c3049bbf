"""
What one kind of secret looks like.
"""

from __future__ import annotations

import math
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass


__all__ = ["Rule", "entropy", "sample"]

_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "letters": string.ascii_letters,
    "hex": "0123456789abcdef",
    "digits": string.digits,
    "base32": string.ascii_uppercase + "234567",
    "base64": string.ascii_letters + string.digits + "+/",
    "url": string.ascii_letters + string.digits + "-_",
}
_PLACEHOLDER = re.compile(r"\{(" + "|".join(_ALPHABETS) + r"):(\d+)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One kind of secret.

    Attributes:
        name: What the mark says.

        literals: A text without any of these holds no such secret. Lower case, if
            *folded*.

        pattern: Finds it, in the syntax of :mod:`re` and ASCII only. What its group
            ``secret`` (or ``quoted``, ``bare``, ``coded``) matches is hidden, or all of
            it if there is no such group. If it has a group ``name``, that must be
            the name of a sensitive field.

        folded: Whether the pattern is lower case, and meets texts in lower case.

        is_token: Whether it stands alone: no letter or digit before or behind it.

        accepts: Tells of what was matched whether it is a secret at all.

        leads: For each of the literals, how many characters before it a match can
            begin, if each match begins so near one: then nothing else is tried.
            Less than 0 if none begins at the literal itself.

        spread: At how many places from there on a match can begin; None if anywhere up
            to the literal.

        heads: What ends before a literal, or a sign before it, wherever a match
            begins before it; none if that may be anything.

        trigger: A pattern for Hyperscan that says more than *literals*, where they
            are frequent: a text that it doesn't find has no such secret.

        positive: Texts that hold one. The parts that :func:`sample` fills in are
            the secret.

        negative: Texts that look alike and hold none.
    """

    name: str
    literals: tuple[str, ...]
    pattern: str
    folded: bool = False
    is_token: bool = False
    accepts: Callable[[str], bool] | None = None
    leads: tuple[int, ...] = ()
    spread: int | None = None
    heads: tuple[str, ...] = ()
    trigger: str = ""
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()


def sample(template: str, seed: int = 0) -> tuple[str, tuple[str, ...]]:
    """
    Return *template* filled in, and what was filled in.

    ``{hex:32}`` becomes 32 random hexadecimal digits; there are ``alnum``,
    ``lower``, ``upper``, ``letters``, ``hex``, ``digits``, ``base32``, ``base64``
    and ``url``. So no token stands in a file, where scanners would find it.

    >>> sample("key {digits:4}!")[0]
    'key 8742!'
    """
    chance = random.Random(seed)  # noqa: S311 -- an example, no key
    parts: list[str] = []

    def fill(match: re.Match[str]) -> str:
        parts.append("".join(chance.choices(_ALPHABETS[match[1]], k=int(match[2]))))
        return parts[-1]

    return _PLACEHOLDER.sub(fill, template), tuple(parts)


def entropy(text: str) -> float:
    """
    Return the bits per character of *text* (C. E. Shannon, 1948), by its own frequencies.
    """
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in map(text.count, set(text)))
