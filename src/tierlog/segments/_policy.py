"""
When a segment ends.
"""

from __future__ import annotations

from typing import NamedTuple

from tierlog.envelope import DAY_MS


__all__ = ["Policy"]

_MIDNIGHT_GRACE = 1.0  # seconds, for records that were made before and come after


class Policy(NamedTuple):
    """
    The limits of a segment. Times are in **seconds**, sizes in bytes.

    Attributes:
        max_bytes: The largest segment of more than one line.

        max_age: How long a segment is written.

        build_idle: How long a build's file waits for its next line.
    """

    max_bytes: int
    max_age: float
    build_idle: float

    def due(self, now: float, ms: int, *, is_shared: bool) -> float:
        """
        Return when a segment opened *now* ends by age or by UTC midnight.

        Args:
            now: Monotonic time.

            ms: Time of the segment's first record, milliseconds since the epoch.

            is_shared: Whether it is a build's or deploy's file, which ends when
                the build does.
        """
        if is_shared:
            return float("inf")
        to_midnight = (DAY_MS - ms % DAY_MS) / 1000 + _MIDNIGHT_GRACE
        return now + min(self.max_age, to_midnight)

    def limit(self, *, is_shared: bool) -> float:
        """
        Return the size that a segment doesn't exceed by a further line.
        """
        return float("inf") if is_shared else self.max_bytes

    def is_over(self, now: float, due: float, used: float, *, is_shared: bool) -> bool:
        """
        Tell whether a segment that was last *used* then ends without another line.
        """
        return now >= due or (is_shared and now - used >= self.build_idle)

    @property
    def period(self) -> float:
        """
        How often to look for segments that are over.
        """
        return min(max(min(self.max_age, self.build_idle) / 4, 0.02), 30.0)
