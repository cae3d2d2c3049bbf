# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
A queue in front of a handler, with the ids of the thread that logged.

The filter stands on the queue's handler, so it runs where the record is made.
You will see that each line has the id of its own request though another thread
wrote them all.
"""

from __future__ import annotations

import logging
import queue
import threading
from logging.handlers import QueueHandler, QueueListener

import tierlog
from tierlog.sinks import MemorySink


def work(number: int) -> None:
    """
    Serve one request.
    """
    with tierlog.bound(req_id=f"req-{number}"):
        logging.getLogger("app").info("request %d served", number)


def main() -> None:
    """
    Serve three requests on three threads, and show what was written.
    """
    sink = MemorySink()
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    front = QueueHandler(records)
    front.addFilter(tierlog.ContextFilter())
    root = logging.getLogger()
    root.addHandler(front)
    root.setLevel(logging.INFO)
    listener = QueueListener(records, tierlog.TierHandler(sink=sink))
    listener.start()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    listener.stop()
    for event in sorted(sink.events, key=lambda event: event["reqId"]):
        print(event["reqId"], event["msg"])


if __name__ == "__main__":
    main()
