"""
How many records there are, by what they have in common.

The catalog knows the lines of each segment by hour and level. Of the others, lines in the
usual form are counted by the bytes of their heads, a block at a time, and aren't parsed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tierlog.envelope import day_of
from tierlog.errors import QueryError
from tierlog.kinds import TIERS
from tierlog.query._filters import Filters
from tierlog.query._forms import Forms, Tally
from tierlog.query._lines import event_of, mark, ordered, spanned, ts_of
from tierlog.query._match import Matcher
from tierlog.query._problem import Problem
from tierlog.query._scan import Scan
from tierlog.query._search import Search
from tierlog.query._sources import Source, Sources


__all__ = ["FIELDS", "Counts", "counted", "fields_of"]

_HOUR_MS = 3_600_000
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
        if not isinstance(name, str) or name not in _FIELDS:
            raise QueryError("by", f"records can't be counted by {name!r}; there are {', '.join(FIELDS)}")
    return names


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
        self._cut = {ms // _HOUR_MS * _HOUR_MS for ms in (filters.since, filters.until) if ms % _HOUR_MS}
        self._lines: dict[str, Counter[tuple[int, str]]] = {tier: Counter() for tier in TIERS}
        self.scan = Scan(sources, filters, self._matcher, counts.problems)

    def add(self, group: list[Source]) -> None:
        """
        Count what is in these segments.
        """
        if len(group) > 1 and not all(source.listed.place.instance for source in group):
            self._one_by_one(group)
            return
        for source in group:
            inside = self.scan.inside(source) if self._is_known else None
            if inside is not None and inside.is_whole and not self._are_cut(inside.levels):
                self._lines[source.listed.place.tier].update(inside.levels)
            else:
                self._read(source)

    def finish(self) -> None:
        """
        Reckon with what is known by hour and level.
        """
        for tier, known in self._lines.items():
            for (hour, lvl), lines in known.items():
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
            start, end = self._matcher.window(block)
            if not end:
                continue
            counts = tally.count(block[start:end]) if self._is_known else None
            if counts is None or self._are_cut(counts):
                found.update(self._keys(block))
            else:
                quick.update(counts)
        if self.scan.moved:
            moved, self.scan.moved = self.scan.moved, []
            self._one_by_one([source, *moved])
            return
        self._lines[tier].update(quick)
        for key, count in found.items():
            self._counts[key] = self._counts.get(key, 0) + count

    def _are_cut(self, counts: Mapping[tuple[int, str], int]) -> bool:
        """
        Tell whether some of the hours are asked for in part.
        """
        return bool(self._cut) and any(hour in self._cut for hour, _ in counts)

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


def _by_bytes(lines: list[bytes], place_tier: str) -> dict[tuple[int, str], int] | None:
    """
    Return how many of the sorted canonical *lines* there are by hour and level; None if they
    aren't all in the usual form.
    """
    counts: dict[tuple[int, str], int] = {}
    start = lines[0].find(_TIER)
    at = 0
    try:
        while at < len(lines):
            hour = ts_of(lines[at]) // _HOUR_MS * _HOUR_MS
            end = bisect_left(lines, mark(hour + _HOUR_MS), at)
            for head, count in Counter([line[start : start + _HEAD_BYTES] for line in lines[at:end]]).items():
                key = hour, _level(head, place_tier)
                counts[key] = counts.get(key, 0) + count
            at = end
    except ValueError:
        return None
    return counts


@lru_cache(_REMEMBERED)
def _level(head: bytes, tier: str) -> str:
    match = _HEAD.match(head)
    if match is None or match[1].decode() != tier:
        raise ValueError(head)
    return match[2].decode()
