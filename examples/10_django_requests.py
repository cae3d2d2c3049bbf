# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog", "django"]
# ///
"""
Requests of a Django project, in one file.

You will see the start and the end of two requests: one that a view served, with its
route and its user, and one whose view raised, with what it raised.
"""

from __future__ import annotations

import logging

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

import tierlog
from tierlog.sinks import MemorySink


log = logging.getLogger("shop")


def order(request: HttpRequest, number: int) -> HttpResponse:
    log.info("order %d shown to %s", number, request.headers["X-User"])
    return HttpResponse("ok")


def broken(request: HttpRequest) -> HttpResponse:
    raise LookupError(f"no such order for {request.method}")


if __name__ == "__main__":
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(path("orders/<int:number>", order), path("broken", broken)),
        MIDDLEWARE=["tierlog.django.TierlogMiddleware"],
        TIERLOG_USER_ID=lambda request: request.headers.get("X-User"),
        LOGGING_CONFIG=None,
    )
    django.setup()
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    client = Client(raise_request_exception=False)
    client.get("/orders/42", headers={"X-Request-ID": "req-a", "X-User": "user-42"})
    client.get("/broken", headers={"X-Request-ID": "req-b"})
    for event in sink.events:
        raised = event["data"].get("exc", {}).get("type", "")
        print(event["reqId"], event["userId"], event["src"], event["msg"], raised)
