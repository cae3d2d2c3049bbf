"""
Which segments may hold what is asked for, from wherever they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tierlog.envelope import DAY_MS
from tierlog.errors import CatalogError, StoreError
from tierlog.layout import Place, local_path, remote_key
from tierlog.query._filters import Filters
from tierlog.query._index import Held, Index
from tierlog.query._listing import Listed, Wanted, elsewhere, local_segments, remote_segments, wanted
from tierlog.query._problem import Problem
from tierlog.query._times import parse_time
from tierlog.stores import Store


__all__ = ["Source", "Sources"]

_FIRST_MS, _LAST_MS = 0, 253_402_300_799_999


class Source(NamedTuple):
    """
    A segment to be read.

    Attributes:
        listed: Where it is.

        first_ts: Its lines aren't before.

        last_ts: Nor after.

        held: What the catalog knows; None if it knows nothing.

        is_known: Whether its times are as well known as they can be before it is read.

        floor: What is before was delivered already, from where it was before; what is
            behind if newest come first. None if nothing was.
    """

    listed: Listed
    first_ts: int
    last_ts: int
    held: Held | None = None
    is_known: bool = False
    floor: int | None = None


class Sources:
    """
    Folders and stores, and what catalogs know of them.

    Args:
        roots: The folders.

        stores: The stores.

        indices: The catalogs.
    """

    def __init__(self, roots: Sequence[Path], stores: Sequence[Store], indices: Sequence[Index]) -> None:
        self.roots = tuple(roots)
        self.stores = tuple(stores)
        self._indices = tuple(indices)

    def listed(self, asked: Wanted, problems: list[Problem]) -> list[Listed]:
        """
        Return the segments, each once: what moves meanwhile is found where it was first.
        """
        found: dict[object, Listed] = {}
        for root in self.roots:
            _add(found, local_segments(root, asked, problems))
        for store in self.stores:
            try:
                _add(found, remote_segments(store, asked))
            except StoreError as e:
                problems.append(Problem(store.name, e.problem))
        return list(found.values())

    def sources(self, filters: Filters, problems: list[Problem]) -> list[Source]:
        """
        Return the segments that may hold what is asked for.
        """
        asked = wanted(filters)
        listed = self.listed(asked, problems)
        held: dict[str, Held] = {}
        known: dict[str, tuple[int, str]] = {}
        for index in self._indices if listed else ():
            try:
                more_held, more_known = index.look(filters, asked)
            except CatalogError as e:
                problems.append(Problem(e.catalog, e.problem))
            else:
                held.update(more_held)
                known.update(more_known)
        found = [source for one in listed if (source := _source(one, held, known)) is not None]
        if len(found) == 1 and not filters.has_times:
            return [found[0]._replace(is_known=True)]  # there's nothing to put it in order with
        return found

    def moved(self, source: Source) -> list[Source]:
        """
        Return where a segment is now that isn't where it was; nothing if it is gone.

        A build's file may have become one of several parts: all of them are returned,
        and what was read of them is known by its records.
        """
        listed = source.listed
        place = listed.place
        places = [place, *elsewhere(place, [])]
        for root in self.roots:
            for one in places:
                path = local_path(one)
                if place.day is not None and (root / path).is_file() and (listed.root, listed.name) != (root, path):
                    return [_moved(source, Listed(path, one, 0, root))]
        if place.instance is None:
            return self.parts(source)
        for store in self.stores:
            for one in places:
                key = remote_key(one)
                if (listed.store, listed.name) != (store, key) and (stored := store.head(key)) is not None:
                    return [_moved(source, Listed(key, one, stored.size, store=store, etag=stored.etag))]
        return []

    def parts(self, source: Source) -> list[Source]:
        """
        Return what else there is of a build now.

        Raises:
            StoreError: A store didn't answer.
        """
        place = source.listed.place
        day = place.day
        asked = Wanted((place.tier,), day or "", day or "9999", 0, place.id, None)
        found: dict[object, Listed] = {}
        for root in self.roots if day is not None else ():
            _add(found, local_segments(root, asked, []))
        for store in self.stores:
            _add(found, remote_segments(store, asked))
        was = source.listed
        gone = (was.root, was.store, was.name, was.inode)
        return [_moved(source, one) for one in found.values() if (one.root, one.store, one.name, one.inode) != gone]


def _add(found: dict[object, Listed], listed: Iterable[Listed]) -> None:
    for one in listed:
        place = one.place
        who: object = (place.tier, place.id, place.instance, place.ulid)
        if place.instance is None:  # of a build there may be several, and the records tell
            who = (one.root, id(one.store), place)
        found.setdefault(who, one)


def _source(listed: Listed, held: dict[str, Held], known: dict[str, tuple[int, str]]) -> Source | None:
    unknown = Source(listed, *_bounds(listed.place), is_known=listed.place.day is not None)
    if listed.is_open or listed.name not in known:
        return unknown
    there = held.get(listed.name)
    size, etag = (there.stored_bytes, there.etag) if there is not None else known[listed.name]
    if (size >= 0 and size != listed.size) or (size >= 0 and etag != listed.etag):
        return unknown  # it isn't the one that the catalog knows
    if there is None:
        return None
    return Source(listed, *there.span, there)


def _moved(source: Source, listed: Listed) -> Source:
    return Source(listed, source.first_ts, source.last_ts, is_known=True, floor=source.floor)


def _bounds(place: Place) -> tuple[int, int]:
    if place.day is None:
        return _FIRST_MS, _LAST_MS
    first = parse_time("day", place.day, 0)
    return first, first + DAY_MS - 1
