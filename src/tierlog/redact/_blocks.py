"""
Private keys in one text: whole, cut, escaped, and whatever stands around them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tierlog.redact._body import MARK
from tierlog.redact._follow import RULE, UNENDED, Blocks
from tierlog.redact._headers import may_hold_block, places
from tierlog.redact._rows import work_room


__all__ = ["MARK", "UNENDED", "Blocks", "hide_blocks", "may_hold_block"]

_MAX_REWIND = 8_192
_PER_PLACE = 4  # rows that it costs to look at what may be a header

# A block that is whole, and of words: somebody's own idea of a key, or a secret of another kind.
_WORDS = re.compile(
    r"-----BEGIN (?P<label>(?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?)-----[\r\n][^-]{16,2048}[\r\n]-----END (?P=label)-----",
)


def hide_blocks(text: str, count: Callable[[str], None]) -> str:
    """
    Return *text* with one mark in place of each private key in it.

    Of a key whose end is missing, what looks like its body is hidden; words around
    and between its rows stay. A header that nothing follows is no key, and stays.

    Args:
        text: Any text; its newlines may be escaped.

        count: Called with the name of a rule for each mark written.
    """
    if not may_hold_block(text):
        return text
    counted: list[str] = []
    blocks = Blocks(counted.append)
    parts: list[str] = []
    room = work_room(text)
    position = 0
    found = places(text, room // _PER_PLACE)
    if len(found) > room // _PER_PLACE:
        return _shut([text[: _line_before(text, found[0], 0)]], counted, count)
    for place in found:
        start = _line_before(text, place, position)
        parts.append(text[position:start])
        position = start
        while position <= place or (blocks.is_busy and position < len(text)):
            if blocks.work > room:
                return _shut(parts, counted, count)
            position = _next_line(text, position, blocks, parts)
    parts += blocks.close()
    if not blocks.hidden:
        hidden, number = _WORDS.subn(MARK, text)
        counted = [RULE] * number
        parts, position = [hidden], len(text)
    for rule in counted:
        count(rule)
    return "".join([*parts, text[position:]])


def _line_before(text: str, place: int, floor: int) -> int:
    """
    Return the beginning of the line to start with: that of *place*, or of what may
    be the rest of a key if a footer is there.
    """
    if place < floor:
        return floor
    if "END" in text[place : place + len("---- END")].upper():
        place = max(floor, place - _MAX_REWIND)
    return max(floor, text.rfind("\n", floor, place) + 1)


def _next_line(text: str, position: int, blocks: Blocks, parts: list[str]) -> int:
    end = text.find("\n", position)
    if end < 0:
        parts += blocks.line(text[position:], "")
        return len(text) + 1
    stop = end - 1 if end > position and text[end - 1] == "\r" else end
    parts += blocks.line(text[position:stop], text[stop : end + 1])
    return end + 1


def _shut(parts: list[str], counted: list[str], count: Callable[[str], None]) -> str:
    """
    Hide the rest of a text that is made to take long.
    """
    for rule in [*counted, RULE]:
        count(rule)
    return "".join([*parts, MARK])
