"""
What the service tells of itself, and of who asks.
"""

from __future__ import annotations

from typing import Any

import orjson
from anyio import to_thread
from starlette.responses import Response

from tierlog.admin._endpoint import Asked
from tierlog.admin._problems import ProblemError
from tierlog.runtime import prometheus


__all__ = ["document", "health", "json_response", "me", "metrics"]

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def json_response(value: Any, *, is_found: bool = False) -> Response:
    """
    Return *value* as JSON.

    Args:
        value: What is told.

        is_found: Whether there is what was asked for.
    """
    response = Response(orjson.dumps(value), 200, {"Cache-Control": "no-store"}, "application/json")
    response.is_found = is_found  # type: ignore[attr-defined]  # for who notes it
    return response


async def me(asked: Asked) -> Response:
    """
    Return who asks, and what they may.
    """
    subject = asked.subject
    return json_response({"sub": subject.name, "scopes": sorted(subject.scopes), "projects": subject.projects})


async def document(asked: Asked) -> Response:
    """
    Return the OpenAPI document.
    """
    body = asked.service.openapi(asked.request.scope.get("root_path", ""))
    return Response(body, 200, {"Cache-Control": "no-cache"}, "application/json")


async def health(asked: Asked) -> Response:
    """
    Return whether logs and builds can be read.
    """
    problem = await asked.service.health.problem()
    if problem is not None:
        raise ProblemError(503, problem, headers={"Retry-After": "5"})
    return json_response({"status": "ok"})


async def metrics(asked: Asked) -> Response:
    """
    Return the counters of the process and of the service, as Prometheus reads them.
    """
    text = await to_thread.run_sync(prometheus)
    lines = [
        "# HELP tierlog_admin_requests_total Requests, by endpoint and status.",
        "# TYPE tierlog_admin_requests_total counter",
        *(
            f'tierlog_admin_requests_total{{endpoint="{name}",status="{status}"}} {count}'
            for (name, status), count in sorted(asked.service.counts.items())
        ),
        *asked.service.gauges(),
    ]
    return Response(text + "\n".join(lines) + "\n", 200, {"Cache-Control": "no-store"}, _PROMETHEUS)
