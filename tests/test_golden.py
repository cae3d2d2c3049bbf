"""
Bytes on disk outlive code: what was ever written is written the same, and read.

Each folder below ``golden`` is a version of the envelope. Its files are never made
anew; a line that has to change is a new version, in a folder of its own.
"""

from __future__ import annotations

import datetime
import decimal
import logging
import pathlib
import uuid

import pytest

from tierlog import TierHandler, bound, log_event
from tierlog.envelope import KEYS, line_ms
from tierlog.kinds import LEVELS, TIERS, is_kind
from tierlog.ndjson import decode
from tierlog.sinks import MemorySink


FOLDER = pathlib.Path(__file__).parent / "golden"
PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
BUILD = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
NOON_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z


class Noon(logging.Filter):
    """
    Gives every record the same time, and lets it pass.
    """

    def filter(self, record):
        record.created = NOON_MS / 1000
        return True


def error():
    """
    Return an exception that was never raised, so that it has no frames that move.
    """
    made = ValueError("bad value: 7")
    made.add_note("while counting")
    made.__cause__ = KeyError("seven")
    made.__cause__.__context__ = ExceptionGroup("several", [OSError(2, "No such file"), TypeError()])
    return made


def log(level, msg, *args, exc_info=None, stack_info=None, **extra):
    """
    Log one record by a logger of the standard library.
    """
    logger = logging.getLogger("app.billing")
    record = logger.makeRecord(logger.name, level, "app.py", 7, msg, args, exc_info, "f", extra, stack_info)
    logger.handle(record)


def write_all():
    """
    Write one record of each sort.
    """
    event = {"project_id": PROJECT, "build_id": BUILD}
    log_event("system", "log", "info", "started")
    log_event("system", "health", "debug", "alive", {"ok": True, "load": 0.25, "note": None})
    log_event("build", "line", "info", "npm install", **event)
    log_event("build", None, "warn", "3 vulnerabilities", {"step": "install"}, build_id=BUILD, src="stdout")
    log_event("deploy", "dns", "info", "propagated", {"ttl": 60}, **event)
    log_event("action", "integration", "info", "connected", {"provider": "x"}, project_id=PROJECT, user_id="u-1", req_id="r-1")
    log_event("lifecycle", "project", "error", "failed", {"attempt": 2}, project_id=PROJECT)
    log_event("system", "log", "critical", "disk is full")
    with bound(project_id=PROJECT, build_id=BUILD, user_id="u-1", req_id="r-1", tier="build", kind="meta", src="api"):
        log(logging.INFO, "bound %s", "context")
        log(logging.INFO, "own ids", userId="u-2", req_id=7, src="scheduler", kind="line")
    log(logging.DEBUG, "debug")
    log(logging.WARNING, "warning with %d %s", 2, "arguments")
    log(logging.CRITICAL, "critical")
    log(25, "level of its own")
    log(logging.INFO, "extra", order=17, data={"nested": {"list": [1, "two", 3.5, None, False]}})
    log(logging.ERROR, "exception", exc_info=(ValueError, error(), None))
    log(logging.INFO, "stack", stack_info="Stack (most recent call last):\n  in f")
    log(logging.INFO, "%(name)s by name", {"name": "arguments"})
    log_event("build", "line", "info", "rerouted: no build", project_id=PROJECT)
    log_event("action", "team", "info", "rerouted: no ULID", {"a": 1}, project_id="../etc/passwd")
    log_event("nowhere", "log", "info", "rerouted: no tier")
    log_event("deploy", "Not A Kind", "info", "kind of no form", build_id=BUILD)
    log_event("system", "metric", "info", "numbers", {"int": [0, -1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30]})
    log_event("system", "metric", "info", "floats", {"float": [0.1, -0.0, 1e300, 5e-324, 1.0, float("nan"), float("-inf")]})
    log_event("system", "log", "info", "naïve 漢字 🙂 \x00\x1b\u2028\x7f", {"é": "\ud800 lone", "tab\tkey": 'quotes " and \\'})
    log_event("system", "log", "info", "two\nlines\r\n", {1: "int", None: "none", False: "bool", 2.5: "float", (1, "a"): "tuple"})
    log_event(
        "system",
        "log",
        "info",
        "types",
        {
            "bytes": b"a\xff",
            "set": {7},
            "decimal": decimal.Decimal("1.10"),
            "datetime": datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC),
            "date": datetime.date(2026, 11, 22),
            "uuid": uuid.UUID(int=7),
            "path": pathlib.PurePosixPath("/srv/app"),
        },
    )
    log_event("system", "log", "info", "list as data", [1, {"a": 2}])
    log_event("system", "log", "info", "", {})
    log_event("system", "log", "info", None, "text as data")
    log_event("system", "auth", "info", "password=" + "hunter2", {"apiKey": "x", "note": "ghp" + "_" + "a1" * 18, "author": "me"})


def at_noon(line):
    """
    Return a line with the time of all lines: log_event() reads the clock by itself.
    """
    return b'{"ts":%d' % NOON_MS + line[line.index(b",") :]


def old_lines():
    """
    Return every line of every version, each with the name of its file.
    """
    for path in sorted(FOLDER.glob("*/*.ndjson")):
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            yield pytest.param(line, id=f"{path.parent.name}-{path.stem}-{number}")


def test_lines_are_written_as_ever():
    """
    The same records become the same bytes, for as long as this is version 1.
    """
    sink = MemorySink()
    handler = TierHandler(sink=sink, instance_id="web-01-0123ABCD", clock=lambda: NOON_MS * 1_000_000)
    logger = logging.getLogger("app.billing")
    logger.addHandler(handler)
    logger.addFilter(Noon())
    logger.setLevel(logging.DEBUG)

    write_all()

    expected = (FOLDER / "v1" / "envelope.ndjson").read_bytes().splitlines(keepends=True)
    assert [at_noon(one.line) for one in sink.written] == expected


@pytest.mark.parametrize("line", list(old_lines()))
def test_old_lines_are_read(line):
    """
    Every line of every version is an event, with the envelope's keys and types.
    """
    event = decode(line)

    assert tuple(event) == KEYS
    assert [type(event[key]) for key in ("ts", "instanceId", "seq", "src", "msg", "data")] == [int, str, int, str, str, dict]
    assert (event["tier"] in TIERS, is_kind(event["kind"]), event["lvl"] in LEVELS.values()) == (True, True, True)
    assert {type(event[key]) for key in ("projectId", "buildId", "userId", "reqId")} <= {str, type(None)}
    assert line_ms(line) == event["ts"]


def test_numbers_count_up():
    """
    The lines of a file are one stream, without a gap.
    """
    lines = (FOLDER / "v1" / "envelope.ndjson").read_bytes().splitlines()

    assert [decode(line)["seq"] for line in lines] == list(range(len(lines)))
