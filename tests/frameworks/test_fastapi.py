"""
FastAPI behind uvicorn, over real HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from conftest import ULID
from frameworks.over_http import ends, get, leave, serving
from tierlog import context
from tierlog.asgi import TierlogMiddleware
from tierlog.requests import annotate


log = logging.getLogger("app")
app, plain = FastAPI(), FastAPI()
router = APIRouter(prefix="/v1/{org}")


@router.get("/projects/{number}")
def project(org: str, number: int, later: BackgroundTasks):
    annotate(project_id=ULID)
    later.add_task(log.info, "later %d", number)
    log.info("project %d", number)
    return {"number": number}


@plain.get("/in-a-thread")
def in_a_thread(later: BackgroundTasks):
    annotate(user_id="u-1")
    later.add_task(log.info, "later")


@app.get("/stream")
async def stream():
    async def parts():
        while True:
            log.info("part")
            yield b"x" * 1_000
            await asyncio.sleep(0.005)

    return StreamingResponse(parts())


@app.get("/broken")
async def broken():
    raise LookupError("gone")


@app.middleware("http")
async def inner(request: Request, call_next):
    return await call_next(request)


app.include_router(router)


@pytest.fixture(name="port", scope="module")
def _port():
    with serving(TierlogMiddleware(app)) as port:
        yield port


def test_many_at_once(tierlog_events, port):
    """
    In each of forty requests at once, the endpoint in its thread and the background task
    have its own ids; the end has the whole template and the project.
    """
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: get(port, f"/v1/acme/projects/{n}?token=1", {"X-Request-ID": f"r-{n}"}), range(40)))

    assert {found for found in ends(tierlog_events, 80)} == {("start", None), ("success", 200)}
    assert [response.headers["X-Request-ID"] for response, _ in done] == [f"r-{n}" for n in range(40)]
    lines = tierlog_events.find(src="app")
    assert len(lines) == 80
    assert [event for event in lines if event["reqId"] != f"r-{event['msg'].split()[1]}"] == []
    last = [event for event in tierlog_events if event["data"].get("event") == "success"]
    assert {(event["tier"], event["projectId"], event["data"]["route"]) for event in last} == {
        ("action", ULID, "/v1/{org}/projects/{number}")
    }


def test_background_tasks_of_a_thread(tierlog_events):
    """
    What an endpoint in a thread annotates is known to its background tasks.
    """
    with serving(TierlogMiddleware(plain)) as port:
        get(port, "/in-a-thread", {"X-Request-ID": "r-1"})
        ends(tierlog_events)

    assert [(event["userId"], event["reqId"]) for event in tierlog_events.find(src="app")] == [("u-1", "r-1")]


def test_client_goes(tierlog_events, port):
    """
    A client that goes in the middle of a stream cancels the request.
    """
    leave(port, "/stream", {"X-Request-ID": "r-gone"}, lambda: tierlog_events.find(src="app", reqId="r-gone"))

    assert ends(tierlog_events) == [("start", None), ("cancelled", 200)]


def test_broken(tierlog_events, port):
    """
    An endpoint that raises is one error with its frames, through all that lies between.
    """
    response, _ = get(port, "/broken", {"X-Request-ID": "r-broken"})

    assert ends(tierlog_events) == [("start", None), ("error", 500)]
    end = tierlog_events.find(kind="action")[-1]
    assert (response.status, response.headers["X-Request-ID"]) == (500, "r-broken")
    assert (end["data"]["exc"]["type"], end["data"]["route"], end["lvl"]) == ("LookupError", "/broken", "error")


def test_as_one_of_its_middlewares(tierlog_events):
    """
    Added with ``add_middleware`` it does the same, but for what lies around it.
    """
    small = FastAPI()
    small.add_middleware(TierlogMiddleware, exclude=["/healthz"])
    small.add_api_route("/a/{n}", lambda n: n)
    small.add_api_route("/healthz", lambda: "ok")

    with serving(small) as port:
        get(port, "/healthz")
        get(port, "/a/1")

    assert ends(tierlog_events) == [("start", None), ("success", 200)]
    assert context.current() == context.EMPTY
