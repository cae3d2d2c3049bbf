"""
What is written, told to all who listen: one thread follows, however many there are.

Each poll's lines are matched once for each question that somebody asks, and made into
pieces of an event stream, which all listeners with that question share. A listener that
doesn't keep up misses pieces, and is told how many events they were.

Nobody listens, nothing runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from anyio import CapacityLimiter, to_thread

from tierlog.admin._follow import Batch, Follower
from tierlog.admin._listener import Listener, Piece, pieces_of
from tierlog.admin._sealer import Sealer
from tierlog.query import LogStore
from tierlog.report import report


__all__ = ["Live"]

_TOGETHER = 8  # pieces
_DRAIN, _DRAIN_PAUSE = 0.25, 0.005  # seconds
_PATIENCE = 10.0  # seconds


class Live:
    """
    All who listen, and what follows for them.

    Args:
        store: What is followed.

        sealer: Makes of cursors what may be given out.

        period: How many **seconds** pass between two looks.

    Attributes:
        sealer: See above.

        batch_number: How many polls were begun.

        is_stopped: Whether nobody may listen any more.
    """

    def __init__(self, store: LogStore, sealer: Sealer, *, period: float = 0.1) -> None:
        self._store = store
        self.sealer = sealer
        self._period = period
        self._listeners: dict[str, list[Listener]] = {}
        self._following: asyncio.Task[None] | None = None
        self._turn: asyncio.Event = asyncio.Event()
        self._thread = CapacityLimiter(1)
        self._cursor = b""
        self._settled = 0
        self._missed = 0
        self.batch_number = 0
        self.is_stopped = False

    def __len__(self) -> int:
        return sum(map(len, self._listeners.values()))

    @property
    def is_following(self) -> bool:
        """
        Whether anything is followed.
        """
        return self._following is not None

    @property
    def missed(self) -> int:
        """
        How many events listeners missed, all together.
        """
        return self._missed + sum(one.missed for mine in self._listeners.values() for one in mine)

    def follower(self, cursor: str | None = None, since: Any = None) -> Follower:
        """
        Return what follows from *cursor*, or from *since*, or from now on.
        """
        return Follower(lambda start: self._store.tail(cursor=start, since=None if start else since), self.sealer.seal, cursor)

    async def settle(self) -> None:
        """
        Wait until everything that was written before this was called has been read for
        those who listen by now.
        """
        target = self.batch_number + 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._following is not None and self._settled < target:
                    await self._turn.wait()

    async def join(self, listener: Listener) -> None:
        """
        Have *listener* get everything that is written after this returns; it has ended if
        that can't be.
        """
        if self.is_stopped:
            listener.end()
            return
        self._listeners.setdefault(listener.name, []).append(listener)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        await self._turn.wait()
        listener.cursor = listener.cursor or self._cursor

    def leave(self, listener: Listener) -> None:
        """
        Forget *listener*.
        """
        mine = self._listeners.get(listener.name, [])
        if listener in mine:
            mine.remove(listener)
            self._missed += listener.missed
        if not mine:
            self._listeners.pop(listener.name, None)

    def stop(self) -> None:
        """
        Have all listeners end, and take no more.
        """
        self.is_stopped = True
        for mine in self._listeners.values():
            for listener in mine:
                listener.end()

    async def _follow(self) -> None:
        follower: Follower | None = None
        try:
            follower = await to_thread.run_sync(self.follower, limiter=self._thread)
            self._cursor = follower.cursor
            self._has_turned()
            while self._listeners and not self.is_stopped:
                is_read = await self._round(follower)
                await asyncio.sleep(self._period if is_read else 0)
        except Exception as e:  # noqa: BLE001 -- listeners come again, and then it begins anew
            report("admin-live", f"what is written can't be followed: {type(e).__name__}: {e}")
            for mine in self._listeners.values():
                for listener in mine:
                    listener.end()
        finally:
            self._following = None
            self._has_turned()
            if follower is not None:
                follower.close()

    async def _round(self, follower: Follower) -> bool:
        """
        Read what is new, give it to those who listened before, and tell whether there's
        nothing left to be read.
        """
        self.batch_number = number = self.batch_number + 1
        asked = {name: tuple(mine) for name, mine in self._listeners.items()}
        batch, found = await to_thread.run_sync(_read, follower, asked, limiter=self._thread)
        for start in range(0, max(map(len, found.values()), default=0), _TOGETHER):
            for name, pieces in found.items():
                for listener in asked[name]:
                    listener.give(pieces[start : start + _TOGETHER])
            await self._drained()
        for mine in asked.values():
            for listener in mine:
                listener.pass_by(number, batch.cursor, is_last=batch.is_last)
        self._cursor = batch.cursor
        if batch.is_last:
            self._settled = number
        self._has_turned()
        return batch.is_read

    async def _drained(self) -> None:
        """
        Give those who keep up the time to: what comes in a burst doesn't all fit into a
        queue. Nobody waits long for those who don't.
        """
        end = time.monotonic() + _DRAIN
        while time.monotonic() < end:
            if not any(one.is_filling for mine in self._listeners.values() for one in mine):
                return
            await asyncio.sleep(_DRAIN_PAUSE)

    def _has_turned(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()


def _read(follower: Follower, asked: Mapping[str, Sequence[Listener]]) -> tuple[Batch, dict[str, list[Piece]]]:
    batch = follower.poll()
    return batch, {
        name: pieces_of(batch, mine[0].question, with_parts=any(one.is_joining for one in mine)) for name, mine in asked.items()
    }
