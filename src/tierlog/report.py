"""
What tierlog has to say about itself: to standard error, and never too often.

It doesn't go through :mod:`logging`, which would lead back here.
"""

from __future__ import annotations

import os
import select
import time

from tierlog._fork import ForkSafeLock


__all__ = ["Reporter", "emergency", "report"]

_STDERR = 2
_PATIENCE = 0.1  # seconds
_AT_ONCE = getattr(select, "PIPE_BUF", 512)  # bytes that a pipe takes without a wait if it takes any


class Reporter:
    """
    Writes each kind of message at most once in *interval* **seconds**.
    """

    def __init__(self, interval: float = 10.0) -> None:
        self._interval = interval
        self._lock: ForkSafeLock | None = None
        self._last: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def __call__(self, kind: str, message: str) -> None:
        """
        Write *message*, unless one of the same *kind* was written just now.
        """
        now = time.monotonic()
        self._lock = lock = self._lock or ForkSafeLock()  # not made at import, which has no effect
        with lock:
            if now - self._last.get(kind, -self._interval) < self._interval:
                self._held_back[kind] = self._held_back.get(kind, 0) + 1
                return
            self._last[kind] = now
            more = self._held_back.pop(kind, 0)
        emergency(f"tierlog: {message}{f' ({more} more like this)' if more else ''}\n".encode("utf-8", "backslashreplace"))


report = Reporter()
"""The process's reporter."""


def emergency(data: bytes) -> None:
    """
    Write *data* to standard error, if there is one; never raise.

    Where nobody reads the pipe that it is, the rest is given up: a log call must
    not wait for that.
    """
    try:
        for start in range(0, len(data), _AT_ONCE):
            if not select.select([], [_STDERR], [], _PATIENCE)[1]:
                return
            os.write(_STDERR, data[start : start + _AT_ONCE])
    except (OSError, ValueError):
        return
