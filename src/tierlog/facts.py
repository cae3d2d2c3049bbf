"""
What a finished segment holds, so that nobody has to read it to know.

It is found in one pass over the bytes, block by block. A line's head, which is
everything from ``ts`` to ``seq``, is the same for many lines and parsed once.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import orjson

from tierlog.blocks import BLOCK_BYTES, blocks


__all__ = ["BLOCK_BYTES", "IDS", "Block", "Facts", "facts_of"]

IDS = ("projectId", "buildId", "userId")
"""Ids of which is known in which blocks they stand. There's one request per ``reqId``
or so: a list of those would be as long as the segment."""

HOUR_MS = 3_600_000

_SEQ = b',"seq":'
_TS = slice(6, 19)  # {"ts":1700000000000
_TS_DIGITS = 13
_NUMBER = re.compile(rb"\d{1,19}(?=,)")
_HEAD = 19
_MOST_IDS = 4_096  # of one name; a segment with more is looked into for every id


class Block(NamedTuple):
    """
    A run of whole lines.

    Attributes:
        offset: Bytes from the beginning of the segment, uncompressed.

        size: Bytes, newlines included.

        first_ts: Lowest ``ts``, milliseconds since the epoch.

        last_ts: Highest ``ts``.
    """

    offset: int
    size: int
    first_ts: int
    last_ts: int


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


_Parts = tuple[bytes, bytes, bytes]
"""The head of a line, its ``ts``, and what is behind ``"seq":``."""


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
        # Whole lists at a time, since each step for each line counts here.
        lines = block.split(b"\n")
        if b"\n " in block or block.startswith(b" "):  # in the place of what was torn
            lines = [line.lstrip(b" ") for line in lines]
        split = [line.partition(_SEQ) for line in lines]
        parts = self._envelopes([(before[_HEAD:], before[_TS], after[:20]) for before, seq, after in split if seq])
        if not parts:
            return
        times = [ts for _, ts, _ in parts]
        first, last = int(min(times)), int(max(times))
        self._first = self._first or getattr(self._heads[parts[0][0]], "instance", "")
        self._blocks.append(Block(offset, len(block), first, last))
        self._lines += len(parts)
        self._sorted(times, first)
        if first // HOUR_MS == last // HOUR_MS:
            self._count(Counter([head for head, _, _ in parts]), first // HOUR_MS)
        else:
            for hour in sorted({int(ts) // HOUR_MS for ts in times}):
                self._count(Counter([head for head, ts, _ in parts if int(ts) // HOUR_MS == hour]), hour)
        self._number(parts)

    def _envelopes(self, parts: list[_Parts]) -> list[_Parts]:
        """
        Return those of *parts* that are of envelopes; the heads of all are known then.
        """
        heads = self._heads
        new = {head for head, _, _ in parts}.difference(heads)
        heads.update((head, _parsed(head)) for head in new)
        is_whole = b"".join([ts for _, ts, _ in parts]).isdigit() and None not in heads.values()
        if is_whole and {len(ts) for _, ts, _ in parts} == {_TS_DIGITS}:
            return parts
        return [one for one in parts if heads[one[0]] is not None and one[1].isdigit() and len(one[1]) == _TS_DIGITS]

    def _sorted(self, times: list[bytes], first: int) -> None:
        if first < self._highest or times != sorted(times):
            for ts in map(int, times):
                if ts >= self._highest:
                    self._highest = ts
                else:
                    self._step_back = max(self._step_back, self._highest - ts)
        self._highest = max(self._highest, int(times[-1]))

    def _count(self, counts: Mapping[bytes, int], hour: int) -> None:
        bit = 1 << (len(self._blocks) - 1)
        for raw, lines in counts.items():
            head: Any = self._heads[raw]
            self._levels[hour * HOUR_MS, head.lvl] += lines
            for name, value in head.ids:
                masks = self._ids.get(name)
                if masks is not None:
                    masks[value] = masks.get(value, 0) | bit
                    if len(masks) > _MOST_IDS:
                        del self._ids[name]

    def _number(self, parts: list[_Parts]) -> None:
        """
        Note the first and the last ``seq`` of each instance: its lines are in their order.
        """
        heads: Any = self._heads
        counts = Counter(heads[head].instance for head in [head for head, _, _ in parts])
        if len(counts) == 1:
            ends = dict.fromkeys(counts, (parts[0], parts[-1]))
        else:
            last = {heads[one[0]].instance: one for one in parts}
            first = {heads[one[0]].instance: one for one in reversed(parts)}
            ends = {instance: (first[instance], last[instance]) for instance in first}
        for instance, both in ends.items():
            seqs = [int(match[0]) for _, _, rest in both if (match := _NUMBER.match(rest))]
            before = self._seqs.get(instance)
            seqs += before[:2] if before else []
            if seqs:
                self._seqs[instance] = (min(seqs), max(seqs), counts[instance] + (before[2] if before else 0))

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
