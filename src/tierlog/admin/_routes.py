"""
All endpoints: one table, from which both the routes and the OpenAPI document are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tierlog.admin import _about, _builds, _logs, _segments, _stats, _stream, _tickets
from tierlog.admin._endpoint import PREFIX, Endpoint
from tierlog.admin._filters import (
    BUILD_ID,
    CURSOR,
    DATE,
    FILTERS,
    LIMIT,
    META,
    ORDER,
    PROJECT_ID,
    PROJECT_PATH,
    SINCE,
    TIER,
    TIMES,
)
from tierlog.admin._parameters import Parameter
from tierlog.admin._streaming import NDJSON


__all__ = ["endpoints"]

_ULID = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
_SLUG = r"^[A-Za-z0-9_-]{1,64}$"
_READ, _RAW, _ADMIN = "logs:read", "logs:raw", "logs:admin"
_ANY: Mapping[str, Any] = {}
_LINES: Mapping[int, Mapping[str, Any]] = {200: {NDJSON: _ANY}}
_RANGED: Mapping[int, Mapping[str, Any]] = {200: {NDJSON: _ANY}, 206: {NDJSON: _ANY}, 304: {}}
_STORED = {NDJSON: _ANY, "application/gzip": _ANY, "application/zstd": _ANY}
_OBJECT: Mapping[str, Any] = {"application/json": {"type": "object"}}
_JSON: Mapping[int, Mapping[str, Any]] = {200: _OBJECT}
_READS = ("GET", "HEAD")
_PAGED = (*TIMES, ORDER, LIMIT, CURSOR, META)
_ALL = (*FILTERS, *_PAGED)
_CONDITIONS = tuple(
    Parameter(name, text, {"type": "string"}, place="header")
    for name, text in (
        ("Range", "One range of bytes; several are passed over."),
        ("If-None-Match", "Answer only if it has changed."),
        ("If-Range", "Answer with the range only if it hasn't changed."),
        ("If-Modified-Since", "Answer only if it has changed; not for what may grow."),
        ("If-Match", "Answer only if it hasn't changed."),
    )
)
_LAST_EVENT_ID = Parameter(
    _stream.LAST_EVENT_ID,
    "The id of the last event that a client has; the next one comes first.",
    {"type": "string"},
    place="header",
)
_SHORT = {"type": "string", "minLength": 1, "maxLength": 64}
_TICKET_BODY = {
    "type": "object",
    "properties": {"path": {"type": "string", "pattern": f"^{PREFIX}/logs/"}, "query": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}


def _page(most: int) -> Parameter:
    return Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": most})


def _without(*names: str) -> tuple[Parameter, ...]:
    return tuple(one for one in _ALL if one.name not in names)


def endpoints(id_format: str) -> list[Endpoint]:
    """
    Return the endpoints.

    Args:
        id_format: What ids in paths are: ``ulid`` or ``slug``.
    """
    schema = {"type": "string", "pattern": _ULID if id_format == "ulid" else _SLUG, "maxLength": 64}
    hint = "a ULID" if id_format == "ulid" else "an id: 1 to 64 letters, digits, '_' and '-'"
    build = Parameter("buildId", "The build.", schema, hint, "path")
    project = PROJECT_PATH._replace(schema=schema, hint=hint)
    return [*_of_logs(build, project), *_of_live_and_raw(), *_of_builds(build), *_of_itself()]


def _of_logs(build: Parameter, project: Parameter) -> list[Endpoint]:
    of_build = (build, *_without("tier", "buildId"))
    return [
        Endpoint(
            f"{PREFIX}/logs/system/{{date}}", "system", "What was logged in the system tier on a day.",
            _logs.system, _READ, (DATE, *_without("tier", "since", "until")), _LINES, has_ticket=True,
        ),
        Endpoint(
            f"{PREFIX}/logs/builds/{{buildId}}", "build", "The log of a build.",
            _logs.build, _READ, of_build, _RANGED, _CONDITIONS, _READS, has_ticket=True,
        ),
        Endpoint(
            f"{PREFIX}/logs/deploys/{{buildId}}", "deploy", "The log of a build's deploy.",
            _logs.deploy, _READ, of_build, _RANGED, _CONDITIONS, _READS, has_ticket=True,
        ),
        Endpoint(
            f"{PREFIX}/logs/projects/{{projectId}}", "project",
            "Actions and lifecycle of a project; other tiers if they are named.",
            _logs.project, _READ, (project, *_without("projectId")), _LINES, has_ticket=True,
        ),
        Endpoint(
            f"{PREFIX}/logs/search", "search", "What was logged, by tiers, ids, times and content.",
            _logs.search, _READ, _ALL, _LINES, has_ticket=True,
        ),
    ]  # fmt: skip


def _of_live_and_raw() -> list[Endpoint]:
    segment = Parameter(
        "segmentId", "The segment, as they are listed.",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,1024}$", "maxLength": 1_024}, "a segment's id", "path",
    )  # fmt: skip
    return [
        Endpoint(
            f"{PREFIX}/logs/stream", "stream", "What is written from now on, as an event stream.",
            _stream.stream, _READ, (*FILTERS, SINCE, CURSOR), {200: {"text/event-stream": _ANY}}, (_LAST_EVENT_ID,),
            has_ticket=True,
        ),
        Endpoint(
            f"{PREFIX}/logs/segments", "segments", "Which segments there are, the newest day first.",
            _segments.segments, _READ, (TIER, PROJECT_ID, BUILD_ID, *TIMES, _page(5_000), CURSOR), _JSON,
        ),
        Endpoint(
            f"{PREFIX}/logs/segments/{{segmentId}}", "segment", "A segment as it is stored.",
            _segments.segment, _RAW, (segment,), {200: _STORED, 206: _STORED, 304: {}}, _CONDITIONS, _READS, has_ticket=True,
        ),
    ]  # fmt: skip


def _of_builds(build: Parameter) -> list[Endpoint]:
    status = Parameter("status", "This status, such as failed.", _SHORT)
    stage = Parameter("failureStage", "Failed at this stage, such as pre-install.", _SHORT)
    framework = Parameter("framework", "Of this framework.", _SHORT)
    return [
        Endpoint(
            f"{PREFIX}/builds", "builds", "Builds, as the database has them, the newest first.",
            _builds.builds, _READ, (status, stage, framework, PROJECT_ID, *TIMES, _page(1_000), CURSOR), _JSON,
        ),
        Endpoint(
            f"{PREFIX}/builds/{{buildId}}", "buildRow", "A build, the last good one before it, and what differs.",
            _builds.build, _READ, (build,), _JSON,
        ),
        Endpoint(
            f"{PREFIX}/stats", "stats", "How much is logged, how builds go, and what waits to be shipped.",
            _stats.stats, _READ, (SINCE, PROJECT_ID), _JSON,
        ),
    ]  # fmt: skip


def _of_itself() -> list[Endpoint]:
    return [
        Endpoint(f"{PREFIX}/me", "me", "Who asks, and what they may.", _about.me, _READ, (), _JSON, is_noted=False),
        Endpoint(
            f"{PREFIX}/tickets", "tickets", f"A ticket for a path below {PREFIX}/logs/, where no header can be sent.",
            _tickets.create, _READ, (), {201: _OBJECT}, methods=("POST",), body=_TICKET_BODY, is_noted=False,
        ),
        Endpoint("/healthz", "health", "Whether logs and builds can be read.", _about.health, None, (), _JSON),
        Endpoint(
            "/metrics", "metrics", "Counters, as Prometheus reads them.",
            _about.metrics, _ADMIN, (), {200: {"text/plain": _ANY}}, is_noted=False,
        ),
        Endpoint("/openapi.json", "openapi", "This document.", _about.document, None, (), _JSON),
    ]  # fmt: skip
