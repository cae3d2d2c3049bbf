"""
Flask, by its test client and over real HTTP.
"""

from __future__ import annotations

import logging

import flask
import pytest

from conftest import ULID
from tierlog import context
from tierlog.flask import Tierlog


log = logging.getLogger("app")


@pytest.fixture(name="app")
def _app():
    app = flask.Flask(__name__)
    app.secret_key = "not" + "-secret"
    extension = Tierlog(
        user_id=lambda request: flask.session.get("user"), project_id=lambda request: ULID if request.view_args else None
    )
    extension.init_app(app)

    @app.get("/orders/<int:number>")
    def order(number):
        log.info("order %d", number)
        return {"order": number}

    @app.get("/login")
    def login():
        flask.session["user"] = "u-1"
        return "ok"

    @app.get("/stream")
    def stream():
        def parts():
            for n in range(3):
                log.info("part %d", n)
                yield "x"

        return app.response_class(parts())

    @app.get("/broken")
    def broken():
        raise LookupError("gone")

    @app.teardown_request
    def last(error):
        log.info("teardown")
        if flask.request.path == "/login" and "fail" in flask.request.args:
            raise LookupError("gone")

    return app


def ends(events):
    return [(event["data"]["event"], event["data"].get("status")) for event in events.find(kind="action", src="api")]


def test_good(tierlog_events, app):
    """
    A request has Flask's route, the view's and the teardown's lines have its ids.
    """
    response = app.test_client().get("/orders/42?token=1", headers={"X-Request-ID": "req-7f3a"}, buffered=True)

    assert (response.status_code, response.headers["X-Request-ID"]) == (200, "req-7f3a")
    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    end = tierlog_events.find(kind="action")[-1]
    assert (end["tier"], end["projectId"], end["data"]["route"]) == ("action", ULID, "/orders/<int:number>")
    assert [(event["msg"], event["reqId"], event["projectId"]) for event in tierlog_events.find(src="app")] == [
        ("order 42", "req-7f3a", ULID),
        ("teardown", "req-7f3a", ULID),
    ]
    assert context.current() == context.EMPTY


def test_a_user_who_logs_in(tierlog_events, app):
    """
    Who logs in is known at that request's end, and from the start of the next one's view.
    """
    client = app.test_client()
    client.get("/login", buffered=True)
    client.get("/orders/1", buffered=True)

    users = [event["userId"] for event in tierlog_events if event["data"].get("event") == "success"]
    assert users == ["u-1", "u-1"]
    assert {event["userId"] for event in tierlog_events.find(src="app") if event["msg"] == "order 1"} == {"u-1"}


def test_stream(tierlog_events, app):
    """
    A response that streams logs with the ids, though Flask's own context is gone.
    """
    app.test_client().get("/stream", headers={"X-Request-ID": "r-1"}, buffered=True)

    parts = [event["reqId"] for event in tierlog_events.find(src="app") if event["msg"].startswith("part")]
    assert (parts, ends(tierlog_events)) == (["r-1"] * 3, [("start", None), ("success", 200)])


@pytest.mark.parametrize("propagates", [pytest.param(False, id="answered"), pytest.param(True, id="propagated")])
def test_broken(tierlog_events, app, propagates):
    """
    A view that raises is one error with its frames, answered by Flask or not.
    """
    app.config["PROPAGATE_EXCEPTIONS"] = propagates
    try:
        app.test_client().get("/broken", buffered=True)
    except LookupError:
        assert propagates

    assert ends(tierlog_events) == [("start", None), ("error", 500)]
    end = tierlog_events.find(kind="action")[-1]
    assert (end["data"]["exc"]["type"], end["data"]["route"]) == ("LookupError", "/broken")


def test_teardown_that_fails(tierlog_events, app):
    """
    What raises after the view, before a byte was sent, has the status that the server
    answers with.
    """
    with pytest.raises(LookupError):
        app.test_client().get("/login?fail", buffered=True)

    assert ends(tierlog_events) == [("start", None), ("error", 500)]


def test_not_found(tierlog_events, app):
    """
    What no route matches has none.
    """
    app.test_client().get("/nowhere", buffered=True)

    assert ends(tierlog_events) == [("start", None), ("success", 404)]
    assert "route" not in tierlog_events.find(kind="action")[-1]["data"]
