"""
Which segments are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from tierlog.catalog._rows import OWNERS, Entry, hash_of
from tierlog.catalog._schema import ids, segments


__all__ = ["Wanted", "last_day_of", "live_days_of", "next_rows"]

_PAGE = 128  # rows; one with many ids has a few hundred KB
_RAREST_FIRST = ("buildId", "userId", "projectId")
_COLUMNS = segments.c


class Wanted(NamedTuple):
    """
    What an entry must be like; see :meth:`tierlog.catalog.Catalog.find`.
    """

    states: Sequence[str]
    tiers: Sequence[str] | None = None
    project_id: str | None = None
    build_id: str | None = None
    user_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    days: tuple[str, str] | None = None

    @property
    def ids(self) -> dict[str, str]:
        """
        The ids, by their names in the envelope.
        """
        given = {"projectId": self.project_id, "buildId": self.build_id, "userId": self.user_id}
        return {name: value for name, value in given.items() if value is not None}

    def conditions(self) -> list[ColumnElement[bool]]:
        """
        Return what a row must meet, without the ids.
        """
        found: list[ColumnElement[bool]] = [_COLUMNS.state.in_(self.states)]
        if self.tiers is not None:
            found.append(_COLUMNS.tier.in_(self.tiers))
        if self.since_ms is not None:
            found.append(_COLUMNS.last_ts >= self.since_ms)
        if self.until_ms is not None:
            found.append(_COLUMNS.first_ts <= self.until_ms)
        if self.days is not None:
            found.append(_COLUMNS.day.between(*self.days))
        return found

    def matches(self, entry: Entry) -> bool:
        """
        Tell whether a row that met the conditions has the very ids, not their hashes.
        """
        known = entry.facts.ids
        return all(
            name not in known or value in known[name] or (entry.place.id == value and entry.place.tier in OWNERS[name])
            for name, value in self.ids.items()
        )


def next_rows(connection: Connection, wanted: Wanted, after: tuple[int, str] | None) -> list[Any]:
    """
    Return the next rows behind *after*, a ``first_ts`` and a key, in order; none at the end.
    """
    # Each query follows an index that is in order, and ends where the page does.
    found = {row.key: row for query in _queries(wanted, after) for row in connection.execute(query)}
    return sorted(found.values(), key=lambda row: (row.first_ts, row.key))[:_PAGE]


def live_days_of(name: str, value: str) -> Select[Any]:
    """
    Return the query of the days of segments, still there, whose place has this id.
    """
    is_its_own = (_COLUMNS.owner_id == value, _COLUMNS.tier.in_(OWNERS[name]))
    return select(_COLUMNS.day).where(*is_its_own, _COLUMNS.state != "expired", _COLUMNS.day.is_not(None))


def last_day_of(name: str, value: str) -> tuple[Select[Any], Select[Any]]:
    """
    Return the queries of the days of the last segment whose place has this id, and of
    the last one in which it stands.
    """
    own = live_days_of(name, value).order_by(_COLUMNS.first_ts.desc()).limit(1)
    others = (
        select(_COLUMNS.day)
        .join_from(ids, segments, ids.c.segment == _COLUMNS.id)
        .where(ids.c.hash == hash_of(name, value), _COLUMNS.state != "expired", _COLUMNS.day.is_not(None))
        .order_by(ids.c.first_ts.desc())
        .limit(1)
    )
    return own, others


def _queries(wanted: Wanted, after: tuple[int, str] | None) -> Iterator[Select[Any]]:
    rest = wanted.ids
    lead = next((name for name in _RAREST_FIRST if name in rest), None)
    value = rest.pop(lead, "") if lead is not None else ""
    conditions = [*wanted.conditions(), *(_has(name, one) for name, one in rest.items())]
    if after is not None:
        ts, key = after
        conditions += [_COLUMNS.first_ts >= ts, or_(_COLUMNS.first_ts > ts, _COLUMNS.key > key)]
    rows = select(segments).where(*conditions).order_by(_COLUMNS.first_ts, _COLUMNS.key).limit(_PAGE)
    if lead is None:
        yield rows
        return
    for number in (hash_of(lead, value), hash_of(lead, None)):
        stands_there = (ids.c.hash == number, ids.c.first_ts == _COLUMNS.first_ts)
        query = select(segments).join_from(ids, segments, ids.c.segment == _COLUMNS.id).where(*stands_there, *conditions)
        if after is not None:
            query = query.where(ids.c.first_ts >= after[0])
        yield query.order_by(ids.c.first_ts, _COLUMNS.key).limit(_PAGE)
    if OWNERS[lead] and _may_be_in_a_path(value):
        yield rows.where(_COLUMNS.owner_id == value, _COLUMNS.tier.in_(OWNERS[lead]))


def _has(name: str, value: str) -> ColumnElement[bool]:
    other = ids.alias("other")  # than the one whose order is followed
    is_same = (other.c.first_ts == _COLUMNS.first_ts, other.c.segment == _COLUMNS.id)
    stands_there = exists().where(other.c.hash.in_([hash_of(name, value), hash_of(name, None)]), *is_same)
    if not OWNERS[name] or not _may_be_in_a_path(value):
        return stands_there
    return or_(stands_there, and_(_COLUMNS.owner_id == value, _COLUMNS.tier.in_(OWNERS[name])))


def _may_be_in_a_path(value: str) -> bool:
    return value.isascii() and value.isprintable()
