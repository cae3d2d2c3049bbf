"""
What is decided about a request: its id, and how it ended.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import weakref

import pytest

import tierlog
from conftest import ULID
from tierlog import context, requests
from tierlog.errors import ConfigError
from tierlog.requests import Requests, outcome, request_id


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("given", "traces", "expected"),
    [
        pytest.param(["req-7f3a"], [], "req-7f3a", id="plain"),
        pytest.param([" 01ARZ3NDEKTSV4RRFFQ69G5FAV "], [], ULID, id="spaces-around"),
        pytest.param(["Root=1-678-ab/c+d=="], [], "Root=1-678-ab/c+d==", id="marks"),
        pytest.param(["a" * 128], [], "a" * 128, id="longest"),
        pytest.param(["a" * 129], [], None, id="too-long"),
        pytest.param([""], [], None, id="empty"),
        pytest.param(["a b"], [], None, id="space"),
        pytest.param(["a\r\nSet-Cookie: x=1"], [], None, id="two-headers-in-one"),
        pytest.param(["a\n"], [], "a", id="newline-behind"),
        pytest.param(["é"], [], None, id="not-ascii"),
        pytest.param(["<script>"], [], None, id="markup"),
        pytest.param(["a", "b"], [], None, id="twice"),
        pytest.param(["a,b"], [], None, id="joined"),
        pytest.param(["bad id"], [f"00-{TRACE}-{PARENT}-01"], TRACE, id="trace-instead"),
        pytest.param([], [f"00-{TRACE}-{PARENT}-00"], TRACE, id="trace"),
        pytest.param([], [f"cc-{TRACE}-{PARENT}-01-what-comes-later"], TRACE, id="later-version"),
        pytest.param([], [f"00-{TRACE}-{PARENT}-01-more"], None, id="version-0-has-no-more"),
        pytest.param([], [f"ff-{TRACE}-{PARENT}-01"], None, id="no-such-version"),
        pytest.param([], [f"00-{'0' * 32}-{PARENT}-01"], None, id="no-trace"),
        pytest.param([], [f"00-{TRACE}-{'0' * 16}-01"], None, id="no-parent"),
        pytest.param([], [f"00-{TRACE.upper()}-{PARENT}-01"], None, id="upper-case"),
        pytest.param([], [f"00-{TRACE}-{PARENT}-01"] * 2, None, id="trace-twice"),
    ],
)
def test_request_id(given, traces, expected):
    """
    An id is taken from a header only if it is well-formed.
    """
    assert request_id(given, traces) == expected


@pytest.mark.parametrize(
    ("status", "error", "is_complete", "is_disconnected", "expected"),
    [
        pytest.param(200, None, True, False, ("success", "info"), id="good"),
        pytest.param(404, None, True, False, ("success", "info"), id="the-client-is-wrong"),
        pytest.param(503, None, True, False, ("error", "error"), id="the-server-is-wrong"),
        pytest.param(None, LookupError(), False, False, ("error", "error"), id="raised"),
        pytest.param(200, LookupError(), False, False, ("error", "error"), id="raised-while-streaming"),
        pytest.param(200, LookupError(), True, False, ("error", "error"), id="raised-in-the-background"),
        pytest.param(None, None, False, False, ("error", "error"), id="no-response"),
        pytest.param(200, None, False, False, ("error", "error"), id="half-a-response"),
        pytest.param(200, None, False, True, ("cancelled", "warn"), id="gone"),
        pytest.param(None, LookupError(), False, True, ("cancelled", "warn"), id="gone-and-raised"),
        pytest.param(500, None, True, True, ("cancelled", "warn"), id="gone-and-answered"),
        pytest.param(None, asyncio.CancelledError(), False, False, ("cancelled", "warn"), id="cancelled"),
        pytest.param(200, GeneratorExit(), False, False, ("cancelled", "warn"), id="generator-left"),
    ],
)
def test_outcome(status, error, is_complete, is_disconnected, expected):
    """
    A request ends in one of three ways.
    """
    found = outcome(status=status, error=error, is_complete=is_complete, is_disconnected=is_disconnected)

    assert found[:2] == expected


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        pytest.param({"exclude": "/healthz"}, "exclude", id="text-for-list"),
        pytest.param({"exclude": ["healthz"]}, "exclude", id="no-path"),
        pytest.param({"header": "X Request"}, "header", id="no-header"),
        pytest.param({"user_id": "me"}, "user_id", id="no-function"),
    ],
)
def test_options_that_cannot_work(options, setting):
    """
    An option that can't work says so where it is given.
    """
    with pytest.raises(ConfigError) as raised:
        Requests(**options)

    assert raised.value.setting == setting


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/healthz", True), ("/healthz/deep", False), ("/static/a/b.css", True), ("/staticfiles", False), ("/", False)],
)
def test_exclude(path, expected):
    """
    A path is left out by its name, or all below one.
    """
    assert Requests(exclude=iter(["/healthz", "/static/*"])).excludes(path) is expected


class TestRequest:
    def test_ends_once(self, tierlog_events):
        """
        However often it is said, a request has one end.
        """
        request = Requests().new("GET", "/a", lambda name: [], None)
        request.start()
        request.status = 200
        request.complete()
        request.end()
        request.end(LookupError())

        assert [event["data"]["event"] for event in tierlog_events] == ["start", "success"]

    def test_is_let_go(self):
        """
        A task that goes on after the request keeps neither it nor what it raised.
        """

        class Source:
            pass

        source, error = Source(), LookupError()
        request = Requests().new("GET", "/a", lambda name: [], source)
        kept = weakref.ref(source)
        with request.step():
            left = contextvars.copy_context()
        request.end(error)
        before = sys.getrefcount(error)
        del source, request

        assert (kept(), before) == (None, 2)
        assert left.run(context.current).req_id

    def test_an_id_is_made(self):
        """
        A request without an id gets one that is a W3C trace id, too.
        """
        first, second = (Requests().new("GET", "/a", lambda name: [], None) for _ in range(2))

        with first.step():
            headers = context.to_headers()
        assert first.id != second.id
        assert headers["traceparent"].split("-")[1] == first.id == headers["X-Request-ID"]

    def test_no_client_is_believed(self):
        """
        Without a header no id is taken from a client.
        """
        request = Requests(header=None).new("GET", "/a", lambda name: ["mine"], None)

        assert request.id != "mine"

    def test_failing_functions(self, tierlog_events, capfd):
        """
        A user's function that raises, or is of the wrong kind, is no reason to serve nobody.
        """

        async def coroutine(source):
            return "u-1"

        request = Requests(user_id=coroutine, project_id=lambda source: source["missing"]).new("GET", "/a", lambda name: [], {})
        request.resolve()
        request.start()
        request.end()

        assert [event["userId"] for event in tierlog_events] == [None, None]
        assert "user_id failed" in capfd.readouterr().err

    def test_ids_in_odd_forms(self, tierlog_events):
        """
        A project's id that can't be one is kept, in the system tier, and it says so.
        """
        request = Requests(project_id=lambda source: 7).new("GET", "/a", lambda name: [], None)
        request.resolve()
        request.start()

        assert (tierlog_events[0]["tier"], tierlog_events[0]["data"]["_tierlog"]["invalid"]) == ("system", {"projectId": "7"})


class TestAnnotate:
    def test_says_more(self, tierlog_events):
        """
        Ids are bound from there on, and belong to the end, which has the data.
        """
        request = Requests(starts=False).new("GET", "/a", lambda name: [], None)
        request.start()
        with request.step():
            with tierlog.action("inner"):
                requests.annotate(project_id=ULID, user_id="u-1", cached=True)
                bound = context.current().project_id
        request.status = 200
        request.complete()
        request.end()

        end = tierlog_events[-1]
        assert (bound, end["tier"], end["projectId"], end["userId"], end["data"]["cached"]) == (ULID, "action", ULID, "u-1", True)

    def test_outside_of_a_request(self):
        """
        Without a request, ids are bound, and that is all.
        """
        requests.annotate(user_id="u-1", cached=True)

        assert (context.current().user_id, requests.current_request()) == ("u-1", None)
