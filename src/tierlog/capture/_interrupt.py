"""
Ctrl-C at a moment at which it would lose something.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


__all__ = ["put_off"]


@contextmanager
def put_off() -> Generator[None]:
    """
    Raise ``KeyboardInterrupt`` only at the end of the block: one that comes while a
    command is started would leave it to itself.

    Raises:
        KeyboardInterrupt: It was pressed meanwhile.
    """
    is_here = threading.current_thread() is threading.main_thread()
    if not is_here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # it isn't raised here
        return
    has_come = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: has_come.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if has_come.is_set():
            raise KeyboardInterrupt
