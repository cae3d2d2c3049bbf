"""
The examples run, and show what their docstrings say.

Each is run in an interpreter and a folder of its own, as a reader would.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest


EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
ALL = [pytest.param(path, id=path.stem) for path in EXAMPLES]
DEADLINE = 60.0
BUCKET = ("ENDPOINT_URL", "BUCKET")
BUILD = "01JD3Z0V8E6M4K2T9R7Q5N1XYA"
NEEDS = {
    "07_ship_to_r2": ["tierlog[r2]", "moto[s3,server]"],
    "08_fastapi_requests": ["tierlog", "fastapi", "httpx"],
    "10_django_requests": ["tierlog", "django"],
    "11_flask_requests": ["tierlog", "flask"],
    "12_celery_tasks": ["tierlog", "celery"],
}
"""What examples need besides tierlog itself."""


def output_of(name: str, folder: Path) -> list[str]:
    """
    Return the lines that the example called *name* prints when run in *folder*.
    """
    (path,) = [one for one in EXAMPLES if one.stem == name]
    return printed(path, folder)


def printed(path: Path, folder: Path) -> list[str]:
    """
    Return the lines that the program at *path* prints when run in *folder*.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith(("TIERLOG_", "AWS_")) and key not in BUCKET},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def events_of(name: str, folder: Path) -> list[dict[str, Any]]:
    """
    Return the events that the example called *name* prints when run in *folder*.
    """
    return [json.loads(line) for line in output_of(name, folder)]


@pytest.mark.parametrize("path", ALL)
def test_begins_with_what_it_needs(path: Path) -> None:
    """
    An example begins with the block that lets a runner install what it needs.
    """
    first, *lines = path.read_text().splitlines()

    block = "\n".join(line.removeprefix("# ") for line in lines[: lines.index("# ///")])

    assert first == "# /// script"
    assert tomllib.loads(block) == {"requires-python": ">=3.11", "dependencies": NEEDS.get(path.stem, ["tierlog"])}


@pytest.mark.parametrize("path", ALL)
def test_says_what_is_seen(path: Path) -> None:
    """
    An example has a docstring that says what its reader will see.
    """
    assert "You will see" in " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())


@pytest.mark.parametrize("path", ALL)
def test_is_short(path: Path) -> None:
    """
    An example has less than 60 lines.
    """
    assert len(path.read_text().splitlines()) < 60


def test_first_log(tmp_path: Path) -> None:
    """
    The line stands between those of start and stop, in order, its token hidden.
    """
    events = events_of("01_first_log", tmp_path)

    assert [event["msg"] for event in events] == ["process started", "paid 4200 cents", "process stopped"]
    assert [event["seq"] for event in events] == [0, 1, 2]
    assert events[1]["data"] == {"card_token": "[REDACTED:key]"}


def test_request_context(tmp_path: Path) -> None:
    """
    Each line has the id of its request, in tasks and in threads; none is left.
    """
    lines = output_of("02_request_context", tmp_path)

    assert lines == [
        "req-a api order 1 received",
        "req-a api order 1 charged",
        "req-b api order 2 received",
        "req-b api order 2 charged",
        "bound now: {}",
    ]


def test_builds_and_deploys(tmp_path: Path) -> None:
    """
    A build's and a deploy's lines are in files named after the build; an event
    without a build is in the system tier.
    """
    lines = output_of("03_builds_and_deploys", tmp_path)

    assert lines == [
        f"builds {BUILD}",
        "    line info installing 212 packages {}",
        "    line warn left-pad is deprecated {}",
        f"deploys {BUILD}",
        "    dns info propagated {'ttl': 60}",
        "system ",
        "    domain error no such domain {'_tierlog': {'rerouted': 'deploy: buildId is missing'}}",
    ]


def test_twelve_factor_stdout(tmp_path: Path) -> None:
    """
    Standard output has one envelope a record, with the id and the exception.
    """
    events = events_of("04_twelve_factor_stdout", tmp_path)

    assert [(event["msg"], event["reqId"]) for event in events] == [("listening", "req-7f3a"), ("no port", "req-7f3a")]
    assert events[0]["data"] == {"port": 8000}
    assert events[1]["data"]["exc"]["type"] == "ValueError"


def test_queue_listener(tmp_path: Path) -> None:
    """
    Behind a queue, each line has the id of the thread that logged it.
    """
    lines = output_of("05_queue_listener", tmp_path)

    assert lines == ["req-0 request 0 served", "req-1 request 1 served", "req-2 request 2 served"]


def test_own_sink(tmp_path: Path) -> None:
    """
    The sink has counted the errors, and all lines are in segments, too.
    """
    lines = output_of("06_own_sink", tmp_path)

    assert lines == ["01JD3YZ5T8AB9C2D4E6F8G0H1J 2", "01JD3YZ5T8AB9C2D4E6F8G0H1K 1", "4 lines kept"]


def test_ship_to_r2(tmp_path: Path) -> None:
    """
    The build's one object is in the bucket, described; nothing is on the disk, and
    nothing is missing.
    """
    lines = output_of("07_ship_to_r2", tmp_path)

    assert lines == [
        "0 segments left on the disk",
        f"builds/{BUILD}.ndjson 3 lines, seq 0 to 2",
        "nothing is missing: True",
    ]


def test_fastapi_requests(tmp_path: Path) -> None:
    """
    Each request has a start and an end, and its background task the same id.
    """
    lines = output_of("08_fastapi_requests", tmp_path)

    assert "req-projects system info thumbnail of build 7 made" in lines
    assert lines[2] == "req-projects action info GET /projects/{project}/builds/{number} 200"
    assert lines[-3:] == [
        "req-broken system error GET /broken 500 LookupError: no such order",
        "req-nowhere system info GET /nowhere started",
        "req-nowhere system info GET /nowhere 404",
    ]


def test_wsgi_requests(tmp_path: Path) -> None:
    """
    All lines have the client's id, and the end comes after the last part.
    """
    sent, *lines = output_of("09_wsgi_requests", tmp_path)

    assert sent == "req-7f3a 12 bytes"
    assert lines == [
        "req-7f3a user-42 api GET /3 started",
        *(f"req-7f3a user-42 shop row {row}" for row in range(3)),
        "req-7f3a user-42 api GET /3 200",
    ]


def test_django_requests(tmp_path: Path) -> None:
    """
    The end has the route and the user, or what the view raised.
    """
    lines = output_of("10_django_requests", tmp_path)

    assert lines[2] == "req-a user-42 api GET /orders/<int:number> 200 "
    assert lines[-1] == "req-b None api GET /broken 500 LookupError: no such order for GET LookupError"


def test_flask_requests(tmp_path: Path) -> None:
    """
    Who logs in is the user from there on.
    """
    lines = output_of("11_flask_requests", tmp_path)

    assert [line.split()[:2] for line in lines] == [
        ["req-0", "None"],
        ["req-0", "jane"],
        ["req-2", "None"],
        ["req-2", "jane"],
        ["req-2", "jane"],
    ]


def test_celery_tasks(tmp_path: Path) -> None:
    """
    Both tasks have the sender's ids, a start, their line and an end.
    """
    lines = output_of("12_celery_tasks", tmp_path)

    assert [line.split(" ", 2) for line in lines] == [
        ["req-7f3a", "01JD3YZ5T8AB9C2D4E6F8G0H1J", said]
        for said in (
            "shop.resize started",
            "cat.png resized",
            "shop.resize succeeded",
            "shop.publish started",
            "cat.png published",
            "shop.publish succeeded",
        )
    ]


def test_actions_and_jobs(tmp_path: Path) -> None:
    """
    There is what changed, of the environment names, and each of three attempts.
    """
    lines = output_of("13_actions_and_jobs", tmp_path)

    assert lines[:2] == [
        "action action info settings.update succeeded {'plan': {'before': 'pro', 'after': 'free'}}",
        "action env info env.update succeeded {'changed': ['DSN'], 'added': ['DEBUG']}",
    ]
    assert [line.split()[2] for line in lines if "project.archive" in line] == ["info", "error", "info"]
    assert lines[-1].strip() == "system job info nightly-archive succeeded"


def test_platform(tmp_path: Path) -> None:
    """
    Builds that real commands made, one of which failed, are told by database, log and
    timeline, out of the bucket.
    """
    path = Path(__file__).parent.parent / "examples" / "platform" / "demo.py"

    lines = printed(path, tmp_path)

    assert lines[:3] == ["build 1: deployed", "build 2: failed", "build 2 failed at its: build: SyntaxError: invalid syntax"]
    assert [line.split(maxsplit=2)[1:] for line in lines if line.startswith("lifecycle")] == [
        ["info", "build B1: queued"],
        ["info", "build B1: queued -> building"],
        ["info", "build B1: building -> deploying"],
        ["info", "build B1: deploying -> deployed"],
        ["info", "build B2: queued"],
        ["info", "build B2: queued -> building"],
        ["error", "build B2: building -> failed (build)"],
    ]
    assert "action    info  POST /projects/{project_id}/builds 202" in lines
    assert "build     info  Compiling './app.py'..." in lines
    assert any(line.startswith("deploy ") for line in lines)
    assert lines[-2:] == ["0 segments left on the disk", "nothing is missing: True"]
