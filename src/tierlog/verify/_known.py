"""
What is known of all segments: numbers, copies, hashes, chains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tierlog.layout import Place
from tierlog.verify._chain import Chain
from tierlog.verify._findings import Finding, Report
from tierlog.verify._lines import Lines, Problem
from tierlog.verify._numbers import Numbers
from tierlog.verify._read import Content
from tierlog.verify._streams import Total


__all__ = ["Known", "Noted", "Source"]

_SHARED_TIERS = frozenset(["build", "deploy"])
_MOST_NAMED = 20  # doubled numbers whose other places are looked for
_FEW = 3
_PLAIN_MS = 10**12  # times that have thirteen digits, as facts need them
_WORDS = {"disorder": "behind a higher one", "doubled": "twice"}


class Noted(NamedTuple):
    """
    What was noted of a segment when it was finished.

    Attributes:
        by: Who noted it, for people.

        sha256: Of its bytes, uncompressed; hexadecimal digits.

        facts: Its ``size``, ``lines``, ``first_ts`` and ``last_ts``, as far as they
            were noted.
    """

    by: str
    sha256: str
    facts: tuple[tuple[str, int], ...] = ()

    @property
    def size(self) -> int | None:
        """
        Bytes, uncompressed.
        """
        return dict(self.facts).get("size")


class Source(NamedTuple):
    """
    Where a segment was read.

    Attributes:
        name: The path below the root, or the key.

        place: What names it.

        is_remote: Whether it is in the store.

        is_open: Whether it may still grow.
    """

    name: str
    place: Place
    is_remote: bool
    is_open: bool


class _Seen(NamedTuple):
    name: str
    size: int
    sha256: bytes
    is_open: bool


class Known:
    """
    Everything that was read so far.

    Attributes:
        totals: What is known of each instance.

        chain: The chains of all of them.

        local: Instances that sealed segments below the root.

        hashes: Of all segments that were read and won't grow.

        read: The names of all segments that were read, or can't be.

        size: Bytes of lines, those of copies too.

        lasting: Findings that nothing can change any more.

        information: What is no fault.
    """

    def __init__(self) -> None:
        self.totals: dict[str, Total] = defaultdict(Total)
        self.chain = Chain()
        self.local: set[str] = set()
        self.hashes: set[bytes] = set()
        self.read: set[str] = set()
        self.size = 0
        self.lasting = Report()
        self.information = Report()
        self._seen: dict[tuple[object, ...], _Seen] = {}
        self._passing: dict[str, list[tuple[Finding, int]]] = {}
        self._named = 0

    def sizes(self, place: Place, lines: Lines, name: str, noted: Iterable[Noted]) -> list[int]:
        """
        Return how long the other copies of a segment are, whose hashes its first bytes
        are to be compared with.
        """
        before = self._seen.get(_identity(place, lines, name))
        return [one.size for one in (before, *noted) if one is not None and one.size]

    def take(self, source: Source, content: Content, noted: Iterable[Noted]) -> None:
        """
        Put in what a segment holds.
        """
        self.read.add(source.name)
        self.size += content.size
        if not source.is_open:
            self.hashes.add(content.sha256)
        who = _identity(source.place, content.lines, source.name)
        before = self._seen.get(who)
        seen = _Seen(source.name, content.size, content.sha256, source.is_open)
        problems = [*_problems(source.name, content.lines), *_unlike(source, content, noted)]
        if before is not None:
            problems += self._copy(before, seen, content)
        if before is None or before.is_open or (content.size >= before.size and not source.is_open):
            self._seen[who] = seen
        for instance, stream in content.lines.streams.items():
            total = self.totals[instance]
            again = total.take(stream, source.name)
            total.is_local |= not source.is_remote
            total.is_open |= source.is_open and not source.is_remote
            if again and before is None:
                self._doubled(instance, again, source.name)
        self._passing.pop(source.name, None)
        if source.is_open:
            self._passing[source.name] = problems
        else:
            for finding, times in problems:
                self.lasting.add(finding, times)

    def forget(self, name: str) -> None:
        """
        Say that an open segment isn't there any more: it is read elsewhere.
        """
        self._passing.pop(name, None)

    def passing(self) -> Iterator[tuple[Finding, int]]:
        """
        Yield what was found in open segments, which may be otherwise soon, and for how
        many such it stands.
        """
        for findings in self._passing.values():
            yield from findings

    def freeze(self) -> None:
        """
        Say that no number is missed that is higher than all there are now.
        """
        for total in self.totals.values():
            if total.horizon is None:
                total.horizon = total.numbers.highest

    def _copy(self, before: _Seen, seen: _Seen, content: Content) -> Iterator[tuple[Finding, int]]:
        if before.name == seen.name:
            return
        longer, shorter = (before, seen) if before.size > seen.size else (seen, before)
        is_part = before.is_open or seen.is_open or content.at.get(before.size) == before.sha256
        if before.sha256 == seen.sha256 or is_part:
            what = "is the same as" if before.sha256 == seen.sha256 else "is the beginning of"
            self.information.add(Finding("copy", f"{shorter.name} {what} {longer.name}", segment=seen.name))
            return
        detail = f"{seen.name} and {before.name} are copies of one segment, and differ"
        yield Finding("hash", detail, segment=seen.name), 1

    def _doubled(self, instance: str, again: Numbers, name: str) -> None:
        first, last, count = again.lowest, again.highest, again.count()
        self._named += 1
        others = self.totals[instance].places(first, name) if self._named <= _MOST_NAMED else []
        where = f", and in {' or '.join(others)}" if 0 < len(others) <= _FEW else ", and in another segment"
        what = f"number {first} stands" if count == 1 else f"{count:,} numbers from {first} to {last} stand"
        self.lasting.add(Finding("doubled", f"{what} in {name}{where}", instance, first, last, name))


def _identity(place: Place, lines: Lines, name: str) -> tuple[object, ...]:
    """
    Return what a segment has in common with its copies, wherever they are.
    """
    if place.tier not in _SHARED_TIERS:
        return place.tier, place.id, place.instance, place.ulid
    return place.tier, place.id, lines.origin or name


def _problems(name: str, lines: Lines) -> Iterator[tuple[Finding, int]]:
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in lines.problems:
        if problem.seq is None:
            yield (
                Finding(problem.kind, f"{name}, byte {problem.offset}: {problem.detail}", segment=name, offset=problem.offset),
                1,
            )
        else:
            groups.setdefault((problem.kind, problem.instance), []).append(problem)
    for (kind, instance), found in groups.items():
        seqs = [problem.seq for problem in found if problem.seq is not None]
        first, last, offset = min(seqs), max(seqs), found[0].offset
        what = f"number {first} stands" if len(seqs) == 1 else f"{len(seqs):,} numbers from {first} to {last} stand"
        yield Finding(kind, f"{name}, byte {offset}: {what} {_WORDS[kind]}", instance, first, last, name, offset), 1
    for kind, count in lines.unlisted.items():
        yield Finding(kind, f"{name}: {count:,} more such lines", segment=name), count


def _unlike(source: Source, content: Content, noted: Iterable[Noted]) -> Iterator[tuple[Finding, int]]:
    """
    Yield what isn't as it was noted. An open segment may have grown since.
    """
    sha256 = content.sha256.hex()
    told = set()
    for one in noted:
        if one.sha256 == sha256:
            lines = content.lines
            times = [(stream.first_ts, stream.last_ts) for stream in lines.streams.values()] or [(0, 0)]
            first, last = min(first for first, _ in times), max(last for _, last in times)
            found = {"size": content.size, "lines": lines.envelopes, "first_ts": first, "last_ts": last}
            wrong = [f"{name} {value}, and it is {found[name]}" for name, value in one.facts if found[name] != value]
            if wrong and lines.is_plain and first >= _PLAIN_MS:
                yield Finding("facts", f"{source.name}: {one.by} says {'; '.join(wrong)}", segment=source.name), 1
        elif not source.is_open and one.sha256 not in told and not _has_grown(one, content):
            told.add(one.sha256)
            detail = f"{source.name}: {one.by} says its sha256 is {one.sha256[:12]}, and it is {sha256[:12]}"
            yield Finding("hash", detail, segment=source.name), 1


def _has_grown(one: Noted, content: Content) -> bool:
    return one.size is not None and one.size < content.size and content.at.get(one.size, b"").hex() == one.sha256
