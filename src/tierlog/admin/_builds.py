"""
Builds, as the database has them.
"""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from tierlog.admin._about import json_response
from tierlog.admin._database import answer_of
from tierlog.admin._endpoint import Asked
from tierlog.admin._filters import canonical
from tierlog.admin._problems import ProblemError
from tierlog.query import builds as query_builds
from tierlog.query import builds_cursor


__all__ = ["build", "builds", "projects_of"]

_PURPOSE = "builds"
_DEFAULT_LIMIT = 50
_GOOD = "deployed"
_COMPARED = (
    "version_id", "user_id", "is_initial_build", "is_update", "is_retry", "attempt_number",
    "framework", "detected_framework", "node_version", "package_manager", "total_duration_ms",
)  # fmt: skip


async def builds(asked: Asked) -> Response:
    """
    Return builds, the newest first.
    """
    values, signer = asked.values, asked.service.signer
    bound_to = f"{asked.subject.projects}{canonical(values)}"
    before = asked.cursor(_PURPOSE, bound_to)
    projects = projects_of(asked, values.get("projectId"))
    if projects == [] and asked.service.builds is not None:
        return json_response({"items": [], "next": None})
    limit = values.get("limit", _DEFAULT_LIMIT)
    ask = partial(
        query_builds,
        status=values.get("status"),
        failure_stage=values.get("failureStage"),
        framework=values.get("framework"),
        project_id=projects,
        since=values.get("since"),
        until=values.get("until"),
        limit=limit + 1,
        before=before,
        clock=asked.service.clock,
    )
    found = await answer_of(asked, ask)
    more = signer.sign(_PURPOSE, builds_cursor(found[limit - 1]), bound_to) if len(found) > limit else None
    return json_response({"items": [one.as_dict() for one in found[:limit]], "next": more}, is_found=bool(found))


async def build(asked: Asked) -> Response:
    """
    Return a build, the last good one of its project before it, and what differs.
    """
    ask = partial(query_builds, build_id=asked.values["buildId"], project_id=projects_of(asked, None), limit=1)
    found = await answer_of(asked, ask)
    if not found:
        raise ProblemError(404, "there's no such build", parameter="buildId")
    this = found[0]
    ask = partial(query_builds, project_id=this.project_id, status=_GOOD, before=this, limit=1)
    good = await answer_of(asked, ask)
    mine, theirs = this.as_dict(), good[0].as_dict() if good else None
    differs = {name: [theirs[name], mine[name]] for name in _COMPARED if theirs[name] != mine[name]} if theirs else {}
    return json_response({"build": mine, "lastGood": theirs, "differs": differs}, is_found=True)


def projects_of(asked: Asked, project_id: str | None) -> list[str] | None:
    """
    Return the projects whose builds may be seen and are asked for; all if None.
    """
    projects = asked.subject.projects
    if project_id is not None:
        return [project_id] if asked.subject.sees(project_id) else []
    return None if projects is None else list(projects)
