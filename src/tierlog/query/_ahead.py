"""
Blocks in stores, fetched before their time comes.

What is asked of a store takes long to come, and little else. So several blocks are asked
for at once, in the order in which they are needed: none at first, as the first may be
enough, and then more.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from tierlog.query._listing import Listed
from tierlog.query._open import opened


__all__ = ["Ahead"]

_MOST = 4  # blocks

_Block = tuple[Listed, int, int, tuple[int, int]]
"""An object; where the block begins in it, and its size, uncompressed; and its frame."""


class Ahead:
    """
    Fetches blocks of objects, a few at a time.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._fetched: dict[tuple[str, int], Future[bytes]] = {}
        self._room = 0

    def begin(self, blocks: Iterable[_Block]) -> None:
        """
        Begin to fetch the first of *blocks*, unless there are enough already.
        """
        if not self._room:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_MOST, "tierlog-ahead")
        for block in blocks:
            who = (block[0].name, block[1])
            if who not in self._fetched and len(self._fetched) < self._room:
                self._fetched[who] = self._pool.submit(_read, block)

    def take(self, block: _Block) -> bytes:
        """
        Return a block, which is fetched now if that wasn't begun.

        Raises:
            StoreError: The store didn't answer; ObjectNotFoundError if it isn't there.

            ValueError: It is damaged.
        """
        self._room = min(max(1, self._room * 2), _MOST)
        fetched = self._fetched.pop((block[0].name, block[1]), None)
        return _read(block) if fetched is None else fetched.result()

    def close(self) -> None:
        """
        Fetch no more.
        """
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None
        self._fetched.clear()


def _read(block: _Block) -> bytes:
    listed, offset, size, frame = block
    return opened(listed).read(offset, size, frame)
