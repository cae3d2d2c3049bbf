"""
What the catalog knows of segments: which can't hold what is asked for, and in which
blocks the others may.

A catalog in SQLite is read as it lies there, without an SQL library, which takes longer
to load than the answer to be found, and without ever making or changing it. It may be
behind or damaged: what it doesn't know is looked into.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tierlog.errors import CatalogError
from tierlog.query._filters import Filters
from tierlog.query._listing import Wanted


__all__ = ["CatalogIndex", "Held", "Index", "Row", "SqliteIndex"]

_STATES = ("local", "shipped")
_VERSIONS = ("1", "2")  # of the schema; what is read is the same in both
_PATIENCE = 5.0  # seconds
_WIDTH = 6
_HOUR_MS = 3_600_000
_IDS = ("projectId", "buildId", "userId")  # of which it is known where they stand


class Row(NamedTuple):
    """
    What is known of a segment.

    Attributes:
        stored_bytes: Bytes, as stored.

        etag: The object's; empty if it is in a folder.

        size: Bytes, uncompressed.

        lines: Envelopes.

        first_ts: Lowest ``ts``.

        last_ts: Highest ``ts``.

        levels: Lines by hour and ``lvl``.

        ids: Per name and id, in which blocks it stands.

        blocks: The blocks.

        frames: Stored bytes of each frame; nothing if it isn't packed so.
    """

    stored_bytes: int
    etag: str
    size: int
    lines: int
    first_ts: int
    last_ts: int
    levels: Mapping[tuple[int, str], int]
    ids: Mapping[str, Mapping[str, int]]
    blocks: Sequence[tuple[int, int, int, int]]
    frames: tuple[int, ...]


class Held(NamedTuple):
    """
    Which parts of a segment may hold what is asked for.

    Attributes:
        stored_bytes: Bytes, as stored.

        etag: The object's; empty if it is in a folder.

        is_whole: Whether its lines are all in blocks that are known.

        parts: Per block its offset, size, lowest and highest ``ts``, and where its
            frame begins and how long it is, -1 if it has none.

        levels: Lines by hour and ``lvl``.
    """

    stored_bytes: int
    etag: str
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
                return dict(_rows(connection, filters, asked)), _known(connection, asked)
        except (sqlite3.Error, ValueError) as e:
            problem = f"can't be used ({e}); segments are looked into instead, and 'tierlog catalog rebuild' makes it again"
            raise CatalogError(str(self._path), problem) from e


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
        held: dict[str, Held] = {}
        for entry in self._catalog.find(
            states=_STATES, tiers=asked.tiers, since_ms=filters.since, until_ms=filters.until, **given
        ):
            facts = entry.facts
            row = Row(
                entry.stored_bytes,
                entry.etag,
                facts.size,
                facts.lines,
                facts.first_ts,
                facts.last_ts,
                facts.levels,
                facts.ids,
                facts.blocks,
                entry.frames,
            )
            found = _held(row, filters)
            if found is not None:
                held[entry.key] = found
        # What came, went or moved in between isn't known.
        return held, {key: (-1, "") for key, _, _ in self._catalog.listing(states=_STATES) if key in before}


def _rows(connection: Any, filters: Filters, asked: Wanted) -> Iterator[tuple[str, Held]]:
    from tierlog.details import hash_of, unpack  # noqa: PLC0415 -- only where there's a catalog

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
    columns = "key, stored_bytes, etag, size, lines, first_ts, last_ts, details"
    for key, stored, etag, size, lines, first, last, blob in connection.execute(
        f"SELECT {columns} FROM tierlog_segments WHERE {where}",  # noqa: S608 -- of constants
        values,
    ):
        details = unpack(blob, first, filters.ids)
        row = Row(stored, etag, size, lines, first, last, details.levels, details.ids, details.blocks, details.frames)
        held = _held(row, filters)
        if held is not None:
            yield key, held


def _known(connection: Any, asked: Wanted) -> dict[str, tuple[int, str]]:
    where, values = _place(asked)
    query = f"SELECT key, stored_bytes, etag FROM tierlog_segments WHERE {where}"  # noqa: S608 -- of constants
    return {key: (stored, etag) for key, stored, etag in connection.execute(query, values)}


def _place(asked: Wanted) -> tuple[str, list[Any]]:
    where = f"state IN ('local', 'shipped') AND tier IN ({', '.join('?' * len(asked.tiers))})"
    where += " AND (day IS NULL OR day BETWEEN ? AND ?)"
    return where, [*asked.tiers, asked.first_day, asked.last_day]


def _held(row: Row, filters: Filters) -> Held | None:
    """
    Return which parts may hold what is asked for; None if none does.
    """
    mask = -1
    for name, value in filters.ids.items():
        if name in row.ids:
            mask &= row.ids[name].get(value, 0)
    hours = _hours(row, filters)
    ends = [0]
    is_framed = len(row.frames) == len(row.blocks)
    for size in row.frames if is_framed else ():
        ends.append(ends[-1] + size)
    parts = array("q")
    for number, (offset, size, first_ts, last_ts) in enumerate(row.blocks):
        if not mask >> number & 1 or last_ts < filters.since or first_ts >= filters.until:
            continue
        if hours is not None and not any(hour in hours for hour in _span(first_ts, last_ts)):
            continue
        parts.extend((offset, size, first_ts, last_ts))
        parts.extend((ends[number], row.frames[number]) if is_framed else (-1, -1))
    if not parts:
        return None
    is_whole = sum(size for _, size, _, _ in row.blocks) == row.size
    return Held(row.stored_bytes, row.etag, is_whole, parts, row.levels)


def _hours(row: Row, filters: Filters) -> set[int] | None:
    if filters.levels is None:
        return None
    return {hour for hour, lvl in row.levels if lvl in filters.levels}


def _span(first_ts: int, last_ts: int) -> range:
    return range(first_ts // _HOUR_MS * _HOUR_MS, last_ts + 1, _HOUR_MS)
