"""
What is done for each line, which is in C if that was built.

The types in C have the members and methods that are used for each line; these are the
same in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tierlog.context import current
from tierlog.envelope import Route
from tierlog.typing import Commit


__all__ = ["Appender", "PlainAppender", "Slot"]


class PlainSlot:
    """
    What is looked at for each line of a segment.
    """

    __slots__ = ("due", "key", "limit", "put", "put_held", "size", "used")

    key: str
    put: Callable[[bytes], int]
    put_held: Callable[[bytes], int] | None
    due: float
    limit: float
    used: float
    size: int


class PlainAppender:
    """
    What a sink does for each line.
    """

    _held_lines: int
    _is_busy: bool
    _keep: Any
    _last: Any
    _monotonic: Callable[[], float]
    _write_otherwise: Callable[[bytes, Route], Commit | None]

    def write_locked(self, event_line: bytes, route: Route, /) -> Commit | None:
        """
        Append a line, for a caller who has the lock.
        """
        return self._write_otherwise(event_line, route)


try:
    from tierlog._speedups import Appender, Slot
    from tierlog._speedups import current as known

    if known is not current:
        raise ImportError("another interpreter's")  # noqa: TRY301 -- as good as not there
except ImportError:  # or there was no C compiler
    Appender, Slot = PlainAppender, PlainSlot  # type: ignore[misc, assignment]
