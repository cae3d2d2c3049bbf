"""
What every sink promises.
"""

from __future__ import annotations

from typing import Any

import orjson

from tierlog.envelope import KEYS
from tierlog.testing._events import event_line
from tierlog.typing import Sink


__all__ = ["SinkContract"]

_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


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
