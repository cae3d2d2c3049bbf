"""
A ``write`` that doesn't let other threads run.

``os.write`` gives up the interpreter's lock (the GIL). Where several threads log,
each line would then wake another one, which costs more than the line itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


__all__ = ["CAN_HOLD", "held_put"]

_MOST_BYTES = 65_536  # what is larger may take long


def _by_ctypes() -> Callable[[int], Callable[[bytes], int]] | None:
    """
    Return what :func:`held_put` does, by the C library's own ``write``; None if it can't be called so.
    """
    try:
        import ctypes  # noqa: PLC0415 -- not every build of Python has it

        write = ctypes.PyDLL(None).write
    except (ImportError, OSError, AttributeError):  # pragma: no cover -- nor is a build without in the test matrix
        return None
    write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    write.restype = ctypes.c_ssize_t

    def made(fd: int) -> Callable[[bytes], int]:
        def put(line: bytes) -> int:
            length = len(line)
            written: int = write(fd, line, length) if length <= _MOST_BYTES else -1
            return written if written >= 0 else os.write(fd, line)  # again: for its error, or after a signal

        return put

    return made


def _maker() -> Callable[[int], Callable[[bytes], int]] | None:
    has_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    if sys.platform == "win32" or not has_gil():  # pragma: no cover -- neither is in the test matrix
        return None
    try:
        from tierlog._speedups import held_put as made  # noqa: PLC0415 -- only of use where there's something to hold
    except ImportError:  # there was no C compiler
        return _by_ctypes()
    return made


_made = _maker()
CAN_HOLD = _made is not None
"""Whether there is such a write."""


def held_put(fd: int) -> Callable[[bytes], int] | None:
    """
    Return what appends a line to *fd* and returns how many bytes of it were taken, as
    ``os.write`` does; None if there's no such thing here.
    """
    return _made(fd) if _made is not None else None
