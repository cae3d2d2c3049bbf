# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
Ids that every line of a request carries, whoever logs it.

Two requests run at the same time, each as a task of its own, and hand a part of
their work to a thread. You will see which request each line belongs to, and that
nothing is bound when they are over.
"""

from __future__ import annotations

import asyncio
import logging

import tierlog
from tierlog import context
from tierlog.sinks import MemorySink


log = logging.getLogger("shop.orders")


def charge(order: int) -> None:
    """
    Do what takes long, in a thread; it knows nothing of requests.
    """
    log.info("order %d charged", order)


@tierlog.bound(src="api")
async def handle(req_id: str, order: int) -> None:
    """
    Serve one request.
    """
    tierlog.bind(req_id=req_id)
    log.info("order %d received", order)
    await asyncio.to_thread(charge, order)


async def serve() -> None:
    """
    Serve two requests at once.
    """
    await asyncio.gather(handle("req-a", 1), handle("req-b", 2))


if __name__ == "__main__":
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    asyncio.run(serve())
    for event in sorted(sink.events, key=lambda event: (event["reqId"], event["seq"])):
        print(event["reqId"], event["src"], event["msg"])
    print("bound now:", context.current().fields())
