# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog", "celery"]
# ///
"""
Tasks of Celery, with the ids of whoever sent them.

A worker runs in a thread. You will see that a task, and the one it sends, have the
sender's request and project, and their own starts and ends.
"""

from __future__ import annotations

import logging
import threading

from celery import Celery, signals
from celery.contrib.testing.worker import start_worker

import tierlog
from tierlog.celery import instrument
from tierlog.sinks import MemorySink


log = logging.getLogger("shop")
sink = MemorySink()
app = Celery("shop", broker="memory://")
instrument(app)
is_done = threading.Event()


@signals.setup_logging.connect
def configure(**_: object) -> None:
    tierlog.configure(sink=sink)


@app.task
def resize(name: str) -> None:
    log.info("%s resized", name)
    publish.delay(name)


@app.task
def publish(name: str) -> None:
    log.info("%s published", name)


@signals.task_postrun.connect(sender=publish)
def finish(**_: object) -> None:
    is_done.set()


if __name__ == "__main__":
    with start_worker(app, perform_ping_check=False), tierlog.bound(project_id="01JD3YZ5T8AB9C2D4E6F8G0H1J", req_id="req-7f3a"):
        resize.delay("cat.png")
        is_done.wait(30)
    for event in sink.events:
        if event["src"] in {"celery", "shop"}:
            print(event["reqId"], event["projectId"], event["msg"])
