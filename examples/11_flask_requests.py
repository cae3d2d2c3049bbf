# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog", "flask"]
# ///
"""
Requests of a Flask application, whose user is in the session.

You will see that the user who logs in is known at the end of that request, and in all
of the next one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from flask import Flask, Response, session

import tierlog
from tierlog.flask import Tierlog
from tierlog.sinks import MemorySink


sink = MemorySink()
tierlog.configure(sink=sink, process_events=False)

app = Flask("shop")
app.secret_key = secrets.token_bytes()
Tierlog(app, user_id=lambda _request: session.get("user"), exclude=["/healthz", "/static/*"])


@app.get("/login/<name>")
def login(name: str) -> str:
    session["user"] = name
    return "hello"


@app.get("/orders/<int:number>")
def order(number: int) -> Response:
    def parts() -> Iterator[str]:
        app.logger.info("order %d sent", number)
        yield "ok"

    return Response(parts())


@app.get("/healthz")
def healthz() -> str:
    return "ok"


if __name__ == "__main__":
    client = app.test_client()
    for number, path in enumerate(("/login/jane", "/healthz", "/orders/42")):
        client.get(path, headers={"X-Request-ID": f"req-{number}"}, buffered=True)
    for event in sink.events:
        print(event["reqId"], event["userId"], event["src"], event["msg"])
