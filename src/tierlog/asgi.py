"""
Requests of any ASGI application: Starlette, FastAPI, Litestar, Quart.

It is plain ASGI, so what it binds is there in whatever the application does: in
endpoints, threads, streaming responses and background tasks.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from tierlog.requests import KEY, Request, Requests
from tierlog.steps import contained
from tierlog.typing import Clock


__all__ = ["TierlogMiddleware", "template"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_NORMAL_CLOSES = frozenset([None, 1000, 1001, 1005])
_SWITCHING = 101
_REFUSED = 403


class TierlogMiddleware:
    """
    Bind the ids of each request for its whole length, and write its start and its end.

    Args:
        app: The application around which it is. Outermost is best: what lies outside
            knows no ids.

        user_id: Returns the user's id of the ``scope``, or None; it may be a coroutine.
            It is called before the application, and after it if there was none yet.

        project_id: Likewise the project's.

        exclude: Paths without events, such as ``/healthz``, or ``/static/*`` for all
            that begin so.

        starts: Whether to write starts, too.

        header: The header that a request's id comes in and is sent back in; None to
            believe no client, and send none.

        clock: Counts **nanoseconds**.

    Raises:
        ConfigError: An option can't work.
    """

    def __init__(
        self,
        app: Callable[[Any, Any, Any], Awaitable[None]],
        *,
        user_id: Callable[[Scope], Any] | None = None,
        project_id: Callable[[Scope], Any] | None = None,
        exclude: Iterable[str] = (),
        starts: bool = True,
        header: str | None = "X-Request-ID",
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.app = app
        self._requests = Requests(
            user_id=user_id, project_id=project_id, exclude=exclude, starts=starts, header=header, clock=clock
        )
        self._header = header.lower().encode("ascii") if header is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Serve one request or connection; the server's lifespan passes by.
        """
        if scope["type"] not in {"http", "websocket"} or KEY in scope:
            await self.app(scope, receive, send)
            return
        request = self._new(scope)
        await request.resolve_async()
        request.start()
        watch = (_Http if scope["type"] == "http" else _WebSocket)(request, receive, send, self._header)
        error: BaseException | None = None
        try:
            with request.step():
                await self.app(scope, watch.receive, watch.send)
        except BaseException as e:
            error = e
            raise
        finally:
            request.route = contained("a route", lambda: template(scope))
            await request.end_async(watch.judged(error))

    def _new(self, scope: Scope) -> Request:
        headers: Sequence[tuple[bytes, bytes]] = list(scope.get("headers", ()))

        def header(name: str) -> list[str]:
            wanted = name.lower().encode("ascii")
            return [value.decode("latin-1") for key, value in headers if key.lower() == wanted]

        request = self._requests.new(scope.get("method", "WEBSOCKET"), scope.get("path", ""), header, scope)
        scope[KEY] = request
        return request


class _Http:
    """
    What passes between the server and the application, as a request's facts.
    """

    def __init__(self, request: Request, receive: Receive, send: Send, header: bytes | None) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._header = header

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._request.is_complete:
            self._request.is_disconnected = True
        return message

    async def send(self, message: Message) -> None:
        request = self._request
        kind = message["type"]
        if kind == "http.response.start":
            request.status = message["status"]
            request.bind_annotated()  # for background tasks, if the endpoint ran in a thread
            message = self._with_id(message)
        elif (kind == "http.response.body" and not message.get("more_body")) or kind == "http.response.pathsend":
            request.complete()  # at once: another task may hear of it before this one goes on
        await self._pass(message)

    def judged(self, error: BaseException | None) -> BaseException | None:
        """
        Return of what the application raised what is an error.
        """
        return error

    async def _pass(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:  # how the specification says that the client has gone
            self._request.complete(is_complete=False)
            self._request.is_disconnected = True
            raise

    def _with_id(self, message: Message) -> Message:
        headers = list(message.get("headers") or ())
        if self._header is None or any(name.lower() == self._header for name, _ in headers):
            return message
        return {**message, "headers": [*headers, (self._header, self._request.id.encode("ascii"))]}


class _WebSocket(_Http):
    """
    A connection: it ends well when either side closes it in order.
    """

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._closed(message.get("code"))
        return message

    async def send(self, message: Message) -> None:
        request = self._request
        kind = message["type"]
        if kind == "websocket.accept":
            request.status = _SWITCHING
            message = self._with_id(message)
        elif kind == "websocket.close":
            request.status = request.status or _REFUSED
            request.facts["closeCode"] = message.get("code", 1000)
            request.complete()
        elif kind == "websocket.http.response.start":
            request.status = message["status"]
            request.complete()
        await self._pass(message)

    def judged(self, error: BaseException | None) -> BaseException | None:
        """
        Return of what the application raised what is an error: that the client has
        gone isn't.
        """
        is_told = "closeCode" in self._request.facts and "Disconnect" in type(error).__name__
        return None if is_told else error

    def _closed(self, code: int | None) -> None:
        request = self._request
        request.facts.setdefault("closeCode", code)
        if code in _NORMAL_CLOSES:
            request.complete()
        elif not request.is_complete:
            request.is_disconnected = True


def template(scope: Mapping[str, Any]) -> str | None:
    """
    Return the template of a request's path, such as ``/projects/{id}``, once the
    framework has found the route; None if it didn't.

    Litestar says it whole. Starlette's and FastAPI's routes know theirs from where
    they are mounted on; what is before comes of the path, with the parameters' names in
    the place of their values.
    """
    if isinstance(scope.get("path_template"), str):
        return str(scope["path_template"])
    route, parameters = scope.get("route"), scope.get("path_params")
    own = getattr(route, "path", None)
    if not isinstance(own, str) and not (scope.get("endpoint") and isinstance(parameters, Mapping)):
        return None
    path = str(scope.get("path", ""))
    if isinstance(own, str) and hasattr(route, "routes"):  # mounted: what is below isn't known
        return f"{own}/{{path}}"
    if isinstance(own, str) and own.count("/") == path.count("/"):
        return own
    return _with_names(path, parameters if isinstance(parameters, Mapping) else {})


def _with_names(path: str, parameters: Mapping[str, Any]) -> str:
    for name, value in reversed(list(parameters.items())):
        before, found, after = f"{path}/".rpartition(f"/{value}/")
        if found:
            path = f"{before}/{{{name}}}/{after}"[:-1]
    return path
