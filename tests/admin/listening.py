"""
A client of event streams, for the tests.
"""

from __future__ import annotations

import json
import socket
from typing import NamedTuple
from urllib.parse import urlsplit


__all__ = ["Listening", "Said"]


class Said(NamedTuple):
    """
    An event of a stream: its name, its id, and its data.
    """

    name: str
    id: str
    data: dict


class Listening:
    """
    A connection to a live tail of *server*; an iterator of :class:`Said`.
    """

    def __init__(self, server, query="", *, token=None, last_id=None, buffer=None, timeout=120):
        where = urlsplit(server.url)
        self._socket = socket.socket()
        if buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(timeout)
        self._socket.connect((where.hostname, where.port))
        headers = [f"GET /v1/admin/logs/stream?{query} HTTP/1.1", "Host: x", f"Authorization: Bearer {token or server.token}"]
        headers += [f"Last-Event-ID: {last_id}"] if last_id else []
        self._socket.sendall("\r\n".join([*headers, "", ""]).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        lines = iter(lambda: self._file.readline().strip().decode(), "")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.last_id = last_id
        self.retry = None
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            fields = {}
            while line := self._line():
                name, _, value = line.decode().partition(": ")
                fields[name] = value
            self.last_id = fields.get("id", self.last_id)
            self.retry = fields.get("retry", self.retry)
            if "data" in fields:
                return Said(fields.get("event", "message"), self.last_id, json.loads(fields["data"]))

    def messages(self):
        """
        Yield the events of the log.
        """
        return (said for said in self if said.name == "message")

    def close(self):
        """
        Go away, at once.
        """
        self._file.close()
        self._socket.close()

    def _line(self):
        while b"\n" not in self._rest:
            size = self._file.readline()
            if not size.strip() or size == b"0\r\n":
                raise StopIteration
            chunk = self._file.read(int(size, 16) + 2)
            self._rest += chunk[:-2]
        line, _, self._rest = self._rest.partition(b"\n")
        return line
