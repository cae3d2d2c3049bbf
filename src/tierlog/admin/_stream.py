"""
The live tail, as an event stream (HTML, section 9.2).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from starlette.responses import Response

from tierlog.admin._endpoint import Asked
from tierlog.admin._filters import asked_for, canonical
from tierlog.admin._follow import Batch, Follower, key_of
from tierlog.admin._listener import Listener, Question, pieces_of
from tierlog.admin._problems import ProblemError
from tierlog.admin._service import Service
from tierlog.admin._streaming import PiecesResponse, in_thread
from tierlog.admin._tokens import Subject
from tierlog.query._filters import filters
from tierlog.query._match import Matcher


__all__ = ["LAST_EVENT_ID", "stream"]

LAST_EVENT_ID = "Last-Event-ID"
_EVENT_STREAM = "text/event-stream"
_RETRY = b"retry: 2000\n\n"
_TOGETHER_BYTES = 262_144
_OVERLAP = 1.0  # seconds: until a new segment is noticed by whoever follows
_PAUSE = 0.1  # seconds
_FULL_WAIT = "10"  # seconds


async def stream(asked: Asked) -> Response:
    """
    Return what is written from now on, or since then.
    """
    service = asked.service
    cursor = asked.request.headers.get(LAST_EVENT_ID) or asked.values.get("cursor")
    name = LAST_EVENT_ID if asked.request.headers.get(LAST_EVENT_ID) else "cursor"
    opened = None if cursor is None else service.live.sealer.open(cursor)
    if cursor is not None and opened is None:
        raise ProblemError(400, "isn't one that a live tail has given", parameter=name)
    since = asked.values.get("since")
    given = {key: value for key, value in asked.values.items() if key not in {"cursor", "since"}}
    listener = Listener(f"{asked.subject.projects}{canonical(given)}", _question(asked, given))
    if service.live.is_stopped or service.listeners >= service.limits.listeners:
        raise ProblemError(503, "as many listen as may; come again later", headers={"Retry-After": _FULL_WAIT})
    service.listeners += 1  # from here on: to open a tail takes a while, and others come meanwhile
    try:
        own = await _begun(service, listener, opened, since)
    except BaseException:
        service.live.leave(listener)
        service.listeners -= 1
        raise
    return _StreamResponse(asked, listener, own)


async def _begun(service: Service, listener: Listener, cursor: str | None, since: Any) -> Follower | None:
    """
    Have *listener* listen from now on; or return what it has to read before.

    Raises:
        ProblemError: That can't be.
    """
    if cursor is not None or since is not None:
        return await in_thread(partial(service.live.follower, cursor, since), service.scans, drop=Follower.close)
    await service.live.join(listener)
    if listener.is_ended:
        raise ProblemError(503, "what is written can't be followed at present", headers={"Retry-After": _FULL_WAIT})
    return None


class _StreamResponse(PiecesResponse):
    """
    Events as they are written.
    """

    def __init__(self, asked: Asked, listener: Listener, own: Follower | None) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(200, headers, _EVENT_STREAM, write_timeout=asked.service.write_timeout)
        self._asked = asked
        self._service = asked.service
        self._live = asked.service.live
        self._listener = listener
        self._own = own
        self._spoke = time.monotonic()
        self.lines_sent = 0

    async def pieces(self) -> AsyncGenerator[bytes]:
        """
        Yield the events.
        """
        yield _RETRY
        if self._own is not None:
            async with aclosing(self._caught_up(self._own)) as earlier:
                async for body in earlier:
                    yield self._spoken(body)
        if self._listener.is_ended:
            return
        yield b"id: %b\nevent: caught-up\ndata: {}\n\n" % self._listener.cursor
        async with aclosing(self._news()) as news:
            async for body in news:
                yield self._spoken(body)

    def closed(self) -> None:
        """
        Listen no more.
        """
        if self._own is not None:
            self._own.close()

    def left(self) -> None:
        """
        Listen no more. It is called in the event loop.
        """
        self._live.leave(self._listener)
        self._service.listeners -= 1

    async def _news(self) -> AsyncGenerator[bytes]:
        """
        Yield what is written.
        """
        listener, limits = self._listener, self._service.limits
        quiet_since = time.monotonic()
        while not listener.is_ended and self._service.now() < self._asked.subject.expires:
            bodies: list[bytes] = []
            while sum(map(len, bodies)) < _TOGETHER_BYTES and (body := listener.take()):
                bodies.append(body)
            now = time.monotonic()
            if bodies:
                quiet_since = now
                yield b"".join(bodies)
                continue
            if now - self._spoke >= limits.ping:  # before it ends, too: who comes again goes on from there
                yield b"id: %b\nevent: ping\ndata: {}\n\n" % listener.cursor
            if now - quiet_since >= limits.idle:
                return
            await listener.wait(max(0.01, self._spoke + limits.ping - now))

    async def _caught_up(self, own: Follower) -> AsyncGenerator[bytes]:
        """
        Yield what was written before, and join those who listen when all of it was read.

        Both the own tail and theirs read for a while, so that there's nothing that neither
        has; what both have is left out of theirs.
        """
        live, listener = self._live, self._listener
        is_last = False
        while not is_last and not live.is_stopped:
            batch, is_last = await self._polled(own)
            for piece in pieces_of(batch, listener.question, with_parts=False):
                yield piece.body
            if time.monotonic() - self._spoke >= self._service.limits.ping:
                yield b"event: ping\ndata: {}\n\n"
        await live.settle()
        listener.is_joining = True
        await live.join(listener)
        until = time.monotonic() + _OVERLAP
        keys: set[int] = set()
        while not (is_last and time.monotonic() > until) and not listener.is_ended:
            batch, is_last = await self._polled(own)
            keys.update(key_of(one.event) for one in batch.events if listener.question(one.event))
            for piece in pieces_of(batch, listener.question, with_parts=False):
                yield piece.body
            await asyncio.sleep(_PAUSE)
        listener.skip(frozenset(keys), live.batch_number + 1)

    async def _polled(self, own: Follower) -> tuple[Batch, bool]:
        batch = await in_thread(own.poll, self._service.scans)
        return batch, batch.is_last

    def _spoken(self, body: bytes) -> bytes:
        self._spoke = time.monotonic()
        self.lines_sent += body.count(b'\ndata: {"ts"')
        return body


def _question(asked: Asked, values: Mapping[str, Any]) -> Question:
    subject: Subject = asked.subject
    matcher = Matcher(filters(now_ms=0, **asked_for(values)))
    accepts = matcher.accepts
    if subject.projects is None:
        return accepts
    projects = frozenset(subject.projects)
    return lambda event: event["projectId"] in projects and accepts(event)
