"""
What capture costs for each line, against a bare loop that copies the same pipe into a file.

The bare loop reads a line and writes a line, as a program that logs what a child prints
does at least. What it copies is the line; capture writes ten times as many bytes, since
each line is a record, and looks for secrets in it.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time

import pytest

import tierlog
from tierlog import capture


LINES = int(os.environ.get("BENCH_CAPTURE_LINES", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
ALLOWED = 2.0
BUILD = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(name="printed")
def _printed(tmp_path):
    """
    A file of short lines, for ``cat``.
    """
    path = tmp_path / "printed"
    path.write_text("".join(f"line number {number} of the build\n" for number in range(LINES)))
    return path


def bare(path, copy):
    """
    Copy the pipe of ``cat`` line by line.
    """
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as process, open(copy, "wb", buffering=0) as file:
        write = file.write
        for line in process.stdout:
            write(line)


def captured(path):
    """
    Capture ``cat``, and return how it ended.
    """
    return capture.run(["cat", path], build_id=BUILD, console=False)


def seconds(function, *arguments):
    """
    Return the CPU time of this process, all threads, that a call takes.
    """
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


@pytest.mark.benchmark(group="a command's lines")
def bench_lines(benchmark, verdicts, printed, tmp_path):
    """
    Short lines, as many as a build prints in its whole life.
    """
    tierlog.configure(root=tmp_path / "logs", process_events=False)
    captured(printed)  # what is worked out once
    pairs = [(seconds(bare, printed, tmp_path / "copy"), seconds(captured, printed)) for _ in range(ROUNDS)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    benchmark.pedantic(captured, args=(printed,), rounds=1)

    loop, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    benchmark.extra_info["lines a second"] = round(LINES / ours)
    benchmark.extra_info["lines a second, bare loop"] = round(LINES / loop)
    verdicts.add("a line through capture / a bare loop's", ours / loop, ALLOWED)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_384  # KiB: the more lines, no more memory
    tierlog.shutdown()
