"""
Making the catalog again, of the segments alone.

Processes may log and ship meanwhile: what is found is entered first, and only what
then isn't found any more, asked for once more, is taken away.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from tierlog._platform import OPEN_READ
from tierlog.catalog._catalog import Catalog
from tierlog.catalog._rows import Entry
from tierlog.envelope import day_of
from tierlog.errors import ObjectNotFoundError, StoreError
from tierlog.facts import Facts, facts_of
from tierlog.layout import Place, local_path, parse_remote
from tierlog.packing import frame_sizes, open_plain
from tierlog.segments import finished
from tierlog.shipping import Sealed, sealed
from tierlog.stores import Store


__all__ = ["Progress", "Rebuilt", "rebuild"]

Progress = Callable[[int, int | None], None]
"""Called with how many segments are done, and of how many; None if that isn't known."""

_BATCH = 64
_IN_MEMORY_BYTES = 33_554_432
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")


class Rebuilt(NamedTuple):
    """
    What became of a catalog.

    Attributes:
        local: Segments that were entered as ``local``.

        shipped: Segments that were entered as ``shipped``.

        stored_bytes: Bytes of all these, as stored.

        open: Objects that were left out, as their segments are still written.

        foreign: Objects that aren't segments.

        removed: Entries that were taken away, as their segments are gone.

        unreadable: Segments that couldn't be read, by key, and why; what the catalog
            had of them, it has still.
    """

    local: int
    shipped: int
    stored_bytes: int
    open: int
    foreign: int
    removed: int
    unreadable: dict[str, str]


def rebuild(catalog: Catalog, root: Path | None, store: Store | None, *, progress: Progress | None = None) -> Rebuilt:
    """
    Make *catalog* again: read every segment, enter it, and take away what is gone.

    What was deleted by age can't be found again; its entries stay.

    Args:
        catalog: Where they are entered.

        root: The folder of the segments; None to leave alone what is entered of it.

        store: Where they are shipped to; None to leave alone what is entered of it.

        progress: See :data:`Progress`.

    Raises:
        CatalogError: It can't be written.

        StoreError: The store doesn't tell what it has.
    """
    building = _Building(catalog, progress)
    if root is not None:
        building.add_local(root)
    if store is not None:
        building.add_shipped(store)
    building.flush()
    building.sweep(root, store)
    counts = building.counts
    return Rebuilt(
        local=counts["local"],
        shipped=counts["shipped"],
        stored_bytes=counts["bytes"],
        open=counts["open"],
        foreign=counts["foreign"],
        removed=counts["removed"],
        unreadable=building.unreadable,
    )


class _Building:
    def __init__(self, catalog: Catalog, progress: Progress | None) -> None:
        self._catalog = catalog
        self._progress = progress
        self._batch: list[Entry] = []
        self._found: set[int] = set()  # hashes of keys, which take less than keys
        self._instances: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.unreadable: dict[str, str] = {}

    def add_local(self, root: Path) -> None:
        """
        Enter the finished segments below *root*.
        """
        noted = {one.path: one for one in sealed(root)}
        for found in finished(root):
            key = local_path(found.place)
            self._add(key, lambda: self._local(root, found.place, noted.get(key)))  # noqa: B023

    def add_shipped(self, store: Store) -> None:
        """
        Enter the segments in *store*.
        """
        for one in store.list():
            place = parse_remote(one.key)
            if place is None:
                self.counts["foreign"] += 1
            else:
                self._add(one.key, lambda: self._shipped(store, one.key, place))  # noqa: B023

    def flush(self) -> None:
        """
        Enter what was read.
        """
        self._catalog.put(self._batch)
        self._batch.clear()

    def sweep(self, root: Path | None, store: Store | None) -> None:
        """
        Take away what isn't there, though it is entered.
        """
        for batch in _batches(self._gone(root, store)):
            self._catalog.delete(batch)
            self.counts["removed"] += len(batch)

    def _add(self, key: str, read: Callable[[], Entry | None]) -> None:
        try:
            entry = read()
        except (FileNotFoundError, ObjectNotFoundError):
            return  # it moved meanwhile
        except Exception as e:  # noqa: BLE001 -- whatever the disk, the store or an unpacker raises
            self.unreadable[key] = str(e) or type(e).__name__
            entry = None
        self._found.add(hash(key))
        if entry is not None:
            self.counts[entry.state] += 1
            self.counts["bytes"] += entry.stored_bytes
            self._batch.append(entry)
            if len(self._batch) >= _BATCH:
                self.flush()
        if self._progress is not None:
            self._progress(len(self._found), None)

    def _local(self, root: Path, place: Place, noted: Sealed | None) -> Entry | None:
        key = local_path(place)
        with open(os.open(root / key, OPEN_READ), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                return None
            facts, frames = _facts(file, place.packing, noted.sha256 if noted else "")
        self._instances.add(facts.instance)
        return Entry(key, place, "local", size, "", noted.prev_sha256 if noted else "", facts, frames)

    def _shipped(self, store: Store, key: str, place: Place) -> Entry | None:
        head = store.head(key)
        if head is None:
            raise ObjectNotFoundError("it is gone", code="NoSuchKey", status=404)
        noted = head.metadata
        if noted.get("state") == "open":
            self.counts["open"] += 1
            return None
        with store.open(key) as body, _seekable(body, place.packing) as file:
            facts, frames = _facts(file, place.packing, noted.get("sha256", ""))
        day = noted.get("day", "")
        place = place._replace(day=place.day or (day if _DAY.match(day) else day_of(facts.first_ts)))
        return Entry(key, place, "shipped", head.size, head.etag, noted.get("prev-sha256", ""), facts, frames)

    def _gone(self, root: Path | None, store: Store | None) -> Iterator[str]:
        for key, state, instance in self._catalog.listing():
            if hash(key) in self._found:
                continue
            if state == "shipped":
                is_gone = store is not None and self._is_gone_from(store, key)
            else:
                is_gone = root is not None and self._is_own(root, instance) and not os.path.lexists(root / key)
            if is_gone:
                yield key

    def _is_own(self, root: Path, instance: str) -> bool:
        """
        Tell whether an instance's segments were in this root. Other hosts may have
        theirs in the same catalog.
        """
        path = self._catalog.path
        return instance in self._instances or (path is not None and path.is_relative_to(root.absolute()))

    def _is_gone_from(self, store: Store, key: str) -> bool:
        try:
            return store.head(key) is None
        except StoreError as e:
            self.unreadable[key] = str(e)
            return False


def _facts(file: BinaryIO, packing: str | None, sha256: str) -> tuple[Facts, tuple[int, ...]]:
    """
    Return what a stored segment holds, and the sizes of its frames.

    Args:
        file: It, at its beginning; it is closed then.

        packing: How it is compressed.

        sha256: What was noted of its bytes; empty if nothing was.
    """
    with open_plain(file, packing) as plain:
        facts = facts_of(plain)
        if sha256 not in {"", facts.sha256}:
            raise ValueError("its bytes aren't those that were noted; see 'tierlog verify'")
        if packing != "zst":
            return facts, ()
        file.seek(0)
        return facts, frame_sizes(file, packing)


def _seekable(body: BinaryIO, packing: str | None) -> BinaryIO:
    """
    Return an object's body as it can be read twice, if that is needed.
    """
    if packing != "zst":
        return body
    copy = cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115 -- the caller closes it
    shutil.copyfileobj(body, copy)
    copy.seek(0)
    return copy


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, _BATCH)):
        yield batch
