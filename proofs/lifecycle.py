"""
Kill processes that mirror a table of builds, before, in and after telling of what was
committed, and count what a reader sees.

Each process commits two transitions, and a change that it takes back to a savepoint. It
is killed with SIGKILL right after its commit, when its first event is about to be written,
in the middle of the line, between the two events, or when both are written and the outbox
doesn't know. In the end the table is mirrored once more. A reader must see each committed
transition once, and nothing else.

    python proofs/lifecycle.py --kills 100
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from common import TESTS, progress, scratch, verdict
from sqlalchemy import select

from tierlog.handler import TierHandler
from tierlog.lifecycle import mirror
from tierlog.verify import verify


from lifecycle_model import Metrics, engine_to, told_keys  # isort: skip -- found by way of common


def main() -> int:
    """
    Run the proof; return the exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how often (%(default)s)")
    parser.add_argument("--url", help="an empty database of PostgreSQL; a SQLite file if not given")
    parser.add_argument("--seed", type=int, help="of the moments; a new one each time if not given")
    parser.add_argument("--keep", action="store_true", help="leave the files, and say where they are")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4))
    with scratch(keep=options.keep) as folder:
        return prove(options.url or f"sqlite:///{folder}/app.db", folder / "logs", options.kills, seed)


def prove(url: str, root: Path, kills: int, seed: int) -> int:
    """
    Kill *kills* processes, mirror once more, and judge.
    """
    engine = engine_to(url)
    engine.dispose()
    progress(f"killing {kills} processes")
    command = [sys.executable, str(TESTS / "children" / "lifecycle.py"), url, str(root), str(kills), "0", str(seed)]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    acknowledged = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, check=True
    ).stdout.split()
    handler = TierHandler(sink={"type": "segments", "root": str(root)})
    with mirror(Metrics, engine=engine, handler=handler) as restarted:
        is_done = restarted.flush(60)
        waiting = restarted.waiting()
    handler.close()
    with engine.connect() as connection:
        rows = connection.execute(select(Metrics.build_id, Metrics.status, Metrics.attempt_number)).all()
    engine.dispose()
    expected = Counter(f"{build}:{one}:{attempt or '-'}" for build, status, attempt in rows for one in ("building", status))
    found = told_keys(root)
    doubled = {key: times for key, times in found.items() if times > 1}
    problems = [f"lost {key}" for key in sorted(expected - found)]
    problems += [f"doubled {key}: {times}" for key, times in doubled.items()]
    problems += [f"never committed {key}" for key in sorted(set(found) - set(expected))]
    problems += [f"{waiting} wait"] * (not is_done or waiting > 0)
    problems += ["a commit was lost"] * (len(acknowledged) > len(rows))
    problems += [str(one) for one in verify(root, None).findings]
    told = sum(found.values())
    facts = f"{kills} kills, {len(expected)} transitions committed, {told} events, {len(doubled)} doubled (seed {seed})"
    return verdict("lifecycle", facts, problems)


if __name__ == "__main__":
    sys.exit(main())
