"""
Kill a logging process at random moments, again and again, and count what is lost.

A process logs with two threads to all tiers and acknowledges each record once its call
has returned. It is killed with SIGKILL and started again on the same root, and in the
end all is recovered. Nothing acknowledged may be missing, nothing may be doubled, no
line may be torn.

    python proofs/kills.py --kills 200
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from common import TESTS, arguments, progress, scratch, verdict

import tierlog


from checker import check  # isort: skip -- found by way of common


def main() -> int:
    """
    Run the proof; return the exit code.
    """
    parser = arguments(__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often, for each writer (%(default)s)")
    parser.add_argument("--life", type=float, default=0.4, help="seconds that a process lives at most (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; a new one each time if not given")
    options = parser.parse_args()
    code = 0
    for writer in [options.writer] if options.writer else ["append", "mmap"]:
        seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4))
        with scratch(keep=options.keep) as folder:
            code |= prove(folder / "logs", writer, options.kills, options.life, seed)
    return code


def prove(root: Path, writer: str, kills: int, life: float, seed: int) -> int:
    """
    Kill *kills* processes on *root*, recover, and judge.
    """
    rnd = random.Random(seed)
    acknowledged: list[str] = []
    for number in range(kills):
        acknowledged += killed(root, writer, number, rnd.random() ** 2 * life)
        progress(f"{writer}: {number + 1} of {kills} killed, {len(acknowledged)} records acknowledged")
    progress(f"{writer}: recovering")
    tierlog.recover(root)
    progress(f"{writer}: checking")
    checked = check(root)
    tokens = [msg.split()[0] for msg in checked.messages if msg.startswith("k")]
    lost = set(acknowledged) - set(tokens)
    doubled = len(tokens) - len(set(tokens))
    torn = len(list((root / "quarantine").glob("*"))) if (root / "quarantine").exists() else 0
    problems = [f"lost {token}" for token in sorted(lost)]
    problems += [f"doubled {doubled}"] * bool(doubled)
    problems += [str(one) for one in checked.findings]
    problems += ["nothing was acknowledged"] * (not acknowledged)
    facts = (
        f"{kills} kills, {len(acknowledged)} records acknowledged, {len(lost)} lost, {doubled} doubled, "
        f"{torn} torn lines in quarantine, {checked.codes()['torn']} left (seed {seed})"
    )
    return verdict(f"kills {writer}", facts, problems)


def killed(root: Path, writer: str, number: int, seconds: float) -> list[str]:
    """
    Run a process for that long, and return what it acknowledged.
    """
    command = [sys.executable, str(TESTS / "children" / "writer.py"), str(root), writer, f"k{number}", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            process.kill()
            sys.exit("the process did not start")
        reading = Path(f"{root}.acknowledged")
        with reading.open("wb") as file:
            end = time.monotonic() + seconds
            os.set_blocking(process.stdout.fileno(), False)
            while time.monotonic() < end:
                file.write(process.stdout.read() or b"")
                time.sleep(0.0005)
            process.kill()
            process.wait()
            os.set_blocking(process.stdout.fileno(), True)
            file.write(process.stdout.read())
    return [line.decode() for line in reading.read_bytes().split(b"\n")[:-1]]


if __name__ == "__main__":
    sys.exit(main())
