"""
Log while the file system refuses, and say what became of it.

Arguments: root, writer, durability, fault, number of records. Faults:

``efbig``: no file may grow beyond 100 000 bytes, then every file may again.
``enospc``: the root is a file system of 256 KiB, which is full until a file goes.
``none``: nothing, for faults that come from outside.

It prints one JSON object: what raised, the messages logged after the fault, the
counters, and every line with the file it is in.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import tierlog


BUILD = "01BX5ZZKBKACTAV9WEVGEMMVS0"
PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
TIERS = ["system", "action", "build", "lifecycle"]


def main() -> None:
    """
    Bring the fault about, log, take it away, log again.
    """
    root, writer, durability, fault, count = sys.argv[1:]
    options = {"max_bytes": 150_000, "flush_interval": 0.05, "process_events": False}
    if fault == "enospc":
        os.makedirs(root)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", root], check=True)
    tierlog.configure(root=root, writer=writer, durability=durability, **options)
    if fault == "efbig":
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    if fault == "enospc":
        Path(root, "ballast").write_bytes(b"x" * 100_000)
    raised = log_all("during", int(count))
    during = tierlog.stats()["dropped"]
    if fault == "efbig":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    if fault == "enospc":
        # Room for what comes after: the mapping writer reserves more than a line.
        subprocess.run(["mount", "-o", "remount,size=64m", root], check=True)
        os.unlink(f"{root}/ballast")
    raised += log_all("after", 20)
    tierlog.flush()
    stats = tierlog.stats()
    tierlog.shutdown()
    files = {
        str(path.relative_to(root)): path.read_text("utf-8")
        for path in Path(root).rglob("*.ndjson")
        if ".tierlog" not in str(path)
    }
    if fault == "efbig":
        files = {name: text for name, text in files.items() if text}
    print(json.dumps({"raised": raised, "during": during, "stats": stats, "files": files}))


def log_all(phase: str, count: int) -> list[str]:
    """
    Log *count* records to several tiers; return what raised.
    """
    raised = []
    for number in range(count):
        extra = {"tier": TIERS[number % 4], "build_id": BUILD, "project_id": PROJECT}
        try:
            tierlog.get_logger("app").info("%s %d %s", phase, number, "x" * (number * 37 % 2_000), extra=extra)
        except BaseException as e:  # noqa: BLE001 -- that is what is looked for
            raised.append(repr(e))
    return raised


if __name__ == "__main__":
    main()
