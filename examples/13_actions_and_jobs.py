# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
What users do, and what runs by itself: starts, progress, ends, and what changed.

You will see a job that archives three projects, one of which fails. Of the settings
there is what changed and nothing else, and of the environment no value at all.
"""

from __future__ import annotations

import tierlog
from tierlog.sinks import MemorySink


PROJECTS = ["01JD3YZ5T8AB9C2D4E6F8G0H1J", "01JD3YZ5T8AB9C2D4E6F8G0H1K", "01JD3YZ5T8AB9C2D4E6F8G0H1M"]


@tierlog.action("project.archive")
def archive(project: str) -> None:
    tierlog.bind(project_id=project)
    if project.endswith("K"):
        raise LookupError("no such bucket")


@tierlog.job("nightly-archive", schedule="0 2 * * *", progress_interval=0)
def nightly() -> None:
    with tierlog.action("settings.update", project_id=PROJECTS[0], before={"plan": "pro", "seats": 5}) as a:
        a.update(after={"plan": "free", "seats": 5})
    with tierlog.action("env.update", project_id=PROJECTS[0], kind="env", before={"DSN": "a"}, after={"DSN": "b", "DEBUG": "1"}):
        pass
    with tierlog.job("archive-all", progress_interval=0) as j:
        for done, project in enumerate(PROJECTS, 1):
            try:
                archive(project)
            except LookupError:
                j.update(failed=project)
            j.progress(done=done, total=len(PROJECTS))


if __name__ == "__main__":
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    nightly()
    for event in sink.events:
        if event["data"]["event"] != "start":
            print(event["tier"], event["kind"], event["lvl"], event["msg"], event["data"].get("changes", ""))
