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
from tierlog.admin._builds import projects_of
from tierlog.admin._database import answer_of
from tierlog.admin._endpoint import Asked
from tierlog.admin._logs import visible
from tierlog.admin._problems import ProblemError
from tierlog.admin._streaming import in_thread
from tierlog.errors import TierlogError
from tierlog.lifecycle import build_days
from tierlog.query import LogStore
from tierlog.query._times import parse_time
from tierlog.report import report
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
    now_ms = asked.service.clock() // 1_000_000
    figures = await in_thread(partial(_figures, asked, now_ms), asked.service.scans)
    figures["builds"] = None if asked.service.builds is None else await _builds(asked, now_ms)
    return json_response(figures, is_found=bool(figures["volume"]))


def _figures(asked: Asked, now_ms: int) -> dict[str, Any]:
    service, subject = asked.service, asked.subject
    given = {"since": parse_time("since", asked.values.get("since", _SINCE), now_ms), "project_id": asked.values.get("projectId")}
    volume: Counter[tuple[Any, ...]] = Counter()
    for one in visible(asked, given):
        volume.update(service.store.count(by=("hour", "tier", "lvl"), **one))
    is_unlimited = subject.projects is None
    return {
        "volume": [
            {"hour": hour, "tier": tier, "lvl": lvl, "count": count} for (hour, tier, lvl), count in sorted(volume.items())
        ],
        "backlog": _backlog(service.store) if is_unlimited else None,
        "process": process_stats() if is_unlimited else None,
    }


async def _builds(asked: Asked, now_ms: int) -> dict[str, Any]:
    """
    Return how builds go, or that it can't be told: the other figures can.
    """
    projects = projects_of(asked, asked.values.get("projectId"))
    since = parse_time("since", asked.values.get("since", _BUILDS_SINCE), now_ms)
    try:
        days = [] if projects == [] else await answer_of(asked, partial(build_days, project_id=projects, since=since))
    except (ProblemError, TierlogError) as e:
        report("admin", f"stats: {type(e).__name__}: {e}")
        return {"days": [], "problem": "the database of builds can't be read at present"}
    return {
        "days": [
            {
                "day": day.day,
                "deployed": day.statuses.get("deployed", 0),
                "failed": day.statuses.get("failed", 0),
                "p50_ms": day.p50_ms,
                "p95_ms": day.p95_ms,
            }
            for day in days
        ]
    }


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
