"""
Which segment is shipped next, and when: back-off with full jitter, for ever.

After a failure everybody waits, since it is mostly the store's; and the segment
that failed waits for itself, too, so that one that can't be shipped doesn't keep
the others. The formula is that of "Exponential Backoff And Jitter" (AWS
Architecture Blog, 2015): a random time up to the limit, which doubles.

Nothing here has a clock or a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tierlog.layout import Place


__all__ = ["Backoff", "Queue"]


class Backoff(NamedTuple):
    """
    How long to wait after failures. Times are in **seconds**.

    Attributes:
        base: The first limit.

        most: The limit that isn't exceeded.

        random: Returns numbers from 0 to 1.
    """

    base: float
    most: float
    random: Callable[[], float]

    def pause(self, failures: int) -> float:
        """
        Return how long to wait after so many failures in a row.
        """
        return self.random() * min(self.most, self.base * 2.0 ** min(failures - 1, 32))


class _Waiting:
    __slots__ = ("failures", "not_before", "since", "size")

    def __init__(self, size: int, since: float) -> None:
        self.size = size
        self.since = since
        self.failures = 0
        self.not_before = 0.0


class Queue:
    """
    Segments that wait to be shipped, oldest first. Not safe to share between threads.

    Args:
        backoff: How long to wait after failures.
    """

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._waiting: dict[Place, _Waiting] = {}
        self._taken: dict[Place, _Waiting] = {}
        self._failures = 0
        self._gate = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    @property
    def is_failing(self) -> bool:
        """
        Whether the last attempt failed.
        """
        return self._failures > 0

    @property
    def backlog_bytes(self) -> int:
        """
        Bytes of all that wait or are being shipped.
        """
        return sum(one.size for one in (*self._waiting.values(), *self._taken.values()))

    @property
    def oldest(self) -> float | None:
        """
        When the oldest of them was finished, seconds since the epoch; None if there's none.
        """
        return min((one.since for one in (*self._waiting.values(), *self._taken.values())), default=None)

    def add(self, place: Place, size: int, since: float) -> bool:
        """
        Add a segment, and tell whether it is new here.

        Args:
            place: The segment.

            size: Bytes.

            since: When it was finished, seconds since the epoch.
        """
        if place in self._waiting or place in self._taken:
            return False
        self._waiting[place] = _Waiting(size, since)
        return True

    def take(self, now: float) -> Place | None:
        """
        Return the next segment to be tried, None if there's none *now*.
        """
        if now < self._gate:
            return None
        for place, one in self._waiting.items():
            if now >= one.not_before:
                self._taken[place] = self._waiting.pop(place)
                return place
        return None

    def due(self, now: float) -> float | None:
        """
        Return in how many seconds there's one to be tried, None if none waits.
        """
        if not self._waiting:
            return None
        return max(0.0, max(self._gate, min(one.not_before for one in self._waiting.values())) - now)

    def done(self, place: Place) -> None:
        """
        Say that there's nothing left to do for *place*.
        """
        self._taken.pop(place, None)

    def rename(self, place: Place, settled: Place) -> None:
        """
        Say that *place*, which was taken, has another name now.
        """
        one = self._taken.pop(place)
        self._waiting.pop(settled, None)
        self._taken[settled] = one

    def succeeded(self) -> None:
        """
        Say that the store works.
        """
        self._failures = 0
        self._gate = 0.0

    def failed(self, place: Place, now: float, *, is_store: bool) -> None:
        """
        Say that *place* couldn't be shipped; it is tried again.

        Args:
            place: The segment.

            now: Monotonic time.

            is_store: Whether the reason may be the store's, and not the segment's.
        """
        one = self._taken.pop(place)
        one.failures += 1
        one.not_before = now + self._backoff.pause(one.failures)
        self._waiting[place] = one
        if is_store:
            self._failures += 1
            self._gate = now + self._backoff.pause(self._failures)

    def places(self) -> list[Place]:
        """
        Return those that wait, oldest first.
        """
        return sorted(self._waiting, key=lambda place: self._waiting[place].since)

    def drop(self, place: Place) -> None:
        """
        Forget *place*, if it waits: it is gone.
        """
        self._waiting.pop(place, None)
