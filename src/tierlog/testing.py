"""
Tools for tests: events in memory, a clock that stands still, the contract of sinks.

The product never imports this module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

import orjson

from tierlog.envelope import KEYS, make_head
from tierlog.filter import ContextFilter
from tierlog.handler import TierHandler, all_handlers
from tierlog.ndjson import LINE, dump_data, dump_text
from tierlog.sinks import MemorySink
from tierlog.typing import Sink


__all__ = ["Events", "FakeClock", "MemorySink", "SinkContract", "capture", "event_line"]

_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
_START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


class FakeClock:
    """
    A clock that moves when it is told to.

    Args:
        ns: Where it begins, **nanoseconds** since the epoch.
    """

    def __init__(self, ns: int = _START_NS) -> None:
        self._start = ns
        self._ns = ns

    def time_ns(self) -> int:
        """
        Return the time, as :func:`time.time_ns` does: a ``clock=``.
        """
        return self._ns

    def monotonic(self) -> float:
        """
        Return the seconds since it began, as :func:`time.monotonic` does: a
        ``monotonic=``.
        """
        return (self._ns - self._start) / 1e9

    def advance(self, seconds: float) -> None:
        """
        Let *seconds* pass.
        """
        self._ns += round(seconds * 1e9)


class Events(Sequence[dict[str, Any]]):
    """
    What was logged, oldest first, as events with the envelope's keys.
    """

    def __init__(self, sink: MemorySink) -> None:
        self._sink = sink

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._sink.events[index]

    def __len__(self) -> int:
        return len(self._sink.written)

    def __repr__(self) -> str:
        return repr(self._sink.events)

    def find(self, **fields: Any) -> list[dict[str, Any]]:
        """
        Return the events whose *fields* have these values.

        >>> with capture() as events:
        ...     logging.getLogger("app").warning("late")
        >>> [event["msg"] for event in events.find(lvl="warn", src="app")]
        ['late']
        """
        return [event for event in self if all(event[name] == value for name, value in fields.items())]

    def clear(self) -> None:
        """
        Forget what was logged so far.
        """
        self._sink.written.clear()


@contextmanager
def capture(level: int | str = logging.DEBUG, **options: Any) -> Iterator[Events]:
    """
    Collect what is logged in this block, by whichever logger that propagates.

    Args:
        level: Level of the root logger meanwhile.

        options: Of the :class:`tierlog.TierHandler`.
    """
    sink = MemorySink(id_format=options.pop("id_format", "ulid"))
    root = logging.getLogger()
    before = root.level
    handler = TierHandler(sink=sink, **{"instance_name": "test", **options})
    handler.addFilter(ContextFilter())
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield Events(sink)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()
        all_handlers[:] = [one for one in all_handlers if one is not handler]


def event_line(seq: int = 0, msg: str = "hello", *, ms: int = _START_NS // 1_000_000, **fields: Any) -> tuple[bytes, Any]:
    """
    Return a line and its route, to be written to a sink.

    Args:
        seq: Its ``seq``.

        msg: Its ``msg``.

        ms: Its ``ts``.

        fields: Ids, ``tier`` and ``kind``.
    """
    head = make_head(ms, "test-00000000", fields, "info", default_tier="system", id_format="ulid", redact=lambda text: text)
    return LINE % (ms, head.middle, seq, b',"src":"test"', dump_text(msg), dump_data({})), head.route


class SinkContract:
    """
    What every sink promises. Inherit from it, and give it the fixture ``sink``.

    It checks what can be seen from outside: that a sink takes what the handler
    gives it. A sink whose lines can be read back says so by the method
    ``lines(sink)``, and then they are compared.
    """

    def lines(self, sink: Sink) -> list[bytes] | None:  # noqa: ARG002 -- to be overridden
        """
        Return the lines that *sink* has kept, in order; None if nobody can tell.
        """
        return None

    def test_takes_a_line(self, sink: Sink) -> None:
        """
        A line is kept as it is, once.
        """
        line, route = event_line()

        _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line])

    def test_keeps_order(self, sink: Sink) -> None:
        """
        Lines stand in the order in which they were written.
        """
        pairs = [event_line(seq) for seq in range(50)]

        for line, route in pairs:
            _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line for line, _ in pairs])

    def test_takes_every_tier(self, sink: Sink) -> None:
        """
        A line of any tier is taken.
        """
        for number, tier in enumerate(["system", "build", "deploy", "action", "lifecycle"]):
            line, route = event_line(number, tier=tier, project_id=_ID, build_id=_ID)

            _settled(sink, line, route)

        sink.flush()

    def test_takes_the_largest_line(self, sink: Sink) -> None:
        """
        A line of nearly 2 MiB is taken.
        """
        line, route = event_line(msg="x" * 2_000_000)

        _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line])

    def test_flush_and_close_may_be_repeated(self, sink: Sink) -> None:
        """
        Flushing and closing twice is no error.
        """
        sink.flush()
        sink.flush()
        sink.close()
        sink.close()

    def test_a_line_after_close_is_kept(self, sink: Sink) -> None:
        """
        What is logged while a program ends isn't refused.
        """
        line, route = event_line()
        sink.close()

        _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line])


def _settled(sink: Sink, line: bytes, route: Any) -> None:
    assert list(orjson.loads(line)) == list(KEYS)
    commit = sink.write(line, route)
    if commit is not None:
        commit()
