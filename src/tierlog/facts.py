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
from itertools import chain, compress
from typing import Any, BinaryIO, NamedTuple

import orjson

from tierlog.blocks import BLOCK_BYTES, Block, blocks


__all__ = ["BLOCK_BYTES", "IDS", "Block", "Facts", "facts_of"]

IDS = ("projectId", "buildId", "userId")
"""Ids of which is known in which blocks they stand. There's one request per ``reqId``
or so: a list of those would be as long as the segment."""

HOUR_MS = 3_600_000

_REQ_ID = b',"reqId":'  # what stands before it is the same for many lines
_SEQ = re.compile(rb',"seq":(\d{1,19}),')
_TS = slice(6, 19)  # {"ts":1700000000000
_TS_DIGITS = 13
_HEAD = 19
_LEAST_HEAD = 100  # no ``reqId`` is nearer to the beginning
_NO_SPACE = b"!"  # no line that begins with a space, and none without anything, comes behind it
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

    Lines that aren't envelopes count for the hashes and the size alone.
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
        found = _Head(head["instanceId"], head["lvl"], ids)
    except (ValueError, KeyError):
        return None
    is_ours = all(type(one) is str for one in (found.instance, found.lvl, *(value for _, value in ids)))
    return found if is_ours else None


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
        times = [line[_TS] for line in lines]
        counts = Counter(heads)
        if not heads or min(lines) < _NO_SPACE or not self._are_envelopes(counts, times):
            lines, heads, times = self._envelopes(lines)
            counts = Counter(heads)
        if not lines:
            return
        in_order = sorted(times)
        first, last = int(in_order[0]), int(in_order[-1])
        self._first = self._first or getattr(self._heads[heads[0]], "instance", "")
        self._blocks.append(Block(offset, len(block), first, last))
        self._lines += len(lines)
        if first < self._highest or times != in_order:
            self._step(times)
        self._highest = max(self._highest, last)
        if first // HOUR_MS == last // HOUR_MS:
            self._count(counts, first // HOUR_MS)
        else:
            hours = [int(ts) // HOUR_MS for ts in times]
            for hour in sorted(set(hours)):
                self._count(Counter([head for head, own in zip(heads, hours, strict=True) if own == hour]), hour)
        self._number(lines, heads, counts)

    def _are_envelopes(self, heads: Mapping[bytes, int], times: list[bytes]) -> bool:
        """
        Tell whether all lines are; all their heads are known then.
        """
        known = self._heads
        for head in heads:
            if head not in known:
                known[head] = _parsed(head)
        # The digits of all times, and nothing but them, if each is where it must be.
        digits = b"".join(times)
        return all(map(known.get, heads)) and digits.isdigit() and len(digits) == _TS_DIGITS * len(times)

    def _envelopes(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """
        Return those of *lines* that are envelopes, their heads and their times.
        """
        lines = [line.lstrip(b" ") for line in lines]  # in the place of what was torn
        ends = [line.find(_REQ_ID, _LEAST_HEAD) for line in lines]
        lines = [line for line, end in zip(lines, ends, strict=True) if end > 0]
        heads = [line[_HEAD:end] for line, end in zip(lines, [end for end in ends if end > 0], strict=True)]
        times = [line[_TS] for line in lines]
        if not self._are_envelopes(Counter(heads), times):
            good = [self._heads[head] is not None and ts.isdigit() for head, ts in zip(heads, times, strict=True)]
            lines, heads, times = (list(compress(some, good)) for some in (lines, heads, times))
        return lines, heads, times

    def _step(self, times: list[bytes]) -> None:
        highest = self._highest
        for ts in map(int, times):
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
