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


def _system_write() -> Callable[[int, bytes, int], int] | None:
    """
    Return the C library's ``write``; None if it can't be called so, or nothing would be held.
    """
    has_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    if sys.platform == "win32" or not has_gil():  # pragma: no cover -- neither is in the test matrix
        return None
    try:
        import ctypes  # noqa: PLC0415 -- not every build of Python has it

        write = ctypes.PyDLL(None).write
    except (ImportError, OSError, AttributeError):  # pragma: no cover -- nor is a build without
        return None
    write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    write.restype = ctypes.c_ssize_t
    return write


_write = _system_write()
CAN_HOLD = _write is not None
"""Whether there is such a write."""


def held_put(fd: int) -> Callable[[bytes], int] | None:
    """
    Return what appends a line to *fd* and returns how many bytes of it were taken, as
    ``os.write`` does; None if there's no such thing here.
    """
    if _write is None:  # pragma: no cover -- see above
        return None
    write = _write

    def put(line: bytes) -> int:
        length = len(line)
        written = write(fd, line, length) if length <= _MOST_BYTES else -1
        return written if written >= 0 else os.write(fd, line)  # again: for its error, or after a signal

    return put
