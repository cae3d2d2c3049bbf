"""
What a finished segment holds, so that nobody has to read it to know.

It is found in one pass over the bytes, block by block. A line's head, which is
everything from ``ts`` to ``userId``, is the same for many lines and parsed once.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any, BinaryIO, NamedTuple

import orjson

from tierlog.blocks import BLOCK_BYTES, Block, blocks
from tierlog.envelope import KEYS
from tierlog.ndjson import decode


__all__ = ["BLOCK_BYTES", "IDS", "Block", "Facts", "facts_of"]

IDS = ("projectId", "buildId", "userId")
"""Ids of which is known in which blocks they stand. There's one request per ``reqId``
or so: a list of those would be as long as the segment."""

HOUR_MS = 3_600_000

_REQ_ID = b',"reqId":'  # what stands before it is the same for many lines
_SEQ = re.compile(rb',"seq":(\d{1,19}),')
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_FORM = b'{"ts":0000000000000'  # how each line begins, with zeros for digits
_BEGINNING, _DIGITS = slice(0, len(_FORM)), slice(6, None)
_HEAD = len(_FORM)
_LEAST_HEAD = 110  # no ``reqId`` is nearer to the beginning
_TS, _END = b'{"ts":', b"}}"
_BRACE = {ord("}")}
_LAST, _LAST_BUT_ONE = itemgetter(-1), itemgetter(-2)
_BLANKS = b" \r"
_NUMBERED = KEYS[1 : KEYS.index("seq") + 1]
_TEXTS = ("instanceId", "tier", "kind", "lvl", "src", "msg")
_BEHIND_ALL_MS = 253_402_300_800_000  # the year 10000
_MOST_IDS = 4_096  # of one name; a segment with more is looked into for every id


class Facts(NamedTuple):
    """
    What one segment holds. Times are in **milliseconds** since the epoch.

    Attributes:
        size: Bytes, uncompressed.

        lines: Envelopes.

        first_ts: Lowest ``ts``.

        last_ts: Highest ``ts``.

        step_back: The largest step back of ``ts`` from the highest before it;
            0 if the lines are sorted.

        sha256: Of the bytes, uncompressed, as hexadecimal digits.

        md5: Of the bytes, uncompressed, as hexadecimal digits.

        instance: ``instanceId`` of the first line.

        seqs: Per ``instanceId``, the lowest and the highest ``seq`` and the number of
            lines. They are those of the first and last line of each block, as the
            lines of an instance stand in the order of ``seq``.

        levels: Lines per hour (its first millisecond) and ``lvl``.

        ids: Per name of :data:`IDS` and id, in which blocks it stands: bit *n* of
            the number is block *n*. A name is missing if there are too many of it.

        blocks: The blocks, in order.
    """

    size: int
    lines: int
    first_ts: int
    last_ts: int
    step_back: int
    sha256: str
    md5: str
    instance: str
    seqs: Mapping[str, tuple[int, int, int]]
    levels: Mapping[tuple[int, str], int]
    ids: Mapping[str, Mapping[str, int]]
    blocks: tuple[Block, ...]


def facts_of(file: BinaryIO) -> Facts:
    """
    Return what the segment holds that *file*, uncompressed, is read from.

    Lines that aren't envelopes count for the hashes and the size alone. In the writer's
    spelling, a line is one by its beginning and its end; in any other it is parsed.
    """
    found = _Gathering()
    offset = 0
    for block in blocks(file):
        found.block(offset, block)
        offset += len(block)
    return found.facts(offset)


class _Head(NamedTuple):
    instance: str
    lvl: str
    ids: tuple[tuple[str, str], ...]


def _parsed(raw: bytes) -> _Head | None:
    try:
        head = orjson.loads(b'{"ts":0' + raw + b"}")
        ids = tuple((name, head[name]) for name in IDS if head[name] is not None)
        texts = [head["tier"], head["kind"], head["lvl"], head["instanceId"], *(value for _, value in ids)]
    except (ValueError, KeyError):
        return None
    return _Head(head["instanceId"], head["lvl"], ids) if all(type(text) is str for text in texts) else None


def _respelt(line: bytes) -> tuple[int, bytes, bytes] | None:
    """
    Return the time of a line in any spelling, its head in the writer's, and the line up
    to ``seq``; None if it isn't an envelope.
    """
    try:
        event = decode(line)
    except ValueError:
        return None
    ts, seq = event["ts"], event["seq"]
    texts = {type(event[name]) for name in _TEXTS}
    ids = {type(event[name]) for name in (*IDS, "reqId")}
    if not (type(ts) is int is type(seq) and 0 <= ts < _BEHIND_ALL_MS and texts == {str} and ids <= {str, NoneType}):
        return None
    numbered = b"," + orjson.dumps({name: event[name] for name in _NUMBERED})[1:-1]
    return ts, numbered[: numbered.index(_REQ_ID)], b'{"ts":%013d%b,' % (ts, numbered)


def _have_ends(lines: list[bytes]) -> bool:
    return _BRACE == set(map(_LAST, lines)) == set(map(_LAST_BUT_ONE, lines))


class _Gathering:
    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._heads: dict[bytes, _Head | None] = {}
        self._seqs: dict[str, tuple[int, int, int]] = {}
        self._levels: Counter[tuple[int, str]] = Counter()
        self._ids: dict[str, dict[str, int]] = {name: {} for name in IDS}
        self._blocks: list[Block] = []
        self._first = ""
        self._lines = 0
        self._highest = 0
        self._step_back = 0

    def block(self, offset: int, block: bytes) -> None:
        self._sha256.update(block)
        self._md5.update(block)
        # Whole lists at a time, and few of them, since each step for each line counts here.
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        try:
            heads = [line[_HEAD : line.index(_REQ_ID, _LEAST_HEAD)] for line in lines]
        except ValueError:
            heads = []
        times = [line[_BEGINNING] for line in lines]
        counts = Counter(heads)
        if not heads or not _have_ends(lines) or not self._are_envelopes(counts, times):
            lines, heads, times = self._envelopes(lines)
            counts = Counter(heads)
        if not lines:
            return
        in_order = sorted(times)
        first, last = int(in_order[0][_DIGITS]), int(in_order[-1][_DIGITS])
        self._first = self._first or getattr(self._heads[heads[0]], "instance", "")
        self._blocks.append(Block(offset, len(block), first, last))
        self._lines += len(lines)
        if first < self._highest or times != in_order:
            self._step(times)
        self._highest = max(self._highest, last)
        if first // HOUR_MS == last // HOUR_MS:
            self._count(counts, first // HOUR_MS)
        else:
            hours = [int(ts[_DIGITS]) // HOUR_MS for ts in times]
            for hour in sorted(set(hours)):
                self._count(Counter([head for head, own in zip(heads, hours, strict=True) if own == hour]), hour)
        self._number(lines, heads, counts)

    def _are_envelopes(self, heads: Mapping[bytes, int], times: list[bytes]) -> bool:
        """
        Tell whether all lines are; all their heads are known then.
        """
        return all(map(self._is_head, heads)) and b"".join(times).translate(_ZEROS) == _FORM * len(times)

    def _is_head(self, raw: bytes) -> bool:
        known = self._heads
        if raw not in known:
            known[raw] = _parsed(raw)
        return known[raw] is not None

    def _envelopes(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """
        Return those of *lines* that are envelopes, their heads and how they begin, with
        as many digits of time each as any may have.
        """
        found = [one for line in lines if (one := self._envelope(line.strip(_BLANKS))) is not None]
        return [line for *_, line in found], [head for _, head, _ in found], [b'{"ts":%015d' % ts for ts, *_ in found]

    def _envelope(self, line: bytes) -> tuple[int, bytes, bytes] | None:
        """
        Return the time of a line, its head and itself, or its beginning, in the writer's
        spelling; None if it isn't an envelope. A blank stands in the place of what was torn.
        """
        end = line.find(_REQ_ID, _LEAST_HEAD)
        head, beginning = line[_HEAD:end], line[_BEGINNING]
        if end > 0 and line.endswith(_END) and beginning.translate(_ZEROS) == _FORM and self._is_head(head):
            return int(beginning[_DIGITS]), head, line
        told = _respelt(line) if line.startswith(_TS) else None
        return told if told is not None and self._is_head(told[1]) else None

    def _step(self, times: list[bytes]) -> None:
        highest = self._highest
        for ts in [int(ts[_DIGITS]) for ts in times]:
            if ts >= highest:
                highest = ts
            else:
                self._step_back = max(self._step_back, highest - ts)

    def _count(self, counts: Mapping[bytes, int], hour: int) -> None:
        bit = 1 << (len(self._blocks) - 1)
        found: list[Any] = [self._heads[raw] for raw in counts]
        levels: Counter[str] = Counter()
        for head, lines in zip(found, counts.values(), strict=True):
            levels[head.lvl] += lines
        for lvl, lines in levels.items():
            self._levels[hour * HOUR_MS, lvl] += lines
        for name, value in dict.fromkeys(chain.from_iterable([head.ids for head in found])):
            masks = self._ids.get(name)
            if masks is not None:
                masks[value] = masks.get(value, 0) | bit
                if len(masks) > _MOST_IDS:
                    del self._ids[name]

    def _number(self, lines: list[bytes], heads: list[bytes], counts: Mapping[bytes, int]) -> None:
        """
        Note the first and the last ``seq`` of each instance: its lines are in their order.
        """
        known: Any = self._heads
        many: Counter[str] = Counter()
        for head, count in counts.items():
            many[known[head].instance] += count
        if len(many) == 1:
            ends = dict.fromkeys(many, (0, len(lines) - 1))
        else:
            last = {known[head].instance: at for at, head in enumerate(heads)}
            first = {known[head].instance: len(heads) - 1 - at for at, head in enumerate(reversed(heads))}
            ends = {instance: (first[instance], last[instance]) for instance in first}
        for instance, both in ends.items():
            seqs = [int(match[1]) for at in both if (match := _SEQ.search(lines[at], _HEAD + len(heads[at])))]
            before = self._seqs.get(instance)
            seqs += before[:2] if before else []
            if seqs:
                self._seqs[instance] = (min(seqs), max(seqs), many[instance] + (before[2] if before else 0))

    def facts(self, size: int) -> Facts:
        return Facts(
            size=size,
            lines=self._lines,
            first_ts=min((block.first_ts for block in self._blocks), default=0),
            last_ts=max((block.last_ts for block in self._blocks), default=0),
            step_back=self._step_back,
            sha256=self._sha256.hexdigest(),
            md5=self._md5.hexdigest(),
            instance=self._first,
            seqs=self._seqs,
            levels=dict(self._levels),
            ids=self._ids,
            blocks=tuple(self._blocks),
        )
