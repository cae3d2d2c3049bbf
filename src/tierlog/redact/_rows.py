"""
The rows of a line, and how many of them an honest text has.

A row ends with its line, or with a newline that was escaped within the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tierlog.redact._body import BREAK, may_break


__all__ = ["CHARS_PER_WORK", "MAX_BODY", "rows", "work_room"]

MAX_BODY: Final = 65_536
"""Characters of a body, after which a block is given up."""

CHARS_PER_WORK: Final = 32
"""Of a long text: its rows may be as short as this."""

_LEAST_WORK = 1_024  # rows


def work_room(text: str) -> int:
    """
    Return how much work *text* may make, in rows.
    """
    return _LEAST_WORK + len(text) // CHARS_PER_WORK


def rows(text: str, end: str | None) -> Iterator[tuple[str, str | None]]:
    """
    Yield each row of a line and what ends it.

    Args:
        text: The line, or a part of one.

        end: What ends it; None if what follows on the line isn't a part of it.
    """
    position = 0
    for found in BREAK.finditer(text) if may_break(text) else ():
        yield text[position : found.start()], found[0]
        position = found.end()
    while len(text) - position > MAX_BODY:
        yield text[position : position + MAX_BODY], ""
        position += MAX_BODY
    if end or position < len(text):
        yield text[position:], end
