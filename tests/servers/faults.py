"""
Proxies that spoil connections: one for TCP, one for HTTP.

A plan says what becomes of each connection or request, by its number; it may be
changed at any time.
"""

from __future__ import annotations

import http.client
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


__all__ = ["HttpFaults", "TcpFaults"]

_CHUNK = 65_536


class TcpFaults:
    """
    A TCP proxy before a server.

    The plan returns one of ``pass``; ``refuse``; ``reset:N``, after N bytes of the
    client; ``hang:N``, after N bytes nothing moves any more; ``mute``, the server gets
    everything and its answer is lost with the connection; ``slow:N``, N bytes at a time.

    Args:
        server: Host and port.

        plan: Returns what becomes of connection number n, from 0 on.

    Attributes:
        plan: See above; may be replaced.

        connections: How many there were.
    """

    def __init__(self, server: tuple[str, int], plan: Callable[[int], str] = lambda _: "pass") -> None:
        self._server = server
        self.plan = plan
        self.connections = 0
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> TcpFaults:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            what, _, size = self.plan(self.connections).partition(":")
            self.connections += 1
            threading.Thread(target=self._serve, args=(client, what, int(size or 0)), daemon=True).start()

    def _serve(self, client: socket.socket, what: str, size: int) -> None:
        if what == "refuse":
            _reset(client)
            return
        server = socket.create_connection(self._server)
        try:
            self._carry(client, server, what, size)
        except OSError:
            _reset(client)
        finally:
            server.close()
            client.close()

    def _carry(self, client: socket.socket, server: socket.socket, what: str, size: int) -> None:
        ends = {client: server, server: client}
        sent = 0
        while ends:
            for one in select.select(list(ends), [], [], 0.2)[0]:
                data = one.recv(size if what == "slow" else _CHUNK)
                if not data:
                    other = ends.pop(one)
                    with suppress(OSError):
                        other.shutdown(socket.SHUT_WR)
                    continue
                if one is server and what == "mute":
                    _reset(client)
                    return
                if one is client and what in {"reset", "hang"}:
                    if sent + len(data) > size:
                        server.sendall(data[: max(0, size - sent)])
                        if what == "hang":
                            self._ended.wait()
                        _reset(client)
                        return
                    sent += len(data)
                ends[one].sendall(data)
            if self._ended.is_set():
                return


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()


class _Server(ThreadingHTTPServer):
    """
    One that doesn't mind clients and servers that go away.
    """

    def handle_error(self, *args: object) -> None:
        if not isinstance(sys.exception(), (OSError, http.client.HTTPException)):
            super().handle_error(*args)


class HttpFaults:
    """
    An HTTP proxy before a server, which gives some answers itself.

    The plan returns None to pass a request on, or the status and the S3 error code to
    answer with.

    Args:
        server: Host and port.

        plan: Is given the method, the path and the number of the request, from 0 on.

        keeps: Whether connections are kept open for the next request.

    Attributes:
        plan: See above; may be replaced.

        requests: Method and path of each request.

        port: Where it listens; *url* says so, too.
    """

    def __init__(
        self,
        server: tuple[str, int],
        plan: Callable[[str, str, int], tuple[int, str] | None] = lambda *_: None,
        *,
        keeps: bool = True,
    ) -> None:
        self.plan = plan
        self.requests: list[tuple[str, str]] = []
        faults = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if keeps else "HTTP/1.0"

            def log_message(self, *args: object) -> None:
                pass

            def answer(self) -> None:
                number = len(faults.requests)
                faults.requests.append((self.command, self.path))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                planned = faults.plan(self.command, self.path, number)
                if planned is not None:
                    self.give(planned[0], "text/html" if not planned[1] else "application/xml", _error(planned[1]))
                    return
                upstream = http.client.HTTPConnection(*server)
                # The signature is of the Host that the client saw.
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(body)
                got = upstream.getresponse()
                content = got.read()
                self.send_response_only(got.status)
                for name, value in got.getheaders():
                    if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(name, value)
                length = got.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            def give(self, status: int, kind: str, body: bytes) -> None:
                self.send_response_only(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

        self._serving = _Server(("127.0.0.1", 0), Handler)
        self._serving.daemon_threads = True
        self.port = self._serving.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serving.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> HttpFaults:
        return self

    def __exit__(self, *exc: object) -> None:
        self._serving.shutdown()
        self._serving.server_close()


def _error(code: str) -> bytes:
    if not code:
        return b"<html><body>something is wrong here</body></html>"
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode()
