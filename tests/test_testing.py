"""
The tools for tests, and the contract that every sink of ours keeps.
"""

from __future__ import annotations

import logging

import pytest

import tierlog
from tierlog.segments import SegmentSink
from tierlog.sinks import MemorySink, StreamSink, TeeSink
from tierlog.testing import FakeClock, SinkContract, capture


pytest_plugins = ["pytester"]


class TestMemorySink(SinkContract):
    @pytest.fixture(name="sink")
    def _sink(self):
        return MemorySink()

    def lines(self, sink):
        return [one.line for one in sink.written]


class TestTeeSink(SinkContract):
    @pytest.fixture(name="sink")
    def _sink(self):
        return TeeSink([MemorySink(), MemorySink()])

    def lines(self, sink):
        return [one.line for one in sink.sinks[1].written]


class TestStreamSink(SinkContract):
    @pytest.fixture(name="sink")
    def _sink(self, capfdbinary):
        self.captured = capfdbinary
        return StreamSink("stderr")

    def lines(self, sink):
        return self.captured.readouterr().err.splitlines(keepends=True)


class SegmentContract(SinkContract):
    def lines(self, sink):
        sink.close()
        return [
            line for path in sorted(sink.root.glob("system/**/*.ndjson")) for line in path.read_bytes().splitlines(keepends=True)
        ]


@pytest.mark.parametrize("durability", ["process", "batch", "disk"])
@pytest.mark.parametrize("writer", ["append", "mmap"])
class TestSegmentSink(SegmentContract):
    @pytest.fixture(name="sink")
    def _sink(self, tmp_path, durability, writer):
        return SegmentSink(tmp_path, durability=durability, writer=writer)


class TestCapture:
    def test_collects_and_finds(self):
        """
        What is logged in the block can be looked at by its fields.
        """
        with capture() as events:
            logging.getLogger("app").warning("late")
            tierlog.log_event("system", "job", "info", "done")

        assert len(events) == 2
        assert [event["msg"] for event in events.find(kind="job")] == ["done"]
        assert events[-1]["msg"] == "done"

    def test_leaves_nothing_behind(self):
        """
        After the block, the root logger is as it was.
        """
        before = (logging.getLogger().level, logging.getLogger().handlers[:])

        with capture():
            pass

        assert (logging.getLogger().level, logging.getLogger().handlers) == before


def test_the_fixture(pytester):
    """
    Whoever installs tierlog has the fixture tierlog_events.
    """
    pytester.makepyfile(
        """
        import logging

        def test_it(tierlog_events):
            logging.getLogger("app").info("token=%s", "abcd1234efgh5678")

            assert tierlog_events.find(src="app")[0]["msg"] == "token=[REDACTED:secret-assignment]"
        """
    )

    result = pytester.runpytest_subprocess("-q")

    result.assert_outcomes(passed=1)


def test_fake_clock():
    """
    A clock that moves only when it is told to.
    """
    clock = FakeClock(1_000_000_000)

    clock.advance(2.5)

    assert (clock.time_ns(), clock.monotonic()) == (3_500_000_000, 2.5)
