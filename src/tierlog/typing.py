"""
Types that several parts share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


__all__ = ["JSON", "Clock", "Commit", "Recovered", "RedactsValues", "Sink"]

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


class RedactsValues(Protocol):
    """
    What hides secrets; see :class:`tierlog.redact.Redactor`.
    """

    def text(self, text: str, /) -> str:
        """
        Return *text* as it may be written.
        """

    def data(self, value: Any, /) -> Any:
        """
        Return a copy of *value* of exact builtins, as it may be written.
        """

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule.
        """


class Recovered(NamedTuple):
    """
    What a recovery did.

    Attributes:
        segments: Segments of ended processes that were looked at and finished.

        torn: Torn lines moved to ``quarantine/``.

        empty: Segments without any line, taken away.

        live: Segments left alone because a process has them open or will continue them.

        failed: Segments that couldn't be mended; they are tried again next time.

        shipped: Segments that were shipped.

        pending: Finished segments that still wait to be shipped.

        problem: Why the last upload failed, None if it didn't.
    """

    segments: int = 0
    torn: int = 0
    empty: int = 0
    live: int = 0
    failed: int = 0
    shipped: int = 0
    pending: int = 0
    problem: str | None = None
