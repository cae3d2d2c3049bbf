"""
What a query costs, in CPU seconds of whole processes, against DuckDB, ripgrep, jq and GNU
sort on the same files in the same run, and on the same files packed.

The corpus has ``BENCH_QUERY_MB`` (32) megabytes; what is aimed at is meant for 1 GB, where
the start of an interpreter counts for little. Needs ``duckdb``; ripgrep, jq and sort are
shown where they are installed. ``tox -e bench-query`` runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest


sys.path.insert(0, str(Path(__file__).resolve().parent))

from query_contestants import QUERIES, command
from query_corpus import make


MEGABYTES = float(os.environ.get("BENCH_QUERY_MB", "32"))
ROUNDS = min(5, int(os.environ.get("BENCH_ROUNDS", "3")))
CONTESTANTS = Path(__file__).with_name("query_contestants.py")
OWN = ["tierlog", "tierlog-catalog"]
ENGINES = ["duck-columns", "duck-lines"]
OTHERS = ["rg", "jq", "sort"]
AIMS = {  # of the faster of DuckDB's: by scan, with the catalog
    "Q1": (0.22, 0.09),
    "Q1b": (0.22, 0.09),
    "Q2": (0.22, 0.09),
    "Q3": (0.25, 0.25),
    "Q4": (0.35, 0.1),
    "Q5": (0.35, 0.35),
    "Q5b": (0.35, 0.35),
    "Q6": (0.5, 0.5),
}
AIMS_RG = {"Q1": (1.4, 0.6), "Q2": (1.4, 0.6), "Q5": (1.4, None), "Q3": (0.7, 0.7)}
AIMS_SORT = (0.9, 0.9)
AIMS_PACKED = {"gz": (0.45, 0.45), "zst": (0.4, 0.1)}  # Q1
PRIVATE_MB = 150


@pytest.fixture(name="corpus", scope="module")
def _corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    build = make(root, MEGABYTES)
    _catalogued(root)
    return root, build


@pytest.fixture(name="packed", scope="module", params=list(AIMS_PACKED))
def _packed(request, corpus, tmp_path_factory):
    from tierlog.compaction import compact

    root = tmp_path_factory.mktemp(request.param) / "logs"
    shutil.copytree(corpus[0], root, ignore=shutil.ignore_patterns(".tierlog"))
    compact(root, None, packing=request.param, older_than=0)
    _catalogued(root)
    return request.param, root, corpus[1]


def _catalogued(root: Path) -> None:
    from tierlog.catalog import Catalog, rebuild, sqlite_url

    catalog = Catalog(sqlite_url(root))
    rebuild(catalog, root, None)
    catalog.close()


_MEASURE = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
said = b""
while block := process.stdout.read(1_048_576):
    said = block[-100:]
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024, said.decode(errors="replace")]))
"""


def _run(arguments: list[str]) -> tuple[float, float, float, str]:
    """
    Return the CPU seconds, the seconds and the megabytes of a process, and the end of what
    it says. A small process starts it: its memory is never less than that of who did.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-S", "-c", _MEASURE, *arguments], stdout=subprocess.PIPE, env=environment, check=True)
    return tuple(json.loads(done.stdout))


def _contestants(query: str, root: Path, build: str) -> dict[str, list[str]]:
    found = {name: [sys.executable, str(CONTESTANTS), name, query, str(root), build] for name in [*OWN, *ENGINES]}
    for name in OTHERS:
        arguments = command(name, query, root, build)
        if arguments and shutil.which(name):
            found[name] = arguments
    return found


@pytest.mark.parametrize("query", QUERIES)
def bench_query(query, corpus, verdicts):
    """
    Each contestant in turn, several times; medians.
    """
    cpu = _measured(f"{query} {QUERIES[query]}", _contestants(query, *corpus), verdicts)

    best = min(cpu[name] for name in ENGINES)
    for name, aim in zip(OWN, AIMS[query], strict=True):
        verdicts.add(f"{query} {name}/duckdb", cpu[name] / best, aim)
    for other, aims in (("rg", AIMS_RG.get(query, ())), ("sort", AIMS_SORT if query == "Q6" else ())):
        for name, aim in zip(OWN, aims, strict=False):
            if other in cpu and aim is not None:
                verdicts.add(f"{query} {name}/{other}", cpu[name] / cpu[other], aim)


def bench_packed(packed, verdicts):
    """
    The first query on the same segments packed.
    """
    packing, root, build = packed
    contestants = {name: one for name, one in _contestants("Q1", root, build).items() if name not in OTHERS}
    cpu = _measured(f"Q1 {packing}", contestants, verdicts)

    best = min(cpu[name] for name in ENGINES)
    for name, aim in zip(OWN, AIMS_PACKED[packing], strict=True):
        verdicts.add(f"Q1 {packing} {name}/duckdb", cpu[name] / best, aim)


def _measured(title: str, contestants: dict[str, list[str]], verdicts) -> dict[str, float]:
    """
    Return the CPU seconds of each contestant, medians of several runs in turn.
    """
    runs: dict[str, list[tuple[float, float, float, str]]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, arguments in contestants.items():
            runs[name].append(_run(arguments))

    cpu = {name: statistics.median(one[0] for one in found) for name, found in runs.items()}
    print(f"\n{title}, {MEGABYTES:g} MB")
    for name, found in sorted(runs.items(), key=lambda item: cpu[item[0]]):
        wall, memory = statistics.median(one[1] for one in found), max(one[2] for one in found)
        said = found[0][3].split()[-1:] if name not in OTHERS else ""
        print(f"  {name:16s} {cpu[name]:7.2f} CPU s {wall:7.2f} s {memory:6.0f} MB  {said}")
    memory = max(one[2] for name in OWN for one in runs[name])
    verdicts.add(f"{title[:8]} tierlog, MB/{PRIVATE_MB}", memory / PRIVATE_MB, 1.0)
    assert len({found[0][3] for name, found in runs.items() if name not in OTHERS}) == 1
    return cpu
