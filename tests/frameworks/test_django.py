"""
Django, by its test clients, and under uvicorn over real HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from wsgiref.util import FileWrapper

import django
import pytest
from django import conf
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import include, path

from conftest import ULID
from frameworks.over_http import ends, leave, serving
from tierlog import context
from tierlog.errors import ConfigError
from tierlog.requests import annotate


log = logging.getLogger("app")


def order(request, number):
    annotate(project_id=ULID)
    log.info("order %d", number)
    return HttpResponse("ok")


async def async_order(request, number):
    await asyncio.sleep(0)
    log.info("order %d", number)
    return HttpResponse("ok")


def broken(request):
    raise LookupError("gone")


async def async_broken(request):
    raise LookupError("gone")


def stream(request):
    def parts():
        for n in range(3):
            log.info("part %d", n)
            yield b"x"

    return StreamingHttpResponse(parts())


async def async_stream(request):
    async def parts():
        for n in range(1_000 if "long" in request.GET else 3):
            log.info("part %d", n)
            yield b"x" * 1_000
            await asyncio.sleep(0.002)

    return StreamingHttpResponse(parts())


def failing(request):
    def parts():
        if "later" in request.GET:
            yield b"x"
        raise LookupError("gone")

    return StreamingHttpResponse(parts())


async def async_failing(request):
    async def parts():
        if "later" in request.GET:
            yield b"x"
        raise LookupError("gone")

    return StreamingHttpResponse(parts())


async def slow(request):
    log.info("slow")
    await asyncio.sleep(60)


def file(request):
    return FileResponse(open(__file__, "rb"))


def who(request):
    return HttpResponse(str(request.user.pk))


VIEWS = (
    path("orders/<int:number>", order),
    path("async/orders/<int:number>", async_order),
    path("broken", broken),
    path("async/broken", async_broken),
    path("stream", stream),
    path("async/stream", async_stream),
    path("failing", failing),
    path("async/failing", async_failing),
    path("slow", slow),
    path("file", file),
    path("who", who),
)


@pytest.fixture(autouse=True, scope="module")
def _django():
    if conf.settings.configured:
        return
    conf.settings.configure(
        SECRET_KEY="not" + "-secret",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(*VIEWS, path("shop/", include((VIEWS, "shop")))),
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MIDDLEWARE=[
            "tierlog.django.TierlogMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        LOGGING_CONFIG=None,
    )
    django.setup()


def client():
    return Client(raise_request_exception=False)


async def ask(path, **headers):
    response = await AsyncClient(raise_request_exception=False).get(path, headers=headers)
    if response.streaming:
        async for _ in response.streaming_content:
            pass
    response.close()
    return response, context.current()


@pytest.mark.parametrize("prefix", ["", "/shop"])
def test_good(tierlog_events, prefix):
    """
    A request has its route, whole though it be included, and the project that the view
    annotates.
    """
    response = client().get(f"{prefix}/orders/42?token=1", headers={"X-Request-ID": "req-7f3a"})

    end = tierlog_events.find(kind="action")[-1]
    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    assert (end["projectId"], end["data"]["route"], end["data"]["path"]) == (
        ULID,
        f"{prefix}/orders/<int:number>",
        f"{prefix}/orders/42",
    )
    assert (tierlog_events.find(src="app")[0]["reqId"], response.headers["X-Request-ID"]) == ("req-7f3a", "req-7f3a")
    assert context.current() == context.EMPTY


@pytest.mark.parametrize("path", ["/async/orders/42", "/orders/42"])
def test_async(tierlog_events, path):
    """
    Under ASGI the ids are there in coroutines and in the threads of plain views.
    """
    response, after = asyncio.run(ask(path, **{"X-Request-ID": "r-1"}))

    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    assert (response.status_code, tierlog_events.find(src="app")[0]["reqId"], after) == (200, "r-1", context.EMPTY)


def test_async_at_once(tierlog_events):
    """
    Of twenty requests at once each line has its own id.
    """

    async def main():
        await asyncio.gather(*(ask(f"/async/orders/{n}", **{"X-Request-ID": f"r-{n}"}) for n in range(20)))

    asyncio.run(main())

    lines = tierlog_events.find(src="app")
    assert len(lines) == 20
    assert [event for event in lines if event["reqId"] != f"r-{event['msg'].split()[1]}"] == []


@pytest.mark.parametrize("is_async", [False, True])
def test_broken(tierlog_events, is_async):
    """
    A view that raises is one error with its frames; Django's own line about it has the
    same id.
    """
    if is_async:
        asyncio.run(ask("/async/broken", **{"X-Request-ID": "r-1"}))
    else:
        client().get("/broken", headers={"X-Request-ID": "r-1"})

    end = tierlog_events.find(kind="action")[-1]
    assert ends(tierlog_events) == [("start", None), ("error", 500)]
    assert (end["data"]["exc"]["type"], end["data"]["phase"]) == ("LookupError", "application")
    assert tierlog_events.find(src="django.request")[0]["reqId"] == "r-1"


@pytest.mark.parametrize("is_async", [False, True])
def test_stream(tierlog_events, is_async):
    """
    What streams logs with the request's ids, and the end comes after it.
    """
    if is_async:
        asyncio.run(ask("/async/stream", **{"X-Request-ID": "r-1"}))
    else:
        list(client().get("/stream", headers={"X-Request-ID": "r-1"}).streaming_content)

    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    kept = [event for event in tierlog_events if event["src"] in {"app", "api"}]
    assert [(event["src"], event["reqId"]) for event in kept] == [("api", "r-1"), *[("app", "r-1")] * 3, ("api", "r-1")]


class ClosedHandler(ASGIHandler):
    """
    One whose request's body can be closed, which Django forgets.
    """

    body = None

    async def read_body(self, receive):
        self.body = await super().read_body(receive)
        return self.body


class TestFailingStream:
    @pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
    @pytest.mark.parametrize("path", ["/failing", "/async/failing", "/async/failing?later=1"])
    def test_under_asgi(self, tierlog_events, path):
        """
        It is an error though Django closes nothing then; the status was sent before it
        began.
        """
        handler, sent = ClosedHandler(), []

        async def receive():
            if handler.body is not None:
                await asyncio.Event().wait()
            return {"type": "http.request"}

        async def send(message):
            sent.append(message.get("status"))

        name, _, query = path.partition("?")
        with pytest.raises(LookupError):
            scope = {"type": "http", "method": "GET", "path": name, "query_string": query.encode(), "headers": []}
            asyncio.run(handler(scope, receive, send))
        handler.body.close()

        assert sent[0] == 200
        assert ends(tierlog_events) == [("start", None), ("error", 200)]
        assert tierlog_events.find(kind="action")[-1]["data"]["exc"]["type"] == "LookupError"

    @pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
    @pytest.mark.parametrize(("path", "status"), [("/failing", 500), ("/failing?later=1", 200), ("/async/failing?later=1", 500)])
    def test_under_wsgi(self, tierlog_events, path, status):
        """
        It is an error with the status that the client gets: the server's own until the
        first byte, for which Django waits to the end of an asynchronous one.
        """
        environ = {
            **RequestFactory()._base_environ(),
            "PATH_INFO": path.partition("?")[0],
            "QUERY_STRING": path.partition("?")[2],
        }
        body = WSGIHandler()(environ, lambda *_: None)
        with pytest.raises(LookupError):
            b"".join(body)
        body.close()

        assert ends(tierlog_events) == [("start", None), ("error", status)]


def test_file(tierlog_events):
    """
    A file is a response like any other.
    """
    b"".join(client().get("/file").streaming_content)

    assert ends(tierlog_events) == [("start", None), ("success", 200)]


def test_file_that_the_server_sends(tierlog_events):
    """
    A file that a server takes over, past Django's response, is a success.
    """
    environ = {**RequestFactory()._base_environ(), "PATH_INFO": "/file", "wsgi.file_wrapper": FileWrapper}
    body = WSGIHandler()(environ, lambda *_: None)
    b"".join(body)
    body.close()

    assert (type(body), ends(tierlog_events)) == (FileWrapper, [("start", None), ("success", 200)])


class TestClientGoes:
    def test_under_wsgi(self, tierlog_events):
        """
        A server that closes a stream in the middle cancels the request.
        """
        environ = {**RequestFactory()._base_environ(), "PATH_INFO": "/stream"}
        body = WSGIHandler()(environ, lambda *_: None)
        next(iter(body))
        body.close()

        assert ends(tierlog_events) == [("start", None), ("cancelled", 200)]

    def test_while_streaming(self, tierlog_events):
        """
        A client that goes in the middle of a stream cancels the request.
        """
        with serving(ASGIHandler()) as port:
            leave(port, "/async/stream?long=1", {"X-Request-ID": "r-1"}, lambda: tierlog_events.find(src="app", reqId="r-1"))
            assert ends(tierlog_events) == [("start", None), ("cancelled", 200)]

    def test_before(self, tierlog_events):
        """
        A client that goes before there is a response cancels it, too.
        """
        with serving(ASGIHandler()) as port:
            leave(port, "/slow", {"X-Request-ID": "r-1"}, lambda: tierlog_events.find(src="app", reqId="r-1"))
            assert ends(tierlog_events) == [("start", None), ("cancelled", None)]


class TestUser:
    def test_who_is_logged_in(self, tierlog_events):
        """
        Who was loaded is the user of the end; nobody is loaded for it.
        """
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User

        known = client()
        known.force_login(User.objects.create_user("jane"))
        tierlog_events.clear()
        response = known.get("/who")
        known.get("/orders/1")

        users = [event["userId"] for event in tierlog_events if event["data"].get("event") == "success"]
        assert users == [response.content.decode(), None]

    def test_by_a_function(self, tierlog_events):
        """
        Settings name functions, which are asked for each request.
        """
        own = {"TIERLOG_USER_ID": lambda request: request.headers["X-User"], "TIERLOG_STARTS": False, "TIERLOG_HEADER": "X-Trace"}
        with override_settings(**own, TIERLOG_EXCLUDE=["/broken"]):
            response = client().get("/orders/1", headers={"X-User": "u-1", "X-Trace": "t-1"})
            client().get("/broken", headers={"X-User": "u-1"})

        assert {event["userId"] for event in tierlog_events.find(src="app")} == {"u-1"}
        assert (response.headers["X-Trace"], ends(tierlog_events, 1)) == ("t-1", [("success", 200)])

    def test_a_path_that_leads_nowhere(self):
        """
        A dotted path that is wrong says so when Django starts.
        """
        with override_settings(TIERLOG_USER_ID="shop.nobody"), pytest.raises(ConfigError) as raised:
            client().get("/orders/1")

        assert raised.value.setting == "TIERLOG_USER_ID"
