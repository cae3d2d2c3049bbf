"""
Figures: how much is logged, how builds go, and what waits to be shipped.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import Any

from starlette.responses import Response

from tierlog.admin._about import json_response
from tierlog.admin._endpoint import Asked
from tierlog.admin._logs import visible
from tierlog.admin._streaming import in_thread
from tierlog.lifecycle import build_days
from tierlog.query import LogStore
from tierlog.query._times import parse_time
from tierlog.runtime import stats as process_stats
from tierlog.segments import finished
from tierlog.shipping import destination


__all__ = ["stats"]

_SINCE = "24h"
_BUILDS_SINCE = "30d"


async def stats(asked: Asked) -> Response:
    """
    Return the figures.
    """
    return json_response(await in_thread(partial(_figures, asked), asked.service.scans))


def _figures(asked: Asked) -> dict[str, Any]:
    service, subject = asked.service, asked.subject
    now_ms = service.clock() // 1_000_000
    given = {"since": parse_time("since", asked.values.get("since", _SINCE), now_ms), "project_id": asked.values.get("projectId")}
    volume: Counter[tuple[Any, ...]] = Counter()
    for one in visible(asked, given):
        volume.update(service.store.count(by=("hour", "tier", "lvl"), **one))
    is_unlimited = subject.projects is None
    return {
        "volume": [
            {"hour": hour, "tier": tier, "lvl": lvl, "count": count} for (hour, tier, lvl), count in sorted(volume.items())
        ],
        "builds": {"days": _days(asked, now_ms)},
        "backlog": _backlog(service.store) if is_unlimited else None,
        "process": process_stats() if is_unlimited else None,
    }


def _days(asked: Asked, now_ms: int) -> list[dict[str, Any]]:
    if asked.service.builds is None:
        return []
    since = parse_time("since", asked.values.get("since", _BUILDS_SINCE), now_ms)
    project, projects = asked.values.get("projectId"), asked.subject.projects
    mine = None if projects is None else list(projects)
    if project is not None:
        mine = [project] if asked.subject.sees(project) else []
    if mine == []:
        return []
    return [
        {
            "day": day.day,
            "deployed": day.statuses.get("deployed", 0),
            "failed": day.statuses.get("failed", 0),
            "p50_ms": day.p50_ms,
            "p95_ms": day.p95_ms,
        }
        for day in build_days(asked.service.builds, project_id=mine, since=since)
    ]


def _backlog(store: LogStore) -> dict[str, Any]:
    """
    Return what waits to be shipped, of the folders that are shipped from.
    """
    waiting = [one for root in store.roots if destination(root) is not None for one in finished(root)]
    oldest = min((one.modified for one in waiting), default=None)
    return {
        "segments": len(waiting),
        "bytes": sum(one.size for one in waiting),
        "oldest_age_s": None if oldest is None else round(max(0.0, time.time() - oldest), 3),  # noqa: TID251 -- as files have it
    }
