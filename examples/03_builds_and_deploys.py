# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
Builds and deploys, each with a file of its own.

You will see the files and the messages in each. The last event names no build,
so it isn't in any build's file: it is kept in the system tier, and says why.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import tierlog


PROJECT = "01JD3YZ5T8AB9C2D4E6F8G0H1J"
BUILD = "01JD3Z0V8E6M4K2T9R7Q5N1XYA"
log = logging.getLogger("builder")


def main() -> None:
    """
    Build, deploy, and show what was written.
    """
    tierlog.configure(root="logs", instance_name="example", process_events=False)

    with tierlog.build(BUILD, project_id=PROJECT):
        log.info("installing %d packages", 212)
        log.warning("%s is deprecated", "left-pad")
    tierlog.log_event("deploy", "dns", "info", "propagated", {"ttl": 60}, project_id=PROJECT, build_id=BUILD)
    tierlog.log_event("deploy", "domain", "error", "no such domain", project_id=PROJECT)

    tierlog.shutdown()
    for path in sorted(Path("logs").glob("*/*/*.ndjson")):
        print(path.parts[1], path.stem if path.parts[1] != "system" else "")
        for event in map(json.loads, path.read_text().splitlines()):
            print("   ", event["kind"], event["lvl"], event["msg"], event["data"])


if __name__ == "__main__":
    main()
