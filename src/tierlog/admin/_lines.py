"""
Lines of a search, streamed: read in a thread, a piece at a time, as the client takes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Any

import orjson

from tierlog.query import Search


__all__ = ["Reader"]

_CHUNK_BYTES = 65_536
_PATIENCE = 0.02  # seconds until what there is goes out


class Reader:
    """
    Reads the lines of searches, in order. Used by one thread at a time.

    Args:
        searches: One, or several of the same order; each may have one line more than
            *limit*.

        limit: How many lines at most; all if None.

        is_newest_first: The order.

        signed: Makes of a cursor what may be given out.

        with_meta: Whether a last line tells how it went.

        hides_names: Whether it doesn't name what couldn't be read, nor count what is torn:
            it may be somebody else's.

    Attributes:
        count: Lines so far.
    """

    def __init__(
        self,
        searches: Sequence[Search],
        *,
        limit: int | None,
        is_newest_first: bool,
        signed: Callable[[str], str],
        with_meta: bool,
        hides_names: bool,
    ) -> None:
        self._searches = searches
        self._limit = limit
        self._signed = signed
        self._with_meta = with_meta
        self._hides_names = hides_names
        self._cursor: str | None = None
        self._is_stopped = self._is_over = False
        self._runs = self._all(is_newest_first=is_newest_first)
        self.count = 0

    def chunk(self) -> bytes:
        """
        Return the next lines; nothing at the end. The first goes out at once: how long the
        next one takes isn't known.
        """
        if self._is_over:
            return b""
        parts: list[bytes] = []
        size, since = 0, time.monotonic()
        for run in self._runs:
            parts.append(run)
            size += len(run)
            if self._is_stopped or not self.count or size >= _CHUNK_BYTES or time.monotonic() - since > _PATIENCE:
                break
        else:
            self._is_over = True
        body = b"".join(parts)
        self.count += body.count(b"\n")
        return body + self._meta() if self._is_over and self._with_meta else body

    def stop(self) -> None:
        """
        Have a :meth:`chunk` that is read in another thread end soon.
        """
        self._is_stopped = True
        for search in self._searches:
            search.stop()

    def close(self) -> None:
        """
        Let go of all files.
        """
        for search in self._searches:
            search.close()

    def _all(self, *, is_newest_first: bool) -> Iterator[bytes]:
        if self._limit is None and len(self._searches) == 1:
            return self._searches[0].lines()
        tagged = [_tagged(search, is_single=len(self._searches) == 1) for search in self._searches]
        return self._limited(merge(*tagged, key=_key, reverse=is_newest_first))

    def _limited(self, runs: Iterator[tuple[Any, bytes, Search]]) -> Iterator[bytes]:
        """
        Yield as many as are asked for. That there is one more tells that it goes on.
        """
        cursor = None
        for number, (_, run, search) in enumerate(runs, 1):
            if self._limit is not None and number > self._limit:
                self._cursor = cursor
                return
            yield run
            if number == self._limit:
                cursor = search.cursor

    def _meta(self) -> bytes:
        problems = [one for search in self._searches for one in search.problems]
        torn = sum(search.skipped for search in self._searches)
        told = {
            "cursor": self._signed(self._cursor) if self._cursor is not None else None,
            "count": self.count,
            "torn": 0 if self._hides_names else torn,
            "problems": [{"name": "" if self._hides_names else one.name, "problem": one.problem} for one in problems],
        }
        return orjson.dumps({"tierlog": told}) + b"\n"


def _tagged(search: Search, *, is_single: bool) -> Iterator[tuple[Any, bytes, Search]]:
    for run in search.lines():
        key = None
        if not is_single:
            event = orjson.loads(run)
            key = event["ts"], event["instanceId"], event["seq"]
        yield key, run, search


def _key(one: tuple[Any, bytes, Search]) -> Any:
    return one[0]
