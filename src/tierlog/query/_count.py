"""
How many records there are, by what they have in common.

The catalog knows the lines of each segment by hour and level. Of the others, lines in the
usual form are counted by the bytes of their heads, a block at a time, and aren't parsed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tierlog.envelope import day_of
from tierlog.errors import QueryError
from tierlog.kinds import TIERS
from tierlog.query._filters import Filters
from tierlog.query._forms import Forms, Tally
from tierlog.query._lines import event_of, ordered, spanned
from tierlog.query._match import Matcher
from tierlog.query._problem import Problem
from tierlog.query._scan import Scan
from tierlog.query._search import Search
from tierlog.query._sources import Source, Sources


__all__ = ["FIELDS", "Counts", "counted", "fields_of"]

_HOUR_MS = 3_600_000
_BEGINNING = b'{"ts":'
_STAMP, _END = slice(6, 14), slice(-2, None)
_STAMP_BYTES, _OF_AN_HOUR = 8, 36  # eight of thirteen digits count a hundred seconds
_TIER = b'"tier":"'
_HEAD_BYTES = 64
_REMEMBERED = 1_024
_HEAD = re.compile(rb'"tier":"([a-z]+)","kind":"[a-z0-9_.-]+","lvl":"(debug|info|warn|error)"')
_BUILD_TIERS = frozenset(["build", "deploy"])

_FIELDS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "tier": lambda event: event["tier"],
    "kind": lambda event: event["kind"],
    "lvl": lambda event: event["lvl"],
    "src": lambda event: event["src"],
    "instance": lambda event: event["instanceId"],
    "project_id": lambda event: event["projectId"],
    "build_id": lambda event: event["buildId"],
    "user_id": lambda event: event["userId"],
    "req_id": lambda event: event["reqId"],
    "hour": lambda event: event["ts"] // _HOUR_MS * _HOUR_MS,
    "day": lambda event: day_of(event["ts"]),
}
FIELDS = tuple(_FIELDS)
"""What records may be counted by."""

_KNOWN = frozenset(["tier", "lvl", "hour", "day"])  # what the catalog tells
_Key = tuple[Any, ...]


class Counts(dict[tuple[Any, ...], int]):
    """
    How many records there are, by the values of the fields that were asked for.

    Attributes:
        skipped: Torn and foreign lines that were met.

        problems: What couldn't be read.
    """

    skipped: int = 0
    problems: list[Problem]


def fields_of(by: object) -> tuple[str, ...]:
    """
    Return the fields to count by.

    Raises:
        QueryError: There is no such field.
    """
    names = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Iterable) else (by,)
    for name in names:
        if name not in _FIELDS:
            raise QueryError("by", f"records can't be counted by {name!r}; there are {', '.join(FIELDS)}")
    return tuple(map(str, names))


def counted(sources: Sources, filters: Filters, by: tuple[str, ...]) -> Counts:
    """
    Count what is asked for.
    """
    counts = Counts()
    counts.problems = []
    counting = _Counting(sources, filters, by, counts)
    for group in _groups(sources.sources(filters, counts.problems)):
        counting.add(group)
    counting.finish()
    counting.scan.close()
    counts.skipped += counting.scan.skipped
    return counts


def _groups(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """
    Yield segments alone, but for those of one build: there, one may be a part of another.
    """
    builds: dict[tuple[str, str | None], list[Source]] = {}
    for source in sources:
        place = source.listed.place
        if place.tier in _BUILD_TIERS:
            builds.setdefault((place.tier, place.id), []).append(source)
        else:
            yield [source]
    yield from builds.values()


class _Counting:
    def __init__(self, sources: Sources, filters: Filters, by: tuple[str, ...], counts: Counts) -> None:
        self._sources = sources
        self._filters = filters
        self._by = by
        self._counts = counts
        self._fields = [_FIELDS[name] for name in by]
        self._matcher = Matcher(filters)
        self._is_known = _KNOWN.issuperset(by) and not (filters.kinds or filters.ids or filters.text or filters.where)
        scratch = Forms()
        self._tallies = {tier: Tally(tier, _by_bytes, scratch) for tier in TIERS}
        self._told_lines: dict[str, dict[tuple[int, str], int]] = {}
        self.scan = Scan(sources, filters, self._matcher, counts.problems)

    def add(self, group: list[Source]) -> None:
        """
        Count what is in these segments.
        """
        if len(group) > 1 and not all(source.listed.place.instance for source in group):
            self._one_by_one(group)
            return
        for source in group:
            if self._is_known and self._is_told(source):
                self._told(source)
            else:
                self._read(source)

    def _is_told(self, source: Source) -> bool:
        """
        Tell whether the catalog has the numbers: none of its hours is cut in two.
        """
        if source.held is None or not source.held.is_whole:
            return False
        since, until = self._filters.since, self._filters.until
        is_cut = (since > source.first_ts and since % _HOUR_MS) or (until <= source.last_ts and until % _HOUR_MS)
        return not is_cut

    def _told(self, source: Source) -> None:
        assert source.held is not None  # noqa: S101 -- as was seen before
        told = self._told_lines.setdefault(source.listed.place.tier, {})
        for key, lines in source.held.levels.items():
            told[key] = told.get(key, 0) + lines

    def finish(self) -> None:
        """
        Reckon with what the catalog told.
        """
        for tier, told in self._told_lines.items():
            for (hour, lvl), lines in told.items():
                if self._filters.since // _HOUR_MS * _HOUR_MS <= hour < self._filters.until:
                    self._note(tier, lvl, hour, lines)

    def _note(self, tier: str, lvl: str, hour: int, lines: int) -> None:
        if self._filters.levels is None or lvl in self._filters.levels:
            known = {"tier": tier, "lvl": lvl, "hour": hour}
            key = tuple(day_of(hour) if name == "day" else known[name] for name in self._by)
            self._counts[key] = self._counts.get(key, 0) + lines

    def _read(self, source: Source) -> None:
        tier = source.listed.place.tier
        found: Counter[_Key] = Counter()
        quick: Counter[tuple[int, str]] = Counter()
        tally = self._tallies[tier]
        for block in self.scan.blocks(source):
            counts = tally.count(block) if self._is_known else None
            if counts is None or self._is_cut(counts):
                found.update(self._keys(block))
            else:
                quick.update(counts)
        if self.scan.moved:
            moved, self.scan.moved = self.scan.moved, []
            self._one_by_one([source, *moved])
            return
        for (hour, lvl), count in quick.items():
            self._note(tier, lvl, hour, count)
        for key, count in found.items():
            self._counts[key] = self._counts.get(key, 0) + count

    def _is_cut(self, counts: Counter[tuple[int, str]]) -> bool:
        """
        Tell whether some of the hours aren't asked for as a whole.
        """
        since, until = self._filters.since, self._filters.until
        return any(not since <= hour <= until - _HOUR_MS for hour, _ in counts)

    def _keys(self, block: bytes) -> Iterator[_Key]:
        lines, skipped = ordered(self._matcher.lines(block, []))
        self._counts.skipped += skipped
        since, until = self._filters.since, self._filters.until
        for line in spanned(lines, since, until):
            event = event_of(line)
            if event is None:
                self._counts.skipped += 1
            elif since <= event["ts"] < until and self._matcher.accepts(event):
                yield tuple(field(event) for field in self._fields)

    def _one_by_one(self, group: list[Source]) -> None:
        """
        Count records that may be in several of these segments.
        """
        search = Search(self._sources, self._filters, only=group)
        for event in search:
            key = tuple(field(event) for field in self._fields)
            self._counts[key] = self._counts.get(key, 0) + 1
        self._counts.skipped += search.skipped
        self._counts.problems += search.problems


def _by_bytes(block: bytes, place_tier: str) -> Counter[tuple[int, str]] | None:
    """
    Return how many lines of a block there are by hour and level; None if they aren't all
    in the usual form.
    """
    start = block.find(_TIER)
    if start < 0:
        return None
    lines = block.split(b"\n")
    lines.pop()
    if {line[_END] for line in lines} != {b"}}"} or not (min(lines).startswith(_BEGINNING) and max(lines).startswith(_BEGINNING)):
        return None
    stamps = [line[_STAMP] for line in lines]
    heads = [line[start : start + _HEAD_BYTES] for line in lines]  # where they are if times have thirteen digits
    try:
        hours = {stamp: _hour(stamp) for stamp in set(stamps)}
        levels = {head: _level(head, place_tier) for head in set(heads)}
    except ValueError:
        return None
    return Counter(zip(map(hours.__getitem__, stamps), map(levels.__getitem__, heads), strict=True))


@lru_cache(_REMEMBERED)
def _hour(stamp: bytes) -> int:
    if len(stamp) != _STAMP_BYTES or not stamp.isdigit():
        raise ValueError(stamp)
    return int(stamp) // _OF_AN_HOUR * _HOUR_MS


@lru_cache(_REMEMBERED)
def _level(head: bytes, tier: str) -> str:
    match = _HEAD.match(head)
    if match is None or match[1].decode() != tier:
        raise ValueError(head)
    return match[2].decode()
