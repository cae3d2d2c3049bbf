"""
Types that several parts share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


__all__ = ["JSON", "Clock", "Commit", "Sink"]

JSON = None | bool | int | float | str | list[Any] | dict[str, Any]

Clock = Callable[[], int]
"""Returns **nanoseconds** since the Unix epoch, as :func:`time.time_ns` does."""

Commit = Callable[[], None]
"""Blocks until what was written is as durable as was asked for."""


class Sink(Protocol):
    """
    Where lines go.

    The handler calls :meth:`write` from one thread at a time, in the order of
    ``seq``. Every sink passes ``tierlog.testing.SinkContract``.
    """

    def write(self, event_line: bytes, route: Any, /) -> Commit | None:
        """
        Keep *event_line*, one envelope with its newline.

        Args:
            event_line: UTF-8, at most 2 MiB, ended by the only newline in it.

            route: A :class:`tierlog.envelope.Route`: what the line is about.

        Returns:
            None if the line is kept by now; else what to call, outside of the
            handler's lock, to wait until it is.

        Raises:
            Exception: The line was not kept. The handler counts it and hands it
                to the emergency path.
        """

    def flush(self) -> None:
        """
        Bring everything written so far to where it belongs.
        """

    def close(self) -> None:
        """
        Finish. A write after this still keeps its line.
        """
