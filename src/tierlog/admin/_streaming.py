"""
Answers that are sent piece by piece, to clients that may not read, or go away.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tierlog.admin._lines import Reader


__all__ = ["ABORT", "NDJSON", "ClientGoneError", "LinesResponse", "PiecesResponse", "in_thread", "read", "unless_gone"]

_T = TypeVar("_T")

ABORT = "tierlog.abort"
"""The ASGI extension that cuts a connection whose client doesn't read."""

NDJSON = "application/x-ndjson"


class PiecesResponse(Response, ABC):
    """
    An answer in pieces.

    A client that takes none for *write_timeout* **seconds** is cut off; one that goes away
    ends it at once.
    """

    def __init__(self, status: int, headers: Mapping[str, str], media_type: str | None, *, write_timeout: float) -> None:
        super().__init__(None, status, headers, media_type)
        self._write_timeout = write_timeout
        if "content-length" not in headers and "Content-Length" not in headers:
            self.raw_headers = [one for one in self.raw_headers if one[0] != b"content-length"]

    @abstractmethod
    def pieces(self) -> AsyncGenerator[bytes]:
        """
        Return what is sent.
        """

    def left(self) -> None:
        """
        Let go of what must be let go of in the event loop. It is called once.
        """

    def closed(self) -> None:
        """
        Let go of what the pieces came from, in a thread. It is called once.
        """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Send it.
        """
        try:
            await self._run(scope, receive, send)
        finally:
            self.left()
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self.closed)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ClientGoneError):
            await unless_gone(receive, self._send(scope, send))

    async def _send(self, scope: Scope, send: Send) -> None:
        pieces = self.pieces()
        try:
            await self._out(scope, send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async for piece in pieces:
                    await self._out(scope, send, {"type": "http.response.body", "body": piece, "more_body": True})
                    await asyncio.sleep(0)  # else the loop doesn't notice that the client has gone
            await self._out(scope, send, {"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await pieces.aclose()

    async def _out(self, scope: Scope, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await send(message)
        except TimeoutError:
            abort = (scope.get("extensions") or {}).get(ABORT)
            if abort is not None:
                abort["abort"]()
                await asyncio.sleep(0)  # the server gets to know it
                raise ClientGoneError from None
            raise ClientStalledError from None


class ClientGoneError(Exception):
    """
    Nobody waits for the answer any more.
    """


class ClientStalledError(Exception):
    """
    A client took nothing for too long.
    """


class LinesResponse(PiecesResponse):
    """
    The lines of a search.

    Args:
        reader: Reads them.

        first: The first of them.

        scans: How many threads may read at once.

        write_timeout: For how many **seconds** the client may take nothing.
    """

    def __init__(self, reader: Reader, first: bytes, scans: CapacityLimiter, *, write_timeout: float) -> None:
        headers = {"Cache-Control": "no-store", "Accept-Ranges": "none", "X-Accel-Buffering": "no"}
        super().__init__(200, headers, NDJSON, write_timeout=write_timeout)
        self._reader = reader
        self._first = first
        self._scans = scans

    @property
    def lines_sent(self) -> int:
        """
        How many lines were read to be sent.
        """
        return self._reader.count

    async def pieces(self) -> AsyncGenerator[bytes]:
        """
        Yield the lines.
        """
        piece = self._first
        while piece:
            yield piece
            piece = await read(self._reader, self._scans)

    def closed(self) -> None:
        """
        Close the search.
        """
        self._reader.close()


async def read(reader: Reader, scans: CapacityLimiter) -> bytes:
    """
    Return the next lines of *reader*, read in a thread; have that end soon if nobody
    waits for them any more.
    """
    return await in_thread(reader.chunk, scans, stop=reader.stop)


async def in_thread(
    call: Callable[[], _T],
    limiter: CapacityLimiter,
    *,
    stop: Callable[[], None] | None = None,
    drop: Callable[[_T], object] | None = None,
) -> _T:
    """
    Return what *call* returns, called in a thread. When this is cancelled, the thread has
    ended, too: what it uses can be closed.

    Args:
        call: What to call.

        limiter: How many threads there may be.

        stop: Has *call* end soon.

        drop: Lets go of what it returned, if nobody waits for that any more.
    """
    calling = asyncio.ensure_future(to_thread.run_sync(call, limiter=limiter))
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        if stop is not None:
            stop()
        await _ended(calling)
        if drop is not None and not calling.cancelled() and calling.exception() is None:
            drop(calling.result())
        raise


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, _T]) -> _T:
    """
    Return what *work* returns; it is ended if who asks goes away. It has ended when this
    has, however that is.

    Raises:
        ClientGoneError: They did.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        working.cancel()
        await _ended(working)
    if working.cancelled():
        raise ClientGoneError
    return working.result()


async def _ended(task: asyncio.Future[Any]) -> None:
    """
    Wait until *task* has ended, however often this is cancelled meanwhile.
    """
    with anyio.CancelScope(shield=True):
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # else asyncio tells of it


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
