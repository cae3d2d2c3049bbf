"""
What stands right beside a match, and tells what it is.
"""

from __future__ import annotations

import re
import string


__all__ = ["is_place", "stands_alone", "whole_name"]

# A token begins where no word goes on, or behind an escape that ends in a letter
# or digit: \n, \u003d, %3D, a colour.
_ESCAPE = re.compile(r"(?:\\[nrtbfv]|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|\x1b\[[0-9;]{0,8}m|\[[0-9;]{1,8}m)\Z")
_LONGEST_ESCAPE = 12
_LONGEST_NAME = 40
_NAME_CHARS = f"{string.ascii_letters}{string.digits}_.-"
_SOURCE_FILE = re.compile(
    r"\.(?:py|pyx|[cm]?[jt]sx?|vue|svelte|java|kt|scala|go|rs|rb|php|cs?|cc|cpp|hpp?|swift|exs?|lua|sh|sql|dart)\Z", re.ASCII
)
_TAG = re.compile(r"(?:[\w.]{1,20}-)?[0-9a-f]{7,12}(?:-dirty)?\Z", re.ASCII)  # of an image: the commit it was built from


def stands_alone(text: str, start: int, end: int) -> bool:
    """
    Tell that no word goes on before *start* or behind *end*.
    """
    if end < len(text) and text[end].isascii() and text[end].isalnum():
        return False
    if not start:
        return True
    before = text[start - 1]
    if not (before.isascii() and (before.isalnum() or before in "_-")):
        return True
    return _ESCAPE.search(text[max(start - _LONGEST_ESCAPE, 0) : start]) is not None


def whole_name(text: str, start: int, end: int) -> str:
    """
    Return the name that a pattern has matched the end of.
    """
    before = text[max(start - _LONGEST_NAME, 0) : start]
    return before[len(before.rstrip(_NAME_CHARS)) :] + text[start:end]


def is_place(text: str, start: int, end: int, value: str) -> bool:
    """
    Tell that *value*, behind a name and one sign, is a line of the source file of that name,
    or the tag of the image.
    """
    if not text.startswith(":", end):
        return False
    if value[:1].isdigit() and _SOURCE_FILE.search(text, start, end):
        return True
    before = text[max(start - _LONGEST_NAME, 0) : start]
    return _TAG.match(value) is not None and before.rstrip(_NAME_CHARS).endswith("/")
