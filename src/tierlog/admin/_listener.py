"""
Who listens to what is written: a queue of pieces of an event stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from tierlog.admin._follow import Batch, Told, key_of


__all__ = ["Listener", "Piece", "Question", "pieces_of"]

_PIECE_BYTES = 131_072
_QUEUE_BYTES = 4_194_304

Question = Callable[[dict[str, Any]], bool]
"""Tells whether an event is asked for."""


class Piece(NamedTuple):
    """
    Events, as they are sent.

    Attributes:
        body: Their bytes.

        parts: The same one by one, each with what identifies its event; empty if nobody
            needs them.

        size: How many they are.

        first_ts: The ``ts`` of the first, **milliseconds** since the epoch.

        last_ts: That of the last.

        last_id: Where a client stands that has got them.
    """

    body: bytes
    parts: Sequence[tuple[int, bytes]]
    size: int
    first_ts: int
    last_ts: int
    last_id: bytes


def pieces_of(batch: Batch, question: Question, *, with_parts: bool) -> list[Piece]:
    """
    Return the events of *batch* that are asked for.
    """
    pieces: list[Piece] = []
    parts: list[tuple[int, bytes]] = []
    size, first_ts = 0, 0
    last: Told | None = None
    for one in batch.events:
        event, line, where = one.event, one.line, one.cursor
        if not question(event):
            continue
        if not parts:
            first_ts = event["ts"]
        last = one
        parts.append((key_of(event) if with_parts else 0, b"id: %b\ndata: %b\n\n" % (where, line)))
        size += len(line) + len(where)
        if size >= _PIECE_BYTES:
            pieces.append(_piece(parts, first_ts, last, with_parts=with_parts))
            parts, size = [], 0
    if parts and last is not None:
        pieces.append(_piece(parts, first_ts, last, with_parts=with_parts))
    return pieces


def _piece(parts: list[tuple[int, bytes]], first_ts: int, last: Told, *, with_parts: bool) -> Piece:
    body = b"".join([part for _, part in parts])
    return Piece(body, parts if with_parts else (), len(parts), first_ts, last.event["ts"], last.cursor)


class Listener:
    """
    Who listens: a queue of what is to be sent.

    Args:
        name: What stands for its question: who has the same asks the same.

        question: What it asks for.

    Attributes:
        is_joining: Whether it needs events one by one.

        cursor: Where it stands once its queue is empty.

        is_ended: Whether there won't be any more.

        missed: How many events there was no room for.
    """

    def __init__(self, name: str, question: Question) -> None:
        self.name = name
        self.question = question
        self.is_joining = self.is_ended = False
        self.cursor = b""
        self.missed = 0
        self._queue: deque[Piece] = deque()
        self._size = 0
        self._missed: list[int] | None = None  # how many, from when, to when
        self._missed_from = self._missed_to = b""
        self._news = asyncio.Event()
        self._skips: tuple[int, frozenset[int]] | None = None

    @property
    def is_filling(self) -> bool:
        """
        Whether it has much to send, but hasn't missed anything.
        """
        return self._missed is None and self._size > _QUEUE_BYTES // 2

    def give(self, pieces: Sequence[Piece]) -> None:
        """
        Take some of what a poll found; what there is no room for is counted.
        """
        for piece in pieces:
            mine = piece if self._skips is None else _without(piece, self._skips[1])
            if mine.size:
                self._add(mine)
        self._news.set()

    def pass_by(self, batch_number: int, cursor: bytes, *, is_last: bool) -> None:
        """
        Take note that it has got all that a poll found, or missed it.
        """
        if self._skips is not None and batch_number >= self._skips[0] and is_last:
            self._skips, self.is_joining = None, False
        self.cursor = cursor

    def skip(self, keys: frozenset[int], until_batch: int) -> None:
        """
        Leave out events that it has got already, in what is queued and in what comes, up to
        the first batch from *until_batch* on that holds all that there is.
        """
        queue, self._queue, self._size = self._queue, deque(), 0
        for piece in queue:
            self._put(_without(piece, keys))
        self._skips = (until_batch, keys)

    def take(self) -> bytes:
        """
        Return what is next to be sent; nothing if there's nothing.
        """
        if self._queue:
            piece = self._queue.popleft()
            self._size -= len(piece.body)
            return piece.body
        self._news.clear()
        return self._gap() if self._missed is not None else b""

    async def wait(self, patience: float) -> None:
        """
        Wait until there's something, for at most *patience* **seconds**.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._news.wait()

    def end(self) -> None:
        """
        Tell it that there won't be any more.
        """
        self.is_ended = True
        self._news.set()

    def _add(self, piece: Piece) -> None:
        if self._missed is None and self._size + len(piece.body) <= _QUEUE_BYTES:
            self._put(piece)
            return
        if self._missed is None:
            self._missed = [0, piece.first_ts, piece.last_ts]
            self._missed_from = self._queue[-1].last_id if self._queue else self.cursor
        self._missed[0] += piece.size
        self.missed += piece.size
        self._missed[1] = min(self._missed[1], piece.first_ts)
        self._missed[2] = max(self._missed[2], piece.last_ts)
        self._missed_to = piece.last_id

    def _put(self, piece: Piece) -> None:
        if piece.size:
            self._queue.append(piece)
            self._size += len(piece.body)

    def _gap(self) -> bytes:
        """
        Return what tells of what was missed, once all before it is sent.
        """
        assert self._missed is not None  # noqa: S101 -- it is asked for only then
        count, since, until = self._missed
        self._missed = None
        told = {
            "count": count, "from": self._missed_from.decode(), "to": self._missed_to.decode(),
            "since": since, "until": until + 1,
        }  # fmt: skip
        return b"id: %b\nevent: gap\ndata: %b\n\n" % (self._missed_to, orjson.dumps(told))


def _without(piece: Piece, keys: frozenset[int]) -> Piece:
    parts = [one for one in piece.parts if one[0] not in keys]
    if len(parts) == piece.size:
        return piece
    return piece._replace(body=b"".join([body for _, body in parts]), parts=parts, size=len(parts))
