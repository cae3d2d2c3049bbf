"""
What was logged, in memory, and a clock that stands still.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

from tierlog.envelope import make_head
from tierlog.filter import ContextFilter
from tierlog.handler import TierHandler, all_handlers
from tierlog.ndjson import LINE, dump_data, dump_text
from tierlog.sinks import MemorySink


__all__ = ["Events", "FakeClock", "capture", "event_line"]

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
