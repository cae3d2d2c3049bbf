"""
A set of numbers that are nearly all there, in a bit each.

Numbers of one stream come from several segments at once, so for a while there are
as many holes as numbers: lists of intervals would be longer than the numbers
themselves. A page of which all are there is one object for all such pages.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence


__all__ = ["Numbers"]

_BITS = 14
_PAGE = 1 << _BITS
_FULL = (1 << _PAGE) - 1


class Numbers:
    """
    A set of whole numbers from 0.
    """

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        return bool(self._pages.get(number >> _BITS, 0) >> (number & (_PAGE - 1)) & 1)

    def __bool__(self) -> bool:
        return bool(self._pages)

    @property
    def lowest(self) -> int:
        """
        The lowest number; -1 if there's none.
        """
        if not self._pages:
            return -1
        page = min(self._pages)
        mask = self._pages[page]
        return (page << _BITS) + (mask & -mask).bit_length() - 1

    @property
    def highest(self) -> int:
        """
        The highest number; -1 if there's none.
        """
        if not self._pages:
            return -1
        page = max(self._pages)
        return (page << _BITS) + self._pages[page].bit_length() - 1

    def count(self) -> int:
        """
        Return how many there are.
        """
        return sum(mask.bit_count() for mask in self._pages.values())

    def add(self, numbers: Sequence[int]) -> None:
        """
        Put in *numbers*, which rise.

        >>> some = Numbers()
        >>> some.add([0, 1, 3])
        >>> list(some.missing(5))
        [(2, 2), (4, 5)]
        """
        start = 0
        while start < len(numbers):
            page = numbers[start] >> _BITS
            end = bisect_left(numbers, (page + 1) << _BITS, start)
            self._add(page, _mask(numbers[start:end], page << _BITS))
            start = end

    def merge(self, other: Numbers) -> Numbers:
        """
        Put in those of *other*, and return which were there before.
        """
        both = Numbers()
        for page, mask in other._pages.items():
            again = self._pages.get(page, 0) & mask
            if again:
                both._add(page, again)
            self._add(page, mask)
        return both

    def missing(self, last: int) -> Iterator[tuple[int, int]]:
        """
        Yield the first and the last number of each run that isn't there, from 0 to *last*.
        """
        expected = 0
        for page in sorted(self._pages):
            base = page << _BITS
            for start, end in _runs(self._pages[page]):
                if base + start > last:
                    break
                if base + start > expected:
                    yield expected, base + start - 1
                expected = base + end
            if base > last:
                break
        if expected <= last:
            yield expected, last

    def _add(self, page: int, mask: int) -> None:
        mask |= self._pages.get(page, 0)
        self._pages[page] = _FULL if mask == _FULL else mask


def _mask(numbers: Sequence[int], base: int) -> int:
    lowest = numbers[0]
    span = numbers[-1] - lowest + 1
    if span == len(numbers):
        return ((1 << span) - 1) << (lowest - base)
    digits = bytearray(b"0") * span  # an int made of many bits at once: one after the other would copy it each time
    for number in numbers:
        digits[lowest - 1 - number] = 49
    return int(digits, 2) << (lowest - base)


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """
    Yield where each run of ones starts, and the place behind its end.
    """
    if mask == _FULL:
        yield 0, _PAGE
        return
    digits = f"{mask:b}"[::-1]
    start = digits.find("1")
    while start >= 0:
        end = digits.find("0", start)
        yield start, end if end >= 0 else len(digits)
        start = digits.find("1", end) if end >= 0 else -1
