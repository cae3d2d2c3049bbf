"""
Many lines at once are what they are one by one.
"""

from __future__ import annotations

import errno
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tierlog
from checker import check
from conftest import ULID
from tierlog.batch import write_lines
from tierlog.context import Context
from tierlog.sinks import MemorySink


CONTEXT = Context(project_id=ULID, build_id=ULID)
MS = 1_700_000_000_000


def write(handler, texts, context=CONTEXT, data=(), tier="build", kind="line"):
    return write_lines(handler.pipeline, context, "info", "stdout", texts, dict(data), tier=tier, kind=kind, ms=MS)


def events_below(root):
    return [
        json.loads(line)
        for path in sorted(root.glob("*/*/**/*.ndjson"))
        for line in path.read_bytes().split(b"\n")
        if line.strip()
    ]


class Failing(MemorySink):
    """
    A sink that takes whole batches, but never what has *word* in it.
    """

    def __init__(self, word):
        super().__init__()
        self.word = word

    def room_locked(self, route):
        return 1_000_000

    def write(self, event_line, route):
        if self.word in event_line:
            raise OSError(errno.ENOSPC, "full")
        super().write(event_line, route)


@given(
    texts=st.lists(
        st.text(st.characters(codec=None), max_size=12) | st.sampled_from(['",', ',"', '","', "\x7f", "\\", "%d%b", "\ud800"]),
        max_size=8,
    )
)
def test_any_text(texts):
    """
    Each text, whatever is in it, is the message of one line, as of a single event.
    """
    one_by_one, together = MemorySink(), MemorySink()
    single = tierlog.TierHandler(sink=one_by_one, redact="off", instance_id="same")
    many = tierlog.TierHandler(sink=together, redact="off", instance_id="same")

    for text in texts:
        single.pipeline.event(MS, CONTEXT, "info", "stdout", text, data={"a": "%d"}, tier="build", kind="line")
    write(many, texts, data={"a": "%d"})

    assert [one.line for one in together.written[1:]] == [one.line for one in one_by_one.written[1:]]
    single.close()
    many.close()


@pytest.mark.parametrize(
    "options", [{}, {"writer": "mmap"}, {"durability": "disk"}, {"durability": "batch"}, {"max_bytes": 3_000}]
)
@pytest.mark.parametrize("tier", ["build", "system"])
def test_segments(tmp_path, options, tier):
    """
    Two threads that write batches and single events leave every line whole, and the
    numbers without a gap, whatever the segments are like.
    """
    handler = tierlog.TierHandler(sink={"type": "segments", "root": tmp_path, **options})

    def work(name):
        for number in range(5):
            write(handler, [f"{name} {number} {line}" for line in range(600)], tier=tier, kind=None)
            tierlog.log_event(tier, None, "info", f"{name} {number} single", build_id=ULID)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.close()

    assert check(tmp_path).findings == []
    assert sorted(event["seq"] for event in events_below(tmp_path)) == list(range(2 * 5 * 601))
    assert handler.stats()["written"] == 2 * 5 * 601


def test_lines_that_are_lost():
    """
    What the sink doesn't take of a batch is counted line by line; the rest is kept.
    """
    sink = Failing(b"bad")
    handler = tierlog.TierHandler(sink=sink)

    lost = write(handler, ["one", "bad", "two", "bad as well"])

    assert lost == 2
    assert [event["msg"] for event in sink.events] == ["one", "two"]
    assert (handler.stats()["accepted"], handler.stats()["dropped"]) == (4, {"enospc": 2})


def test_lines_without_the_id_of_their_tier():
    """
    They go to the system tier, say so, and are counted one by one.
    """
    sink = MemorySink()
    handler = tierlog.TierHandler(sink=sink)

    write(handler, ["one", "two"], context=Context())

    assert [event["data"]["_tierlog"]["rerouted"] for event in sink.events] == ["build: buildId is missing"] * 2
    assert handler.stats()["rerouted"] == {"build: buildId is missing": 2}


def test_lines_within_a_write():
    """
    A sink that writes a batch while it is written to gets it afterwards, in order.
    """

    class Nested(MemorySink):
        def write(self, event_line, route):
            super().write(event_line, route)
            if b"outer" in event_line:
                write(handler, ["inner one", "inner two"])

    sink = Nested()
    handler = tierlog.TierHandler(sink=sink)

    write(handler, ["outer", "rest"])

    assert [(event["seq"], event["msg"]) for event in sink.events] == [
        (0, "outer"),
        (1, "rest"),
        (2, "inner one"),
        (3, "inner two"),
    ]
