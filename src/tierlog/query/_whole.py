"""
Which lines of a growing file are whole.

A line may be seen while it is copied into a mapping: as parts, with newlines between
them that stand where the rest will be. So nothing is passed over in a file that still
grows before it is sure that it stays as it is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tierlog.query._lines import event_of


__all__ = ["HOPELESS_BYTES", "Whole", "good_part", "whole"]

HOPELESS_BYTES = 8_388_608
"""So many bytes without a line among them hold none at all."""

_BEGIN = b'{"ts":'
_BEGINNING = re.compile(re.escape(_BEGIN))
_END = slice(-2, None)
_BLANKS = b" \r"


class Whole(NamedTuple):
    """
    What a block begins with.

    Attributes:
        lines: Lines, without their newlines.

        size: The bytes up to the end of the last of them.

        skipped: Torn and foreign lines before it.

        is_stuck: Whether what comes next is no line, but others are behind it: if it is
            the same next time, it stays so.
    """

    lines: list[bytes]
    size: int
    skipped: int = 0
    is_stuck: bool = False


def whole(block: bytes, *, is_final: bool, was_stuck: bool) -> Whole:
    """
    Return the whole lines at the beginning of *block*.

    Args:
        block: What there is behind the last whole line.

        is_final: Whether the file doesn't grow any more.

        was_stuck: Whether it began with something else the last time.
    """
    end = block.rfind(b"\n") + 1
    body = block[:end].rstrip(b"\n")
    is_hopeless = len(block) >= HOPELESS_BYTES
    if not body:
        return Whole([], len(block) if is_hopeless and not end else 0)
    lines = body.split(b"\n")
    looks_good = {line[_END] for line in lines} == {b"}}"} and all(line.startswith(_BEGIN) for line in lines)
    if looks_good and event_of(lines[-1]) is not None:
        return Whole(lines, len(body) + 1)
    return _one_by_one(lines, is_final=is_final, was_stuck=was_stuck or is_hopeless)


def good_part(line: bytes) -> bytes:
    """
    Return the envelope that *line* ends with; empty if there's none. A process that was
    killed in the middle of a line leaves the part in front of another one's line.
    """
    line = line.strip(_BLANKS)
    if event_of(line) is not None:
        return line
    return next((line[at.start() :] for at in _BEGINNING.finditer(line) if event_of(line[at.start() :]) is not None), b"")


def _one_by_one(lines: list[bytes], *, is_final: bool, was_stuck: bool) -> Whole:
    found: list[bytes] = []
    at = size = skipped = bad = 0
    for number, line in enumerate(lines):
        good = good_part(line)
        is_mended = len(good) < len(line.strip(_BLANKS))
        if is_mended and not is_final and not (was_stuck and not found):
            return Whole(found, size, skipped, any(map(good_part, lines[number:])))
        at += len(line) + 1
        bad += is_mended
        if good:
            found.append(good)
            size, skipped = at, skipped + bad
            bad = 0
    return Whole(found, size, skipped)
