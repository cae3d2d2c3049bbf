"""
The sinks that need no disk: a stream, the memory, several at once.
"""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from tierlog import TierHandler
from tierlog.errors import ConfigError
from tierlog.sinks import MemorySink, StreamSink, TeeSink
from tierlog.testing import SinkContract, event_line


LINE, ROUTE = event_line()


class Failing:
    """
    A sink that keeps nothing.
    """

    def __init__(self, error=None):
        self.error = error or OSError(28, "No space left on device")

    def _raise(self, *args):
        raise self.error

    write = flush = close = end_build = _raise


class Committing:
    """
    A sink whose lines are safe only once they are committed.
    """

    def __init__(self, error=None):
        self.error = error
        self.committed = 0

    def write(self, event_line, route):
        return self._commit

    def _commit(self):
        self.committed += 1
        if self.error is not None:
            raise self.error

    def flush(self):
        pass

    close = flush


class Counting(MemorySink):
    """
    A sink that ships, and has counters.
    """

    def __init__(self, **counters):
        super().__init__()
        self.stats = lambda: counters
        self.drained = False

    def drain(self, timeout):
        self.drained = True
        return True


class Unbuffered(io.RawIOBase):
    """
    A pipe that takes a few bytes at a time, until it is full.
    """

    def __init__(self, room=1_000_000):
        self.taken = b""
        self.room = room

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data)[: min(7, self.room - len(self.taken))]
        self.taken += part
        return len(part) or None


class Noting:
    """
    A sink that notes what it is asked.
    """

    def __init__(self):
        self.calls = []

    def write(self, event_line, route):
        self.calls.append(("write", event_line, route))

    def flush(self):
        self.calls.append(("flush",))

    def close(self):
        self.calls.append(("close",))

    def end_build(self, build_id):
        self.calls.append(("end_build", build_id))


def stream():
    """
    Return a stand-in for a standard stream, with bytes below it.
    """
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")


class TestMemorySinkContract(SinkContract):
    @pytest.fixture(name="sink")
    def _sink(self):
        return MemorySink()

    def lines(self, sink):
        return [one.line for one in sink.written]


class TestStreamSinkContract(SinkContract):
    @pytest.fixture(name="sink")
    def _sink(self, capfdbinary):
        self.captured = capfdbinary
        return StreamSink()

    def lines(self, sink):
        return self.captured.readouterr().out.splitlines(keepends=True)


class TestTeeSinkContract(SinkContract):
    @pytest.fixture(name="sink")
    def _sink(self):
        return TeeSink([MemorySink(), Failing(), MemorySink()])

    def lines(self, sink):
        first, _, last = sink.sinks
        assert first.written == last.written
        return [one.line for one in last.written]


class TestMemorySink:
    def test_keeps_line_and_route(self):
        """
        What was written is there, with what it is about.
        """
        sink = MemorySink()

        sink.write(LINE, ROUTE)

        assert sink.written == [(LINE, ROUTE)]

    def test_events(self):
        """
        Lines can be had as events, oldest first.
        """
        sink = MemorySink()

        for number in range(3):
            sink.write(*event_line(number, f"m{number}"))

        assert [(event["seq"], event["msg"]) for event in sink.events] == [(0, "m0"), (1, "m1"), (2, "m2")]

    def test_oldest_go_when_there_are_more(self):
        """
        A limit keeps the last lines.
        """
        sink = MemorySink(max_lines=2)

        for number in range(5):
            sink.write(*event_line(number))

        assert [event["seq"] for event in sink.events] == [3, 4]

    @pytest.mark.parametrize("value", [0, -1, "many", 1.5])
    def test_limit_must_be_a_count(self, value):
        """
        A limit that can't work is refused, by its name.
        """
        with pytest.raises(ConfigError, match=r"^sink\.max_lines: "):
            MemorySink(max_lines=value)

    def test_readable_after_close(self):
        """
        Closing forgets nothing.
        """
        sink = MemorySink()
        sink.write(LINE, ROUTE)

        sink.close()

        assert len(sink.events) == 1


class TestStreamSink:
    @pytest.mark.parametrize("name", ["stdout", "stderr"])
    def test_replaced_stream_gets_the_lines(self, name, monkeypatch):
        """
        Whoever replaces the standard stream later gets what is written later.
        """
        sink = StreamSink(name)
        monkeypatch.setattr(sys, name, stream())

        sink.write(LINE, ROUTE)

        assert getattr(sys, name).buffer.getvalue() == LINE

    def test_stream_without_bytes_gets_text(self, monkeypatch):
        """
        A stream that takes text alone is served, too.
        """
        monkeypatch.setattr(sys, "stdout", io.StringIO())

        StreamSink().write(LINE, ROUTE)

        assert sys.stdout.getvalue() == LINE.decode()

    def test_bytes_are_utf_8_whatever_the_stream_is(self, monkeypatch):
        """
        The terminal's encoding and newlines don't touch a line.
        """
        line, route = event_line(msg="naïve 漢 🙂")
        monkeypatch.setattr(sys, "stdout", stream())

        StreamSink().write(line, route)

        assert sys.stdout.buffer.getvalue() == line

    def test_without_a_buffer_lines_are_whole(self, monkeypatch):
        """
        A stream that takes a part of a line at a time, as ``python -u`` makes them, gets all of it.
        """
        raw = Unbuffered()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, write_through=True))

        StreamSink().write(LINE, ROUTE)

        assert raw.taken == LINE

    def test_full_stream_that_does_not_block_raises(self, monkeypatch):
        """
        A stream that takes nothing hasn't kept the line, and the handler has to know.
        """
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Unbuffered(room=10), write_through=True))

        with pytest.raises(BlockingIOError):
            StreamSink().write(LINE, ROUTE)

    def test_print_and_lines_keep_their_order(self, monkeypatch):
        """
        What a program printed before a line stands before it.
        """
        monkeypatch.setattr(sys, "stdout", stream())

        print("before", end=" ")
        StreamSink().write(LINE, ROUTE)

        assert sys.stdout.buffer.getvalue() == b"before " + LINE

    def test_close_leaves_the_stream_open(self, monkeypatch):
        """
        The stream isn't ours to close.
        """
        monkeypatch.setattr(sys, "stdout", stream())
        sink = StreamSink()

        sink.close()

        assert not sys.stdout.closed

    def test_other_streams_raise(self):
        """
        There are two streams; the error names the nearest.
        """
        with pytest.raises(ConfigError, match=r"^sink\.stream: .*did you mean 'stdout'"):
            StreamSink("sdtout")

    def test_closed_stream_costs_no_record_silently(self, monkeypatch, capfd):
        """
        A line that the stream doesn't take is counted, and goes to standard error.
        """
        closed = stream()
        closed.close()
        monkeypatch.setattr(sys, "stdout", closed)
        handler = TierHandler(sink=StreamSink())

        handler.handle(logging.makeLogRecord({"msg": "hello", "levelno": logging.INFO}))

        assert (handler.stats()["written"], handler.stats()["dropped"]) == (0, {"ValueError": 1})
        assert '"msg":"hello"' in capfd.readouterr().err


class TestTeeSink:
    def test_each_sink_gets_each_line(self):
        """
        A line goes to all sinks, with its route.
        """
        sinks = [MemorySink(), MemorySink()]

        TeeSink(sinks).write(LINE, ROUTE)

        assert [sink.written for sink in sinks] == [[(LINE, ROUTE)]] * 2

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_one_that_fails_does_not_stop_the_others(self, place, capfd):
        """
        Wherever the failing one stands, the others keep the line, and the call returns.
        """
        sinks = [MemorySink(), MemorySink()]
        sinks.insert(place, Failing())

        TeeSink(sinks).write(LINE, ROUTE)

        assert [len(sink.written) for sink in sinks if isinstance(sink, MemorySink)] == [1, 1]

    def test_line_that_none_kept_raises(self, capfd):
        """
        If all fail, the handler has to know.
        """
        last = OSError(5, "Input/output error")

        with pytest.raises(OSError, match="Input/output error") as caught:
            TeeSink([Failing(), Failing(last)]).write(LINE, ROUTE)

        assert caught.value is last

    def test_failures_are_counted_by_sink(self, capfd):
        """
        The counters say which sink failed, and how often.
        """
        tee = TeeSink([MemorySink(), Failing()])

        for _ in range(3):
            tee.write(LINE, ROUTE)
        tee.flush()

        assert tee.stats() == {"tee_failures": {"0:MemorySink": 0, "1:Failing": 4}}

    @pytest.mark.parametrize(
        ("call", "expected"),
        [
            pytest.param(lambda tee: tee.flush(), ("flush",), id="flush"),
            pytest.param(lambda tee: tee.close(), ("close",), id="close"),
            pytest.param(lambda tee: tee.end_build("b"), ("end_build", "b"), id="end-build"),
        ],
    )
    def test_other_calls_reach_all(self, call, expected, capfd):
        """
        Flushing, closing and the end of a build reach every sink that can, past those that fail.
        """
        first, last = Noting(), Noting()

        call(TeeSink([first, Failing(), MemorySink(), last]))

        assert (first.calls, last.calls) == ([expected], [expected])

    def test_counters_of_segments_and_shipping_add_up(self, capfd):
        """
        What the sinks count is added up, where one has nothing to say or fails, too; what
        one has lost isn't, since another has kept it.
        """
        one = Counting(segments={"open": 1}, shipped=1, oldest_unshipped_age=3.0, last_error=None, dropped={"eio": 1})
        other = Counting(segments={"open": 2}, shipped=2, oldest_unshipped_age=5.0, last_error="slow")
        failing = Failing()
        failing.stats = failing.drain = failing.flush
        tee = TeeSink([one, failing, other, Counting(last_error=None, oldest_unshipped_age=None)])

        found = tee.stats()

        assert found.pop("tee_failures") == {"0:Counting": 0, "1:Failing": 1, "2:Counting": 0, "3:Counting": 0}
        assert found == {"segments": {"open": 3}, "shipped": 3, "oldest_unshipped_age": 5.0, "last_error": "slow"}
        assert (tee.drain(1.0), one.drained, other.drained) == (False, True, True)

    def test_without_commits_there_is_none(self):
        """
        Where every sink keeps its line at once, there's nothing to wait for.
        """
        assert TeeSink([MemorySink(), Noting()]).write(LINE, ROUTE) is None

    def test_commits_all(self):
        """
        Waiting means waiting for each sink.
        """
        sinks = [Committing(), MemorySink(), Committing()]

        commit = TeeSink(sinks).write(LINE, ROUTE)
        before = [sinks[0].committed, sinks[2].committed]
        commit()

        assert (before, [sinks[0].committed, sinks[2].committed]) == ([0, 0], [1, 1])

    def test_commit_that_fails_does_not_stop_the_others(self, capfd):
        """
        A sink that can't sync doesn't keep the others from it.
        """
        failing, other = Committing(OSError("no sync")), Committing()

        commit = TeeSink([failing, other]).write(LINE, ROUTE)
        try:
            commit()
        except OSError:
            pass

        assert (failing.committed, other.committed) == (1, 1)

    def test_needs_a_sink(self):
        """
        A tee to nowhere is refused.
        """
        with pytest.raises(ConfigError, match=r"^sink\.sinks: "):
            TeeSink([])

    def test_is_configured_by_the_types_of_its_parts(self):
        """
        Its parts are described as any sink is.
        """
        handler = TierHandler(sink={"type": "tee", "sinks": [{"type": "memory"}, {"type": "memory", "max_lines": 1}]})

        for number in range(3):
            handler.handle(logging.makeLogRecord({"msg": number, "levelno": logging.INFO}))

        assert [len(sink.written) for sink in handler.pipeline.sink.sinks] == [3, 1]

    def test_error_of_a_part_names_the_part(self):
        """
        A mistake in a part is told by its place.
        """
        with pytest.raises(ConfigError, match=r"^sink\.sinks\[1\]\.max_line: .*did you mean 'max_lines'"):
            TierHandler(sink={"type": "tee", "sinks": [{"type": "memory"}, {"type": "memory", "max_line": 1}]})

    def test_through_a_handler_counters_add_up(self, capfd):
        """
        A record that one of the sinks kept is written; one that none kept is dropped.
        """
        good, bad = TierHandler(sink=TeeSink([MemorySink(), Failing()])), TierHandler(sink=TeeSink([Failing()]))

        for handler in (good, bad):
            handler.handle(logging.makeLogRecord({"msg": "hello", "levelno": logging.INFO}))

        found = [(one.stats()["accepted"], one.stats()["written"], one.stats()["dropped"]) for one in (good, bad)]
        assert found == [(1, 1, {}), (1, 0, {"enospc": 1})]

    def test_threads_count_failures_exactly(self, capfd):
        """
        Failures on several threads at once are all counted.
        """
        tee = TeeSink([MemorySink(), Failing()])
        threads = [threading.Thread(target=lambda: [tee.write(LINE, ROUTE) for _ in range(200)]) for _ in range(4)]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert tee.stats()["tee_failures"]["1:Failing"] == 800


def test_what_a_sink_of_a_tee_says_of_its_failure(capfd):
    """
    The error of somebody else's sink may hold a secret: its kind is told, not its words.
    """

    class Failing(MemorySink):
        def write(self, event_line, route):
            raise LookupError("hunter2hunter2")

    kept = MemorySink()
    handler = TierHandler(sink=TeeSink([Failing(), kept]))

    handler.handle(logging.LogRecord("app", 20, __file__, 1, "first", (), None))

    assert [event["msg"] for event in kept.events] == ["first"]
    said = capfd.readouterr().err
    assert "LookupError" in said
    assert "hunter2" not in said
