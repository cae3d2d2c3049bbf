"""
Requests of a Django project, under WSGI and under ASGI.

Put ``tierlog.django.TierlogMiddleware`` first in ``MIDDLEWARE``. Settings, all
optional: ``TIERLOG_USER_ID`` and ``TIERLOG_PROJECT_ID``, functions of the request or
their dotted paths; ``TIERLOG_EXCLUDE``, ``TIERLOG_STARTS`` and ``TIERLOG_HEADER``.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django import conf
from django.core.signals import got_request_exception
from django.utils.module_loading import import_string

from tierlog.errors import ConfigError
from tierlog.requests import KEY, Request, Requests


__all__ = ["TierlogMiddleware"]


class TierlogMiddleware:
    """
    Bind the ids of each request for its whole length, and write its start and its end.

    The user's id is that of ``request.user``, if somebody has looked at it, or what
    ``TIERLOG_USER_ID`` returns.

    Raises:
        ConfigError: A setting can't work.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        self._requests = Requests(
            user_id=_function("TIERLOG_USER_ID") or _seen_user,
            project_id=_function("TIERLOG_PROJECT_ID"),
            exclude=getattr(conf.settings, "TIERLOG_EXCLUDE", ()),
            starts=getattr(conf.settings, "TIERLOG_STARTS", True),
            header=getattr(conf.settings, "TIERLOG_HEADER", "X-Request-ID"),
        )
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        got_request_exception.connect(_raised, dispatch_uid="tierlog")

    def __call__(self, request: Any) -> Any:
        """
        Serve one request.
        """
        if self._is_async:
            return self._serve(request)
        ours = self._new(request)
        if ours is None:
            return _with_route(request, self.get_response(request))
        ours.resolve()
        ours.start()
        try:
            with ours.step():
                response = self.get_response(request)
        except BaseException as e:
            ours.end(e)
            raise
        if self._is_over(request, ours, response):
            ours.resolve()
            ours.end()
        return response

    async def _serve(self, request: Any) -> Any:
        ours = self._new(request)
        if ours is None:
            return _with_route(request, await self.get_response(request))
        await ours.resolve_async()
        ours.start()
        try:
            with ours.step():
                response = await self.get_response(request)
        except BaseException as e:
            ours.end(e)
            raise
        if self._is_over(request, ours, response):
            await ours.end_async()
        return response

    def _new(self, request: Any) -> Request | None:
        """
        Return a new request, None if there is one around it already.
        """
        if _outer(request) is not None:
            return None

        def header(name: str) -> list[str]:
            value = request.headers.get(name)
            return [] if value is None else [value]

        request.META[KEY] = ours = self._requests.new(request.method or "GET", request.path, header, request)
        return ours

    def _is_over(self, request: Any, ours: Request, response: Any) -> bool:
        """
        Note what the response says, and tell whether that is all of it.
        """
        _with_route(request, response)
        ours.status = response.status_code
        header = self._requests.header
        if header is not None and header not in response:
            response[header] = ours.id
        if not response.streaming:
            ours.complete()
            return True
        ours.is_begun = hasattr(request, "scope")  # under ASGI, Django sends the headers before the first part is made
        stream = _AsyncStream if response.is_async else _Stream
        file = getattr(response, "file_to_stream", None)
        response.streaming_content = stream(response.streaming_content, ours)
        if file is not None:  # which Django has forgotten now, and a server may send faster
            response.file_to_stream = file
        return False


class _Stream:
    """
    What a response streams: each step of it runs with the request's ids.
    """

    def __init__(self, content: Iterator[bytes], ours: Request) -> None:
        self._content = content
        self._ours = ours
        self._is_used = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._is_used = True
        try:
            with self._ours.part():
                data = next(self._content)
        except StopIteration:
            raise
        except BaseException:  # after which Django closes nothing under ASGI
            self.close()
            raise
        self._ours.is_begun = self._ours.is_begun or bool(data)
        return data

    def close(self) -> None:
        """
        Write the request's end. Django calls it when the response is over.

        Where nothing was taken, the server sent the file itself, or wanted no body.
        """
        self._ours.close(is_whole=not self._is_used)
        self._ours.resolve()
        self._ours.end()

    def __del__(self) -> None:
        self._ours.close(is_whole=False)  # which Django forgets where sending fails
        self._ours.end()


class _AsyncStream:
    """
    Likewise where it streams asynchronously.
    """

    def __init__(self, content: AsyncIterator[bytes], ours: Request) -> None:
        self._content = content
        self._ours = ours

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            with self._ours.part():
                return await anext(self._content)
        except Exception:  # its end, too: Django closes nothing after what it didn't expect
            await self._ours.end_async()
            raise

    def close(self) -> None:
        """
        Write the request's end.
        """
        self._ours.close(is_whole=False)
        self._ours.end()

    def __del__(self) -> None:
        self.close()


def _function(name: str) -> Callable[[Any], Any | Awaitable[Any]] | None:
    given = getattr(conf.settings, name, None)
    try:
        found: Callable[[Any], Any] | None = import_string(given) if isinstance(given, str) else given
    except ImportError as e:
        raise ConfigError(name, f"there's no {given!r} ({e}); it is a function of the request or its dotted path") from e
    return found


def _outer(request: Any) -> Request | None:
    found: Request | None = request.META.get(KEY) or getattr(request, "scope", {}).get(KEY)
    return found


def _with_route(request: Any, response: Any) -> Any:
    ours, match = _outer(request), getattr(request, "resolver_match", None)
    if ours is not None and match is not None:
        ours.route = f"/{match.route.lstrip('/^')}"
    return response


def _seen_user(request: Any) -> Any:
    """
    Return the user's key if it was loaded: to load it now would ask the database.
    """
    user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    return getattr(user, "pk", None)


def _raised(request: Any = None, **_: Any) -> None:
    ours = _outer(request) if request is not None else None
    if ours is not None:
        ours.error = sys.exception()
