"""
Requests of any WSGI application, until the last byte of the response.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

from tierlog.requests import KEY, Request, Requests
from tierlog.typing import Clock


__all__ = ["TierlogMiddleware"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
_NO_BODY = frozenset([204, 304])
_MOST_DIGITS = 18  # of a length


class TierlogMiddleware:
    """
    Bind the ids of each request for its whole length, and write its start and its end.

    Args:
        app: The application around which it is.

        user_id: Returns the user's id of the ``environ``, or None; called before the
            application, and after the response if there was none yet.

        project_id: Likewise the project's.

        exclude: As for :class:`tierlog.asgi.TierlogMiddleware`, and so are *starts*,
            *header* and *clock*.

    Raises:
        ConfigError: An option can't work.
    """

    def __init__(
        self,
        app: Callable[[Any, Any], Iterable[bytes]],
        *,
        user_id: Callable[[Environ], Any] | None = None,
        project_id: Callable[[Environ], Any] | None = None,
        exclude: Iterable[str] = (),
        starts: bool = True,
        header: str | None = "X-Request-ID",
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self.app = app
        self._header = header
        self._requests = Requests(
            user_id=user_id, project_id=project_id, exclude=exclude, starts=starts, header=header, clock=clock
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """
        Serve one request.
        """
        if KEY in environ:
            return self.app(environ, start_response)
        request = self._new(environ)
        request.resolve()
        request.start()
        response = _Response(request, start_response, self._header, is_head=environ.get("REQUEST_METHOD") == "HEAD")
        try:
            with request.step():
                body = self.app(environ, response.start)
        except BaseException as e:
            request.resolve()
            request.end(e)
            raise
        return (_SizedBody if isinstance(body, Sized) else _Body)(body, response)

    def _new(self, environ: Environ) -> Request:
        def header(name: str) -> list[str]:
            value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            return [] if value is None else [str(value)]

        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        readable = path.encode("latin-1", "replace").decode("utf-8", "replace")  # as PEP 3333 has it
        request = self._requests.new(str(environ.get("REQUEST_METHOD", "GET")), readable, header, environ)
        environ[KEY] = request
        return request


class _Response:
    """
    What the application says of its response.
    """

    def __init__(self, request: Request, start_response: StartResponse, header: str | None, *, is_head: bool) -> None:
        self.request = request
        self._start = start_response
        self._header = header
        self._is_head = is_head
        self._length: int | None = None
        self._sent = 0
        request.is_begun = False

    def start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], Any]:
        """
        Pass it on, with the request's id.
        """
        names = {name.lower(): value for name, value in headers}
        if self._header is not None and self._header.lower() not in names:
            headers = [*headers, (self._header, self.request.id)]
        self._length = _number(names.get("content-length", ""), _MOST_DIGITS)
        write = self._start(status, headers, *exc_info)
        self.request.status = _number(status[:3], 3)

        def counted(data: bytes) -> Any:
            self.sent(data)
            return write(data)

        return counted

    def sent(self, data: bytes) -> None:
        """
        Count what was given to the server, which sends the headers with the first of it.
        """
        self._sent += len(data)
        self.request.is_begun = self._sent > 0

    @property
    def is_whole(self) -> bool:
        """
        Whether the server needs no more of the body, though it hasn't come to its end.
        """
        if self._is_head or self.request.status in _NO_BODY:
            return True
        return self._length is not None and self._sent >= self._length


class _Body:
    """
    The response's body: each step of it runs with the request's ids.
    """

    def __init__(self, body: Iterable[bytes], response: _Response) -> None:
        self._body = body
        self._response = response
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._response.request.part():
            if self._iterator is None:
                self._iterator = iter(self._body)
            data = next(self._iterator)
        self._response.sent(data)
        return data

    def close(self) -> None:
        """
        Close the application's body, and write the request's end.
        """
        request = self._response.request
        request.close(is_whole=self._response.is_whole)
        error: BaseException | None = None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                with request.step():
                    close()
        except BaseException as e:
            error = e
            raise
        finally:
            request.resolve()
            request.end(error)

    def __del__(self) -> None:
        self._response.request.close(is_whole=self._response.is_whole)  # by a server that forgot to
        self._response.request.end()


class _SizedBody(_Body):
    """
    One whose number of parts is known: servers work out a Content-Length from one part.
    """

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _number(text: str, most: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most else None
