"""
Ship through faults and kills, and compare what arrived with what was logged.

*Faults*: processes log and ship to Cloudflare's R2 simulator through proxies that reset,
hang, mute, slow down and refuse connections, and answer 500, 503, 520, 429, 403 and 401.
Beside it each line goes to a twin that doesn't ship. In the end each line of the twin
is in the bucket, once and byte for byte, nothing is on the disk, and ``verify`` is clean.

*Kills*: a process that logs and ships is killed with SIGKILL at random moments, again
and again. In the end all is recovered and shipped: nothing acknowledged is missing,
nothing is doubled, no line is torn, and ``verify`` is clean.

    python proofs/shipping.py --minutes 10 --kills 100
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import arguments, progress, scratch, verdict
from kills import killed

import tierlog
from tierlog.r2 import R2Store
from tierlog.shipping import sealed
from tierlog.verify import verify


from bucket import events, objects, segments  # isort: skip -- found by way of common
from servers.faults import HttpFaults, TcpFaults  # isort: skip
from servers.r2 import R2Simulator  # isort: skip

_CONNECTIONS = ("pass", "pass", "pass", "refuse", "reset:40", "reset:5000", "hang:40", "hang:5000", "mute", "slow:4096")
_REFUSALS = ((500, "InternalError"), (503, "SlowDown"), (520, ""), (429, "TooManyRequests"), (403, "AccessDenied"))
_ANSWERS = (None, None, None, *_REFUSALS)
_PROCESSES = 2
_LONGER = 10


def main() -> int:
    """
    Run the proofs; return the exit code.
    """
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults (%(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="how often (%(default)s)")
    parser.add_argument("--life", type=float, default=1.5, help="seconds that a process lives at most (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments and faults; a new one each time if not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4))
    code = 0
    if options.minutes > 0:
        with scratch(keep=options.keep) as folder, R2Simulator() as simulator:
            code |= faults(folder, simulator, options.minutes * 60, random.Random(seed), seed)
    for writer in [options.writer] if options.writer else ["append", "mmap"]:
        if options.kills > 0:
            with scratch(keep=options.keep) as folder, R2Simulator() as simulator:
                code |= kills(folder, simulator, writer, options, random.Random(seed), seed)
    return code


def faults(folder: Path, simulator: R2Simulator, seconds: float, rnd: random.Random, seed: int) -> int:
    """
    Log and ship through faults for that long, then without, and judge.
    """
    counts: Counter[str] = Counter()

    def connection(_: int) -> str:
        what = rnd.choice(_CONNECTIONS)
        counts[what.partition(":")[0]] += 1
        return what

    def answer(*_: object) -> tuple[int, str] | None:
        what = rnd.choice(_ANSWERS)
        if what is not None:
            counts[str(what[0])] += 1
        return what

    with HttpFaults(simulator.address, answer, keeps=False) as http, TcpFaults(("127.0.0.1", http.port), connection) as tcp:
        options = {**simulator.options, "endpoint_url": simulator.at(tcp.url)}
        ended = threading.Event()
        processes = [_logging(folder, options, number) for number in range(_PROCESSES)]
        for process in processes:
            process.stdout.readline()  # until it logs
        end = time.monotonic() + seconds
        while not ended.wait(min(1.0, max(0.01, end - time.monotonic()))) and time.monotonic() < end:
            progress(f"faults: {end - time.monotonic():.0f} s left, {counts.total() - counts['pass']} faults")
        # From now on all goes well, and each process has to end with everything shipped.
        http.plan, tcp.plan = lambda *_: None, lambda _: "pass"
        reports = [_ended(process) for process in processes]
    problems = [f"a process failed: {err[-500:]}" for code, _, err in reports if code]
    root, store = folder / "logs", R2Store(**simulator.options)
    twin, stored = Counter(_lines(segments(folder / "twin"))), Counter(_lines(objects(simulator.options)))
    problems += [f"missing: {line[:120]!r}" for line in twin - stored]
    problems += [f"doubled or changed: {line[:120]!r}" for line in stored - twin]
    problems += [f"left on the disk: {path}" for path in segments(root)]
    verified = verify(root, store, sealed=sealed(root))
    problems += [f"verify: {one.kind} {one.detail}" for one in verified.findings]
    problems += ["nothing was logged"] * (not twin)
    failed = sum(json.loads(out)["failed"] for code, out, _ in reports if not code)
    facts = (
        f"{seconds / 60:.1f} minutes, {_PROCESSES} processes, {twin.total()} records in {verified.remote} segments, "
        f"{failed} uploads failed, {dict(sorted(counts.items()))} (seed {seed})"
    )
    return verdict("shipping through faults", facts, problems)


_PROGRAM = """
import json, logging, random, sys, threading
import tierlog
from tierlog.handler import TierHandler

folder, options, number = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
rotation = {"max_bytes": 30_000}
ships = {"type": "r2", "root": f"{folder}/logs", "catalog": None, "connect_timeout": 2, "read_timeout": 2, **rotation, **options}
handler = TierHandler(sink={"type": "tee", "sinks": [ships, {"type": "segments", "root": f"{folder}/twin", **rotation}]})
log = tierlog.get_logger("faults")
log.addHandler(handler)
log.setLevel("INFO")
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
rnd, n = random.Random(number), 0
print("ready", flush=True)
tiers = ["system", "action", "build", "deploy", "lifecycle"]
while not ended.wait(0.002):
    build = "01BX5ZZKBKACTAV9WEVGEMMV%02d" % (n // 500 % 90)
    ids = {"project_id": "01ARZ3NDEKTSV4RRFFQ69G5F%02d" % rnd.randrange(4), "build_id": build}
    log.info("%s.%d %s", number, n, "x" * rnd.randrange(300), extra={"tier": rnd.choice(tiers), **ids})
    n += 1
    if n % 500 == 0:
        handler.pipeline.sink.end_build(build)
handler.close()
assert handler.pipeline.sink.drain(300.0), "not all was shipped"
print(json.dumps(handler.pipeline.sink.sinks[0].stats()))
"""


def _logging(folder: Path, options: dict[str, Any], number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _PROGRAM, str(folder), json.dumps(options), str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(b"", timeout=400)
    return process.returncode, out.decode(), err.decode()


def _lines(found: dict[str, bytes]) -> list[bytes]:
    return [line for content in found.values() for line in content.splitlines()]


def kills(folder: Path, simulator: R2Simulator, writer: str, options: Any, rnd: random.Random, seed: int) -> int:
    """
    Kill processes that ship, recover, and judge.
    """
    root = folder / "logs"
    os.environ.update({f"TIERLOG_{name.upper()}": value for name, value in simulator.options.items()})
    acknowledged: list[str] = []
    number = before = 0
    while number < options.kills or (not before and number < options.kills * _LONGER):
        longer = 1 + number // options.kills  # on a slow machine, few kills may all come before anything is shipped
        acknowledged += killed(root, writer, number, rnd.random() * options.life * longer)
        number += 1
        before = len(objects(simulator.options)) if number >= options.kills else 0
        progress(f"{writer}: {number} of {options.kills} killed, {len(acknowledged)} records acknowledged")
    recovered = tierlog.recover(root, timeout=300, **simulator.options)
    stored, left = objects(simulator.options), segments(root)
    tokens = Counter(event["msg"].split()[0] for event in events(*stored.values()))
    problems = [f"lost {token}" for token in acknowledged if token not in tokens]
    problems += [f"doubled {token}" for token, times in tokens.items() if times > 1 and token.startswith("k")]
    problems += [f"left on the disk: {path}" for path in left]
    problems += [str(recovered.problem)] * bool(recovered.problem)
    verified = verify(root, R2Store(**simulator.options), sealed=sealed(root))
    problems += [f"verify: {one.kind} {one.detail}" for one in verified.findings]
    problems += ["nothing was acknowledged"] * (not acknowledged) + ["nothing was shipped before the end"] * (not before)
    facts = (
        f"{number} kills, {len(acknowledged)} records acknowledged, all in {len(stored)} objects, {before} of them "
        f"shipped between the kills (seed {seed})"
    )
    return verdict(f"shipping through kills, {writer}", facts, problems)


if __name__ == "__main__":
    sys.exit(main())
