"""
What a segment's lines say: which numbers of which streams, and what is no line of ours.

Lines are parsed many at a time, as one JSON array: each is seen whole, and nothing
is done per line in Python as long as all is well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import itemgetter, lt
from typing import Any, NamedTuple

import orjson

from tierlog.envelope import KEYS
from tierlog.ndjson import decode
from tierlog.verify._numbers import Numbers


__all__ = ["Lines", "Problem", "Stream"]

_PIECE = 16_384
_BEGIN = b'{"ts":'
_ENOUGH = 8_192  # numbers that are put in together
_MOST_PROBLEMS = 1_000  # of one segment

_values = itemgetter(*KEYS)
_TS, _INSTANCE, _TIER, _KIND, _SEQ, _SRC, _DATA = (
    KEYS.index(name) for name in ("ts", "instanceId", "tier", "kind", "seq", "src", "data")
)
_Columns = Sequence[tuple[Any, ...]]

_TYPES = ((_TS, {int}), (_SEQ, {int}), (_INSTANCE, {str}), (_TIER, {str}), (_KIND, {str}))


class Problem(NamedTuple):
    """
    A line that isn't as it should be.

    Attributes:
        kind: As findings have it.

        detail: What is wrong, without the segment's name; empty where the kind says it.

        offset: Where it starts.

        instance: Its stream, if that is known.

        seq: Its number, if that is known.
    """

    kind: str
    detail: str
    offset: int
    instance: str = ""
    seq: int | None = None


class Stream:
    """
    What one segment holds of one instance.

    Attributes:
        numbers: Its numbers.

        first_ts: Lowest ``ts``.

        last_ts: Highest ``ts``.

        dropped: What its stop event says was dropped; None if there's no stop event.

        has_start: Whether its start event is here.
    """

    __slots__ = ("_last", "_waiting", "dropped", "first_ts", "has_start", "last_ts", "numbers")

    def __init__(self, ts: int) -> None:
        self.numbers = Numbers()
        self.first_ts = self.last_ts = ts
        self.dropped: int | None = None
        self.has_start = False
        self._last = -1
        self._waiting: list[int] = []

    def takes(self, seqs: Sequence[int]) -> bool:
        """
        Put in *seqs* if they are behind all that is here, and rise.
        """
        if seqs[0] <= self._last or not all(map(lt, seqs, seqs[1:])):
            return False
        self._last = seqs[-1]
        self._waiting += seqs
        if len(self._waiting) >= _ENOUGH:
            self.settle()
        return True

    def take(self, seq: int) -> str:
        """
        Put in one number, and return what is wrong with it, as findings have it.
        """
        if self.takes((seq,)):
            return ""
        self.settle()
        is_there = seq in self.numbers
        self.numbers.add((seq,))
        return "doubled" if is_there else "disorder"

    def settle(self) -> None:
        """
        Put in what waits.
        """
        waiting, self._waiting = self._waiting, []
        self.numbers.add(waiting)


class Lines:
    """
    The lines of one segment.

    Args:
        tier: The tier that they must be of.

        instance: The instance that they must be of; None if of any.

    Attributes:
        streams: What there is of each instance.

        envelopes: Lines that are envelopes.

        is_plain: Whether there's nothing else, no blanks either.

        problems: The lines that aren't as they should be, in their order; the first
            thousand.

        unlisted: How many more there are, by kind.

        origin: What a segment that any process may have begun is known by, wherever it
            is: hash of its first envelope; empty if there's none.

    """

    def __init__(self, tier: str, instance: str | None) -> None:
        self._tier = tier
        self._instance = instance
        self._offset = 0
        self._settled = 0  # problems before the last envelope
        self._is_misplaced = False
        self.envelopes = 0
        self.is_plain = True
        self.streams: dict[str, Stream] = {}
        self.problems: list[Problem] = []
        self.unlisted: dict[str, int] = {}
        self.origin = b""

    def feed(self, block: bytes) -> None:
        """
        Take the next lines; only the last block may end without a newline.
        """
        start = 0
        while start < len(block):
            end = block.find(b"\n", start + _PIECE) + 1 or len(block)
            self._piece(block[start:end])
            start = end

    def finish(self, *, is_open: bool) -> None:
        """
        Take no more.

        Args:
            is_open: Whether what stands behind the last envelope is a line that is
                being written.
        """
        if is_open:
            del self.problems[self._settled :]
        for stream in self.streams.values():
            stream.settle()

    def _piece(self, piece: bytes) -> None:
        columns = _columns(piece)
        if columns is None:
            self.is_plain = False
            for line in piece.splitlines(keepends=True) if b"\r" not in piece else _kept(piece):
                self._line(line)
                self._offset += len(line)
            return
        if not self.origin:
            self.origin = _origin(piece[: piece.index(b"\n")])
        if b"\n " in piece or piece.startswith(b" "):
            self.is_plain = False
        self._envelopes(columns, piece)
        self._settled = len(self.problems)
        self._offset += len(piece)

    def _envelopes(self, columns: _Columns, piece: bytes) -> None:
        instances = set(columns[_INSTANCE])
        self.envelopes += len(columns[_SEQ])
        if len(instances) == 1:
            self._take(columns, piece)
        else:
            rows = list(zip(*columns, strict=True))
            for instance in instances:
                self._take(list(zip(*(row for row in rows if row[_INSTANCE] == instance), strict=True)), piece)
        self._check_place(instances, set(columns[_TIER]))

    def _take(self, columns: _Columns, piece: bytes) -> None:
        instance, times, seqs = columns[_INSTANCE][0], columns[_TS], columns[_SEQ]
        stream = self.streams.get(instance)
        if stream is None:
            stream = self.streams[instance] = Stream(times[0])
        stream.first_ts = min(stream.first_ts, *times)
        stream.last_ts = max(stream.last_ts, *times)
        if not stream.takes(seqs):
            for seq in seqs:
                kind = stream.take(seq)
                if kind:
                    self._add(Problem(kind, "", self._offset + _offset_of(piece, seq), instance, seq))
        if "meta" in columns[_KIND]:
            for kind, src, data in zip(columns[_KIND], columns[_SRC], columns[_DATA], strict=True):
                if kind == "meta" and src == "tierlog":
                    _take_event(stream, data)

    def _line(self, line: bytes) -> None:
        if not line.strip():
            return
        good = _good_part(line)
        columns = _columns(good if good.endswith(b"\n") else good + b"\n") if good else None
        if columns is None:
            self._add(_bad(line, self._offset))
            return
        if len(good) < len(line):
            self._add(Problem("torn", "a part of a line stands in front of another line", self._offset))
        if not self.origin:
            self.origin = _origin(good)
        self._envelopes(columns, line)
        self._settled = len(self.problems)
        if not line.endswith(b"\n"):
            self._add(Problem("torn", "the last line has no newline", self._offset))

    def _check_place(self, instances: set[str], tiers: set[str]) -> None:
        if self._is_misplaced or (tiers == {self._tier} and self._instance in {None, *instances} and len(instances) == 1):
            return
        others = tiers - {self._tier} or (instances - {self._instance} if self._instance is not None else set())
        if others:
            self._is_misplaced = True
            detail = f"from about here on there are lines of {min(others)}, which don't belong here"
            self._add(Problem("misplaced", detail, self._offset))

    def _add(self, problem: Problem) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.unlisted[problem.kind] = self.unlisted.get(problem.kind, 0) + 1


def _columns(piece: bytes) -> _Columns | None:
    """
    Return the values of the lines of *piece*, key by key, None if not all are envelopes.
    """
    if not piece.endswith(b"\n"):
        return None
    try:
        events = orjson.loads(b"[%b]" % piece[:-1].replace(b"\n", b","))
        columns = list(zip(*map(_values, events), strict=True))
    except (ValueError, KeyError, TypeError):
        return None
    if len(events) != piece.count(b"\n") or set(map(len, events)) != {len(KEYS)}:
        return None
    for n, kind in _TYPES:
        if set(map(type, columns[n])) != kind:
            return None
    return columns if min(columns[_SEQ]) >= 0 else None


def _kept(piece: bytes) -> list[bytes]:
    lines = piece.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _good_part(line: bytes) -> bytes:
    """
    Return the envelope at the end of *line*, with the blanks before it; empty if
    there's none.
    """
    start = line.find(_BEGIN)
    while start >= 0:
        try:
            decode(line[start:])
        except ValueError:
            start = line.find(_BEGIN, start + 1)
            continue
        return line[start:] if line[:start].strip() else line
    return b""


def _bad(line: bytes, offset: int) -> Problem:
    if line.lstrip().startswith(_BEGIN):
        return Problem("torn", f"a line of {len(line)} bytes isn't whole, or was changed", offset)
    return Problem("foreign_line", f"a line of {len(line)} bytes isn't one of tierlog's", offset)


def _origin(line: bytes) -> bytes:
    return hashlib.sha256(line.strip()).digest()[:16]


def _offset_of(piece: bytes, seq: int) -> int:
    """
    Return where the last line starts in *piece* that has the number.
    """
    at = piece.rfind(b',"seq":%d,' % seq)
    return piece.rfind(b"\n", 0, at) + 1 if at >= 0 else 0


def _take_event(stream: Stream, data: Any) -> None:
    match data:
        case {"event": "start"}:
            stream.has_start = True
        case {"event": "stop"}:
            dropped = data.get("dropped")
            counts = [count for count in dropped.values() if type(count) is int] if type(dropped) is dict else []
            stream.dropped = sum(counts)
