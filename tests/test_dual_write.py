"""
Two handlers side by side: neither hurts the other, and what differs is counted.
"""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import queue
import subprocess
import sys
import threading

import pytest

from tierlog.dual_write import DualWrite
from tierlog.errors import ConfigError
from tierlog.handler import TierHandler
from tierlog.sinks import MemorySink


class Old(logging.Handler):
    """
    A handler that keeps messages, or raises.
    """

    def __init__(self, error=None):
        super().__init__()
        self.kept = []
        self.error = error

    def emit(self, record):
        if self.error is not None:
            raise self.error
        self.kept.append(record.getMessage())


class Polite(Old):
    """
    One that tells ``handleError``, as the standard library's do.
    """

    def emit(self, record):
        try:
            super().emit(record)
        except Exception:
            self.handleError(record)


@pytest.fixture(name="logger")
def _logger():
    logger = logging.Logger("shop", logging.DEBUG)
    logger.propagate = False
    return logger


@pytest.fixture(name="sink")
def _sink():
    return MemorySink()


def join(logger, old, sink, **options):
    dual = DualWrite(old, TierHandler(sink=sink), **options)
    logger.addHandler(dual)
    return dual


def messages(sink):
    return [event["msg"] for event in sink.events]


def test_both_have_everything(logger, sink):
    """
    Each record is on both sides, with its exception, whatever the old side does to it.
    """
    records = queue.SimpleQueue()
    dual = join(logger, logging.handlers.QueueHandler(records), sink)

    logger.info("paid %s", 42)
    try:
        raise LookupError("gone")
    except LookupError:
        logger.exception("failed")

    assert ([records.get_nowait().msg for _ in range(2)][0], messages(sink)) == ("paid 42", ["paid 42", "failed"])
    assert sink.events[1]["data"]["exc"]["type"] == "LookupError"
    parity = dual.report()
    assert (parity.is_equal, parity.records, parity.old, parity.new) == (True, 2, 2, 2)
    assert "both sides have the same" in str(parity)


@pytest.mark.parametrize("kind", [pytest.param(Old, id="raises"), pytest.param(Polite, id="says-so")])
def test_the_old_one_fails(logger, sink, kind, monkeypatch):
    """
    An old handler that fails costs no line here, and no caller; it is counted.
    """
    monkeypatch.setattr(logging, "raiseExceptions", False)
    dual = join(logger, kind(OSError("disk full")), sink)

    logger.info("one")

    assert messages(sink) == ["one"]
    (missing,) = dual.report().missing
    assert (missing.side, missing.why, missing.logger, missing.level, missing.count) == ("old", "failed", "shop", "INFO", 1)


def test_the_new_one_fails(logger):
    """
    A sink that fails costs the old side nothing; what it lost is counted.
    """

    class Failing(MemorySink):
        def write(self, event_line, route):
            raise OSError("disk full")

    old = Old()
    dual = join(logger, old, Failing())

    logger.info("one")

    assert (old.kept, dual.report().lost, dual.report().is_equal) == (["one"], 1, False)


def test_a_side_that_wants_less(logger, sink):
    """
    What a level or a filter of one side leaves out is missing there, and why is said.
    """
    old = Old()
    old.setLevel(logging.WARNING)
    old.addFilter(lambda record: "secret" not in record.getMessage())
    dual = join(logger, old, sink)

    logger.info("one")
    logger.info("one")
    logger.warning("a secret")
    logger.error("both")

    found = {(one.side, one.level, one.why, one.count) for one in dual.report().missing}
    assert (old.kept, found) == (["both"], {("old", "INFO", "level", 2), ("old", "WARNING", "filter", 1)})
    assert dual.report().counts["shop", "INFO"] == (2, 0, 2)


def test_no_message_is_kept(logger, sink):
    """
    A digest is equal for equal messages, differs from process to process, and says
    nothing; there are at most 1 000.
    """
    first, second = (DualWrite(old, TierHandler(sink=MemorySink())) for old in (Old(OSError()), Old(OSError())))
    logger.addHandler(first)
    logger.addHandler(second)

    for n in range(1_500):
        logger.info("token-%d", n % 1_200)

    reports = [one.report() for one in (first, second)]
    assert [len(one.missing) for one in reports] == [1_000, 1_000]
    assert "token" not in str(reports[0])
    assert {one.digest for one in reports[0].missing}.isdisjoint(one.digest for one in reports[1].missing)


def test_threads(logger, sink):
    """
    Eight threads at once: what one side fails at in one thread isn't another's failure.
    """

    class Half(Polite):
        def emit(self, record):
            self.error = OSError() if "odd" in record.getMessage() else None
            super().emit(record)

    logging.raiseExceptions, before = False, logging.raiseExceptions
    dual = join(logger, Half(), sink)
    try:
        threads = [
            threading.Thread(target=lambda kind=kind: [logger.info("%s", kind) for _ in range(200)])
            for kind in ("odd", "even") * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        logging.raiseExceptions = before

    parity = dual.report()
    assert (parity.records, parity.new, parity.old) == (1_600, 1_600, 800)
    assert [(one.why, one.count) for one in parity.missing] == [("failed", 800)]


CONFIG = """
import json, logging, logging.config, sys
logging.config.dictConfig(json.loads(sys.stdin.read()))
for n in range(3):
    logging.getLogger("shop").info("line %d", n)
print(logging.getLogger().handlers[0].report())
"""


@pytest.mark.parametrize("name", [pytest.param("a_dual", id="before-them"), pytest.param("z_dual", id="after-them")])
def test_from_a_dict(tmp_path, name):
    """
    It is made from a dict of JSON, wherever its name stands among the others'.
    """
    config = {
        "version": 1,
        "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": "old.log", "formatter": "plain"},
            "tiers": {"class": "tierlog.TierHandler", "sink": {"type": "segments", "root": "logs"}},
            name: {"class": "tierlog.dual_write.DualWrite", "old": "file", "new": "tiers", "handlers": "cfg://handlers"},
        },
        "root": {"level": "INFO", "handlers": [name]},
    }

    done = subprocess.run(
        [sys.executable, "-c", CONFIG], input=json.dumps(config), cwd=tmp_path, capture_output=True, text=True, check=True
    )

    lines = [json.loads(line)["msg"] for path in tmp_path.glob("logs/**/*.ndjson") for line in path.read_text().splitlines()]
    assert (tmp_path / "old.log").read_text() == "INFO line 0\nINFO line 1\nINFO line 2\n"
    assert lines == ["line 0", "line 1", "line 2"]
    assert done.stdout == "3 records: 3 old, 3 new, 0 lost; both sides have the same\n"


def test_a_side_that_is_none():
    """
    What is no handler says so at once.
    """
    with pytest.raises(ConfigError) as raised:
        DualWrite("file", TierHandler(sink=MemorySink()))

    assert raised.value.setting == "old"


def test_flush_reaches_both(sink):
    """
    One side's failure to flush isn't the other's.
    """

    class Stuck(Old):
        def flush(self):
            raise OSError("stuck")

    flushed = []
    new = TierHandler(sink=sink)
    new.flush = lambda: flushed.append(True)

    DualWrite(Stuck(), new).flush()

    assert flushed == [True]
