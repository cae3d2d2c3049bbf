"""
Which lines may be asked for, told from their bytes, and which events are.

The writer's form is canonical: the keys of the head stand in one order, without blanks.
So what is asked for of neighbours is one run of bytes, and the line that has it may be
the one. It may also stand in ``msg`` or ``data``: the event decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tierlog.kinds import LEVELS
from tierlog.ndjson import dump_text
from tierlog.query._filters import Filters
from tierlog.query._horizon import beginnings
from tierlog.query._memmem import find_all, lacks_all, outermost


__all__ = ["Matcher"]

_HEAD = ("tier", "kind", "lvl", "projectId", "buildId", "userId", "reqId")
_RANKS = {"reqId": 0, "buildId": 1, "userId": 3, "projectId": 4, "kind": 6, "lvl": 7}  # rarest first
_TEXT_RANK, _WHERE_RANK = 2, 5
_PROBE, _FEW = 16_384, 4  # bytes, and places in them; to look at few takes less than to see whether there's a need
_MOST_BEGINNINGS = 8
_MOST_CASELESS = 256  # bytes; to make more of them takes long, and they tell no more
_RARE_LEVELS = frozenset(["error", "warn"])


class Matcher:
    """
    Finds lines.

    Args:
        filters: What is asked for.

    Attributes:
        is_selective: Whether lines are told from their bytes.

        is_exact: Whether nothing is asked for but tiers and times.
    """

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._tiers = filters.tiers
        self._kinds = filters.kinds
        self._levels = None if filters.levels is None or len(filters.levels) == len(LEVELS) else filters.levels
        self._ids = tuple(filters.ids.items())
        ranked = sorted(self._needles(), key=lambda one: (one[0], -min(map(len, one[1]))))
        choices = [alternatives for _, alternatives in ranked]
        text = filters.text
        self._find: _Finder | None = None
        if choices:
            self._find = _Literals(choices[0])
        elif text is not None and text.needle is not None and text.is_caseless:
            self._find = _Caseless(text.needle[:_MOST_CASELESS])
        self._times = beginnings(filters.since, filters.until) if filters.has_times else []
        self._near = tuple(beginnings(filters.since, filters.until, _MOST_BEGINNINGS)) if filters.has_times else ()
        self._others = [alternatives[0] for alternatives in choices[1:] if len(alternatives) == 1]
        self.is_selective = self._find is not None
        self.is_exact = not (self._kinds or self._levels or self._ids or text or filters.where)

    def lines(self, block: bytes, times: list[bytes]) -> list[bytes]:
        """
        Return the lines of *block* that may be asked for, without their newlines.

        Args:
            block: Whole lines, and perhaps a part of one more, which isn't returned.

            times: How a line must begin, if any of the block is to be returned.
        """
        if self._find is None:
            if lacks_all(block, times):
                return []
            lines = block.split(b"\n")
            lines.pop()
            return lines
        if times and self._find.is_dense(block) and lacks_all(block, times):
            return []
        return self._found(block, self._find.all(block))

    def _found(self, block: bytes, places: list[int]) -> list[bytes]:
        found: list[bytes] = []
        end = 0
        others = self._others
        for place in places:
            if place < end:
                continue  # the line before has it twice
            start = block.rfind(b"\n", 0, place) + 1
            end = block.find(b"\n", place)
            if end < 0:
                break
            line = block[start:end]
            if not others or all(other in line for other in others):
                found.append(line)
        return found

    def window(self, block: bytes) -> tuple[int, int]:
        """
        Return from where to where *block* may have lines of the times that are asked for,
        whatever their order: from the first to the last that begins like one. Nothing is
        between if there are none.
        """
        if not self._times or self.is_selective:
            return 0, len(block)
        first, last = outermost(block, self._times)
        if first < 0:
            return 0, 0
        start, end = block.rfind(b"\n", 0, first) + 1, block.find(b"\n", last) + 1 or len(block)
        if block.startswith(self._near, start) or not lacks_all(block[start:end], list(self._near)):
            return start, end
        return 0, 0

    def accepts(self, event: dict[str, Any]) -> bool:
        """
        Tell whether *event* is asked for, but for its time.
        """
        if event["tier"] not in self._tiers:
            return False
        if self.is_exact:
            return True
        if self._levels is not None and event["lvl"] not in self._levels:
            return False
        if self._kinds is not None and event["kind"] not in self._kinds:
            return False
        return all(event[name] == value for name, value in self._ids) and self._has_content(event)

    def _has_content(self, event: dict[str, Any]) -> bool:
        text, where = self._filters.text, self._filters.where
        if text is not None and not text.holds(event["msg"]):
            return False
        return all(condition.holds(event["data"]) for condition in where)

    def _needles(self) -> Iterator[tuple[float, list[bytes]]]:
        """
        Yield what lines must have, each with its rank and its alternatives.
        """
        filters = self._filters
        yield from self._runs()
        if self._levels is not None and len(self._levels) > 1 and _RARE_LEVELS.issuperset(self._levels):
            yield _RANKS["lvl"], [b'"lvl":"%b",' % lvl.encode() for lvl in sorted(self._levels)]
        if self._kinds is not None and len(self._kinds) > 1:
            yield _RANKS["kind"], [b'"kind":"%b",' % kind.encode() for kind in sorted(self._kinds)]
        text = filters.text
        if text is not None and text.needle is not None and not text.is_caseless:
            yield _TEXT_RANK, [text.needle]
        for condition in filters.where:
            if condition.needle is not None:
                yield _WHERE_RANK, [condition.needle]

    def _runs(self) -> Iterator[tuple[float, list[bytes]]]:
        """
        Yield what is asked for of neighbours in the head.
        """
        fixed = dict(self._filters.ids)
        for name, values in (("kind", self._kinds), ("lvl", self._levels)):
            if values is not None and len(values) == 1:
                fixed[name] = next(iter(values))
        run: list[str] = []
        for name in (*_HEAD, ""):
            if name in fixed:
                run.append(name)
            elif run:
                needle = b",".join(b'"%b":%b' % (one.encode(), dump_text(fixed[one])) for one in run)
                yield min(_RANKS[one] for one in run) - len(run) / 10, [needle + b","]
                run = []


class _Literals:
    """
    Finds any of some bytes.
    """

    def __init__(self, needles: list[bytes]) -> None:
        self._needles = needles

    def all(self, block: bytes) -> list[int]:
        if len(self._needles) == 1:
            return find_all(block, self._needles[0])
        return sorted(place for needle in self._needles for place in find_all(block, needle))

    def is_dense(self, block: bytes) -> bool:
        return sum(block.count(needle, 0, _PROBE) for needle in self._needles) > _FEW


class _Caseless:
    """
    Finds bytes without regard to the case of ASCII letters.
    """

    def __init__(self, needle: bytes) -> None:
        import hyperscan  # noqa: PLC0415 -- 0.1 s, and only to search without regard to case

        pattern = b"".join(b"\\x%02x" % byte if not chr(byte).isalnum() else bytes([byte]) for byte in needle)
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(expressions=[pattern], ids=[0], elements=1, flags=[hyperscan.HS_FLAG_CASELESS])
        self._scratch = hyperscan.Scratch(self._database)
        self._size = len(needle)

    def all(self, block: bytes) -> list[int]:
        ends: list[int] = []
        self._database.scan(block, _note, 0, ends, self._scratch)
        return [end - self._size for end in ends]

    def is_dense(self, block: bytes) -> bool:
        return len(self.all(block[:_PROBE])) > _FEW


def _note(_index: int, _start: int, end: int, _flags: int, ends: Any) -> None:
    ends.append(end)


_Finder = _Literals | _Caseless
