"""
What a query costs, in CPU seconds of this process, against parsing every line of a small
corpus: ``bench_query.py`` for every run.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import orjson
import pytest


sys.path.insert(0, str(Path(__file__).resolve().parent))

from query_contestants import NEWEST, SINCE, UNTIL
from query_corpus import BUSY, RARE, RARE_TEXT, make


MEGABYTES = 16
ROUNDS = 3
AIMS = {"rare": 0.15, "busy": 0.25, "build": 0.3, "hour": 0.8, "text": 0.5, "count": 1.3, "export": 1.2, "tail": 3.5}
"""What a few files of many megabytes cost is much less: here most are small."""


@pytest.fixture(name="corpus", scope="module")
def _corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    return root, make(root, MEGABYTES)


def _everything(root: Path) -> int:
    return sum(len([orjson.loads(line) for line in path.read_bytes().splitlines()]) for path in root.rglob("*.ndjson"))


def _cpu(work) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        assert work()
        times.append(time.process_time() - began)
    return statistics.median(times)


@pytest.mark.parametrize("query", AIMS)
def bench_query_small(query, corpus, verdicts):
    """
    The queries of ``bench_query.py`` by scan, and following all of it.
    """
    from tierlog.query import open_store

    root, build = corpus
    store = open_store(root, catalog=False)
    newest = {"order": "desc", "limit": NEWEST}
    searches = {
        "rare": {"project_id": RARE, "levels": "error", **newest},
        "busy": {"project_id": BUSY, "levels": "error", **newest},
        "build": {"tiers": "build", "build_id": build},
        "hour": {"since": SINCE, "until": UNTIL},
        "text": {"text": RARE_TEXT, **newest},
        "export": {},
    }

    def work() -> int:
        if query == "count":
            return sum(store.count(("tier", "lvl", "hour")).values())
        if query == "tail":
            return sum(len(lines) for lines in iter(store.tail(since=0).poll_lines, []))
        return sum(map(len, store.search(**searches[query]).lines())) + 1

    verdicts.add(f"{query}/parsing every line", _cpu(work) / _cpu(lambda: _everything(root)), AIMS[query])
