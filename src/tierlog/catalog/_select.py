"""
Which segments are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, literal, select, tuple_, union_all

from tierlog.catalog._rows import OWNERS, Entry, hash_of
from tierlog.catalog._schema import ids, segments


__all__ = ["Wanted", "live_days_of", "page"]

_PAGE = 128  # rows; one with many ids has a few hundred KB
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
        Return what a row must meet.
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
        return found + [_has(name, value) for name, value in self.ids.items()]

    def matches(self, entry: Entry) -> bool:
        """
        Tell whether a row that met the conditions has the very ids, not their hashes.
        """
        known = entry.facts.ids
        return all(
            name not in known or value in known[name] or (entry.place.id == value and entry.place.tier in OWNERS[name])
            for name, value in self.ids.items()
        )


def page(wanted: Wanted, after: tuple[int, str] | None) -> Select[Any]:
    """
    Return the query of the next rows behind *after*, a ``first_ts`` and a key.
    """
    query = select(segments).where(*wanted.conditions()).order_by(_COLUMNS.first_ts, _COLUMNS.key).limit(_PAGE)
    if after is None:
        return query
    return query.where(tuple_(_COLUMNS.first_ts, _COLUMNS.key) > tuple_(*map(literal, after)))


def live_days_of(name: str, value: str) -> Select[Any]:
    """
    Return the query of the days of segments, still there, whose place has this id.
    """
    return select(_COLUMNS.day).where(
        _COLUMNS.owner_id == value, _COLUMNS.tier.in_(OWNERS[name]), _COLUMNS.state != "expired", _COLUMNS.day.is_not(None)
    )


def _has(name: str, value: str) -> ColumnElement[bool]:
    stands_there = select(ids.c.segment).where(ids.c.hash.in_([hash_of(name, value), hash_of(name, None)]))
    if not OWNERS[name] or not (value.isascii() and value.isprintable()):
        return _COLUMNS.id.in_(stands_there)
    owner = segments.alias("owner")
    is_its_own = select(owner.c.id).where(owner.c.owner_id == value, owner.c.tier.in_(OWNERS[name]))
    return _COLUMNS.id.in_(union_all(stands_there, is_its_own))
