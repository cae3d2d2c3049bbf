"""
The catalog: a row per finished segment, day pointers, and who does which job.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tierlog.catalog._database import Database
from tierlog.catalog._rows import Entry, entry_of, expired_row, id_rows, level_rows, segment_row, sorted_by_key
from tierlog.catalog._schema import ids, jobs, levels, segments
from tierlog.catalog._select import Wanted, last_day_of, live_days_of, next_rows
from tierlog.catalog._url import target
from tierlog.typing import Clock


__all__ = ["Catalog"]

_CHUNK = 200  # keys in one statement
_LIVE = ("local", "shipped")
_INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Catalog:
    """
    What the stores hold. Safe to share between threads; a child that forks opens
    connections of its own. Every method raises :class:`tierlog.errors.CatalogError`
    if the database fails, and the next call tries again.

    Args:
        url: ``sqlite:///<path>``, see :func:`sqlite_url`, or ``postgresql://…``. The
            tables are made, or brought to today's form.

        clock: Returns nanoseconds since the epoch.

        patience: For how many **seconds** to wait for what other processes have locked.

    Raises:
        CatalogError: It can't be opened.

        MissingExtraError: PostgreSQL needs ``tierlog[db]``.
    """

    def __init__(self, url: str, *, clock: Clock = time.time_ns, patience: float = 5.0) -> None:
        self._clock = clock
        self._database = Database(target(url), patience=patience)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # it may not have been opened, and the interpreter may be going
            self.close()

    def __repr__(self) -> str:
        return f"<Catalog {self._database.where.shown}>"

    @property
    def path(self) -> Path | None:
        """
        The file, None if it is in PostgreSQL.
        """
        return self._database.where.path

    def put(self, entries: Sequence[Entry]) -> None:
        """
        Enter segments, all or none of them. One that has the key of another takes its place.
        """
        found = sorted_by_key(entries)
        if found:
            self._database.write(lambda connection: _put(connection, found))

    def get(self, key: str) -> Entry | None:
        """
        Return the entry of *key*, None if there's none.
        """

        def work(connection: Connection) -> Entry | None:
            row = connection.execute(select(segments).where(segments.c.key == key)).first()
            return None if row is None else entry_of(row)

        return self._database.read(work)

    def find(
        self,
        *,
        states: Sequence[str] = _LIVE,
        tiers: Sequence[str] | None = None,
        project_id: str | None = None,
        build_id: str | None = None,
        user_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        days: tuple[str, str] | None = None,
    ) -> Iterator[Entry]:
        """
        Yield the entries that may hold what is asked for, ordered by their first ``ts``
        and then by key.

        An id is met if it is the place's, or stands in the segment, or if it isn't
        known which ones stand there. Some are read at a time, and nothing is open in
        between: what is put, moved or deleted meanwhile may be seen or not.

        Args:
            states: Those of :class:`Entry`.

            tiers: Any if None, and so are the others.

            project_id: ``projectId`` of some of its lines.

            build_id: ``buildId`` of some of its lines.

            user_id: ``userId`` of some of its lines.

            since_ms: Milliseconds since the epoch; its last ``ts`` isn't before.

            until_ms: Milliseconds since the epoch; its first ``ts`` isn't after.

            days: The first and the last day of its place.
        """
        wanted = Wanted(tuple(states), tiers, project_id, build_id, user_id, since_ms, until_ms, days)
        after: tuple[int, str] | None = None
        while True:
            found = self._database.read(lambda connection: [entry_of(row) for row in next_rows(connection, wanted, after)])  # noqa: B023
            if not found:
                return
            after = (found[-1].facts.first_ts, found[-1].key)
            yield from filter(wanted.matches, found)

    def delete(self, keys: Iterable[str]) -> None:
        """
        Take entries away; it is no error if there are none.
        """
        for chunk in _chunks(keys):
            self._database.write(lambda connection: _take(connection, chunk, lambda _: None))  # noqa: B023

    def expire(self, keys: Iterable[str]) -> None:
        """
        Note that segments were deleted by age. Of their rows stay numbers and hashes,
        so that a verification knows what isn't missing.
        """
        for chunk in _chunks(keys):
            self._database.write(lambda connection: _take(connection, chunk, expired_row))  # noqa: B023

    def build_days(self, build_id: str) -> list[str]:
        """
        Return the days on which a build or its deploy was logged, in order.
        """
        query = live_days_of("buildId", build_id).distinct()
        return sorted(self._database.read(lambda connection: list(connection.scalars(query))))

    def last_day(self, project_id: str) -> str | None:
        """
        Return the last day on which something was logged for a project.
        """
        queries = last_day_of("projectId", project_id)
        found = self._database.read(lambda connection: [connection.scalar(query) for query in queries])
        return max((day for day in found if day is not None), default=None)

    def count_levels(
        self,
        *,
        states: Sequence[str] = _LIVE,
        tiers: Sequence[str] | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        days: tuple[str, str] | None = None,
    ) -> dict[tuple[str, int, str], int]:
        """
        Return the lines per tier, hour (its first millisecond) and ``lvl`` of the segments
        that :meth:`find` yields: each as a whole, also beyond *since_ms* and *until_ms*.
        """
        wanted = Wanted(tuple(states), tiers, since_ms=since_ms, until_ms=until_ms, days=days)
        keys = (segments.c.tier, levels.c.hour, levels.c.lvl)
        query = (
            select(*keys, func.sum(levels.c.lines))
            .join_from(segments, levels, segments.c.id == levels.c.segment)
            .where(*wanted.conditions())
            .group_by(*keys)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {(tier, hour, lvl): int(lines) for tier, hour, lvl, lines in rows}

    def listing(self, *, states: Sequence[str] = _LIVE) -> Iterator[tuple[str, str, str]]:
        """
        Yield the key, the state and the instance of each entry, in the order of keys.
        """
        columns = (segments.c.key, segments.c.state, segments.c.instance)
        after = ""
        while True:
            query = select(*columns).where(segments.c.state.in_(states), segments.c.key > after)
            query = query.order_by(segments.c.key).limit(_CHUNK)
            found = self._database.read(lambda connection: connection.execute(query).all())  # noqa: B023
            if not found:
                return
            after = found[-1].key
            yield from (tuple(row) for row in found)

    def lease(self, name: str, owner: str, seconds: float) -> bool:
        """
        Take the job *name*, or keep it for longer, and tell whether *owner* has it now.

        At any time one owner has it, of all processes and hosts whose clocks agree.
        Whose time is over may lose it to somebody else.

        Args:
            name: The job.

            owner: Whoever does it; unique.

            seconds: For how many **seconds** from now.
        """
        now = self._clock() // 1_000_000
        values = {"name": name, "owner": owner, "until_ms": now + round(seconds * 1000)}
        is_free = or_(jobs.c.owner.is_(None), jobs.c.owner == owner, jobs.c.until_ms <= now)

        def work(connection: Connection) -> bool:
            insert = _INSERTS[connection.dialect.name](jobs).values(values)
            taking = insert.on_conflict_do_update(index_elements=[jobs.c.name], set_=values, where=is_free)
            return bool(connection.execute(taking, execution_options={"preserve_rowcount": True}).rowcount == 1)

        return self._database.write(work)

    def release(self, name: str, owner: str) -> None:
        """
        Give the job *name* back, if *owner* has it.
        """
        query = update(jobs).where(jobs.c.name == name, jobs.c.owner == owner).values(owner=None, until_ms=None)
        self._database.write(lambda connection: connection.execute(query))

    def done(self, name: str) -> int | None:
        """
        Return when the job *name* was last done, in milliseconds since the epoch; None if never.
        """
        query = select(jobs.c.done_ms).where(jobs.c.name == name)
        return self._database.read(lambda connection: connection.scalar(query))

    def note_done(self, name: str, ms: int) -> None:
        """
        Note that the job *name* was done at *ms*, milliseconds since the epoch. What was
        done later stays noted.
        """
        latest = case((jobs.c.done_ms > ms, jobs.c.done_ms), else_=ms)

        def work(connection: Connection) -> None:
            insert = _INSERTS[connection.dialect.name](jobs).values(name=name, done_ms=ms)
            connection.execute(insert.on_conflict_do_update(index_elements=[jobs.c.name], set_={"done_ms": latest}))

        self._database.write(work)

    def clear(self) -> None:
        """
        Take all segments away. Leases and what was done stay.
        """

        def work(connection: Connection) -> None:
            for table in (segments, ids, levels):
                connection.execute(delete(table))

        self._database.write(work)

    def close(self) -> None:
        """
        Close the connections. What is called after this opens new ones.
        """
        self._database.close()


def _put(connection: Connection, entries: list[Entry]) -> None:
    for chunk in _chunks(entries):
        _forget(connection, [entry.key for entry in chunk])
        insert = _INSERTS[connection.dialect.name](segments)
        changed = {name: insert.excluded[name] for name in segments.c.keys() if name not in {"id", "key"}}  # noqa: SIM118 -- no dict
        upsert = insert.on_conflict_do_update(index_elements=[segments.c.key], set_=changed)
        connection.execute(upsert, [segment_row(entry) for entry in chunk])
        _index(connection, chunk)


def _take(connection: Connection, keys: list[str], change: Callable[[Entry], Entry | None]) -> None:
    """
    Take the entries of *keys* away, or change them.
    """
    changed = [new for old in _forget(connection, keys) if (new := change(old)) is not None]
    kept = {entry.key for entry in changed}
    connection.execute(delete(segments).where(segments.c.key.in_([key for key in keys if key not in kept])))
    rows = [{f"a_{name}": value for name, value in segment_row(entry).items()} for entry in changed]
    if rows:  # one statement for all of them
        values: dict[str, Any] = {name.removeprefix("a_"): bindparam(name) for name in rows[0]}
        connection.execute(update(segments).where(segments.c.key == bindparam("a_key")).values(values), rows)
    _index(connection, changed)


def _forget(connection: Connection, keys: Sequence[str]) -> list[Entry]:
    """
    Delete what other tables have about the entries of *keys*, and return these, locked;
    but those that are damaged.
    """
    # Locked in this order by everybody, so that nobody waits for each other.
    query = select(segments).where(segments.c.key.in_(keys)).order_by(segments.c.key).with_for_update()
    rows = connection.execute(query).all()
    entries: list[Entry] = []
    stale: list[dict[str, int]] = []
    for row in rows:
        with contextlib.suppress(ValueError):  # the ids of a damaged one stay, which is no harm
            entries.append(entry_of(row))
            stale += id_rows(entries[-1], row.id)
    if stale:
        is_one = [ids.c[name] == bindparam(f"a_{name}") for name in ("hash", "first_ts", "segment")]
        connection.execute(delete(ids).where(*is_one), [{f"a_{name}": value for name, value in one.items()} for one in stale])
    connection.execute(delete(levels).where(levels.c.segment.in_([row.id for row in rows])))
    return entries


def _index(connection: Connection, entries: Sequence[Entry]) -> None:
    """
    Enter in the other tables what is searched for.
    """
    query = select(segments.c.key, segments.c.id).where(segments.c.key.in_([entry.key for entry in entries]))
    numbers = {row.key: row.id for row in connection.execute(query)}
    for table, rows_of in ((ids, id_rows), (levels, level_rows)):
        rows = [row for entry in entries for row in rows_of(entry, numbers[entry.key])]
        if rows:
            connection.execute(_INSERTS[connection.dialect.name](table).on_conflict_do_nothing(), rows)


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
