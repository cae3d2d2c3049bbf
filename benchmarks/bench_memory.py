"""
What a long life costs: a million records to a thousand projects.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile


LIMIT_MIB = 60.0

CHILD = """
import json, os, sys, time
import tierlog

def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

tierlog.configure(root=sys.argv[1], process_events=False)
tierlog.log_event("system", "log", "info", "warm")
idle = rss()
projects = [f"01ARZ3NDEKTSV4RRFF{n:08d}" for n in range(1000)]
for n in range(int(sys.argv[2])):
    # A project's records come in small bursts, as a request's do.
    tierlog.log_event("action", "action", "info", f"step {n} done", {"n": n}, project_id=projects[n // 20 % 1000])
stats = tierlog.stats()
print(json.dumps({"mib": rss() - idle, "accepted": stats["accepted"], "written": stats["written"]}))
"""


def bench_memory(benchmark):
    """
    At most 60 MiB above idle.
    """

    def run() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", CHILD, folder, "1000000"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    found = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(found)

    assert found["accepted"] == found["written"]
    assert found["mib"] <= LIMIT_MIB, f"{found['mib']:.0f} MiB above idle"
