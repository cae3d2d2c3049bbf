"""
Builds and figures over HTTP.
"""

from __future__ import annotations

from conftest import OTHER_ULID, ULID
from queried import THIRD_ULID


def ids(answer):
    return [one["build_id"] for one in answer.json()["items"]]


def test_failures(served):
    """
    Failed builds come newest first, and can be told by stage, framework and project.
    """
    assert ids(served.get("v1/admin/builds?status=failed")) == [THIRD_ULID, ULID]
    assert ids(served.get("v1/admin/builds?status=failed&failureStage=pre-install")) == [ULID]
    assert ids(served.get("v1/admin/builds?framework=astro")) == [THIRD_ULID]
    assert ids(served.get(f"v1/admin/builds?projectId={OTHER_ULID}")) == [THIRD_ULID]
    assert ids(served.get("v1/admin/builds?since=90m&until=45m")) == [ULID]


def test_pages(served):
    """
    The cursors of pages lead through all builds, once; another question's isn't taken.
    """
    found, cursor = [], ""
    while cursor is not None:
        page = served.get(f"v1/admin/builds?limit=1{f'&cursor={cursor}' if cursor else ''}")
        found += ids(page)
        last, cursor = cursor, page.json()["next"]

    assert found == [THIRD_ULID, ULID, "01ARZ3NDEKTSV4RRFFQ69G5FB2", "01ARZ3NDEKTSV4RRFFQ69G5FB1"]
    assert served.get(f"v1/admin/builds?limit=1&status=failed&cursor={last}").json()["parameter"] == "cursor"


def test_one(served):
    """
    A build has beside it the last good one of its project, and what differs.
    """
    found = served.get(f"v1/admin/builds/{ULID}").json()

    assert found["build"]["failure_stage"] == "pre-install"
    assert found["lastGood"]["build_id"] == "01ARZ3NDEKTSV4RRFFQ69G5FB2"
    assert found["differs"] == {"node_version": ["20", "22"], "total_duration_ms": [50_000, 1_000]}


def test_unknown(served):
    """
    A build that there isn't is told so.
    """
    answer = served.get("v1/admin/builds/01ARZ3NDEKTSV4RRFFQ69G5FZZ")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "buildId")


def test_stats(served):
    """
    The figures are those of what was logged, and of the builds.
    """
    found = served.get("v1/admin/stats?since=2h").json()

    counts = {}
    for one in found["volume"]:
        counts[one["tier"]] = counts.get(one["tier"], 0) + one["count"]
    assert (counts["build"], counts["deploy"], counts["lifecycle"]) == (120, 120, 120)
    assert sum(day["failed"] for day in found["builds"]["days"]) == 2
    assert found["backlog"] == {"segments": 0, "bytes": 0, "oldest_age_s": None}
    assert found["process"]["accepted"] > 0
