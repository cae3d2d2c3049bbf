"""
Prove that capture loses nothing, mixes nothing up and lets no key through, under load.

    python proofs/capture.py --captures 50 --rounds 10 --lines 500000 --kills 20

``keys``: so many commands at once print the halves of their private keys by turns, cut
anywhere; no row of any key may be in any file, and every line around them must be.
``lines``: one command prints so many lines on each stream; all must be there, in order.
``kills``: the process that captures is killed in the middle; what is in the file must be
the beginning of what was printed, in whole lines.
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from common import arguments, progress, scratch, verdict

import tierlog
from tierlog import capture


from checker import check  # isort: skip -- found by way of common


ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
HEADS = ("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY")
DASHES = "-----"

PRINTING = """
import os, sys, time
for chunk in sys.argv[1:]:
    os.write(1, bytes.fromhex(chunk)); time.sleep(0.01)
"""
COUNTING = "import os\nfor n in range({}):\n for fd in (1, 2): os.write(fd, b'%d %s\\n' % (n, b'x' * (n % 50)))"
KILLED = """
import sys, tierlog
from tierlog import capture
tierlog.configure(root=sys.argv[1], process_events=False)
capture.run(["seq", "1000000000"], build_id=sys.argv[2], console=False)
"""


def events_below(root: Path) -> list[dict]:
    """
    Return the events of all files, in the order in which they were numbered.
    """
    events = [
        json.loads(line) for path in root.glob("*/*/**/*.ndjson") for line in path.read_bytes().split(b"\n") if line.strip()
    ]
    return sorted(events, key=lambda event: (event["instanceId"], event["seq"]))


def lines_of(root: Path, src: str = "stdout") -> list[str]:
    return [event["msg"] for event in events_below(root) if event["kind"] == "line" and event["src"] == src]


def key(chance: random.Random) -> tuple[list[str], list[str]]:
    """
    Return the rows of a key's body, and the lines that hold it.
    """
    body = base64.b64encode(chance.randbytes(chance.randrange(300, 2_400))).decode()
    rows = [body[at : at + 64] for at in range(0, len(body), 64)]
    head = chance.choice(HEADS)
    return rows, ["before", f"{DASHES}BEGIN {head}{DASHES}", *rows, f"{DASHES}END {head}{DASHES}", "after"]


def keys(root: Path, captures: int, rounds: int) -> list[str]:
    """
    Let many commands at once print their keys, and return what is wrong with the files.
    """
    tierlog.configure(root=root, process_events=False)
    chance = random.Random(os.urandom(8))
    rows: list[str] = []
    for number in range(rounds):
        progress(f"keys: round {number + 1} of {rounds}")
        threads = []
        for _ in range(captures):
            its_rows, text = key(chance)
            rows += its_rows
            content = ("\n".join(text) + "\n").encode()
            cuts = sorted(chance.sample(range(1, len(content)), 3))
            chunks = [content[start:end].hex() for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
            command = [sys.executable, "-S", "-c", PRINTING, *chunks]
            options = {"build_id": ULID, "console": False}
            threads.append(threading.Thread(target=capture.run, args=(command,), kwargs=options))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tierlog.shutdown()
    found = lines_of(root)
    text = "\n".join(found)
    problems = [f"a row of a key is in a file: {row[:20]}" for row in rows if row[:20] in text or row[-20:] in text]
    counts = {wanted: found.count(wanted) for wanted in ("before", "after", "[REDACTED:private-key]")}
    problems += [
        f"{count} of {captures * rounds} lines {line!r} are there" for line, count in counts.items() if count != captures * rounds
    ]
    return [*problems, *map(str, check(root).findings)]


def many_lines(root: Path, count: int) -> list[str]:
    """
    Let one command print many lines on both streams, and return what is wrong.
    """
    progress(f"lines: {2 * count:,}")
    tierlog.configure(root=root, process_events=False)
    result = capture.run([sys.executable, "-S", "-c", COUNTING.format(count)], build_id=ULID, console=False)
    tierlog.shutdown()
    wanted = [f"{number} {'x' * (number % 50)}" for number in range(count)]
    problems = [f"{src} isn't what was printed" for src in ("stdout", "stderr") if lines_of(root, src) != wanted]
    if (result.lines, result.lost) != (2 * count, 0):
        problems.append(f"it says {result.lines} lines, {result.lost} lost")
    return [*problems, *map(str, check(root).findings)]


def killed(root: Path, kills: int) -> list[str]:
    """
    Kill the process that captures, and return what is wrong with what it left.
    """
    problems = []
    for number in range(kills):
        progress(f"kills: {number + 1} of {kills}")
        folder = root / str(number)
        process = subprocess.Popen([sys.executable, "-c", KILLED, folder, ULID])
        while not list(folder.glob("builds/*/*.ndjson")):
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        process.kill()
        process.wait()
        recovered = tierlog.recover(folder)
        found = lines_of(folder)
        if found != [str(line) for line in range(1, len(found) + 1)]:
            problems.append(f"after kill {number} the lines aren't the first that were printed")
        if recovered.torn > 1:
            problems.append(f"after kill {number}, {recovered.torn} lines are torn")
    return problems


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--captures", type=int, default=50, help="commands at once")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--lines", type=int, default=100_000, help="on each stream")
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    with scratch(keep=given.keep) as folder:
        wrong = verdict(
            "no key is let through", f"{given.captures * given.rounds} keys", keys(folder / "keys", given.captures, given.rounds)
        )
        wrong |= verdict("every line is there", f"{2 * given.lines:,} lines", many_lines(folder / "lines", given.lines))
        wrong |= verdict("a kill leaves whole lines", f"{given.kills} kills", killed(folder / "kills", given.kills))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
