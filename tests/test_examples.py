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
NEEDS = {"07_ship_to_r2": ["tierlog[r2]", "moto[s3,server]"]}
"""What examples need besides tierlog itself."""


def output_of(name: str, folder: Path) -> list[str]:
    """
    Return the lines that the example called *name* prints when run in *folder*.
    """
    (path,) = [one for one in EXAMPLES if one.stem == name]
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
