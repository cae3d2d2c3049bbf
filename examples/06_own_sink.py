# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
A sink of one's own, beside the one that keeps the lines.

It counts errors by project, from the route and the line it is given. You will
see the counts, and that all lines were kept in the folder ``logs`` as well.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import tierlog


class ErrorCounts:
    """
    How many errors each project has had.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def write(self, event_line: bytes, route: Any) -> None:
        """
        Count the line if it is an error's; called by one thread at a time.
        """
        if route.lvl == "error":
            self.counts[json.loads(event_line)["projectId"]] += 1

    def flush(self) -> None:
        """
        Do nothing: there's nowhere further to go.
        """

    close = flush


if __name__ == "__main__":
    errors = ErrorCounts()
    tierlog.configure(sink={"type": "tee", "sinks": [{"type": "segments", "root": "logs"}, errors]}, process_events=False)
    for project, lvl in [("J", "error"), ("J", "info"), ("K", "error"), ("J", "error")]:
        tierlog.log_event("action", "integration", lvl, "connecting", project_id=f"01JD3YZ5T8AB9C2D4E6F8G0H1{project}")
    tierlog.shutdown()
    for project_id, count in sorted(errors.counts.items()):
        print(project_id, count)
    print(sum(len(path.read_text().splitlines()) for path in Path("logs").glob("projects/*/*/*.ndjson")), "lines kept")
