"""
Texts from elsewhere: what a terminal would obey is taken out, levels are told.
"""

from __future__ import annotations

import logging
import re

from tierlog import capture


__all__ = ["level_of", "plain", "spaced"]

_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
_COLOUR = re.compile(r"\x1b\[[\d;:]*m\Z")
_NUMBERS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO}


def plain(text: str, *, keeps_colours: bool = False) -> str:
    r"""
    Return *text* without what a terminal would obey: moves of the cursor, titles,
    links, the bell, turns of direction, and colours unless they are to be kept.

    >>> plain("\x1b[31merror\x1b[0m: 42\x1b[2K\r")
    'error: 42'
    """
    if not keeps_colours:
        return _CONTROL.sub("", text)
    return _CONTROL.sub(lambda match: match[0] if _COLOUR.match(match[0]) else "", text)


def level_of(text: str) -> int:
    """
    Return the level of a line that a command wrote, as its capture would give it.
    """
    return _NUMBERS[capture.level_of(plain(text))]


def spaced(number: int) -> str:
    """
    Return *number* with a space between thousands.

    >>> spaced(1234567)
    '1 234 567'
    """
    return f"{number:,}".replace(",", " ")
