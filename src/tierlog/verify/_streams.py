"""
Which numbers of a stream are missing, and what explains it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from tierlog.verify._findings import MOST_OF_A_KIND, Finding
from tierlog.verify._lines import Stream
from tierlog.verify._numbers import Numbers


__all__ = ["Rules", "Span", "Total"]


class Rules(NamedTuple):
    """
    What explains that numbers aren't there.

    Attributes:
        is_elsewhere: Whether the root ships, and the store isn't looked at.

        young_ms: What another machine logged after this may not be stored yet.

        gone_before_ms: What was logged before this may be gone by age; None if
            nothing goes, or the catalog knows what did.
    """

    is_elsewhere: bool
    young_ms: int
    gone_before_ms: int | None


class Span(NamedTuple):
    """
    What a segment holds of an instance, in short.

    Attributes:
        first: Lowest ``seq``.

        last: Highest ``seq``.

        first_ts: Lowest ``ts``.

        last_ts: Highest ``ts``.

        name: The segment.
    """

    first: int
    last: int
    first_ts: int
    last_ts: int
    name: str


class _Excuse(NamedTuple):
    first: int
    last: int
    lines: int
    kind: str


class Total:
    """
    Everything that is known of one instance.

    Attributes:
        numbers: The numbers that were found.

        horizon: The highest number that can be missed; None if it is the highest there is.

        spans: What was read.

        is_local: Whether a part of it is or was on this disk.

        is_open: Whether one of its segments is open.
    """

    __slots__ = ("_dropped", "_excuses", "_has_start", "horizon", "is_local", "is_open", "numbers", "spans")

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.horizon: int | None = None
        self.spans: list[Span] = []
        self.is_local = False
        self.is_open = False
        self._dropped: int | None = None
        self._has_start = False
        self._excuses: list[_Excuse] = []

    def take(self, stream: Stream, name: str) -> Numbers:
        """
        Put in what a segment holds, and return which numbers were there before.
        """
        self.spans.append(Span(stream.numbers.lowest, stream.numbers.highest, stream.first_ts, stream.last_ts, name))
        self._has_start |= stream.has_start
        if stream.dropped is not None:
            self._dropped = stream.dropped
        return self.numbers.merge(stream.numbers)

    def excuse(self, first: int, last: int, lines: int, kind: str) -> None:
        """
        Say that as many as *lines* of the numbers from *first* to *last* are known to
        be away.

        Args:
            first: Lowest.

            last: Highest.

            lines: How many.

            kind: Why: ``expired`` or ``elsewhere``.
        """
        self._excuses.append(_Excuse(first, last, lines, kind))

    def places(self, number: int, but: str) -> list[str]:
        """
        Return the segments that may hold *number*, *but* left out.
        """
        return sorted({span.name for span in self.spans if span.first <= number <= span.last} - {but})

    def check(self, instance: str, rules: Rules) -> Iterator[tuple[bool, Finding, int]]:
        """
        Yield what is to be said of the stream, whether it is a fault, and for how many
        such it stands.
        """
        last = self.numbers.highest if self.horizon is None else self.horizon
        excuses = _joined(self._excuses)
        away = [0] * len(excuses)
        for first, end, n in _split(self.numbers.missing(last), excuses):
            if n >= 0:
                away[n] += end - first + 1
        told: dict[str, _Runs] = {}
        times = _Times(self.spans)
        for first, end, n in _split(self.numbers.missing(last), excuses):
            is_excused = n >= 0 and away[n] <= excuses[n].lines
            kind = excuses[n].kind if is_excused else self._reason(first, times, rules)
            told.setdefault(kind, _Runs()).add(first, end)
        hidden = sum(excuse.lines for excuse, count in zip(excuses, away, strict=True) if count > excuse.lines)
        if _MISSING in told:
            yield from self._missing(instance, told.pop(_MISSING), hidden)
        for kind, runs in told.items():
            detail = f"{_numbers(runs.count, runs.first, runs.last)} {_REASONS[kind]}"
            yield False, Finding(kind, detail, instance, runs.first, runs.last), 1
        yield from self._state(instance, rules)

    def _reason(self, first: int, times: _Times, rules: Rules) -> str:
        if rules.is_elsewhere:
            return "elsewhere"
        if not self.is_local and times.latest(first) > rules.young_ms:
            return "pending"
        if rules.gone_before_ms is not None and times.earliest(first) < rules.gone_before_ms:
            return "expired"
        return _MISSING

    def _missing(self, instance: str, runs: _Runs, hidden: int) -> Iterator[tuple[bool, Finding, int]]:
        total = runs.count
        dropped = self._dropped or 0
        if hidden:
            note = f"; of the {total:,} that this stream misses, {min(hidden, total):,} may have gone by age or be elsewhere"
        elif dropped >= total:
            note = ": dropped, known; the process counted that and wrote them to standard error"
        elif dropped:
            note = f"; of the {total:,} that this stream misses, the process counted {dropped:,} as dropped"
        else:
            note = ""
        for n, (first, end) in enumerate(runs.listed, 1):
            detail = f"{_numbers(end - first + 1, first, end)} {'is' if first == end else 'are'} nowhere{note}"
            more = runs.many - n if n == len(runs.listed) else 0
            yield True, Finding(_MISSING, detail, instance, first, end), 1 + more

    def _state(self, instance: str, rules: Rules) -> Iterator[tuple[bool, Finding, int]]:
        if self._dropped is not None or not self.spans:
            return
        last = self.numbers.highest
        if self.is_open or (not self.is_local and max(span.last_ts for span in self.spans) > rules.young_ms):
            yield False, Finding("open", f"the stream may go on after {last}", instance, last, last), 1
        elif self._has_start:
            yield (
                False,
                Finding("cut", f"the process was killed after {last}, or its last lines are lost", instance, last, last),
                1,
            )


class _Runs:
    """
    Runs of numbers: the first of them, and how many there are.
    """

    def __init__(self) -> None:
        self.listed: list[tuple[int, int]] = []
        self.many = 0
        self.count = 0
        self.first = self.last = -1

    def add(self, first: int, last: int) -> None:
        self.count += last - first + 1
        if first == self.last + 1 and self.listed:  # one that an excuse had cut in two
            if self.many == len(self.listed):
                self.listed[-1] = (self.listed[-1][0], last)
        else:
            self.many += 1
            if self.many <= MOST_OF_A_KIND:
                self.listed.append((first, last))
        self.first = first if self.first < 0 else self.first
        self.last = last


_MISSING = "missing"
_REASONS = {
    "expired": "went by age",
    "elsewhere": "are in segments that weren't looked at",
    "pending": "may be on another machine still",
}


class _Times:
    """
    When a number that isn't there was logged, as far as its neighbours tell.
    """

    def __init__(self, spans: list[Span]) -> None:
        by_first = sorted(spans)
        self._firsts = [span.first for span in by_first]
        self._after = list(accumulate((span.first_ts for span in by_first), max))
        by_last = sorted(spans, key=lambda span: -span.last)
        self._lasts = [-span.last for span in by_last]
        self._before = list(accumulate((span.last_ts for span in by_last), min))

    def earliest(self, number: int) -> int:
        at = bisect_left(self._firsts, number)
        return self._after[at - 1] if at else 0

    def latest(self, number: int) -> int:
        at = bisect_right(self._lasts, -number)
        return self._before[at - 1] if at else 1 << 63


def _joined(excuses: list[_Excuse]) -> list[_Excuse]:
    """
    Return *excuses* without overlaps: those that overlap count together.
    """
    found: list[_Excuse] = []
    for one in sorted(excuses):
        if found and one.first <= found[-1].last:
            before = found.pop()
            one = before._replace(last=max(before.last, one.last), lines=before.lines + one.lines)  # noqa: PLW2901
        found.append(one)
    return found


def _split(runs: Iterator[tuple[int, int]], excuses: list[_Excuse]) -> Iterator[tuple[int, int, int]]:
    """
    Yield *runs* in parts, each with the place of its excuse, -1 if it has none.
    """
    n = 0
    for first, last in runs:
        start = first
        while start <= last:
            while n < len(excuses) and excuses[n].last < start:
                n += 1
            if n == len(excuses) or excuses[n].first > last:
                yield start, last, -1
                break
            if excuses[n].first > start:
                yield start, excuses[n].first - 1, -1
                start = excuses[n].first
            end = min(last, excuses[n].last)
            yield start, end, n
            start = end + 1


def _numbers(count: int, first: int, last: int) -> str:
    if count == 1:
        return f"number {first}"
    return f"{count:,} numbers from {first} to {last}"
