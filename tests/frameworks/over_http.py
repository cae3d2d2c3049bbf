"""
A server of ASGI applications, its clients, and those that go too early.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


DEADLINE = 20.0


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """
    Return what *found* returns as soon as it is true.
    """
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.01)
    raise AssertionError(f"in {DEADLINE:.0f} s there was no {what}")


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """
    Give the port on which uvicorn serves *app*, in a thread.
    """
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "server")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    """
    Return the response to a request, and its body.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request("GET", path, headers=headers or {})
    response = connection.getresponse()
    try:
        return response, response.read()
    finally:
        connection.close()


def leave(port: int, path: str, headers: dict[str, str], when: Callable[[], Any]) -> None:
    """
    Ask for *path*, and go as soon as *when* says so.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n{lines}\r\n".encode())
        wait_for(when, "reason to go")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def ends(events: Any, count: int = 2) -> list[tuple[str, int | None]]:
    """
    Return how requests began and ended, once there are *count* events.
    """
    wait_for(lambda: len(events.find(kind="action", src="api")) >= count, f"{count} events")
    return [(event["data"]["event"], event["data"].get("status")) for event in events.find(kind="action", src="api")]
