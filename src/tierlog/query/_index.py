"""
What the catalog knows of segments: which can't hold what is asked for, and in which
blocks the others may. The latter stands in a segment's details, which are unpacked when
they are needed: often a segment is read as a whole, or not at all.

A catalog in SQLite is read as it lies there, without an SQL library, which takes longer
to load than the answer to be found, and without ever making or changing it. It may be
behind or damaged: what it doesn't know is looked into.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tierlog.errors import CatalogError
from tierlog.query._filters import Filters
from tierlog.query._listing import Wanted


if TYPE_CHECKING:
    from tierlog.details import Details


__all__ = ["CatalogIndex", "Held", "Index", "Inside", "SqliteIndex"]

_STATES = ("local", "shipped")
_VERSIONS = ("1", "2")  # of the schema; what is read is the same in both
_PATIENCE = 5.0  # seconds
_WIDTH = 6
_HOUR_MS = 3_600_000
_IDS = ("projectId", "buildId", "userId")  # of which it is known where they stand


class Row(NamedTuple):
    """
    What is known of a segment without its details.

    Attributes:
        stored_bytes: Bytes, as stored.

        etag: The object's; empty if it is in a folder.

        size: Bytes, uncompressed.

        lines: Envelopes.

        first_ts: Lowest ``ts``.

        last_ts: Highest ``ts``.
    """

    stored_bytes: int
    etag: str
    size: int
    lines: int
    first_ts: int
    last_ts: int


class Inside(NamedTuple):
    """
    Which parts of a segment may hold what is asked for.

    Attributes:
        is_whole: Whether its lines are all in blocks that are known.

        parts: Per block its offset, size, lowest and highest ``ts``, and where its
            frame begins and how long it is, -1 if it has none.

        levels: Lines by hour and ``lvl``.
    """

    is_whole: bool
    parts: array[int]
    levels: Mapping[tuple[int, str], int]

    @property
    def span(self) -> tuple[int, int]:
        """
        The lowest and the highest ``ts`` of the blocks.
        """
        return min(self.parts[2::_WIDTH]), max(self.parts[3::_WIDTH])

    def blocks(self) -> Iterator[tuple[int, ...]]:
        """
        Yield the blocks.
        """
        for at in range(0, len(self.parts), _WIDTH):
            yield tuple(self.parts[at : at + _WIDTH])


class Held(NamedTuple):
    """
    What is known of a segment that may hold what is asked for.

    Attributes:
        stored_bytes: Bytes, as stored.

        etag: The object's; empty if it is in a folder.

        size: Bytes, uncompressed.

        span: There's nothing before the first of these times, nor behind the last.

        is_all: Whether all of its parts may hold it, so that they weren't looked at yet.

        inside: Returns these parts; raises CatalogError if that can't be read.
    """

    stored_bytes: int
    etag: str
    size: int
    span: tuple[int, int]
    is_all: bool
    inside: Callable[[], Inside]


_Known = tuple[str, Row, Callable[[], "Details"]]
"""A segment's key, what is known of it, and what returns its details."""


class Index(Protocol):
    """
    Looks segments up.
    """

    def look(self, filters: Filters, asked: Wanted) -> tuple[dict[str, Held], dict[str, tuple[int, str]]]:
        """
        Return what is known of the segments that may hold what is asked for, by their
        names, and of all of those whose places are asked for how large they are, and
        their etags.

        Raises:
            CatalogError: It can't be read.
        """


class SqliteIndex:
    """
    A catalog in a file.

    Args:
        path: The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self, filters: Filters, asked: Wanted) -> tuple[dict[str, Held], dict[str, tuple[int, str]]]:
        """
        Return what is known; nothing if there's no such file.

        Raises:
            CatalogError: It can't be read.
        """
        if not asked.tiers or not self._path.exists():
            return {}, {}
        import sqlite3  # noqa: PLC0415 -- only where there's a catalog
        from contextlib import closing  # noqa: PLC0415
        from urllib.parse import quote  # noqa: PLC0415

        try:
            with closing(sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", timeout=_PATIENCE, uri=True)) as connection:
                connection.isolation_level = None
                connection.execute("BEGIN")  # one state of it for all that is asked
                found = connection.execute("SELECT value FROM tierlog_meta WHERE name = 'version'").fetchone()
                if found is None or found[0] not in _VERSIONS:
                    raise CatalogError(str(self._path), "is of a version that isn't known; segments are looked into instead")
                return dict(_found(self._rows(connection, filters, asked), filters, is_packed=True)), _known(connection, asked)
        except (sqlite3.Error, ValueError) as e:
            raise self._unusable(e) from e

    def _rows(self, connection: Any, filters: Filters, asked: Wanted) -> Iterator[_Known]:
        query, values = _selection(filters, asked)
        for key, *row, blob in connection.execute(query, values):
            known = Row(*row)
            yield key, known, partial(self._details, blob, known.first_ts, filters)

    def _details(self, blob: bytes, first_ts: int, filters: Filters) -> Details:
        from tierlog.details import unpack  # noqa: PLC0415 -- only where there's a catalog

        try:
            return unpack(blob, first_ts, filters.ids)
        except ValueError as e:
            raise self._unusable(e) from e

    def _unusable(self, error: Exception) -> CatalogError:
        problem = f"can't be used ({error}); segments are looked into instead, and 'tierlog catalog rebuild' makes it again"
        return CatalogError(str(self._path), problem)


class CatalogIndex:
    """
    A :class:`tierlog.catalog.Catalog`.

    Args:
        make: Opens it, when it is first needed.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._catalog: Any = None

    def look(self, filters: Filters, asked: Wanted) -> tuple[dict[str, Held], dict[str, tuple[int, str]]]:
        """
        Return what is known.

        Raises:
            CatalogError: It can't be read.
        """
        if not asked.tiers:
            return {}, {}
        if self._catalog is None:
            self._catalog = self._make()
        before = {key for key, _, _ in self._catalog.listing(states=_STATES)}
        ids = {"project_id": "projectId", "build_id": "buildId", "user_id": "userId"}
        given = {name: filters.ids.get(key) for name, key in ids.items()}
        entries = self._catalog.find(states=_STATES, tiers=asked.tiers, since_ms=filters.since, until_ms=filters.until, **given)
        held = dict(_found(map(_row, entries), filters, is_packed=False))
        # What came, went or moved in between isn't known.
        return held, {key: (-1, "") for key, _, _ in self._catalog.listing(states=_STATES) if key in before}


def _row(entry: Any) -> _Known:
    from tierlog.details import Details  # noqa: PLC0415 -- only where there's a catalog

    facts = entry.facts
    row = Row(entry.stored_bytes, entry.etag, facts.size, facts.lines, facts.first_ts, facts.last_ts)
    details = Details(facts.instance, facts.seqs, facts.levels, facts.ids, facts.blocks, entry.frames)
    return entry.key, row, lambda: details


def _selection(filters: Filters, asked: Wanted) -> tuple[str, list[Any]]:
    from tierlog.details import hash_of  # noqa: PLC0415 -- only where there's a catalog

    where, values = _place(asked)
    where += " AND last_ts >= ? AND first_ts < ?"
    values += [filters.since, filters.until]
    for name in _IDS:
        if name in filters.ids:
            where += (
                " AND EXISTS (SELECT 1 FROM tierlog_ids AS i WHERE i.hash IN (?, ?)"
                " AND i.first_ts = tierlog_segments.first_ts AND i.segment = tierlog_segments.id)"
            )
            values += [hash_of(name, filters.ids[name]), hash_of(name, None)]
    columns = ", ".join(["key", *Row._fields, "details"])
    return f"SELECT {columns} FROM tierlog_segments WHERE {where}", values  # noqa: S608 -- of constants


def _known(connection: Any, asked: Wanted) -> dict[str, tuple[int, str]]:
    where, values = _place(asked)
    query = f"SELECT key, stored_bytes, etag FROM tierlog_segments WHERE {where}"  # noqa: S608 -- of constants
    return {key: (stored, etag) for key, stored, etag in connection.execute(query, values)}


def _place(asked: Wanted) -> tuple[str, list[Any]]:
    where = f"state IN ('local', 'shipped') AND tier IN ({', '.join('?' * len(asked.tiers))})"
    where += " AND (day IS NULL OR day BETWEEN ? AND ?)"
    return where, [*asked.tiers, asked.first_day, asked.last_day]


def _found(rows: Iterable[_Known], filters: Filters, *, is_packed: bool) -> Iterator[tuple[str, Held]]:
    """
    Yield what is known of the segments that may hold what is asked for; where no part of
    one can be left out, details that are still packed are left so.
    """
    are_left = is_packed and not filters.ids and filters.levels is None
    for key, row, details in rows:
        if are_left and row.lines and filters.since <= row.first_ts and row.last_ts < filters.until:
            look = partial(_inside, row, details, filters)
            yield key, Held(row.stored_bytes, row.etag, row.size, (row.first_ts, row.last_ts), is_all=True, inside=look)
            continue
        inside = _inside(row, details, filters)
        if inside.parts:
            yield key, Held(row.stored_bytes, row.etag, row.size, inside.span, is_all=False, inside=_returning(inside))


def _returning(inside: Inside) -> Callable[[], Inside]:
    return lambda: inside


def _inside(row: Row, unpack: Callable[[], Details], filters: Filters) -> Inside:
    """
    Return which parts may hold what is asked for.
    """
    details = unpack()
    mask = -1
    for name, value in filters.ids.items():
        if name in details.ids:
            mask &= details.ids[name].get(value, 0)
    hours = _hours(details, filters)
    ends = [0]
    is_framed = len(details.frames) == len(details.blocks)
    for size in details.frames if is_framed else ():
        ends.append(ends[-1] + size)
    parts = array("q")
    for number, (offset, size, first_ts, last_ts) in enumerate(details.blocks):
        if not mask >> number & 1 or last_ts < filters.since or first_ts >= filters.until:
            continue
        if hours is not None and not any(hour in hours for hour in _span(first_ts, last_ts)):
            continue
        parts.extend((offset, size, first_ts, last_ts))
        parts.extend((ends[number], details.frames[number]) if is_framed else (-1, -1))
    is_whole = sum(size for _, size, _, _ in details.blocks) == row.size
    return Inside(is_whole, parts, details.levels)


def _hours(details: Details, filters: Filters) -> set[int] | None:
    if filters.levels is None:
        return None
    return {hour for hour, lvl in details.levels if lvl in filters.levels}


def _span(first_ts: int, last_ts: int) -> range:
    return range(first_ts // _HOUR_MS * _HOUR_MS, last_ts + 1, _HOUR_MS)
