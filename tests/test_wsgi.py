"""
Requests of WSGI applications, over real HTTP: their ids to the last byte, one start and one end.
"""

from __future__ import annotations

import http.client
import logging
import socket
import struct
import threading
import time
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from conftest import ULID
from tierlog import context
from tierlog.requests import annotate
from tierlog.wsgi import TierlogMiddleware


log = logging.getLogger("app")
DEADLINE = 60.0


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

    def log_exception(self, *args):
        pass


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64  # clients that a full queue turns away come again after a second

    def handle_error(self, *args):
        pass


@contextmanager
def serving(app):
    """
    Give the port of a server of *app*.
    """
    server = make_server("127.0.0.1", 0, app, server_class=Threaded, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(port, path="/", headers=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    try:
        return response, response.read()
    finally:
        connection.close()


def ends(events, count=2):
    """
    Return how the requests began and ended, once there are *count* events.
    """
    end = time.monotonic() + DEADLINE
    while len(found := events.find(kind="action")) < count and time.monotonic() < end:
        time.sleep(0.005)
    return [(event["data"]["event"], event["data"].get("status")) for event in found]


def hello(environ, start_response):
    log.info("hello")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def test_good(tierlog_events):
    """
    A request has its ids, its path without the query, its status and its duration, and
    the client gets the id back.
    """
    middleware = TierlogMiddleware(hello, user_id=lambda environ: "u-1", project_id=lambda environ: ULID)
    with serving(middleware) as port:
        response, body = get(port, "/caf%C3%A9?token=1", {"X-Request-ID": "req-7f3a"})

    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    end = tierlog_events.find(kind="action")[-1]
    assert (body, response.headers["X-Request-ID"], response.headers["Content-Length"]) == (b"hello", "req-7f3a", "5")
    assert (end["tier"], end["msg"], end["data"]["path"], end["projectId"]) == ("action", "GET /café 200", "/café", ULID)
    assert [(event["reqId"], event["userId"]) for event in tierlog_events.find(src="app")] == [("req-7f3a", "u-1")]


def test_malformed_id(tierlog_events):
    """
    A malformed id is replaced.
    """
    with serving(TierlogMiddleware(hello)) as port:
        response, _ = get(port, headers={"X-Request-ID": "a b"})

    assert len(response.headers["X-Request-ID"]) == 32


def test_ids_are_there_to_the_last_byte(tierlog_events):
    """
    A response that streams, and what cleans up after it, log with the ids of their own
    request; between the steps nothing is bound.
    """
    seen = []

    class Body:
        def __init__(self):
            self.left = 3

        def __iter__(self):
            return self

        def __next__(self):
            log.info("step")
            self.left -= 1
            if self.left == 1:
                annotate(user_id="u-1")
            if self.left < 0:
                raise StopIteration
            return b"x"

        def close(self):
            log.info("close")

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    class Around:
        """
        What a server does between the steps.
        """

        def __init__(self, app):
            self.app = app

        def __call__(self, environ, start_response):
            body = self.app(environ, start_response)
            try:
                for part in body:
                    seen.append(context.current())
                    yield part
            finally:
                body.close()

    with serving(Around(TierlogMiddleware(app))) as port:
        get(port, headers={"X-Request-ID": "r-1"})
        assert ends(tierlog_events) == [("start", None), ("success", 200)]

    lines = tierlog_events.find(src="app")
    assert [(event["msg"], event["reqId"], event["userId"]) for event in lines] == [
        ("step", "r-1", None),
        ("step", "r-1", None),
        ("step", "r-1", "u-1"),
        ("step", "r-1", "u-1"),
        ("close", "r-1", "u-1"),
    ]
    assert set(seen) == {context.EMPTY}


@pytest.mark.parametrize(
    ("where", "status", "phase"),
    [
        pytest.param("call", 500, "application", id="before"),
        pytest.param("called", 500, "application", id="before-with-a-status"),
        pytest.param("first", 500, "application", id="generator-before"),
        pytest.param("started", 500, "application", id="generator-before-with-a-status"),
        pytest.param("middle", 200, "response", id="streaming"),
        pytest.param("close", 200, "background", id="closing"),
    ],
)
def test_raises(tierlog_events, where, status, phase):
    """
    An exception at any moment is one error, with its frames, and with the status that
    the client gets: until the first byte, servers answer with their own.
    """

    def generator(start_response):
        if where == "first":
            raise LookupError("gone")
        start_response("200 OK", [])
        if where == "started":
            raise LookupError("gone")
        yield b"x"
        if where == "middle":
            raise LookupError("gone")

    class Body:
        def __init__(self, start_response):
            self.parts = generator(start_response)

        def __iter__(self):
            return self.parts

        def close(self):
            if where == "close":
                raise LookupError("gone")

    def app(environ, start_response):
        if where == "called":
            start_response("200 OK", [])
        if where in {"call", "called"}:
            raise LookupError("gone")
        return Body(start_response)

    with serving(TierlogMiddleware(app)) as port:
        try:
            response, _ = get(port)
            assert response.status == status
        except (http.client.HTTPException, OSError):
            pass
        assert ends(tierlog_events) == [("start", None), ("error", status)]

    end = tierlog_events.find(kind="action")[-1]["data"]
    assert (end["phase"], end["exc"]["type"]) == (phase, "LookupError")


def test_client_goes(tierlog_events):
    """
    A client that goes in the middle cancels the request, and the application's
    generator is closed with the request's ids.
    """
    goes_on = threading.Event()

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "100000000")])
        try:
            yield b"x" * 1_000
            goes_on.wait(DEADLINE)
            while True:
                yield b"x" * 100_000
        finally:
            log.info("closed")

    with serving(TierlogMiddleware(app)) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\nX-Request-ID: r-1\r\n\r\n")
            client.recv(10)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        goes_on.set()
        assert ends(tierlog_events) == [("start", None), ("cancelled", 200)]

    assert [(event["msg"], event["reqId"]) for event in tierlog_events.find(src="app")] == [("closed", "r-1")]


class TestServersThatStopEarly:
    def call(self, headers, method="GET", status="200 OK", parts=1):
        """
        Take *parts* of the body, then close it, as some servers do.
        """

        def app(environ, start_response):
            start_response(status, headers)
            yield b"hello"
            yield b"world"

        body = TierlogMiddleware(app)({"REQUEST_METHOD": method, "PATH_INFO": "/"}, lambda *_: lambda data: None)
        for _ in range(parts):
            next(body)
        return body

    @pytest.mark.parametrize(
        ("headers", "method", "status", "event"),
        [
            pytest.param([("Content-Length", "5")], "GET", "200 OK", "success", id="all-that-was-announced"),
            pytest.param([], "HEAD", "200 OK", "success", id="head"),
            pytest.param([], "GET", "304 Not Modified", "success", id="no-body-wanted"),
            pytest.param([("Content-Length", "10")], "GET", "200 OK", "cancelled", id="a-part"),
        ],
    )
    def test_close(self, tierlog_events, headers, method, status, event):
        """
        A server needn't come to the body's end if it has what it needs.
        """
        self.call(headers, method, status).close()

        assert [one["data"]["event"] for one in tierlog_events] == ["start", event]

    def test_never_closed(self, tierlog_events):
        """
        A request that a server forgets has an end as well.
        """
        body = self.call([])
        del body

        assert [event["data"]["event"] for event in tierlog_events] == ["start", "cancelled"]


def test_many_at_once(tierlog_events):
    """
    In threads that serve at the same time each line has its own request's id.
    """

    def app(environ, start_response):
        log.info(environ["PATH_INFO"][1:])
        start_response("200 OK", [])
        yield b"x"
        log.info(environ["PATH_INFO"][1:])

    with serving(TierlogMiddleware(app)) as port:
        threads = [threading.Thread(target=get, args=(port, f"/r-{n}", {"X-Request-ID": f"r-{n}"})) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ends(tierlog_events, 32)) == 32

    lines = tierlog_events.find(src="app")
    assert len(lines) == 32
    assert [event for event in lines if event["msg"] != event["reqId"]] == []


def test_write_and_exc_info(tierlog_events):
    """
    The old ``write`` and a second ``start_response`` work as without it; the last status counts.
    """

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            raise LookupError("gone")
        except LookupError as e:
            write = start_response("503 Busy", [("Content-Length", "1")], (type(e), e, None))
        write(b"x")
        return []

    with serving(TierlogMiddleware(app)) as port:
        response, body = get(port)
        assert ends(tierlog_events) == [("start", None), ("error", 503)]

    assert (response.status, body) == (503, b"x")


@pytest.mark.parametrize(
    ("status", "length", "expected"),
    [
        pytest.param("200 OK", "9" * 5_000, 200, id="length-of-many-digits"),
        pytest.param("²⁰⁰ OK", "1", 500, id="digits-of-others"),
    ],
)
def test_answers_that_are_none_are_the_servers_to_refuse(tierlog_events, status, length, expected):
    """
    What isn't a number in an application's answer is passed on as it came, and raises nothing.
    """
    passed = []

    def app(environ, start_response):
        start_response(status, [("Content-Length", length)])
        return [b"x"]

    def start_response(*given):
        passed.append(given[0])

    body = TierlogMiddleware(app)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, start_response)
    parts = list(body)
    body.close()

    assert (passed, parts) == ([status], [b"x"])
    assert ends(tierlog_events)[1] == ("success" if expected == 200 else "error", expected)
