"""
Deletion in a store, by the date in the key.

The keys of builds and deploys have none. There it is the day that the catalog knows, or
the object's own date: nothing is stored before it was logged, so that deletes nothing
too early.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tierlog.envelope import day_of
from tierlog.errors import StoreError
from tierlog.kinds import TIERS
from tierlog.layout import Place, parse_remote, remote_key
from tierlog.retention._job import Job
from tierlog.retention._limits import Limits
from tierlog.stores import Store, Stored


__all__ = ["RemoteSide", "newest_remote", "tier_prefix"]

_BATCH = 256
_MOST_FAILURES = 5  # in a row: the store is away, or doesn't let us


def tier_prefix(tier: str) -> str:
    """
    Return what the keys of *tier* begin with.

    >>> tier_prefix("build")
    'builds/'
    """
    return remote_key(Place(tier, "1970-01-01", "a", "a", "0")).partition("/")[0] + "/"


def newest_remote(store: Store, enough_ms: int) -> int | None:
    """
    Return when a segment was last stored, **milliseconds** since the epoch; None if
    there's none.

    Args:
        store: The store.

        enough_ms: What is as new as this is new enough, and nothing else looked at.

    Raises:
        StoreError: The store didn't answer.
    """
    newest = None
    for tier in TIERS:
        for stored in store.list(tier_prefix(tier)):
            if parse_remote(stored.key) is not None:
                newest = max(newest or 0, stored.modified_ms)
                if newest >= enough_ms:
                    return newest
    return newest


class _Row(NamedTuple):
    day: str | None
    is_held: bool


class RemoteSide:
    """
    A store that is cleaned up.

    Args:
        store: The store.

        limits: What is old.

        job: What both sides share.

        connections: How many objects are deleted at once.
    """

    def __init__(self, store: Store, limits: Limits, job: Job, *, connections: int) -> None:
        self._store = store
        self._limits = limits
        self._job = job
        self._connections = connections
        self._failures = 0
        self._rows: dict[str, _Row] = {}

    def run(self) -> None:
        """
        Delete what is old, and tell the catalog; also of what was deleted before and it
        wasn't told of.

        Raises:
            StoreError: The store doesn't tell what it has, or deletes nothing.
        """
        for tier in TIERS:
            limit = self._limits.before_ms(tier)
            self._rows = dict(self._known(tier, limit)) if limit is not None else {}
            batch: list[tuple[Stored, Place]] = []
            for stored in self._store.list(tier_prefix(tier)):
                place = parse_remote(stored.key)
                if place is None:
                    continue
                row = self._rows.pop(stored.key, None)
                fate = self._fate(stored, place, row)
                if fate == "deleted" and not self._job.is_dry:
                    batch.append((stored, place))
                else:
                    self._job.cleaned.add("remote", tier, fate, stored.size)
                self._job.look()
                if len(batch) >= _BATCH:
                    self._delete(batch)
                    batch = []
            self._delete(batch)
            if not self._job.is_dry:
                # Killed between deleting and telling; or the bucket's own rules deleted it.
                self._job.catalog.expire([key for key, row in self._rows.items() if self._limits.is_old(tier, row.day)])

    def _known(self, tier: str, limit: int) -> Iterator[tuple[str, _Row]]:
        for entry in self._job.catalog.shipped(tier, limit):
            day = entry.place.day or day_of(entry.facts.last_ts)
            if self._limits.is_old(tier, day):
                yield entry.key, _Row(day, self._job.hold.holds(entry.facts.ids.get("projectId")))

    def _fate(self, stored: Stored, place: Place, row: _Row | None) -> str:
        day = place.day or (row.day if row is not None else day_of(stored.modified_ms))
        if not self._limits.is_old(place.tier, day):
            return "kept"
        return "held" if self._is_held(stored, place, row) else "deleted"

    def _is_held(self, stored: Stored, place: Place, row: _Row | None) -> bool:
        hold = self._job.hold
        if not hold:
            return False
        if place.tier in {"action", "lifecycle"}:
            return hold.holds([place.id or ""])
        if row is not None:
            return row.is_held
        head = self._store.head(stored.key)
        return head is not None and hold.holds_metadata(head.metadata)

    def _delete(self, batch: list[tuple[Stored, Place]]) -> None:
        gone: list[str] = []
        try:
            for (stored, place), error in zip(batch, self._tried(batch), strict=True):
                if error is None:
                    gone.append(stored.key)
                    self._job.cleaned.add("remote", place.tier, "deleted", stored.size)
                else:
                    self._job.cleaned.add("remote", place.tier, "kept", stored.size)
                    self._job.cleaned.fail(f"{stored.key}: {error.problem}")
                    if self._failures >= _MOST_FAILURES:
                        raise error
        finally:
            self._job.catalog.expire(gone)

    def _tried(self, batch: list[tuple[Stored, Place]]) -> Iterator[StoreError | None]:
        keys = [stored.key for stored, _ in batch]
        if self._connections <= 1 or len(batch) <= 1:
            yield from map(self._one, keys)
            return
        with ThreadPoolExecutor(self._connections, thread_name_prefix="tierlog-cleanup") as pool:
            yield from pool.map(self._one, keys)

    def _one(self, key: str) -> StoreError | None:
        try:
            self._store.delete(key)
        except StoreError as e:
            self._failures += 1
            return e
        self._failures = 0
        return None
