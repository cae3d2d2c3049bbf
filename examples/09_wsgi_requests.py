# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
Requests of a WSGI application, to the last byte of what it streams.

You will see the lines of one request over real HTTP, all with the id that the client
sent and gets back, and an end that comes after the last part.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import tierlog
from tierlog.sinks import MemorySink
from tierlog.wsgi import TierlogMiddleware


log = logging.getLogger("shop")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/csv")])
    for row in range(int(environ["PATH_INFO"][1:])):
        log.info("row %d", row)
        yield f"{row},{row * row}\n".encode()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """
        Say nothing: the lines are tierlog's.
        """


if __name__ == "__main__":
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    wrapped = TierlogMiddleware(application, user_id=lambda environ: environ.get("HTTP_X_USER"))
    with make_server("127.0.0.1", 0, wrapped, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/3?token=1"
        with urlopen(Request(url, headers={"X-Request-ID": "req-7f3a", "X-User": "user-42"})) as response:
            print(response.headers["X-Request-ID"], len(response.read()), "bytes")
        thread.join()
    for event in sink.events:
        print(event["reqId"], event["userId"], event["src"], event["msg"])
