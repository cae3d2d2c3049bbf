"""
Searches as the API has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from tierlog.admin._endpoint import Asked, path_of
from tierlog.admin._filters import asked_for, canonical
from tierlog.admin._lines import Reader
from tierlog.admin._problems import ProblemError
from tierlog.admin._segments import blob_answer, whole_build
from tierlog.admin._streaming import LinesResponse, in_thread, read
from tierlog.envelope import DAY_MS
from tierlog.query import Search
from tierlog.query._times import parse_time


__all__ = ["build", "deploy", "project", "search", "system", "visible"]

_PURPOSE = "cursor"
_DEFAULT_LIMIT = 1_000
_MOST_PROJECTS = 32


async def system(asked: Asked) -> Response:
    """
    Return the system tier of a day.
    """
    date = asked.values["date"]
    first = parse_time("date", date, 0)
    own = {"tiers": "system", "since": first, "until": first + DAY_MS}
    return await _answered(asked, own)


async def build(asked: Asked) -> Response:
    """
    Return the log of a build.
    """
    return await _of_build(asked, "build")


async def deploy(asked: Asked) -> Response:
    """
    Return the log of a build's deploy.
    """
    return await _of_build(asked, "deploy")


async def project(asked: Asked) -> Response:
    """
    Return what was done in a project, and what became of it.
    """
    own: dict[str, Any] = {"project_id": asked.values["projectId"]}
    if "tier" not in asked.values:
        own["tiers"] = ("action", "lifecycle")
    return await _answered(asked, own, must_exist="projectId")


async def search(asked: Asked) -> Response:
    """
    Return what is searched for.
    """
    return await _answered(asked, {}, limit=_DEFAULT_LIMIT)


def visible(asked: Asked, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Return the searches that show the subject what it may see, and nothing else.

    Raises:
        ProblemError: There would be too many.
    """
    projects = asked.subject.projects
    if projects is None:
        return [dict(given)]
    if given.get("project_id") is not None:
        return [dict(given)] if given["project_id"] in projects else []
    if len(projects) > _MOST_PROJECTS:
        raise ProblemError(400, f"the token is for {len(projects)} projects; name one of them", parameter="projectId")
    return [{**given, "project_id": one} for one in projects]


async def _of_build(asked: Asked, tier: str) -> Response:
    """
    Return a build's log as it lies there if it can be, which is several times faster; else
    what a search finds.
    """
    blob = await whole_build(asked, tier)
    if blob is not None:
        return blob_answer(asked, blob)
    return await _answered(asked, {"tiers": tier, "build_id": asked.values["buildId"]}, must_exist="buildId")


async def _answered(asked: Asked, own: Mapping[str, Any], *, limit: int | None = None, must_exist: str | None = None) -> Response:
    service, values = asked.service, asked.values
    given = {**asked_for(values), **own}
    most = values.get("limit", limit)
    bound_to = f"{path_of(asked.request)}?{canonical(values)}"
    cursor = asked.cursor(_PURPOSE, bound_to)
    if cursor is not None:
        given["cursor"] = cursor
    asks = visible(asked, given)
    more = {} if most is None else {"limit": most + 1}
    searches = [service.store.search(**one, **more) for one in asks]
    reader = Reader(
        searches,
        limit=most,
        is_newest_first=values.get("order") == "desc",
        signed=lambda cursor: service.signer.sign(_PURPOSE, cursor, bound_to),
        with_meta=values.get("meta") == 1,
        hides_names=asked.subject.projects is not None,
    )
    is_missing = False
    try:
        first = await read(reader, service.scans)
        is_missing = must_exist is not None and not reader.count and not await _exists(asked, own)
    except BaseException:
        reader.close()
        raise
    if is_missing:
        reader.close()
        raise ProblemError(404, "there's nothing of this id", parameter=must_exist)
    return LinesResponse(reader, first, service.scans, write_timeout=service.write_timeout)


async def _exists(asked: Asked, own: Mapping[str, Any]) -> bool:
    """
    Tell whether there is anything at all, whatever else is asked for.
    """
    asks = visible(asked, {"tiers": None, **own, "limit": 1})
    return await in_thread(partial(_any, asked.service.store.search, asks), asked.service.scans)


def _any(ask: Callable[..., Search], asks: list[dict[str, Any]]) -> bool:
    for one in asks:
        with ask(**one) as found:
            if next(found, None) is not None:
                return True
    return False
