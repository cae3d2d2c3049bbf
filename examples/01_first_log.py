# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog"]
# ///
"""
The smallest program that logs with tierlog.

You will see the lines of its one segment, in the folder ``logs``: that the
process started, that something was paid, with its token hidden, and that the
process stopped.
"""

from __future__ import annotations

import logging
from pathlib import Path

import tierlog


def main() -> None:
    """
    Log, and show what was written.
    """
    tierlog.configure(root="logs", instance_name="example")

    logging.getLogger("shop").info("paid %s cents", 4200, extra={"data": {"card_token": "tok-4711"}})

    tierlog.shutdown()
    for path in sorted(Path("logs").glob("system/*/*.ndjson")):
        print(path.read_text(), end="")


if __name__ == "__main__":
    main()
