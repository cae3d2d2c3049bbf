"""
What is written, with the records of each instance in the order in which they were.

A process writes to several files, and they can't be read all at one moment: of two
records, the later one may be seen first. So what follows on a number that is missing is
held back until the next look, which finds whatever was written before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from tierlog.query import Tail
from tierlog.report import report


__all__ = ["Batch", "Follower", "Told", "key_of"]

_MOST_RUNS = 256  # that are in a cursor
_MOST_HELD = 10_000
_NAME_CHARS = 8
_MOST_INSTANCES = 4_096


class Told(NamedTuple):
    """
    An event.

    Attributes:
        event: What it says.

        line: The same, as it was written.

        cursor: Where a reader stands that has got it, and all before it.
    """

    event: dict[str, Any]
    line: bytes
    cursor: bytes


class Batch(NamedTuple):
    """
    What one look found.

    Attributes:
        events: The events.

        cursor: Where a reader stands that has got all of them.

        is_read: Whether nothing was left to be read.

        is_last: Whether nothing is held back, either.
    """

    events: list[Told]
    cursor: bytes
    is_read: bool
    is_last: bool


class _Found(NamedTuple):
    place: tuple[int, str, int]
    number: int  # in its poll, from 1
    event: dict[str, Any]
    line: bytes


class _Held(NamedTuple):
    found: _Found
    before: str  # where a reader stands that has got all before it


def key_of(event: dict[str, Any]) -> int:
    """
    Return what identifies an event in this process.
    """
    return hash((event["instanceId"], event["seq"]))


class Follower:
    """
    Reads a tail. Used by one thread at a time.

    Args:
        open_tail: Opens the tail of everything at a cursor, at its present end if None.

        seal: Makes of a cursor what may be given out.

        cursor: Where to go on: what *seal* was given.
    """

    def __init__(self, open_tail: Callable[[str | None], Tail], seal: Callable[[str], bytes], cursor: str | None = None) -> None:
        start, _, self._carried = (cursor or "").partition(" ")
        self._seal = seal
        self._tail = open_tail(start or None)
        self._early = {one for text in self._carried.split() for one in _parsed(text)}
        self._next: dict[str, int] = {}
        self._held: list[_Held] = []
        self._cursor = self._at(self._tail.cursor)

    @property
    def cursor(self) -> bytes:
        """
        Where a reader stands that has got everything so far.
        """
        return self._seal(self._cursor)

    def poll(self) -> Batch:
        """
        Return what is new.
        """
        tail = self._tail
        found = [_found(number, line) for number, line in enumerate(tail.poll_lines(), 1)]
        for problem in tail.problems:
            report("admin-live", f"{problem.name} {problem.problem}")
        tail.problems.clear()
        events: list[Told] = []
        if self._waits(found):
            self._hold(found)
        else:
            count = self._releasable(found)
            for one, cursor in self._in_order(found[:count]):
                self._cursor = cursor
                if self._early and (name := _name(one.event)) in self._early:
                    self._early.discard(name)
                else:
                    events.append(Told(one.event, one.line, self._seal(cursor)))
            self._held.clear()
            if not found:
                self._cursor = self._at(tail.cursor)
            self._hold(found[count:])
        is_last = tail.caught_up and not self._held
        if is_last:
            self._carried = ""
        return Batch(events, self.cursor, tail.caught_up, is_last)

    def close(self) -> None:
        """
        Let go of all files.
        """
        self._tail.close()

    def _waits(self, found: list[_Found]) -> bool:
        """
        Tell whether what is held back has to wait for more than *found*: whether numbers
        are still missing before it, and there is more to be read.
        """
        if not self._held or self._tail.caught_up or len(self._held) > _MOST_HELD:
            return False
        ends: dict[str, int] = {}
        seqs: dict[str, set[int]] = {}
        for one in (*(held.found for held in self._held), *found):
            seqs.setdefault(one.event["instanceId"], set()).add(one.event["seq"])
        for held in self._held:
            event = held.found.event
            ends[event["instanceId"]] = max(ends.get(event["instanceId"], 0), event["seq"])
        return not all(seqs[instance].issuperset(range(self._next.get(instance, 0), end)) for instance, end in ends.items())

    def _releasable(self, found: list[_Found]) -> int:
        """
        Return how many of the events can be told: those before the first that isn't next
        of its instance. What was held back is told anyway.
        """
        following = self._next
        numbers: dict[str, set[int]] = {}
        for one in found:
            numbers.setdefault(one.event["instanceId"], set()).add(one.event["seq"])
        for held in self._held:
            event = held.found.event
            following[event["instanceId"]] = max(following.get(event["instanceId"], 0), event["seq"] + 1)
        for instance, seqs in numbers.items():
            end = following.pop(instance, 0)
            while end in seqs:
                end += 1
            following[instance] = end  # last in the dict: the others go first
        while len(following) > _MOST_INSTANCES:
            del following[next(iter(following))]
        for count, one in enumerate(found):
            if one.event["seq"] >= following[one.event["instanceId"]]:
                return count
        return len(found)

    def _in_order(self, found: list[_Found]) -> Iterator[tuple[_Found, str]]:
        """
        Yield what was held back and what is new, each with where a reader stands behind it:
        before the first that it hasn't got, with the numbers of all that it has.
        """
        queue = [*self._held, *self._with_places(found)]
        behind = self._tail.cursor_behind(len(found))
        order: Sequence[int] = range(len(queue))
        if self._held and _runs(one.found.event for one in queue) <= _MOST_RUNS:
            order = sorted(order, key=lambda number: queue[number].found.place)
        is_told = bytearray(len(queue) + 1)
        told = _Numbers()
        first = 0
        for count, number in enumerate(order, 1):
            is_told[number] = True
            told.add(*_name(queue[number].found.event))
            while is_told[first]:
                first += 1
            place = queue[first].before if first < len(queue) else behind
            yield queue[number].found, self._at(place, "" if first == count else str(told))

    def _at(self, place: str, told: str = "") -> str:
        return " ".join(filter(None, (place, self._carried, told)))

    def _hold(self, found: list[_Found]) -> None:
        self._held += self._with_places(found)

    def _with_places(self, found: list[_Found]) -> list[_Held]:
        return [_Held(one, self._tail.cursor_behind(one.number - 1)) for one in found]


class _Numbers:
    """
    The numbers of events, as runs, by their instances.

    >>> numbers = _Numbers()
    >>> for instance, seq in [("B", 7), ("A", 1), ("A", 4), ("A", 2)]:
    ...     numbers.add(instance, seq)
    >>> str(numbers)
    'B:7 A:1-2.4'
    """

    def __init__(self) -> None:
        self._lasts: dict[str, dict[int, int]] = {}  # by the first of each run
        self._firsts: dict[str, dict[int, int]] = {}

    def __str__(self) -> str:
        return " ".join(
            f"{instance}:{'.'.join(f'{first}-{last}' if last > first else str(first) for first, last in sorted(lasts.items()))}"
            for instance, lasts in self._lasts.items()
        )

    def add(self, instance: str, seq: int) -> None:
        """
        Add a number that isn't there.
        """
        lasts, firsts = self._lasts.setdefault(instance, {}), self._firsts.setdefault(instance, {})
        first, last = firsts.pop(seq - 1, seq), lasts.pop(seq + 1, seq)
        lasts[first], firsts[last] = last, first


def _runs(events: Iterable[dict[str, Any]]) -> int:
    """
    Return how many runs the numbers of events make.
    """
    names = set(map(_name, events))
    return sum((instance, seq - 1) not in names for instance, seq in names)


def _found(number: int, line: bytes) -> _Found:
    event = orjson.loads(line)
    return _Found((event["ts"], event["instanceId"], event["seq"]), number, event, line)


def _name(event: dict[str, Any]) -> tuple[str, int]:
    return event["instanceId"][-_NAME_CHARS:], event["seq"]


def _parsed(text: str) -> Iterator[tuple[str, int]]:
    """
    Yield the names of one instance.

    >>> list(_parsed("A:1-2.4"))
    [('A', 1), ('A', 2), ('A', 4)]
    """
    instance, _, runs = text.rpartition(":")
    for run in runs.split("."):
        first, _, last = run.partition("-")
        yield from ((instance, seq) for seq in range(int(first), int(last or first) + 1))
