# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog", "fastapi", "httpx"]
# ///
"""
Requests of FastAPI, and of any other ASGI application.

You will see the start and the end of three requests, with the route's template and the
status, and that a background task still has its request's id.
"""

from __future__ import annotations

import asyncio
import logging

import httpx
from fastapi import BackgroundTasks, FastAPI

import tierlog
from tierlog.asgi import TierlogMiddleware
from tierlog.requests import annotate
from tierlog.sinks import MemorySink


log = logging.getLogger("shop")
app = FastAPI()


@app.get("/projects/{project}/builds/{number}")
def build(project: str, number: int, later: BackgroundTasks) -> dict[str, int]:
    annotate(project_id=project)
    later.add_task(log.info, "thumbnail of build %d made", number)
    return {"number": number}


@app.get("/broken")
async def broken() -> None:
    raise LookupError("no such order")


async def main() -> None:
    """
    Ask for three pages, as a client would.
    """
    transport = httpx.ASGITransport(TierlogMiddleware(app, exclude=["/healthz"]), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for path in ("/projects/01JD3YZ5T8AB9C2D4E6F8G0H1J/builds/7", "/broken", "/nowhere"):
            await client.get(path, headers={"X-Request-ID": f"req-{path.split('/')[1]}"})


if __name__ == "__main__":
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(main())
    for event in sink.events:
        print(event["reqId"], event["tier"], event["lvl"], event["msg"])
