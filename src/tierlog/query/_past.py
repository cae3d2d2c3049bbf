"""
Segments that a tail doesn't follow at the moment: those that it has read, and those that
aren't where they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from typing import NamedTuple

from tierlog.query._folder import Found
from tierlog.query._position import Position
from tierlog.query._problem import Problem, note
from tierlog.query._watch import STORE_SLACK_MS


__all__ = ["Done", "Past", "Sought"]

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_MOST_DONE = 4_096
_MOST_NAMED = 64  # in a cursor, of those that may go on or appear in a store


class Done(NamedTuple):
    """
    A segment that was read to its end.

    Attributes:
        offset: The end.

        modified_ms: When it was last written to.

        stored_ms: When it was stored; None if it isn't known to be.

        is_shared: Whether any process may continue it.

        since_ns: Since when it is done, monotonic.

        found: The file; None if it wasn't one.

        number: Of its folder.
    """

    offset: int
    modified_ms: int = 0
    stored_ms: int | None = None
    is_shared: bool = False
    since_ns: int = 0
    found: Found | None = None
    number: int = 0


class Sought(NamedTuple):
    """
    A segment that isn't where it was.

    Attributes:
        offset: How far it was read.

        name: What people know it by.

        since_ns: Since when it is sought, monotonic.

        stored_ms: When it was stored; None if it isn't known to be.
    """

    offset: int
    name: str = ""
    since_ns: int = 0
    stored_ms: int | None = None


class Past:
    """
    What is known of segments that aren't followed.

    Args:
        position: What a cursor says.

        has_stores: Whether finished segments may appear in a store.

        problems: Where it is noted what couldn't be read to its end.

    Attributes:
        done: Those that were read, by their keys.

        sought: Those that aren't where they were.

        horizon_ms: Others that were last written to before are done.

        stored_ms: The same of objects.

        seen_ns: When the last complete look at the stores began, monotonic.
    """

    def __init__(self, position: Position, *, has_stores: bool, problems: list[Problem]) -> None:
        self.done = {key: Done(position.offsets[key]) for key in position.whole}
        self.sought = {key: Sought(offset) for key, offset in position.offsets.items() if key not in position.whole}
        self.horizon_ms = position.horizon
        self.stored_ms = position.stored
        self.seen_ns = -1
        self._has_stores = has_stores
        self._problems = problems

    def left(self, key: bytes) -> int | None:
        """
        Return how far a segment was read, which is followed from now on; None if it
        wasn't.
        """
        if key in self.done:
            return self.done.pop(key).offset
        return self.sought.pop(key).offset if key in self.sought else None

    def give_up(self, before_ns: int | None = None) -> None:
        """
        Don't seek any more what has been sought since before a time; nothing if None.
        """
        for key, one in list(self.sought.items()):
            if before_ns is None or one.since_ns < before_ns:
                del self.sought[key]
                note(self._problems, one.name or "cursor", "a segment was taken away before it was read to its end")

    def offsets(self) -> Mapping[bytes, int]:
        """
        Return how far those were read that a cursor must name, as they may be met again.
        """
        found: dict[bytes, int] = {key: one.offset for key, one in self.sought.items()}
        room = _MOST_NAMED
        for key, one in reversed(self.done.items()):
            is_met = self._is_lately(one)
            if not is_met and room and (one.is_shared or (self._has_stores and one.stored_ms is None)):
                room -= 1
                is_met = True
            if is_met:
                found[key] = one.offset
        return found

    def crowded_ms(self, count: int) -> int:
        """
        Return since when only so many of those that were read were last written to, in
        **milliseconds** since the epoch; 0 if there are no more.
        """
        latest = nlargest(count + 1, [one.modified_ms for one in self.done.values()])
        return latest[-1] + 1 if len(latest) > count else 0

    def forget(self, now_ms: int) -> None:
        """
        Forget what isn't met again.
        """
        count = len(self.done)
        for key, one in list(self.done.items()):
            if not (self._is_lately(one) or (count <= _MOST_DONE and self._may_go_on(one, now_ms))):
                del self.done[key]
                count -= 1

    def _is_lately(self, one: Done) -> bool:
        is_stored_lately = one.stored_ms is not None and one.stored_ms >= self.stored_ms - STORE_SLACK_MS
        return is_stored_lately or one.modified_ms >= self.horizon_ms

    def _may_go_on(self, one: Done, now_ms: int) -> bool:
        if one.is_shared or one.modified_ms >= now_ms - _HOUR_MS:
            return True
        if not self._has_stores or one.stored_ms is not None:
            return False
        return one.modified_ms >= now_ms - _DAY_MS or one.since_ns > self.seen_ns
