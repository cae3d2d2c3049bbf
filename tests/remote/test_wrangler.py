"""
The real wrangler, run under capture: its output, and what it says of itself in its file.
"""

from __future__ import annotations

import os

import pytest

import tierlog
from conftest import ULID
from servers.install import wrangler
from tierlog import capture
from tierlog.sinks import MemorySink


CONFIG = """
name = "shop"
main = "index.js"
compatibility_date = "2025-01-01"
"""


@pytest.fixture(name="project")
def _project(tmp_path):
    (tmp_path / "wrangler.toml").write_text(CONFIG)
    (tmp_path / "index.js").write_text("export default { fetch() { return new Response('hi') } }\n")
    return tmp_path


def deploy(project, *arguments, **variables):
    """
    Run ``wrangler deploy``, and return how it ended and the events.
    """
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDFLARE_", "CF_", "WRANGLER_"))}
    env |= {"HOME": str(project), "XDG_CONFIG_HOME": str(project), "WRANGLER_SEND_METRICS": "false", "CI": "true", **variables}
    command = [*wrangler(), "deploy", *arguments]
    result = capture.run(command, tier="deploy", src="wrangler", build_id=ULID, cwd=project, env=env, console=False)
    return result, sink.events


def of_type(events, wanted):
    return [event for event in events if event["data"].get("type") == wanted]


def test_dry_run(project):
    """
    A deploy is there by its lines and as an entry of wrangler's own, of kind ``deploy``.
    """
    result, events = deploy(project, "--dry-run", "--outdir", "dist")

    (entry,) = of_type(events, "deploy")
    assert (result.returncode, result.merged) == (0, 2)
    assert [event["msg"] for event in events if event["kind"] == "line" and "dry-run" in event["msg"]] == [
        "--dry-run: exiting now."
    ]
    assert (entry["kind"], entry["src"], entry["lvl"], entry["buildId"]) == ("deploy", "wrangler", "info", ULID)
    assert (entry["msg"], entry["data"]["worker_name"]) == ("deploy shop", "shop")


def test_failure(project):
    """
    A deploy that fails is an error, with wrangler's own words and without escape sequences.
    """
    (project / "index.js").write_text("export default {\n")

    result, events = deploy(project, "--dry-run", "--outdir", "dist")

    (entry,) = of_type(events, "command-failed")
    assert result.returncode == 1
    assert (entry["kind"], entry["lvl"]) == ("deploy", "error")
    assert "Build failed" in entry["msg"]
    assert not [event for event in events if "\x1b" in event["msg"]]
    assert (events[-1]["lvl"], events[-1]["data"]["exit_code"]) == ("error", 1)


def test_the_folder_somebody_else_reads(project):
    """
    Where the caller has named a folder for wrangler's files, the file stays there.
    """
    (project / "said").mkdir()

    result, _ = deploy(project, "--dry-run", "--outdir", "dist", WRANGLER_OUTPUT_FILE_DIRECTORY=str(project / "said"))

    (path,) = (project / "said").iterdir()
    assert result.merged == 2
    assert path.name.startswith("wrangler-output-")
    assert path.read_bytes().count(b"\n") == 2
