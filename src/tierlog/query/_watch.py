"""
The finished segments in stores, noticed as they appear.

Stores are listed, in a thread of its own for as long as that takes. Their clocks are
theirs: how far a store was seen is told by the times of its objects.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from tierlog.envelope import DAY_MS, day_of
from tierlog.errors import StoreError
from tierlog.query._listing import Listed, Wanted, remote_segments
from tierlog.query._open import opened
from tierlog.query._position import key_of
from tierlog.query._problem import Problem, note
from tierlog.query._whole import good_part
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["STORE_SLACK_MS", "Appeared", "Seen", "StoreWatch"]

STORE_SLACK_MS = 60_000
"""By how much an object may appear later than its time says."""

_SHARE = 20  # of the time, one part goes for listing
_LATE_DAYS_MS = 7 * DAY_MS  # segments that waited longer for their store aren't looked for
_LINE_BYTES = 65_536
_SECOND_NS = 1_000_000_000
_MS_NS = 1_000_000
_SOME_DAY = "1970-01-01"


class Appeared(NamedTuple):
    """
    An object that is new.

    Attributes:
        listed: Where it is.

        key: What it is known by.

        size: Bytes, unpacked; 0 if it isn't known.

        is_old: Whether all of it is before what is asked for.
    """

    listed: Listed
    key: bytes
    size: int
    is_old: bool


class Seen(NamedTuple):
    """
    What a look at all stores has found.

    Attributes:
        objects: What was stored lately, and is finished.

        until_ms: What was stored before is known: it was there when this look began.

        is_complete: Whether all stores did answer.

        began_ns: When the look began, monotonic.

        ended_ns: When it ended.
    """

    objects: list[Appeared]
    until_ms: int
    is_complete: bool
    began_ns: int
    ended_ns: int


class StoreWatch:
    """
    Looks at stores from time to time.

    Args:
        stores: The stores.

        asked: What places must be like.

        floor_ms: What ended before isn't asked for, **milliseconds** since the epoch.

        period: **Seconds** from one look to the next, at least.

        problems: Where it is noted what didn't answer.

        monotonic: Returns nanoseconds.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        asked: Wanted,
        *,
        floor_ms: int,
        period: float,
        problems: list[Problem],
        monotonic: Clock,
    ) -> None:
        self._stores = stores
        self._asked = asked
        self._floor_ms = floor_ms
        self._period_ns = int(period * _SECOND_NS)
        self._problems = problems
        self._monotonic = monotonic
        self._known: dict[str, tuple[str, Appeared | None]] = {}
        self._thread: threading.Thread | None = None
        self._seen: Seen | None = None
        self._next_ns = 0
        self._newest_ms = 0

    @property
    def has_any(self) -> bool:
        """
        Whether there are stores.
        """
        return bool(self._stores)

    def look(self, since_ms: int, monotonic_ns: int) -> Seen | None:
        """
        Return what was found since the last time, and look again when it is time to.

        Args:
            since_ms: What was stored before isn't of interest.

            monotonic_ns: What the time is.
        """
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            seen, self._seen = self._seen, None
            if seen is not None:
                self._next_ns = seen.began_ns + max(self._period_ns, (seen.ended_ns - seen.began_ns) * _SHARE)
            return seen
        if self._stores and self._thread is None and monotonic_ns >= self._next_ns:
            self._thread = threading.Thread(target=self._run, args=(since_ms, monotonic_ns), name="tierlog-tail", daemon=True)
            self._thread.start()
        return None

    def _run(self, since_ms: int, began_ns: int) -> None:
        self._seen = self._all(since_ms, began_ns)

    def _all(self, since_ms: int, began_ns: int) -> Seen:
        objects: list[Appeared] = []
        is_complete = True
        first = max(self._floor_ms, since_ms - _LATE_DAYS_MS)
        asked = self._asked._replace(first_day=max(self._asked.first_day, day_of(first)), since=0)
        newest = 0
        known: dict[str, tuple[str, Appeared | None]] = {}
        for store in self._stores:
            try:
                for listed in remote_segments(store, asked):
                    modified_ms = listed.modified_ns // _MS_NS
                    newest = max(newest, modified_ms)
                    if modified_ms < since_ms:
                        continue
                    etag, found = self._known.get(listed.name, ("", None))
                    if etag != listed.etag:
                        etag, found = listed.etag, self._appeared(store, listed)
                    known[listed.name] = etag, found
                    if found is not None:
                        objects.append(found)
            except StoreError as e:
                is_complete = False
                note(self._problems, store.name, e.problem)
        self._known = known
        seen = Seen(objects, self._newest_ms, is_complete, began_ns, self._monotonic())
        self._newest_ms = max(self._newest_ms, newest)
        return seen

    def _appeared(self, store: Store, listed: Listed) -> Appeared | None:
        """
        Return a finished object; None if it isn't finished.
        """
        from tierlog.segments import part_of  # noqa: PLC0415 -- 30 ms, and only to follow

        stored = store.head(listed.name)
        if stored is None or stored.metadata.get("state") == "open":
            return None
        last = stored.metadata.get("last-ts", "")
        place = listed.place
        if place.instance is None:
            place = part_of(place._replace(day=place.day or _SOME_DAY), self._first_line(store, listed))
        size = stored.metadata.get("size", "")
        is_old = last.isdecimal() and int(last) < self._floor_ms
        return Appeared(listed, key_of(place), int(size) if size.isdecimal() else 0, is_old)

    @staticmethod
    def _first_line(store: Store, listed: Listed) -> bytes:
        if listed.place.packing is None:
            body = store.get(listed.name, 0, _LINE_BYTES).lstrip(b"\n \r")
        else:
            body = next(opened(listed).blocks(), b"")
        line = body.partition(b"\n")[0]
        return good_part(line) or line
