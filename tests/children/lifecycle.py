"""
Commit transitions of builds in processes that are killed before, in and after telling of
them, one after another on the same database and the same root.

Arguments: URL of the database, root, number of kills, first build, seed. It prints each
transition once it is committed. Where they are killed:

``committed``: as soon as the application's commit has returned.
``claimed``: when the first event is about to be written.
``torn``: when half of its line is, or all but its end.
``half``: when the first of two events is.
``written``: when all are, and the outbox doesn't know yet.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

from sqlalchemy.orm import Session

from lifecycle_model import build_id, engine_to, row
from tierlog.handler import TierHandler
from tierlog.lifecycle import mirror
from tierlog.redact import Redactor
from tierlog.segments import SegmentSink


POINTS = ["committed", "claimed", "torn", "half", "written"]
PATIENCE = 60.0


def die() -> None:
    """
    End at once.
    """
    os.kill(os.getpid(), signal.SIGKILL)


class DeadlySink(SegmentSink):
    """
    Segments whose writer is killed.
    """

    point = ""
    is_halved = False
    lines = 0

    def write_locked(self, event_line, route):
        """
        Write, or be killed.
        """
        if self.point == "claimed":
            die()
        if self.point == "torn":
            super().write_locked(event_line[: len(event_line) // 2 if self.is_halved else -1], route)
            die()
        result = super().write_locked(event_line, route)
        self.lines += 1
        if self.point == "half":
            die()
        return result

    def flush(self):
        """
        Flush, and be killed.
        """
        super().flush()
        if self.point == "written" and self.lines:
            die()


def live(url: str, root: str, number: int, point: str) -> None:
    """
    Commit two transitions, and be killed.
    """
    sink = DeadlySink(root)
    sink.is_halved = bool(number % 2)
    handler = TierHandler(sink=sink, instance_name=f"k{number}")
    engine = engine_to(url)
    mirror("project_build_metrics", engine=engine, handler=handler)
    with Session(engine) as session:
        build = row(number, attempt_number=number % 3 or None)
        session.add(build)
        session.flush()
        with session.begin_nested() as savepoint:
            build.status = "never"
            session.flush()
            savepoint.rollback()
        build.status = ["deployed", "failed"][number % 2]
        sink.point = "" if point == "committed" else point
        session.commit()
        os.write(1, f"{build_id(number)}:{build.attempt_number or '-'}\n".encode())
    if point == "committed":
        die()
    time.sleep(PATIENCE)


def main() -> None:
    """
    Run the processes; they have the rules of redaction from here.
    """
    url, root, count, first, seed = sys.argv[1:]
    rnd = random.Random(int(seed))
    Redactor().text("warm")
    for number in range(int(first), int(first) + int(count)):
        point = POINTS[number % len(POINTS)] if number < 2 * len(POINTS) else rnd.choice(POINTS)
        pid = os.fork()
        if not pid:
            try:
                live(url, root, number, point)
            finally:
                os._exit(3)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(f"the process of {point} ended by itself")


if __name__ == "__main__":
    main()
