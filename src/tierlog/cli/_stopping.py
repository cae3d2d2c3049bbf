"""
Ending as by Ctrl-C, and leaving nothing behind.
"""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager


__all__ = ["stopped_by_kill"]


@contextmanager
def stopped_by_kill() -> Generator[None]:
    """
    Take a plain kill, such as that of timeout(1), for Ctrl-C: what was put on the disk for
    the length of the block is taken away.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
