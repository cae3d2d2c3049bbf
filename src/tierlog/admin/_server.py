"""
The application, run alone.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tierlog.admin._app import Admin
from tierlog.admin._streaming import ABORT
from tierlog.errors import ConfigError


__all__ = ["listen", "run"]

_BACKLOG = 2_048
_AT_ONCE = struct.pack("ii", 1, 0)
_GRACE = 1  # seconds for answers that are under way when it is to end
_HEAD_BYTES = 65_536  # where a live tail stands is long if many segments are open


def listen(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens.

    Raises:
        ConfigError: It can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(_BACKLOG)
    except OSError as e:
        found.close()
        raise ConfigError("port", f"{host}:{port} can't be listened on ({e.strerror or e}); choose another one") from e
    return found


def run(app: Admin, listening: socket.socket, *, started: Callable[[], None], trusted_proxies: str | None = None) -> None:
    """
    Answer requests until a signal ends it.

    Args:
        app: The application.

        listening: Where to listen.

        started: Called once it answers.

        trusted_proxies: The addresses, separated by commas, whose word is taken for where
            a request comes from; nobody's if None.
    """
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # tickets stand in queries
        server_header=False,
        proxy_headers=trusted_proxies is not None,
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    _Server(config, app, started).run(sockets=[listening])


class _Server(uvicorn.Server):
    """
    Tells the application at once that it is to end.
    """

    def __init__(self, config: uvicorn.Config, app: Admin, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.stop()
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """
    Lets the application cut a connection whose client doesn't read: to close it would
    wait for the client.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app = partial(_with_abort, self.app, partial(_cut, transport))


def _cut(transport: Any) -> None:
    """
    End a connection without waiting for what was sent to be taken: else the kernel would
    keep that for minutes.
    """
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


async def _with_abort(app: Any, abort: Callable[[], None], scope: Scope, receive: Receive, send: Send) -> None:
    scope["extensions"] = {**(scope.get("extensions") or {}), ABORT: {"abort": abort}}
    await app(scope, receive, send)
