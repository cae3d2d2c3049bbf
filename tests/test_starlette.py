"""
Ids in a web application: right in each request and its background tasks, and
never in the next one.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import tierlog


class BindRequestId:
    """
    A pure ASGI middleware, as small as it can be.
    """

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        with tierlog.bound(**({"req_id": headers["x-request-id"]} if "x-request-id" in headers else {})):
            await self.app(scope, receive, send)


def in_a_thread():
    logging.getLogger("app").info("background in a thread")


async def in_the_loop():
    logging.getLogger("app").info("background in the loop")


def view(request):  # a plain function: Starlette runs it in its thread pool
    logging.getLogger("app").info("view")
    return PlainTextResponse("ok", background=BackgroundTask(in_a_thread))


async def async_view(request):
    logging.getLogger("app").info("async view")
    return PlainTextResponse("ok", background=BackgroundTask(in_the_loop))


APP = BindRequestId(Starlette(routes=[Route("/plain", view), Route("/async", async_view)]))


async def get(path, request_id):
    headers = [] if request_id is None else [(b"x-request-id", request_id.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "root_path": ""}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        await asyncio.sleep(0)  # let the other requests run in between

    await APP(scope, receive, send)


def test_many_requests_at_once(tierlog_events):
    """
    Twenty requests at a time: each line, in thread, loop and background task, has
    the id of its own request, and one without an id has none.
    """

    async def run():
        await asyncio.gather(*(get(path, f"r-{n}" if n % 5 else None) for n in range(20) for path in ("/plain", "/async")))

    asyncio.run(run())

    counts = {}
    for event in tierlog_events.find(src="app"):
        counts[event["reqId"]] = counts.get(event["reqId"], 0) + 1
    assert counts == {None: 16} | {f"r-{n}": 4 for n in range(20) if n % 5}
