"""
How far an answer of limited length reaches: what is beyond needn't be looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from heapq import heappush, heapreplace
from typing import Any

from tierlog.query._lines import event_of, spanned, ts_of


__all__ = ["Horizon", "beginnings"]

_LOWEST, _HIGHEST = 10**12, 10**13 - 1
_TS_DIGITS = 13
_MOST_BEGINNINGS = 2
_REMEMBERED = 64
_FARTHEST = 253_402_300_800_000


class Horizon:
    """
    The times of the best events so far.

    Args:
        limit: How many events there are to be.

        accepts: Tells whether an event is one of them.

        is_newest_first: Whether the newest are the best; else the oldest are.
    """

    def __init__(self, limit: int, accepts: Callable[[dict[str, Any]], bool], *, is_newest_first: bool) -> None:
        self._limit = limit
        self._accepts = accepts
        self._sign = 1 if is_newest_first else -1
        self._best: list[int] = []
        self._known: set[tuple[int, str, int]] = set()

    @property
    def ts(self) -> int | None:
        """
        The time of the last event of the answer, as far as is known; it may come to be
        nearer. None if the answer isn't long enough yet.
        """
        return self._best[0] * self._sign if len(self._best) == self._limit else None

    def within(self, lines: list[bytes]) -> list[bytes]:
        """
        Return those of the sorted *lines* that aren't beyond, and reckon with them.
        """
        for line in reversed(lines) if self._sign > 0 else lines:
            rank = ts_of(line) * self._sign
            if len(self._best) == self._limit and rank <= self._best[0]:
                break
            event = event_of(line)
            if event is not None and self._accepts(event):
                self._add(event, rank)
        ts = self.ts
        if ts is None:
            return lines
        return spanned(lines, ts, _FARTHEST) if self._sign > 0 else spanned(lines, 0, ts + 1)

    def beginnings(self, first_ts: int, last_ts: int) -> list[bytes]:
        """
        Return how all lines between two times begin that aren't beyond; nothing if that
        isn't known.
        """
        ts = self.ts
        if ts is None:
            return []
        return beginnings(max(ts, first_ts), last_ts + 1) if self._sign > 0 else beginnings(first_ts, min(ts, last_ts) + 1)

    def _add(self, event: dict[str, Any], rank: int) -> None:
        key = (event["ts"], event["instanceId"], event["seq"])
        if key in self._known:  # it was read in two places
            return
        self._known.add(key)
        if len(self._best) < self._limit:
            heappush(self._best, rank)
        else:
            heapreplace(self._best, rank)


@lru_cache(_REMEMBERED)
def beginnings(since: int, until: int, most: int = _MOST_BEGINNINGS) -> list[bytes]:
    """
    Return how all lines of a span begin, if there are at most so many beginnings; else nothing.
    """
    if not _LOWEST <= since < until <= _HIGHEST + 1:
        return []
    first, last = b"%d" % since, b"%d" % (until - 1)
    for digits in range(_TS_DIGITS, 0, -1):
        found = range(int(first[:digits]), int(last[:digits]) + 1)
        if len(found) <= most:
            return [b'{"ts":%d' % beginning for beginning in found]
    return []
