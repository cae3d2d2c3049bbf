"""
What is old enough below a root and in a store, packed one by one.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tierlog.compaction._local import LocalPacker
from tierlog.compaction._outcome import Change, Compacted, Failure, Packed
from tierlog.compaction._remote import RemotePacker
from tierlog.compaction._rows import CatalogLike, Rows
from tierlog.errors import StoreError, TierlogError
from tierlog.layout import PACKINGS, Place, local_path, parse_remote
from tierlog.options import choice, seconds
from tierlog.packing import pack_file
from tierlog.segments import Found, finished
from tierlog.shipping import destination
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["OLDER_THAN", "Progress", "compact"]

OLDER_THAN = 604_800.0
"""**Seconds** after which segments are packed: seven days."""

Progress = Callable[[int, int | None], None]
"""Called with how many segments were looked at, and of how many; None if nobody knows."""

_DAY_MS = 86_400_000
_MOST_FAILURES = 5  # of the store, one after the other


def compact(
    root: Path | None,
    store: Store | None,
    *,
    packing: str = "zst",
    older_than: float | str = OLDER_THAN,
    clock: Clock = time.time_ns,
    catalog: CatalogLike | None = None,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Compacted:
    """
    Pack the finished segments that are old enough.

    A packed segment is verified before the plain one goes, and readers see no
    difference. Several processes may do it at once, and be killed at any moment.
    Files that wait to be shipped are left alone.

    Args:
        root: The folder of the segments; None if there's none to be looked at.

        store: Where segments are shipped to; None if it isn't to be looked at.

        packing: ``zst`` or ``gz``.

        older_than: **Seconds** that must have passed since the end of a segment's day;
            for a build's object in the store, since it was put there.

        clock: Returns nanoseconds since the epoch.

        catalog: A :class:`tierlog.catalog.Catalog`: its rows are replaced.

        progress: See :data:`Progress`.

        dry_run: Whether only to look, and change nothing.

    Raises:
        ConfigError: There's no such packing, or *older_than* is no time.

        MissingExtraError: ``tierlog[zstd]`` isn't installed.
    """
    pack_file(io.BytesIO(), io.BytesIO(), choice("packing", packing, PACKINGS))  # before anything is touched
    rows = Rows(catalog)
    run = _Run(seconds("older_than", older_than), clock() // 1_000_000, progress, dry_run=dry_run)
    if root is not None:
        run.local(root, LocalPacker(root, packing, rows))
    local = run.take()
    if store is not None:
        run.remote(store, RemotePacker(store, packing, rows))
    return Compacted(local, run.take(), run.skipped, tuple(run.failed))


class _Run:
    def __init__(self, older_than: float, now_ms: int, progress: Progress | None, *, dry_run: bool) -> None:
        self._now_ms = now_ms
        self._limit_ms = now_ms - older_than * 1000
        self._progress = progress
        self._dry_run = dry_run
        self._packed = Packed()
        self._looked = 0
        self._store_failures = 0
        self.skipped = 0
        self.failed: list[Failure] = []

    def take(self) -> Packed:
        """
        Return the sums so far, and begin anew.
        """
        packed, self._packed = self._packed, Packed()
        return packed

    def local(self, root: Path, packer: LocalPacker) -> None:
        """
        Pack what is old enough below *root*.
        """
        try:
            if not self._dry_run:
                packer.sweep()
            found = [one for one in finished(root) if one.place.packing is None and self._is_old(one.place, one.modified * 1000)]
        except OSError as e:
            self._failing(str(root), e)
            return
        if destination(root) is not None:  # they are packed where they are shipped to
            self.skipped += len(found)
            return
        for one in found:
            self._one(local_path(one.place), partial(self._file, packer, one))
            self._step(len(found))

    def remote(self, store: Store, packer: RemotePacker) -> None:
        """
        Pack what is old enough in *store*.
        """
        self._looked = 0
        try:
            for stored in store.list():
                place = parse_remote(stored.key)
                if place is None or place.packing is not None or not self._is_old(place, stored.modified_ms):
                    continue
                self._one(stored.key, partial(self._object, packer, stored.key, place))
                self._step(None)
                if self._store_failures == _MOST_FAILURES:
                    problem = f"gave up after {_MOST_FAILURES} failures one after the other; run it again when the store answers"
                    self.failed.append(Failure(store.name, problem))
                    break
        except StoreError as e:
            self._failing(store.name, e)

    def _file(self, packer: LocalPacker, found: Found) -> Change | None:
        return Change(found.size, 0) if self._dry_run else packer.pack(found.place)

    def _object(self, packer: RemotePacker, key: str, place: Place) -> Change | None:
        if not self._dry_run:
            return packer.pack(key, place)
        found = packer.finished(key)
        return Change(found.size, 0) if found is not None else None

    def _one(self, name: str, work: Callable[[], Change | None]) -> None:
        try:
            change = work()
        except (TierlogError, OSError) as e:
            self._failing(name, e)
            return
        self._store_failures = 0
        if change is None:
            self.skipped += 1
        else:
            self._packed = self._packed.and_one(change)

    def _failing(self, name: str, error: Exception) -> None:
        self._store_failures = self._store_failures + 1 if isinstance(error, StoreError) else 0
        self.failed.append(Failure(name, str(error)))

    def _step(self, total: int | None) -> None:
        self._looked += 1
        if self._progress is not None:
            self._progress(self._looked, total)

    def _is_old(self, place: Place, modified_ms: float) -> bool:
        ended = modified_ms
        if place.day is not None:
            try:
                begin = datetime.fromisoformat(place.day).replace(tzinfo=UTC)
            except ValueError:  # 30 February
                return False
            ended = begin.timestamp() * 1000 + _DAY_MS
        return min(ended, self._now_ms) <= self._limit_ms
