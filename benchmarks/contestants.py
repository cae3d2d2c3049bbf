"""
The contestants, each in a process of its own that does the same work on request.

``python contestants.py NAME`` reads lines from standard input: ``RECORDS THREADS``
writes that many records and answers with the CPU time they took, in seconds;
``latency RECORDS`` answers with the p99 of one call, in seconds. It is what
``bench_emit.py`` starts; it isn't meant to be run by hand, but may be.

The work: three data fields, four context ids, one formatted argument, one line
per record in a file. tierlog redacts and loses nothing on SIGKILL; the peers run
as they are best known.
"""

from __future__ import annotations

import contextvars
import logging
import logging.handlers
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable


ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
IDS = {"project_id": ULID, "build_id": ULID, "user_id": "user-42", "req_id": "req-7f3a"}
PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
LONG = "the quick brown fox jumps over the lazy dog " * 4

Log = Callable[[int], object]


def data() -> dict[str, object]:
    """
    Make the payload anew, as applications do.
    """
    return {"step": "install", "duration_ms": 12.5, "cached": True}


class AddIds(logging.Filter):
    """
    What applications write by hand to have ids in every record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.update(IDS)
        return True


def _stdlib_logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger("app.builds")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


def _json_formatter() -> logging.Formatter:
    from pythonjsonlogger.orjson import OrjsonFormatter

    return OrjsonFormatter("{asctime}{levelname}{name}{message}", style="{")


def pjl_rotating(folder: str) -> Log:
    """python-json-logger with orjson on a RotatingFileHandler."""
    handler = logging.handlers.RotatingFileHandler(f"{folder}/a.log", maxBytes=16 << 20, backupCount=100)
    handler.setFormatter(_json_formatter())
    handler.addFilter(AddIds())
    logger = _stdlib_logger(handler)
    return lambda n: logger.info("build step %s finished", n, extra={"data": data()})


def pjl_queue(folder: str) -> Log:
    """python-json-logger with orjson on a RotatingFileHandler behind a queue."""
    import queue

    target = logging.handlers.RotatingFileHandler(f"{folder}/a.log", maxBytes=16 << 20, backupCount=100)
    target.setFormatter(_json_formatter())
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logging.handlers.QueueListener(records, target).start()  # type: ignore[arg-type]
    handler = logging.handlers.QueueHandler(records)  # type: ignore[arg-type]
    handler.addFilter(AddIds())
    logger = _stdlib_logger(handler)
    return lambda n: logger.info("build step %s finished", n, extra={"data": data()})


def structlog_orjson(folder: str) -> Log:
    """structlog with orjson to a file, flushed after each line."""
    import orjson
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt=None),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(open(f"{folder}/s.log", "ab")),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**IDS)
    log = structlog.get_logger()
    return lambda n: log.info("build step %s finished", n, data=data())


def loguru_serialize(folder: str) -> Log:
    """loguru with serialize=True."""
    from loguru import logger

    logger.remove()
    logger.add(f"{folder}/l.log", serialize=True)
    bound = logger.bind(**IDS)
    return lambda n: bound.bind(data=data()).info("build step {} finished", n)


def picologging_orjson(folder: str) -> Log:
    """picologging with an orjson formatter and a FileHandler."""
    import orjson
    import picologging

    class Formatter(picologging.Formatter):
        def format(self, record):  # type: ignore[no-untyped-def]
            event = {"ts": record.created, "lvl": record.levelname, "src": record.name, "msg": record.getMessage()}
            return orjson.dumps({**event, **IDS, "data": getattr(record, "data", None)}).decode()

    handler = picologging.FileHandler(f"{folder}/p.log")
    handler.setFormatter(Formatter())
    logger = picologging.getLogger("app.builds")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return lambda n: logger.info("build step %s finished", n, extra={"data": data()})


def logxide_file(folder: str) -> Log:
    """logxide's Rust file handler."""
    import logxide

    handler = logxide.FileHandler(f"{folder}/x.log")
    logger = logxide.getLogger("app.builds")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return lambda n: logger.info("build step %s finished", n, extra={**IDS, "data": data()})


def bare(folder: str) -> Log:
    """orjson.dumps of a dict and os.write, in a loop."""
    import orjson

    fd = os.open(f"{folder}/b.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def log(n: int) -> None:
        event = {
            "ts": time.time_ns() // 1_000_000,
            "instanceId": "worker-01-ABCDEFGH",
            "tier": "system",
            "kind": "log",
            "lvl": "info",
            "projectId": ULID,
            "buildId": ULID,
            "userId": "user-42",
            "reqId": "req-7f3a",
            "seq": n,
            "src": "app.builds",
            "msg": f"build step {n} finished",
            "data": data(),
        }
        os.write(fd, orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))

    return log


def unchanged(folder: str) -> Log:
    """logging.getLogger().info() through a TierHandler; nothing else is changed."""
    import tierlog

    handler = tierlog.TierHandler(sink={"type": "segments", "root": folder})
    handler.addFilter(tierlog.ContextFilter())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    tierlog.bind(**IDS)
    logger = logging.getLogger("app.builds")
    return lambda n: logger.info("build step %s finished", n, extra={"data": data()})


def _configured(folder: str, **options: object) -> None:
    import tierlog

    tierlog.configure(root=folder, process_events=False, **options)
    tierlog.bind(**IDS)


def configured(folder: str) -> Log:
    """logging.getLogger().info() after tierlog.configure()."""
    _configured(folder)
    logger = logging.getLogger("app.builds")
    return lambda n: logger.info("build step %s finished", n, extra={"data": data()})


def get_logger(folder: str) -> Log:
    """tierlog.get_logger().info()."""
    import tierlog

    _configured(folder)
    logger = tierlog.get_logger("app.builds")
    return lambda n: logger.info("build step %s finished", n, extra={"data": data()})


def _log_event(folder: str, **options: object) -> Log:
    import tierlog

    _configured(folder, **options)
    return lambda n: tierlog.log_event("system", "log", "info", f"build step {n} finished", data())


def log_event(folder: str) -> Log:
    """tierlog.log_event()."""
    return _log_event(folder)


def log_event_mmap(folder: str) -> Log:
    """tierlog.log_event(), writer="mmap"."""
    return _log_event(folder, writer="mmap")


def _log_long(folder: str, **options: object) -> Log:
    import tierlog

    _configured(folder, **options)
    return lambda n: tierlog.log_event("system", "log", "info", f"{LONG}{n}", data())


def clean_300_on(folder: str) -> Log:
    """tierlog.log_event() of a clean 300-byte record."""
    return _log_long(folder)


def clean_300_off(folder: str) -> Log:
    """The same with redaction off."""
    return _log_long(folder, redact="off")


def _log_nested(folder: str, **options: object) -> Log:
    import tierlog

    _configured(folder, **options)

    def log(n: int) -> None:
        tierlog.log_event("action", "integration", "info", f"hook {n} was delivered to the project's endpoint", _hook(n))

    return log


def _hook(n: int) -> dict[str, object]:
    """
    Return 2 KB of nested data, most of it different in each record.
    """
    return {
        "hook": {"number": n, "attempt": 2, "delivered": True, "took": 12.75, "path": f"/v1/projects/{n}/hooks/{n * 7}"},
        "headers": [{"header": f"X-Part-{part}", "shown": f"part {part} of delivery {n}, as it was sent"} for part in range(12)],
        "steps": {
            f"step_{step}": f"step {step} of delivery {n} ended after {step * 3} ms without an error" for step in range(12)
        },
        "tags": [f"tag-{n + tag}" for tag in range(16)],
    }


def clean_2k_on(folder: str) -> Log:
    """tierlog.log_event() of a clean record with 2 KB of nested data."""
    return _log_nested(folder)


def clean_2k_off(folder: str) -> Log:
    """The same with redaction off."""
    return _log_nested(folder, redact="off")


CONTESTANTS: dict[str, Callable[[str], Log]] = {
    one.__name__: one
    for one in (
        *(pjl_rotating, pjl_queue, structlog_orjson, loguru_serialize, picologging_orjson, logxide_file, bare),
        *(unchanged, configured, get_logger, log_event, log_event_mmap, clean_300_on, clean_300_off),
        *(clean_2k_on, clean_2k_off),
    )
}


def _settle(threads: int) -> None:
    """
    Let one thread run on one processor, the same for all contestants: where others use the
    machine, too, one processor may be slower than the next.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, PROCESSORS[:1] if threads == 1 else PROCESSORS)


def _cpu(log: Log, records: int, threads: int) -> float:
    _settle(threads)

    def work() -> None:
        for n in range(records // threads):
            log(n)

    start = time.process_time()
    if threads == 1:
        work()
    else:
        workers = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return time.process_time() - start


def _p99(log: Log, records: int) -> float:
    _settle(1)
    clock = time.perf_counter_ns
    taken = []
    for n in range(records):
        start = clock()
        log(n)
        taken.append(clock() - start)
    taken.sort()
    return taken[int(records * 0.99)] / 1e9


def main() -> None:
    """
    Answer requests until there are no more.
    """
    folder = tempfile.mkdtemp(prefix="tierlog-bench-")
    try:
        log = CONTESTANTS[sys.argv[1]](folder)
        for n in range(2_000):
            log(n)
        print("ready", flush=True)
        for request in sys.stdin:
            first, second = request.split()
            answer = _p99(log, int(second)) if first == "latency" else _cpu(log, int(first), int(second))
            print(answer, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # a listener's thread may never end


if __name__ == "__main__":
    main()
