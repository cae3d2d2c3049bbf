"""
Proof that all lines of a block are in the canonical form, without splitting it.

All digits are made zeros, so that the beginnings of all lines are the same bytes, newline
included, which nothing within a line can be; then they are counted. With
``tierlog[speed]`` that runs at the speed of the memory, and is a fraction of the work of
looking at each line. Without it nothing is proven here, and lines are looked at instead:
the answers are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tierlog.query._horizon import beginnings
from tierlog.query._lines import sort_canonical


try:
    import stringzilla
except ImportError:
    _library: Any = None
else:
    _library = stringzilla


__all__ = ["Forms", "Tally"]

Counts = Mapping[tuple[int, str], int]

_HOUR_MS = 3_600_000
_OF_AN_HOUR = 36  # eight of thirteen digits count a hundred seconds
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_BEGINNING = b'\n{"ts":0000000000000,"instanceId":"'
_TS, _TS_HUNDREDS, _TS_END = 7, 15, 20  # where it is, behind the newline
_END = b"}}"
_FORM = re.compile(rb'^\{"ts":0{13},"instanceId":"[^"\\\n]*","tier":"([a-z]+)","kind":"[a-z0-9_.-]+","lvl":"', re.MULTILINE)
_LEVELS = {lvl: b'%b","projectId":' % lvl.encode() for lvl in ("info", "debug", "warn", "error")}  # the frequent ones first
_PROBE = 16_384  # bytes in which forms are looked for
_MOST_FORMS = 8
_MOST_BEGINNINGS = 8  # fewer are looser, and what is looser is in the memory for longer


class Forms:
    """
    Tells whether lines are in the canonical form. Not to be shared between threads.
    """

    def __init__(self) -> None:
        self._zeroed = bytearray()

    def zeroed(self, block: bytes) -> bytearray:
        """
        Return *block* with zeros for digits, and perhaps more behind it, until the next one.
        """
        if len(self._zeroed) < len(block):
            self._zeroed = bytearray(2 * len(block))  # new ones for each block would take as long as all the rest
        _library.translate(block, _ZEROS, out=self._zeroed)
        return self._zeroed

    def is_canonical(self, block: bytes, lines: int) -> bool:
        """
        Tell whether the whole lines of a block are so many, and have thirteen digits of
        ``ts`` where they belong. It may be so and not be told.
        """
        return _library is not None and _count(self.zeroed(block), _BEGINNING, -1, block.rfind(b"\n")) == lines

    def is_whole(self, block: bytes, lines: int) -> bool:
        """
        Tell whether so many lines of a canonical block end as they should.
        """
        found: int = _library.count(block, b"}}\n")
        return found == lines

    def span(self, block: bytes) -> tuple[int, int] | None:
        """
        Return times before and behind which there are none in a block of canonical lines;
        None if that can't be told.
        """
        end = block.rfind(b"\n")
        if _library is None or end < 0:
            return None
        lines = _count(block, b"\n", -1, end)
        if not self.is_canonical(block, lines):
            return None
        first, last = sorted(int(block[at + _TS : at + _TS_END]) for at in (-1, block.rfind(b"\n", 0, end)))
        found = beginnings(first, last + 1, _MOST_BEGINNINGS)
        if not _is_reached((_count(block, b"\n" + one, -1, end) for one in found), lines):
            return None
        return int(found[0][_TS - 1 :].ljust(13, b"0")), int(found[-1][_TS - 1 :].ljust(13, b"9"))


class Tally:
    """
    Counts the lines of one tier's blocks by hour and level.

    Args:
        tier: The tier.

        look: Counts whole canonical lines, sorted, by looking at each; None if they aren't
            all in the usual form.

        scratch: Makes digits zeros.
    """

    def __init__(self, tier: str, look: Callable[[list[bytes], str], Counts | None], scratch: Forms) -> None:
        self._tier = tier
        self._look = look
        self._forms: list[bytes] = []
        self._scratch = scratch

    def count(self, block: bytes) -> Counts | None:
        """
        Return how many whole lines of a block there are by hour and level; None if they
        aren't all in the usual form.
        """
        end = block.rfind(b"\n")
        if _library is None or end < 0:
            lines = block.split(b"\n")
            lines.pop()
            return self._look(lines, self._tier) if _are_whole(lines) and sort_canonical(lines) else None
        found = self._of_hours(block, end)
        if found is not None:
            return found
        number = _count(block, b"\n", -1, end)
        if not self._scratch.is_canonical(block, number) or not self._scratch.is_whole(block, number):
            return None
        lines = block[:end].split(b"\n")
        lines.sort()
        return self._look(lines, self._tier)

    def _of_hours(self, block: bytes, end: int) -> Counts | None:
        """
        Count lines, the last of which ends at *end*; None if they aren't all of one hour, or
        those of one before all those of the next.
        """
        stamps = [block[at + _TS : at + _TS_HUNDREDS] for at in (-1, block.rfind(b"\n", 0, end))]
        if not all(map(bytes.isdigit, stamps)):
            return None
        first, last = sorted(map(int, stamps))
        hour = last // _OF_AN_HOUR
        edge = hour * _OF_AN_HOUR
        if first >= edge:
            return self._of_one_hour(block, self._scratch.zeroed(block), -1, end, (first, last))
        places = (_library.find(block, one) for one in _near(hour, edge, last))
        cut = next((at for at in places if at >= 0), -1) if first >= edge - _OF_AN_HOUR else -1
        if cut < 0:
            return None
        zeroed = self._scratch.zeroed(block)
        before = self._of_one_hour(block, zeroed, -1, cut, (first, edge - 1))
        after = self._of_one_hour(block, zeroed, cut, end, (edge, last)) if before is not None else None
        return None if before is None or after is None else {**before, **after}

    def _of_one_hour(self, block: bytes, zeroed: bytearray, start: int, end: int, times: tuple[int, int]) -> Counts | None:
        """
        Count lines from one newline to another; None if they aren't all of the hour of *times*.
        """
        hour = times[0] // _OF_AN_HOUR
        lines = _count(block, b"\n", start, end)
        if not _is_reached((_count(block, one, start, end) for one in _near(hour, *times)), lines):
            return None
        levels = self._levels(zeroed, start, end, lines)
        return None if levels is None else {(hour * _HOUR_MS, lvl): count for lvl, count in levels.items()}

    def _levels(self, zeroed: bytearray, start: int, end: int, lines: int) -> dict[str, int] | None:
        """
        Count lines by level: by how they begin, and how the ones before them end.
        """
        if not zeroed.startswith(_END, end - len(_END)):
            return None
        counts = dict.fromkeys(_LEVELS, 0)
        left = lines
        for form in self._known(zeroed, end):
            for lvl, rest in _LEVELS.items():
                count: int = _library.count(zeroed, _END + form + rest, max(start - len(_END), 0), end)
                count += start < 0 and zeroed.startswith(form[1:] + rest)
                counts[lvl] += count
                left -= count
                if not left:
                    return {lvl: count for lvl, count in counts.items() if count}
        return None

    def _known(self, zeroed: bytearray, end: int) -> Iterator[bytes]:
        """
        Yield how lines begin: as others did, and then as the first ones here do.
        """
        yield from tuple(self._forms)
        for match in _FORM.finditer(bytes(zeroed[: min(end, _PROBE)])):
            form = b"\n" + match[0]
            if match[1].decode() == self._tier and form not in self._forms and len(self._forms) < _MOST_FORMS:
                self._forms.append(form)
                yield form


def _count(block: bytes | bytearray, beginning: bytes, start: int, end: int) -> int:
    """
    Count the lines with a beginning, given with the newline before it, from one newline to
    another, which is behind the last line; -1 is before the first line of a block.
    """
    found: int = _library.count(block, beginning, max(start, 0), end)
    return found + (start < 0 and block.startswith(beginning[1:]))


@lru_cache
def _of_hour(hour: int) -> list[tuple[int, int, bytes]]:
    """
    Return what lines of an hour begin with, each with the first and the last time, in units
    of a hundred seconds.
    """
    at, end = hour * _OF_AN_HOUR, (hour + 1) * _OF_AN_HOUR
    found = []
    while at < end:
        tens = at % 10 == 0 and at + 10 <= end
        found.append((at, at + (9 if tens else 0), b'\n{"ts":%d' % (at // 10 if tens else at)))
        at += 10 if tens else 1
    return found


def _near(hour: int, first: int, last: int) -> list[bytes]:
    return [beginning for start, stop, beginning in _of_hour(hour) if start <= last and stop >= first]


def _are_whole(lines: list[bytes]) -> bool:
    return {line[-2:] for line in lines} == {_END}


def _is_reached(counts: Iterator[int], wanted: int) -> bool:
    """
    Tell whether *counts* add up to what is wanted, and count no more than that takes.
    """
    total = 0
    for count in counts:
        total += count
        if total == wanted:
            return True
    return False
