"""
A corpus of envelope lines for ``bench_query.py``: the same bytes for the same size.

One day, ten instances, 200 projects of which few are busy, five tiers, segments of 16 MiB;
a build's log is one file. Times step back now and then, as they do when threads log.
"""

from __future__ import annotations

import heapq
import random
import sys
from itertools import count
from pathlib import Path

from tierlog.layout import Place, local_path


START = 1_795_305_600_000  # 2026-11-22T00:00:00Z
DAY = "2026-11-22"
DAY_MS = 86_400_000
SEGMENT_BYTES = 16_777_216
LINE_BYTES = 350
INSTANCES = [f"web-{number:02d}-{number:08d}" for number in range(10)]
PROJECTS = [f"01ARZ3NDEKTSV4RRFFQ{number:07d}" for number in range(200)]
BUSY, RARE = PROJECTS[0], PROJECTS[-1]
RARE_TEXT = "zebra crossing"
COMMON_TEXT = "timeout"

_KINDS = {"system": "log", "build": "line", "deploy": "line", "action": "action", "lifecycle": "project"}
_LEVELS = ["info"] * 80 + ["debug"] * 12 + ["warn"] * 6 + ["error"] * 2
_WORDS = [
    "added 1214 packages in 31s; compiled successfully",
    "connection reset by peer while reading response header from upstream",
    "GET /api/v1/projects 200 14 ms",
    "warning: unmet peer dependency react@18",
    "retrying request after timeout of 3000 ms",
    "uploading worker bundle 412 KiB gzip 96 KiB",
    "published to production in 2.31 sec",
    "cache miss for key node_modules",
    "rendered page /dashboard in 48 ms",
    "job daily-reset finished with 0 failures",
    "DNS record propagated to all regions",
]


def make(root: Path, megabytes: float) -> str:
    """
    Write the corpus, and return the id of a build of middling size.
    """
    rng = random.Random(7)
    lines = int(megabytes * 1_000_000 / LINE_BYTES)
    files = _Files(root)
    seqs = dict.fromkeys(INSTANCES, 0)
    builds = [f"01BX5ZZKBKACTAV9WEV{number:07d}" for number in range(max(4, lines // 12_000))]
    for number in range(lines):
        ts = START + number * DAY_MS // lines
        if number % 97 == 0:
            ts = max(START, ts - rng.randrange(2_000))
        instance = INSTANCES[number * 7 % 10]
        project = RARE if number % 5_003 == 0 else PROJECTS[int((len(PROJECTS) - 1) * rng.random() ** 3)]
        tier = rng.choices(["system", "build", "deploy", "action", "lifecycle"], [60, 20, 5, 12, 3])[0]
        if tier in {"action", "lifecycle"}:
            instance = INSTANCES[int(project[-7:]) % 10]
        build = builds[min(len(builds) - 1, number * len(builds) // lines + number % 3)] if tier in {"build", "deploy"} else None
        lvl = "error" if number % 10_006 == 0 else rng.choice(_LEVELS)
        msg = f"{rng.choice(_WORDS)} [{number}] {rng.choice(_WORDS)}"
        if number % 40_009 == 0:
            msg = f"{msg} {RARE_TEXT}"
        seq = seqs[instance]
        seqs[instance] += 1
        nulled = f'"{build}"' if build else "null"
        line = (
            f'{{"ts":{ts},"instanceId":"{instance}","tier":"{tier}","kind":"{_KINDS[tier]}","lvl":"{lvl}","projectId":"{project}",'
            f'"buildId":{nulled},"userId":"user-{number % 50}","reqId":"req-{number // 10:08d}","seq":{seq},"src":"app.{tier}",'
            f'"msg":"{msg}","data":{{"step":{number % 9},"duration_ms":{number % 977}}}}}\n'
        )
        owner = build if tier in {"build", "deploy"} else project if tier in {"action", "lifecycle"} else None
        files.write(tier, owner, instance, line.encode())
    files.close()
    return builds[len(builds) // 2]


class _Files:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._buffers: dict[tuple[str, str | None, str], list[bytes]] = {}
        self._sizes: dict[tuple[str, str | None, str], int] = {}
        self._numbers = count()
        self._total = 0

    def write(self, tier: str, owner: str | None, instance: str, line: bytes) -> None:
        key = (tier, owner, "" if tier in {"build", "deploy"} else instance)
        self._buffers.setdefault(key, []).append(line)
        self._sizes[key] = self._sizes.get(key, 0) + len(line)
        self._total += len(line)
        if self._sizes[key] >= SEGMENT_BYTES - 1_000:
            self._finish(key)
        if self._total > 300_000_000:  # the largest go first, so that memory stays bounded
            for largest in heapq.nlargest(20, self._sizes, self._sizes.__getitem__):
                self._finish(largest)

    def close(self) -> None:
        for key in list(self._buffers):
            self._finish(key)

    def _finish(self, key: tuple[str, str | None, str]) -> None:
        tier, owner, instance = key
        ulid = f"01KA{next(self._numbers):022d}"
        place = Place(tier, DAY, owner, instance or INSTANCES[0], ulid)
        path = self._root / local_path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self._buffers.pop(key)))
        self._total -= self._sizes.pop(key)


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), float(sys.argv[2])))
