"""
Log from several threads in several tiers until killed, and acknowledge each
record on standard output once its call has returned.

Arguments: root, writer, number of this run, records per thread; ends by itself
after those.
"""

from __future__ import annotations

import os
import random
import sys
import threading

import tierlog


THREADS = 2
PROJECTS = ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRZ"]
BUILD = "01BX5ZZKBKACTAV9WEVGEMMVS0"
TIERS = ["system", "system", "action", "lifecycle", "build", "deploy"]


def work(run: str, number: int, count: int) -> None:
    """
    Log *count* records and acknowledge each.
    """
    rnd = random.Random(f"{run}.{number}")
    log = tierlog.get_logger("writer")
    for n in range(count):
        token = f"{run}.{number}.{n}"
        ids = {"tier": rnd.choice(TIERS), "project_id": rnd.choice(PROJECTS), "build_id": BUILD}
        # Now and then a line of many pages, which a kill can cut in the middle.
        log.info("%s %s", token, "x" * rnd.choice([0, 50, 500, 40_000 if n % 16 == 0 else 100]), extra=ids)
        os.write(1, f"{token}\n".encode())


def main() -> None:
    """
    Run the threads.
    """
    root, writer, run, count = sys.argv[1:5]
    tierlog.configure(root=root, writer=writer, instance_name="kill", max_bytes=200_000, max_open_segments=4)
    os.write(1, b"ready\n")
    threads = [threading.Thread(target=work, args=(run, number, int(count)), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
