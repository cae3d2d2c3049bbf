"""
Many pieces, each in order, to one stream in order, with little of it in the memory.

Pieces are read when their time comes. What is before all that isn't read yet can be
delivered: it is cut off from what was read, and sorted as one. That is several times
faster than to choose the next line among all segments again and again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from heapq import heappop, heappush, nsmallest
from itertools import count

from tierlog.query._lines import mark
from tierlog.query._scan import Piece, Scan
from tierlog.query._sources import Source


__all__ = ["merged"]

_FIRST_BYTES = 1
_MOST_BYTES = 4_194_304
_GROWTH = 4
_NEXT = 8  # pieces, some of which may be in a store


def merged(scan: Scan, sources: list[Source], *, is_newest_first: bool) -> Iterator[list[bytes]]:
    """
    Yield lines in the order of time: each list is sorted, and is wholly behind the one
    before it; wholly before it if newest come first.

    Args:
        scan: Reads segments.

        sources: The segments.

        is_newest_first: Whether to begin with the newest.
    """
    queue = _Queue(scan, is_newest_first=is_newest_first)
    for source in sources:
        queue.push(source)
    runs: list[list[bytes]] = []
    room = _FIRST_BYTES
    while queue:
        read, more = queue.load(room)
        runs, lines = _cut([*runs, *more], queue.edge, is_newest_first=is_newest_first)
        if lines:
            yield lines
        room = min(max(room, read) * _GROWTH, _MOST_BYTES)


class _Queue:
    """
    What is still to be read, next things first.

    Attributes:
        edge: Everything left is behind it, or at it; before it if newest come first. None
            if nothing is left.
    """

    def __init__(self, scan: Scan, *, is_newest_first: bool) -> None:
        self._scan = scan
        self._is_newest_first = is_newest_first
        self._numbers = count()
        self._heap: list[tuple[int, int, Source | Piece]] = []
        self.edge: int | None = None

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, item: Source | Piece) -> None:
        """
        Put in a segment, or a piece of one.
        """
        at = -item.last_ts if self._is_newest_first else item.first_ts
        heappush(self._heap, (at, next(self._numbers), item))

    def load(self, room: int) -> tuple[int, list[list[bytes]]]:
        """
        Read pieces until there are *room* bytes of them, or none are left.

        Returns:
            The bytes, and the lines of each piece.
        """
        read = 0
        runs: list[list[bytes]] = []
        while self._heap and read < room:
            item = heappop(self._heap)[2]
            if isinstance(item, Source):
                for piece in self._scan.pieces(item):
                    self.push(piece)
            else:
                if self._scan.has_ahead:
                    self._scan.ahead(one for *_, one in nsmallest(_NEXT, self._heap) if isinstance(one, Piece))
                read += item.size
                runs.append(_unseen(self._scan.lines(item), item.source.floor, is_newest_first=self._is_newest_first))
            while self._scan.moved:
                self.push(self._scan.moved.pop()._replace(floor=self.edge))
        self.edge = abs(self._heap[0][0]) if self._heap else None
        return read, runs


def _unseen(lines: list[bytes], floor: int | None, *, is_newest_first: bool) -> list[bytes]:
    """
    Return those of *lines* that weren't delivered from where their segment was before.
    """
    if floor is None:
        return lines
    if is_newest_first:
        return lines[: bisect_left(lines, mark(floor + 1))]
    return lines[bisect_left(lines, mark(floor)) :]


def _cut(runs: list[list[bytes]], edge: int | None, *, is_newest_first: bool) -> tuple[list[list[bytes]], list[bytes]]:
    """
    Return what is left of *runs*, and in order what is before *edge*, or behind it if
    newest come first.
    """
    left: list[list[bytes]] = []
    lines: list[bytes] = []
    at = b"" if edge is None else mark(edge + is_newest_first)
    for run in runs:
        place = bisect_left(run, at) if edge is not None else 0
        mine, others = (run[place:], run[:place]) if is_newest_first or edge is None else (run[:place], run[place:])
        lines += mine
        if others:
            left.append(others)
    lines.sort()
    return left, lines
