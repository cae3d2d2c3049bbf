"""
What ``import tierlog`` costs: CPU time of a child process over a bare interpreter.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys


ROUNDS = 15
LIMIT_MS = 50.0


def _cpu_ms(code: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    return (after.children_user + after.children_system - before.children_user - before.children_system) * 1000


def bench_import(benchmark):
    """
    Interleaved with a bare interpreter; at most 50 ms more.
    """
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(_cpu_ms("pass"))
        ours.append(_cpu_ms("import tierlog"))

    benchmark.pedantic(_cpu_ms, args=("import tierlog",), rounds=3)
    cost = statistics.median(ours) - statistics.median(bare)
    benchmark.extra_info["ms_over_bare"] = round(cost, 1)

    assert cost <= LIMIT_MS, f"import tierlog costs {cost:.1f} ms over a bare interpreter"
