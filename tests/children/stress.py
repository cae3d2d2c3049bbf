"""
Three forked processes of four threads each, logging to all tiers of one root.

Arguments: root, writer, records per thread.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading

import tierlog


PROCESSES = 3
THREADS = 4
PROJECTS = [f"01ARZ3NDEKTSV4RRFFQ69G5F{n:02}" for n in range(10)]
BUILDS = [f"01BX5ZZKBKACTAV9WEVGEMMV{n:02}" for n in range(3)]
TIERS = ["system", "build", "deploy", "action", "lifecycle"]


def work(process: int, thread: int, count: int) -> None:
    """
    Log *count* records in a mix of ways.
    """
    rnd = random.Random(f"{process}.{thread}")
    log = logging.getLogger("stress")
    for n in range(count):
        tier, project, build = rnd.choice(TIERS), rnd.choice(PROJECTS), rnd.choice(BUILDS)
        msg = f"{process}.{thread}.{n} {'é' * rnd.choice([0, 10, 100])}"
        if n % 3:
            with tierlog.bound(project_id=project, build_id=build, tier=tier):
                log.info("%s", msg, extra={"data": {"n": n}} if n % 2 else None)
        else:
            tierlog.log_event(tier, None, "warn", msg, {"n": n}, project_id=project, build_id=build)


def main() -> None:
    """
    Fork, and run the threads in each process.
    """
    root, writer, count = sys.argv[1:4]
    options = {"max_bytes": 1_000_000, "max_open_segments": 8, "process_events": False}
    tierlog.configure(root=root, writer=writer, instance_name="stress", **options)
    children = []
    number = 0
    for number in range(1, PROCESSES):
        pid = os.fork()
        if not pid:
            break
        children.append(pid)
    else:
        number = 0
    threads = [threading.Thread(target=work, args=(number, thread, int(count))) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logging.shutdown()
    if number:
        os._exit(0)
    if any(os.waitpid(pid, 0)[1] for pid in children):
        sys.exit("a child failed")


if __name__ == "__main__":
    main()
