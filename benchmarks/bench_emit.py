"""
What a log call costs, against the peers, in the same run.

Each contestant is a process of its own (``contestants.py``). Every row runs a
slice of the peer's work and a slice of tierlog's by turns, so that both meet the
same weather, and compares the medians of the CPU time. Set
``BENCH_ROUNDS`` for more or fewer rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


SLICE = 2_000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "31"))
MODULES = {
    "pjl_rotating": "pythonjsonlogger",
    "structlog_orjson": "structlog",
    "loguru_serialize": "loguru",
    "picologging_orjson": "picologging",
    "logxide_file": "logxide",
}

ROWS = [
    ("unchanged", "pjl_rotating", 0.42),
    ("unchanged", "loguru_serialize", 0.33),
    ("configured", "structlog_orjson", 1.0),
    ("get_logger", "pjl_rotating", 0.20),
    ("get_logger", "structlog_orjson", 0.65),
    ("get_logger", "picologging_orjson", 0.85),
    ("log_event", "structlog_orjson", 0.58),
    ("log_event_mmap", "logxide_file", 0.85),
    ("get_logger", "bare", 1.8),
    ("log_event", "bare", 1.6),
    ("clean_300_on", "clean_300_off", 1.6),
    ("clean_2k_on", "clean_2k_off", 2.2),
]
"""tierlog's contestant, the peer's, and the largest ratio aimed at on Python 3.11."""

THREADED = ["unchanged", "configured", "get_logger", "log_event", "log_event_mmap"]
ON_LATER_PYTHONS = 1.2


class Contestant:
    """
    A process that works on request.
    """

    def __init__(self, name: str) -> None:
        script = Path(__file__).with_name("contestants.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", f"{name} did not start"

    def ask(self, request: str) -> float:
        """
        Return the seconds that *request* took.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def stop(self) -> None:
        """
        End the process.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(name="contestant", scope="session")
def _contestant():
    running: dict[str, Contestant] = {}

    def get(name: str) -> Contestant:
        if name not in running:
            running[name] = Contestant(name)
        return running[name]

    yield get
    for one in running.values():
        one.stop()


class Clock:
    """
    A timer that stands still but for what is added: CPU time of other processes.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _available(name: str) -> bool:
    return name not in MODULES or find_spec(MODULES[name]) is not None


def _compare(benchmark, ours, peer, request, peer_request) -> float:
    clock = Clock()
    benchmark._timer = clock  # noqa: SLF001 -- what is timed happens in another process
    mine, theirs = [], []

    def setup() -> None:
        theirs.append(peer.ask(peer_request))

    def run() -> None:
        taken = ours.ask(request)
        mine.append(taken)
        clock.seconds += taken

    benchmark.pedantic(run, setup=setup, rounds=ROUNDS, warmup_rounds=1)
    ratio = statistics.median(mine) / statistics.median(theirs)
    benchmark.extra_info.update(
        ratio=round(ratio, 2),
        us=round(statistics.median(mine) / SLICE * 1e6, 2),
        peer_us=round(statistics.median(theirs) / SLICE * 1e6, 2),
    )
    return ratio


@pytest.mark.parametrize(
    ("name", "peer", "limit"), [pytest.param(*row, id=f"{row[0]}-vs-{row[1]}") for row in ROWS if _available(row[1])]
)
@pytest.mark.benchmark(group="CPU per record")
def bench_cpu(benchmark, contestant, verdicts, name, peer, limit):
    """
    CPU time per record as a ratio to a peer's.
    """
    allowed = limit if sys.version_info < (3, 12) else limit * ON_LATER_PYTHONS

    ratio = _compare(benchmark, contestant(name), contestant(peer), f"{SLICE} 1", f"{SLICE} 1")

    verdicts.add(f"{name} / {peer}", ratio, allowed)


@pytest.mark.parametrize("name", THREADED)
@pytest.mark.benchmark(group="four threads")
def bench_threads(benchmark, contestant, verdicts, name):
    """
    CPU time per record of four threads as a ratio to one thread's.
    """
    one = contestant(name)

    ratio = _compare(benchmark, one, one, f"{SLICE * 4} 4", f"{SLICE * 4} 1")

    verdicts.add(f"{name}, four threads / one", ratio, 1.8)


@pytest.mark.parametrize("name", ["unchanged", "configured", "get_logger", "log_event"])
@pytest.mark.benchmark(group="p99 of one call")
def bench_p99(benchmark, contestant, verdicts, name):
    """
    The 99th percentile of one call as a ratio to python-json-logger's.
    """
    ratio = _compare(benchmark, contestant(name), contestant("pjl_rotating"), f"latency {SLICE}", f"latency {SLICE}")

    verdicts.add(f"{name}, p99 / pjl_rotating", ratio, 0.6)
