"""
Searches over HTTP.
"""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from conftest import OTHER_ULID, ULID
from queried import everything
from tierlog.admin._lines import Reader


def events(answer):
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def meta(answer):
    *lines, last = events(answer)
    return lines, last["tierlog"]


@pytest.mark.parametrize(
    ("query", "accepts"),
    [
        pytest.param("tier=build&tier=deploy", lambda event: event["tier"] in {"build", "deploy"}, id="repeated"),
        pytest.param("lvl=warn,error", lambda event: event["lvl"] in {"warn", "error"}, id="commas"),
        pytest.param(
            f"projectId={ULID}&userId=u3", lambda event: (event["projectId"], event["userId"]) == (ULID, "u3"), id="ids"
        ),
        pytest.param("text=école&case=0", lambda event: "école" in event["msg"].lower(), id="text-of-any-case"),
        pytest.param("text=after%20\\d%2B&regex=1", lambda event: "after 30" in event["msg"], id="pattern"),
        pytest.param(
            "where=n%3E%3D590&where=deep.even=true",
            lambda event: event["data"].get("n", 0) in {590, 592, 594, 596, 598},
            id="where",
        ),
        pytest.param("tier=system&kind=meta", lambda event: event["kind"] == "meta", id="kind"),
    ],
)
def test_filters(served, query, accepts):
    """
    A search answers with the lines that were written of what meets all that is given.
    """
    answer = served.get(f"v1/admin/logs/search?{query}&limit=5000")

    kinds = {"meta", "action"}  # what the server itself writes meanwhile
    expected = [event for event in everything(served.root) if accepts(event) and event["kind"] not in kinds]
    assert [event for event in events(answer) if event["kind"] not in kinds] == expected
    assert answer.headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages(served, order):
    """
    The cursors of pages lead through everything once, and to the end.
    """
    query = f"v1/admin/logs/search?tier=build,action&projectId={ULID}&order={order}&limit=50&meta=1"
    pages, cursor = [], ""
    while cursor is not None:
        lines, told = meta(served.get(query + (f"&cursor={cursor}" if cursor else "")))
        pages.append(lines)
        cursor = told["cursor"]

    found = [event for page in pages for event in page]
    expected = [event for event in everything(served.root) if event["tier"] in {"build", "action"} and event["projectId"] == ULID]
    assert [event["msg"] for event in found if event["src"] == "app"] == [
        event["msg"] for event in (expected if order == "asc" else expected[::-1]) if event["src"] == "app"
    ]
    assert {len(page) for page in pages[:-1]} == {50}


def test_cursor_is_bound(served):
    """
    A cursor is good for its own question only, and only as it was given.
    """
    _, told = meta(served.get("v1/admin/logs/search?tier=build&limit=5&meta=1"))
    cursor = told["cursor"]

    answers = [
        served.get(f"v1/admin/logs/search?{query}")
        for query in (f"tier=deploy&cursor={cursor}", f"tier=build&cursor={cursor[:-1]}A", "tier=build&cursor=x")
    ]

    assert [(answer.status_code, answer.json()["parameter"]) for answer in answers] == [(400, "cursor")] * 3


@pytest.mark.parametrize(
    ("path", "accepts"),
    [
        pytest.param(f"builds/{ULID}", lambda event: (event["tier"], event["buildId"]) == ("build", ULID), id="build"),
        pytest.param(
            f"builds/{ULID}?order=asc", lambda event: (event["tier"], event["buildId"]) == ("build", ULID), id="stitched"
        ),
        pytest.param(f"deploys/{ULID}", lambda event: (event["tier"], event["buildId"]) == ("deploy", ULID), id="deploy"),
        pytest.param(
            f"projects/{OTHER_ULID}?tier=lifecycle",
            lambda event: (event["tier"], event["projectId"]) == ("lifecycle", OTHER_ULID),
            id="project",
        ),
        pytest.param("system/TODAY?kind=log", lambda event: (event["tier"], event["kind"]) == ("system", "log"), id="system"),
    ],
)
def test_paths(served, path, accepts):
    """
    Builds, deploys, projects and days have paths of their own.
    """
    days = [time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago)) for ago in (7_200, 3_600, 0)]  # the first was an hour ago
    paths = [path.replace("TODAY", day) for day in dict.fromkeys(days)] if "TODAY" in path else [path]

    found = [event for one in paths for event in events(served.get(f"v1/admin/logs/{one}"))]

    assert found == [event for event in everything(served.root) if accepts(event)]


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        pytest.param("search?teir=build", 400, "teir", id="unknown"),
        pytest.param("search?tier=biuld", 400, "tier", id="unknown-tier"),
        pytest.param("search?since=yesterday", 400, "since", id="time"),
        pytest.param("search?since=2026-13-45", 400, "since", id="date"),
        pytest.param("search?since=1h&until=2h", 400, "until", id="backwards"),
        pytest.param("search?limit=0", 400, "limit", id="limit"),
        pytest.param("search?limit=5&limit=6", 400, "limit", id="twice"),
        pytest.param("search?text=(&regex=1", 400, "text", id="pattern"),
        pytest.param("search?where=%3D5", 400, "where", id="where"),
        pytest.param("search?userId=a%00b", 400, "userId", id="nul"),
        pytest.param("system/2026-02-30", 400, "date", id="no-such-day"),
        pytest.param("system/yesterday", 400, "date", id="no-day"),
        pytest.param("builds/nonsense", 400, "buildId", id="no-id"),
        pytest.param("builds/01ARZ3NDEKTSV4RRFFQ69G5FZZ", 404, "buildId", id="unknown-id"),
        pytest.param("builds/01ARZ3NDEKTSV4RRFFQ69G5FZZ?lvl=error", 404, "buildId", id="unknown-id-filtered"),
        pytest.param("projects/01ARZ3NDEKTSV4RRFFQ69G5FZZ", 404, "projectId", id="unknown-project"),
        pytest.param("projects/01ARZ3NDEKTSV4RRFFQ69G5FZZ?lvl=info", 404, "projectId", id="unknown-project-again"),
        pytest.param("stream?cursor=AAAA", 400, "cursor", id="cursor-of-a-tail"),
        pytest.param("stream?until=1h", 400, "until", id="not-here"),
    ],
)
def test_bad_input(served, path, status, parameter):
    """
    What can't be asked is told as a problem that names the parameter.
    """
    answer = served.get(f"v1/admin/logs/{path}")

    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["parameter"]) == (status, status, parameter)


def test_the_first_line_goes_out_at_once():
    """
    What a search finds first isn't held back until it has found more.
    """
    found = iter([b"first\n", b"second\n", b"third\n"])
    search = SimpleNamespace(lines=lambda: found)
    reader = Reader([search], limit=None, is_newest_first=False, signed=str, with_meta=False, hides_names=False)

    assert reader.chunk() == b"first\n"
    assert next(found) == b"second\n"
    assert (reader.chunk(), reader.chunk()) == (b"third\n", b"")


def test_nothing_met_is_not_unknown(served):
    """
    A build of which nothing meets the filters has an empty answer, not a 404.
    """
    answer = served.get(f"v1/admin/logs/builds/{ULID}?kind=nonesuch")

    assert (answer.status_code, answer.text) == (200, "")


def test_reads_are_events(served):
    """
    Every read is an event: who read what, how much, from where; and no token is in it.
    """
    answer = served.get(f"v1/admin/logs/projects/{ULID}?text=record&userId=u3&limit=2")

    def written():
        asked = {"userId": "u3", "text": "record"}
        return [event for event in everything(served.root) if asked.items() <= event["data"].get("asked", {}).items()]

    deadline = time.monotonic() + 60
    while not written() and time.monotonic() < deadline:
        time.sleep(0.02)
    event = written()[0]
    assert (event["tier"], event["kind"], event["projectId"], event["userId"]) == ("action", "action", ULID, "tester")
    data = event["data"]
    assert (data["who"], data["what"], data["from"]) == ("tester", "GET /v1/admin/logs/projects/{projectId}", "127.0.0.1")
    assert (data["status"], data["bytes"], data["lines"]) == (200, len(answer.content), 2)
    assert served.token.encode() not in b"".join(path.read_bytes() for path in served.root.rglob("*.ndjson"))
