"""
Log from 3 forked processes of 4 threads each, 20 000 records per thread, to all tiers of
one root, and look at every line.

    python proofs/stress.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from common import TESTS, arguments, progress, scratch, verdict


from checker import check  # isort: skip -- found by way of common

_WORKERS = 12


def main() -> int:
    """
    Run the proof; return the exit code.
    """
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="per thread (%(default)s)")
    options = parser.parse_args()
    code = 0
    for writer in [options.writer] if options.writer else ["append", "mmap"]:
        with scratch(keep=options.keep) as folder:
            code |= prove(folder / "logs", writer, options.records)
    return code


def prove(root: Path, writer: str, count: int) -> int:
    """
    Write, and judge.
    """
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, str(TESTS / "children" / "stress.py"), str(root), writer, str(count)])
    while process.poll() is None:
        progress(f"{writer}: writing, {time.monotonic() - started:.0f} s")
        time.sleep(0.1)
    seconds = time.monotonic() - started
    progress(f"{writer}: checking")
    checked = check(root)
    distinct = len(set(checked.messages))
    problems = [str(one) for one in checked.findings]
    problems += [f"exit code {process.returncode}"] * bool(process.returncode)
    problems += [f"{distinct} of {_WORKERS * count} records"] * (distinct != _WORKERS * count)
    problems += [f"{len(checked.events) - distinct} doubled"] * (len(checked.events) != distinct)
    facts = f"{len(checked.events)} records of {_WORKERS} threads in {len(checked.files)} files"
    facts += f", {seconds:.1f} s, {len(checked.findings)} findings"
    return verdict(f"stress {writer}", facts, problems)


if __name__ == "__main__":
    sys.exit(main())
