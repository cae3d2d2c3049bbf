"""
One request, from its start to its one end.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import isawaitable
from logging import getLogger
from types import TracebackType
from typing import Any

from tierlog.context import bind, current, id_text
from tierlog.errors import ConfigError
from tierlog.events import log_event
from tierlog.exceptions import exception_data
from tierlog.handler import all_handlers
from tierlog.request_ids import request_id
from tierlog.requests._decide import SERVER_ERROR, outcome
from tierlog.steps import Enclosing, Step, contained, enclosing, milliseconds, report_failure, with_own
from tierlog.typing import Clock


__all__ = ["KEY", "Part", "Request", "Requests", "annotate", "current_request"]

KEY = "tierlog.request"
"""Where adapters keep the request, so that those inside know that there is one."""

IdOf = Callable[[Any], Any]
Functions = Mapping[str, IdOf | None]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_LEVELS = {"info": 20, "warn": 30, "error": 40}


def _plain(value: Any) -> Any:
    if isawaitable(value):
        getattr(value, "close", int)()  # or it would warn that nobody awaited it
        raise TypeError("it is a coroutine, for which this isn't the place")
    return value


class Requests:
    """
    What an adapter was told once, for all its requests.

    Args:
        user_id: Returns the user's id of what the adapter passes, or None; called
            before the application, and after it if there was none yet.

        project_id: Likewise.

        exclude: Paths without events, such as ``/healthz``, or ``/static/*`` for all
            that begin so. Their ids are bound all the same.

        starts: Whether to write starts, too.

        header: The header that a request's id comes in and is sent back in. With
            None, ids of clients aren't believed, and none is sent.

        clock: Counts **nanoseconds**.

    Raises:
        ConfigError: An option can't work.
    """

    def __init__(
        self,
        *,
        user_id: IdOf | None = None,
        project_id: IdOf | None = None,
        exclude: Iterable[str] = (),
        starts: bool = True,
        header: str | None = "X-Request-ID",
        clock: Clock = time.monotonic_ns,
    ) -> None:
        for name, function in (("user_id", user_id), ("project_id", project_id)):
            if function is not None and not callable(function):
                raise ConfigError(name, f"{function!r} isn't a function that returns an id")
        if header is not None and not _TOKEN.match(header):
            raise ConfigError("header", f"{header!r} isn't the name of a header, such as 'X-Request-ID'")
        paths = tuple(exclude)
        if isinstance(exclude, str) or not all(isinstance(path, str) and path.startswith("/") for path in paths):
            raise ConfigError("exclude", f"{exclude!r} isn't a list of paths, such as ['/healthz', '/static/*']")
        self.functions: Functions = {"user_id": user_id, "project_id": project_id}
        self.header = header
        self.starts = starts
        self.clock = clock
        self._exact = frozenset(paths)
        self._prefixes = tuple(path[:-1] for path in paths if path.endswith("*"))

    def excludes(self, path: str) -> bool:
        """
        Tell whether requests of *path* have no events.
        """
        return path in self._exact or path.startswith(self._prefixes)

    def new(self, method: str, path: str, header: Callable[[str], Sequence[str]], source: Any) -> Request:
        """
        Return a new request.

        Args:
            method: Its method.

            path: Its path, without the query.

            header: Returns a header's values.

            source: What the user's functions get.
        """
        given = None
        if self.header is not None:
            given = request_id(header(self.header), header("traceparent"))
        return Request(self, method, path, given or os.urandom(16).hex(), source)


class Request:
    """
    One request, from its start to its one end.

    Attributes:
        id: Its id.

        route: The template of its path, once the framework has found it.

        status: The response's status.

        is_begun: Whether something of the response is on its way, so that its status
            is final. Until then, a server answers an exception with 500.

        error: What the framework turned into a response.

        is_disconnected: Whether the client has gone before the response was complete.

        facts: What the end says besides, by the adapter.

        here: What the spans inside need to know of it.

        context: What is bound in it.
    """

    def __init__(self, requests: Requests, method: str, path: str, given_id: str, source: Any) -> None:
        self.id = given_id
        self.route: str | None = None
        self.status: int | None = None
        self.is_begun = True
        self.error: BaseException | None = None
        self.is_disconnected = False
        self.facts: dict[str, Any] = {}
        self.here = Enclosing(request=self)
        self.context = self._bound = current().replace({"req_id": given_id})
        self._requests = requests
        self._method = method
        self._path = path
        self._source = source
        self._is_silent = requests.excludes(path)
        self._is_started = False
        self._is_over = False
        self._ids: dict[str, str | None] = {}
        self._data: dict[str, Any] = {}
        self._started = requests.clock()
        self._completed: int | None = None

    def annotate(self, ids: dict[str, Any], data: dict[str, Any]) -> None:
        """
        Add to what the end says.
        """
        self._ids.update({name: id_text(value) for name, value in ids.items()})
        self._data.update(data)

    def bind_annotated(self) -> None:
        """
        Bind here what was annotated in a thread, where it was bound for that one alone.
        """
        here, before = current(), self._bound
        ids = {name: value for name, value in self._ids.items() if getattr(here, name) == getattr(before, name) != value}
        if ids and current_request() is self:
            bind(**ids)

    def step(self) -> Step:
        """
        Return a block in which what is bound is this request's own.
        """
        return Step(self)

    def part(self) -> Part:
        """
        Return a block that is one step of the response's body.
        """
        return Part(self)

    def ask(self, functions: Functions, source: Any) -> None:
        """
        Ask a user's functions for the ids that aren't known yet.

        Args:
            functions: By the name of the id.

            source: What they get.
        """
        self._know({name: contained(name, lambda ask=ask: _plain(ask(source))) for name, ask in self._unknown(functions)})  # type: ignore[misc]

    def resolve(self) -> None:
        """
        Ask the functions that the adapter was given.
        """
        with self.step():
            self.ask(self._requests.functions, self._source)

    async def resolve_async(self) -> None:
        """
        Likewise; they may be coroutines.
        """
        found = {}
        with self.step():
            for name, ask in self._unknown(self._requests.functions):
                try:
                    value = ask(self._source)
                    found[name] = await value if isawaitable(value) else value
                except Exception as e:  # noqa: BLE001 -- a user's
                    report_failure(name, e)
            self._know(found)

    def start(self) -> None:
        """
        Bind its ids, and write the start.
        """
        self._is_started = True
        if self._ids:
            self.context = self.context.replace(self._ids)
        self._bound = self.context
        if self._requests.starts:
            self._write("info", "start", "started", {})

    def complete(self, *, is_complete: bool = True) -> None:
        """
        Note that the whole response was given to the server, or that it wasn't after all.
        """
        self._completed = self._requests.clock() if is_complete else None

    def close(self, *, is_whole: bool) -> None:
        """
        Note that nobody wants more of the body.

        Args:
            is_whole: Whether that was all of it, though it hasn't come to its end.
        """
        if not self.is_complete and self.error is None:
            if is_whole:
                self.complete()
            else:
                self.is_disconnected = True

    async def end_async(self, error: BaseException | None = None) -> None:
        """
        Ask once more, and write the end, even if the asking is cancelled.
        """
        try:
            if error is None or isinstance(error, Exception):
                await self.resolve_async()
        finally:
            self.end(error)

    @property
    def is_complete(self) -> bool:
        """
        Whether the whole response was given to the server.
        """
        return self._completed is not None

    def end(self, error: BaseException | None = None) -> None:
        """
        Write the end; once, however often it is said.

        Args:
            error: What came out of the application.
        """
        if self._is_over:
            return
        self._is_over = True
        error = error if error is not None else self.error
        if error is not None and not self.is_begun and not self.is_complete:
            self.status = None
        self._write_end(error)
        # Whoever keeps this context, such as a task that goes on, needn't keep the request.
        self._source = self.error = self.here.logged = None

    def _write_end(self, error: BaseException | None) -> None:
        event, lvl, reason = outcome(
            status=self.status, error=error, is_complete=self.is_complete, is_disconnected=self.is_disconnected
        )
        if not self._is_wanted(lvl):
            return
        now = self._requests.clock()
        status = SERVER_ERROR if self.status is None and event == "error" else self.status
        ours: dict[str, Any] = {
            "status": status,
            "durationMs": milliseconds(self._started, self._completed or now),
            "reason": reason,
        }
        if error is not None:
            ours["phase"] = self._phase()
            if ours["phase"] == "background":
                ours["totalMs"] = milliseconds(self._started, now)
        if event == "error" and error is not None and error is not self.here.logged:
            ours["exc"] = contained("an exception", lambda: exception_data(error))
        said = "cancelled" if event == "cancelled" else f"{status} {reason or ''}".rstrip()
        self._write(lvl, event, said, {**ours, **self.facts})

    def _phase(self) -> str:
        """
        Return what raised. An answer of 500 is the framework's to what did before it.
        """
        if self.status is None or self.status >= SERVER_ERROR:
            return "application"
        return "background" if self.is_complete else "response"

    def _unknown(self, functions: Functions) -> list[tuple[str, IdOf]]:
        if self._is_over:
            return []
        context = current() if current_request() is self else self.context
        known = {name for name in functions if self._ids.get(name) or (self._is_started and getattr(context, name))}
        return [(name, function) for name, function in functions.items() if function is not None and name not in known]

    def _know(self, found: Mapping[str, Any]) -> None:
        ids = {name: text for name, value in found.items() if (text := id_text(value)) is not None}
        self._ids.update(ids)
        if ids and current_request() is self:
            bind(**ids)

    def _is_wanted(self, lvl: str) -> bool:
        if self._is_silent:
            return False
        return bool(all_handlers) or getLogger("tierlog.event").isEnabledFor(_LEVELS[lvl])

    def _write(self, lvl: str, event: str, said: str, ours: dict[str, Any]) -> None:
        if not self._is_wanted(lvl):
            return
        context = self.context
        own = {"event": event, "method": self._method, "route": self.route, "path": self._path, **ours}
        own = {name: value for name, value in own.items() if value is not None}
        ids = {name: self._ids.get(name) or getattr(context, name) for name in ("project_id", "build_id", "user_id")}
        tier = "system" if ids["project_id"] is None else "action"
        msg = f"{self._method} {self.route or self._path} {said}"
        log_event(tier, "action", lvl, msg, with_own(own, self._data), **ids, req_id=self.id, src=context.src or "api")


class Part(Step):
    """
    A step of a response's body, which may be its last.
    """

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._request = request

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        super().__exit__()
        if isinstance(exc, (StopIteration, StopAsyncIteration)):
            self._request.complete()
        elif exc is not None:
            self._request.error = exc


def current_request() -> Request | None:
    """
    Return the request that this task or thread works for.
    """
    around = enclosing.get()
    return around.request if around is not None else None


def annotate(*, project_id: object = None, build_id: object = None, user_id: object = None, **data: Any) -> None:
    """
    Say more of the request that is being served: ids, which are bound from here on
    and belong to its end, too, and data for its end.

    It works wherever the request's context is: in a thread, a task or a middleware
    inside. Without a request, the ids are bound, and that is all.
    """
    given = {"project_id": project_id, "build_id": build_id, "user_id": user_id}
    ids = {name: value for name, value in given.items() if value is not None}
    request = current_request()
    if request is not None:
        request.annotate(ids, data)
    if ids:
        bind(**ids)
