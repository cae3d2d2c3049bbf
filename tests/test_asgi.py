"""
Requests of ASGI applications: their ids to the end, one start and one end, however they end.
"""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

import tierlog
from conftest import ULID
from tierlog import context
from tierlog.asgi import TierlogMiddleware, template
from tierlog.requests import annotate


log = logging.getLogger("app")
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


class Served:
    """
    One request as a server sees it.
    """

    def __init__(self, path, headers, kind, messages):
        self.scope = {
            "type": kind,
            "path": path,
            "headers": headers,
            "query_string": b"token=1",
            "root_path": "",
            "asgi": {"spec_version": "2.3"},
        }
        if kind == "http":
            self.scope["method"] = "GET"
        self.messages = messages
        self.sent = []
        self.has_gone = asyncio.Event()
        self.fails = False

    async def receive(self):
        if self.messages:
            return self.messages.pop(0)
        await self.has_gone.wait()
        return {"type": f"{self.scope['type']}.disconnect", "code": 1006}

    async def send(self, message):
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("the client has gone")
        self.sent.append(message)

    @property
    def headers(self):
        return dict(self.sent[0]["headers"])


def request(path="/", headers=(), kind="http", messages=None):
    first = {"type": "http.request", "body": b"", "more_body": False} if kind == "http" else {"type": "websocket.connect"}
    return Served(path, list(headers), kind, [first] if messages is None else messages)


def serve(app, served):
    """
    Serve it, and return what the application raised.
    """

    async def main():
        try:
            await app(served.scope, served.receive, served.send)
        except BaseException as e:
            return e

    return asyncio.run(main())


def ends(events):
    return [(event["data"]["event"], event["data"].get("status")) for event in events.find(kind="action")]


async def hello(scope, receive, send):
    log.info("hello")
    await send(START)
    await send({"type": "http.response.body", "body": b"hello"})


class TestIds:
    def test_given(self, tierlog_events):
        """
        A well-formed id of the client is bound, and sent back.
        """
        served = request(headers=[(b"X-Request-Id", b"req-7f3a")])

        serve(TierlogMiddleware(hello), served)

        assert {event["reqId"] for event in tierlog_events.find(src="app")} == {"req-7f3a"}
        assert served.headers[b"x-request-id"] == b"req-7f3a"

    @pytest.mark.parametrize("value", [b"a\r\nb: c", b"\xff\xfe", b"x" * 1_000, b""])
    def test_malformed(self, tierlog_events, value):
        """
        A malformed one is replaced, and never sent back.
        """
        served = request(headers=[(b"x-request-id", value)])

        serve(TierlogMiddleware(hello), served)

        (req_id,) = {event["reqId"] for event in tierlog_events.find(kind="action")}
        assert (len(req_id), served.headers[b"x-request-id"]) == (32, req_id.encode())

    def test_of_the_user_and_the_project(self, tierlog_events):
        """
        Functions say who and which, a coroutine as well, and are asked again at the end.
        """

        async def user_id(scope):
            return scope.get("user")

        async def app(scope, receive, send):
            log.info("inside")
            scope["user"] = "u-1"
            await hello(scope, receive, send)

        middleware = TierlogMiddleware(app, user_id=user_id, project_id=lambda scope: scope["path"].strip("/"))

        serve(middleware, request(path=f"/{ULID}"))

        start, end = tierlog_events.find(kind="action")
        assert (start["tier"], start["userId"], end["userId"], end["projectId"]) == ("action", None, "u-1", ULID)
        assert {event["projectId"] for event in tierlog_events.find(src="app")} == {ULID}

    def test_in_what_the_functions_log(self, tierlog_events):
        """
        What a function logs while it looks for an id is the request's, too.
        """

        def user_id(scope):
            log.info("who is it?")

        serve(TierlogMiddleware(hello, user_id=user_id), request(headers=[(b"x-request-id", b"r-1")]))

        assert [(event["msg"], event["reqId"]) for event in tierlog_events.find(src="app")] == [
            ("who is it?", "r-1"),
            ("hello", "r-1"),
            ("who is it?", "r-1"),
        ]
        assert context.current() == context.EMPTY

    def test_never_leak(self, tierlog_events):
        """
        Fifty requests at once, in threads, tasks, streams and background tasks: each
        line has its own request's id and user, and nothing is bound afterwards.
        """

        def in_a_thread(request):
            annotate(user_id=request.path_params["n"])
            log.info("%s", request.path_params["n"])
            return PlainTextResponse("ok", background=BackgroundTask(later, request.path_params["n"]))

        def later(n):
            log.info("%s", n)

        async def streaming(request):
            async def parts():
                for _ in range(3):
                    await asyncio.sleep(0)
                    log.info("%s", request.path_params["n"])
                    yield b"x"

            return StreamingResponse(parts())

        app = TierlogMiddleware(Starlette(routes=[Route("/thread/{n}", in_a_thread), Route("/stream/{n}", streaming)]))

        async def one(kind, n):
            served = request(f"/{kind}/{n}", [(b"x-request-id", f"r-{n}".encode())])
            await app(served.scope, served.receive, served.send)
            return context.current()

        async def main():
            return await asyncio.gather(*(one(("thread", "stream")[n % 2], n) for n in range(50)))

        assert set(asyncio.run(main())) == {context.EMPTY}
        lines = tierlog_events.find(src="app")
        assert len(lines) == 125
        assert [event for event in lines if event["reqId"] != f"r-{event['msg']}"] == []
        assert {event["userId"] for event in tierlog_events if event["data"].get("event") == "success"} == {
            None,
            *(str(n) for n in range(0, 50, 2)),
        }

    def test_behind_a_middleware_that_makes_tasks(self, tierlog_events):
        """
        Starlette's BaseHTTPMiddleware, which runs what is inside in other tasks, loses
        nothing that is annotated.
        """

        class Base(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                return await call_next(request)

        async def view(request):
            annotate(project_id=ULID)
            log.info("view")
            return PlainTextResponse("ok")

        app = TierlogMiddleware(Starlette(routes=[Route("/a", view)], middleware=[Middleware(Base), Middleware(Base)]))

        serve(app, request("/a", [(b"x-request-id", b"r-1")]))

        assert {event["reqId"] for event in tierlog_events.find(src="app")} == {"r-1"}
        assert tierlog_events.find(kind="action")[-1]["projectId"] == ULID

    def test_in_the_handler_of_errors(self, tierlog_events):
        """
        Around the whole application, handlers of exceptions are in the request, too.
        """

        async def view(request):
            raise LookupError("gone")

        async def handler(request, error):
            log.info("handled")
            return PlainTextResponse("sorry", status_code=500)

        app = TierlogMiddleware(Starlette(routes=[Route("/a", view)], exception_handlers={Exception: handler}))
        serve(app, request("/a", [(b"x-request-id", b"r-1")]))

        assert tierlog_events.find(src="app")[0]["reqId"] == "r-1"
        end = tierlog_events.find(kind="action")[-1]
        assert (end["data"]["status"], end["data"]["phase"], end["data"]["exc"]["type"]) == (500, "application", "LookupError")


class TestOneEnd:
    def test_good(self, tierlog_events):
        """
        A request says its method, its path without the query, its status and how long it took.
        """
        serve(TierlogMiddleware(hello), request("/shop"))

        start, end = tierlog_events.find(kind="action")
        assert start["data"] == {"event": "start", "method": "GET", "path": "/shop"}
        assert (end["tier"], end["lvl"], end["src"], end["msg"]) == ("system", "info", "api", "GET /shop 200")
        assert end["data"].pop("durationMs") >= 0
        assert end["data"] == {"event": "success", "method": "GET", "path": "/shop", "status": 200}

    def test_raises_before(self, tierlog_events):
        """
        An exception before the response is the server's 500, and goes on.
        """

        async def app(scope, receive, send):
            raise LookupError("gone")

        assert isinstance(serve(TierlogMiddleware(app), request()), LookupError)
        assert ends(tierlog_events) == [("start", None), ("error", 500)]
        assert tierlog_events[-1]["data"]["exc"]["message"] == "gone"

    def test_raises_while_streaming(self, tierlog_events):
        """
        An exception in the middle of a response is an error though the status is good.
        """

        async def app(scope, receive, send):
            await send(START)
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            raise LookupError("gone")

        assert isinstance(serve(TierlogMiddleware(app), request()), LookupError)
        assert ends(tierlog_events) == [("start", None), ("error", 200)]
        assert tierlog_events[-1]["data"]["phase"] == "response"

    def test_raises_after(self, tierlog_events):
        """
        A background task that raises is an error of the request that began it.
        """

        def later():
            log.info("later")
            raise LookupError("gone")

        async def view(request):
            return PlainTextResponse("ok", background=BackgroundTask(later))

        serve(TierlogMiddleware(Starlette(routes=[Route("/a", view)])), request("/a", [(b"x-request-id", b"r-1")]))

        end = tierlog_events.find(kind="action")[-1]
        assert ends(tierlog_events) == [("start", None), ("error", 200)]
        assert (end["data"]["phase"], tierlog_events.find(src="app")[0]["reqId"]) == ("background", "r-1")
        assert end["data"]["totalMs"] >= end["data"]["durationMs"]

    @pytest.mark.parametrize("version", ["2.3", "2.4"])
    def test_client_goes_while_streaming(self, tierlog_events, version):
        """
        A client that goes in the middle cancels the request, as either version of ASGI
        says it.
        """

        async def view(request):
            async def parts():
                while True:
                    yield b"x"
                    await asyncio.sleep(0)
                    served.has_gone.set()
                    served.fails = version == "2.4"

            return StreamingResponse(parts())

        app = TierlogMiddleware(Starlette(routes=[Route("/a", view)]))
        served = request("/a")
        served.scope["asgi"]["spec_version"] = version

        serve(app, served)

        assert ends(tierlog_events) == [("start", None), ("cancelled", 200)]

    def test_client_goes_while_uploading(self, tierlog_events):
        """
        A client that goes before it has sent all cancels the request.
        """

        async def view(request: Request):
            await request.body()

        app = TierlogMiddleware(Starlette(routes=[Route("/a", view, methods=["GET"])]))
        served = request("/a", messages=[{"type": "http.request", "body": b"x", "more_body": True}])
        served.has_gone.set()

        serve(app, served)

        assert [event for event, _ in ends(tierlog_events)] == ["start", "cancelled"]

    def test_task_is_cancelled(self, tierlog_events):
        """
        A server that cancels the task cancels the request, and the cancellation goes on.
        """

        async def app(scope, receive, send):
            await asyncio.Event().wait()

        async def main():
            served = request()
            task = asyncio.create_task(TierlogMiddleware(app)(served.scope, served.receive, served.send))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

        assert asyncio.run(main())
        assert ends(tierlog_events) == [("start", None), ("cancelled", None)]

    def test_task_is_cancelled_after_the_response(self, tierlog_events):
        """
        A task that is cancelled while it is asked whose request it was has one end.
        """
        is_asked = asyncio.Event()

        async def user_id(scope):
            if "answered" in scope:
                is_asked.set()
                await asyncio.Event().wait()

        async def app(scope, receive, send):
            await hello(scope, receive, send)
            scope["answered"] = True

        async def main():
            served = request()
            task = asyncio.create_task(TierlogMiddleware(app, user_id=user_id)(served.scope, served.receive, served.send))
            await is_asked.wait()
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

        assert asyncio.run(main())
        assert ends(tierlog_events) == [("start", None), ("success", 200)]

    @pytest.mark.parametrize(
        ("messages", "expected"),
        [pytest.param([], ("error", 500), id="nothing"), pytest.param([START], ("error", 200), id="no-body")],
    )
    def test_no_whole_response(self, tierlog_events, messages, expected):
        """
        An application that returns without an answer, or with half of one, has failed.
        """

        async def app(scope, receive, send):
            for message in messages:
                await send(message)

        serve(TierlogMiddleware(app), request())

        assert ends(tierlog_events) == [("start", None), expected]

    def test_an_exception_is_written_once(self, tierlog_events):
        """
        What an action inside has written isn't written once more.
        """

        async def app(scope, receive, send):
            with tierlog.action("a", project_id=ULID):
                raise LookupError("gone")

        serve(TierlogMiddleware(app), request())

        assert ["exc" in event["data"] for event in tierlog_events if event["lvl"] == "error"] == [True, False]

    def test_twice_around(self, tierlog_events):
        """
        Two of them around one application are one request.
        """
        serve(TierlogMiddleware(Starlette(routes=[Mount("/a", TierlogMiddleware(hello))])), request("/a/b"))

        assert ends(tierlog_events) == [("start", None), ("success", 200)]


class TestOptions:
    def test_exclude(self, tierlog_events):
        """
        An excluded path has no events, and its id all the same.
        """
        serve(TierlogMiddleware(hello, exclude=["/healthz"]), request("/healthz", [(b"x-request-id", b"r-1")]))

        assert [(event["src"], event["reqId"]) for event in tierlog_events if event["src"] != "asyncio"] == [("app", "r-1")]

    def test_without_starts(self, tierlog_events):
        """
        A request can be its end alone.
        """
        serve(TierlogMiddleware(hello, starts=False), request())

        assert ends(tierlog_events) == [("success", 200)]

    def test_another_header(self):
        """
        The id comes in and goes back in the header that is named, and in none if none is.
        """
        named, silent = (request(headers=[(b"x-correlation-id", b"r-1")]) for _ in range(2))

        serve(TierlogMiddleware(hello, header="X-Correlation-ID"), named)
        serve(TierlogMiddleware(hello, header=None), silent)

        assert named.headers[b"x-correlation-id"] == b"r-1"
        assert [name for name in silent.headers if b"id" in name] == []

    def test_the_applications_own_header_stays(self):
        """
        An id that the application sends itself isn't sent twice.
        """

        async def app(scope, receive, send):
            await send({**START, "headers": ((b"X-Request-ID", b"own"),)})
            await send({"type": "http.response.body"})

        served = request()

        serve(TierlogMiddleware(app), served)

        assert list(served.sent[0]["headers"]) == [(b"X-Request-ID", b"own")]


class TestRoute:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            pytest.param("/projects/7", "/projects/{id:int}", id="parameter"),
            pytest.param("/users/users", "/users/{name}", id="value-like-a-part"),
            pytest.param("/api/acme/builds/acme", "/api/{org}/builds/{id}", id="mounted"),
            pytest.param("/files/a/b/c.txt", "/files/{path}", id="rest"),
            pytest.param("/nowhere", None, id="none"),
        ],
    )
    def test_starlette(self, tierlog_events, path, expected):
        """
        The end has the route's template, whole though it be mounted.
        """

        async def view(request):
            return PlainTextResponse("ok")

        inner = Starlette(routes=[Route("/builds/{id}", view)])
        routes = [
            Route("/projects/{id:int}", view),
            Route("/users/{name}", view),
            Mount("/api/{org}", inner),
            Route("/files/{path:path}", view),
        ]

        serve(TierlogMiddleware(Starlette(routes=routes)), request(path))

        end = tierlog_events.find(kind="action")[-1]
        assert end["data"].get("route") == expected
        assert end["msg"].split()[1] == (expected or path)

    def test_litestar(self):
        """
        Litestar says its template itself.
        """
        assert template({"path_template": "/projects/{id}", "path": "/projects/7"}) == "/projects/{id}"

    def test_before_starlette_said_it(self):
        """
        Without a route, the template is made of the path and its parameters.
        """
        scope = {"endpoint": hello, "path": "/a/7/b/7", "path_params": {"x": 7, "y": 7}}

        assert template(scope) == "/a/{x}/b/{y}"


def test_an_id_of_which_nothing_may_be_asked(tierlog_events):
    """
    Whatever a function or an endpoint gives as an id, the request is served, and it is one; so is 0.
    """

    class Odd:
        def __bool__(self):
            raise TypeError("the truth of this isn't defined")

        def __str__(self):
            return "u-1"

    async def app(scope, receive, send):
        annotate(project_id=0)
        await hello(scope, receive, send)

    error = serve(TierlogMiddleware(app, user_id=lambda scope: Odd(), project_id=lambda scope: Odd()), request("/7"))

    assert error is None
    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    assert {event["userId"] for event in tierlog_events.find(kind="action")} == {"u-1"}
    assert tierlog_events[-1]["data"]["_tierlog"]["invalid"] == {"projectId": "0"}


def test_a_parameter_that_is_no_text(tierlog_events, capfd):
    """
    A route that can't be told costs the request neither its answer nor its end.
    """

    class Odd:
        def __str__(self):
            raise LookupError("no text")

    async def app(scope, receive, send):
        scope["endpoint"], scope["path_params"] = app, {"id": Odd()}
        await hello(scope, receive, send)

    error = serve(TierlogMiddleware(app), request("/7"))

    assert error is None
    assert ends(tierlog_events) == [("start", None), ("success", 200)]


class TestWebSocket:
    def serve(self, view, messages=()):
        served = request("/ws/7", kind="websocket", messages=[{"type": "websocket.connect"}, *messages])
        served.has_gone.set()
        error = serve(TierlogMiddleware(Starlette(routes=[WebSocketRoute("/ws/{n}", view)])), served)
        return served, error

    def test_closed_in_order(self, tierlog_events):
        """
        A connection that either side closes is one request, with its ids.
        """

        async def view(socket):
            await socket.accept()
            log.info("inside")
            await socket.close(1000)

        served, _ = self.serve(view)

        end = tierlog_events.find(kind="action")[-1]
        assert ends(tierlog_events) == [("start", None), ("success", 101)]
        assert (end["data"]["method"], end["data"]["route"], end["data"]["closeCode"]) == ("WEBSOCKET", "/ws/{n}", 1000)
        assert tierlog_events.find(src="app")[0]["reqId"].encode() == dict(served.sent[0]["headers"])[b"x-request-id"]

    @pytest.mark.parametrize(("code", "event"), [(1001, "success"), (1006, "cancelled")])
    def test_client_goes(self, tierlog_events, code, event):
        """
        A client that closes is the normal end; one that is lost cancels it. Starlette
        raises for both.
        """

        async def view(socket):
            await socket.accept()
            await socket.receive_text()

        _, error = self.serve(view, [{"type": "websocket.disconnect", "code": code}])

        assert isinstance(error, WebSocketDisconnect) or error is None
        assert ends(tierlog_events) == [("start", None), (event, 101)]

    def test_client_is_gone_when_something_is_sent(self, tierlog_events):
        """
        A server that says so by an OSError cancels the connection, as it does a request.
        """
        served = request("/ws/7", kind="websocket")

        async def app(scope, receive, send):
            await send({"type": "websocket.accept"})
            served.fails = True
            await send({"type": "websocket.send", "text": "hello"})

        error = serve(TierlogMiddleware(app), served)

        assert isinstance(error, OSError)
        assert ends(tierlog_events) == [("start", None), ("cancelled", 101)]

    def test_refused_or_failing(self, tierlog_events):
        """
        One that is never accepted is refused; one whose view raises is an error.
        """

        async def refuse(socket):
            await socket.close()

        async def fail(socket):
            await socket.accept()
            raise LookupError("gone")

        self.serve(refuse)
        self.serve(fail)

        assert ends(tierlog_events) == [("start", None), ("success", 403), ("start", None), ("error", 101)]


def test_the_lifespan_passes_by(tierlog_events):
    """
    What isn't a request is none.
    """
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    scope = {"type": "lifespan"}

    serve(TierlogMiddleware(app), type("S", (), {"scope": scope, "receive": None, "send": None}))

    assert (seen == [{"type": "lifespan"}], tierlog_events.find(kind="action")) == (True, [])


def test_without_a_handler():
    """
    Where nobody listens, the application is served all the same.
    """
    served = request()

    serve(TierlogMiddleware(hello), served)

    assert served.sent[-1]["body"] == b"hello"
