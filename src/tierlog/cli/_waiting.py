"""
What a person sees while there's nothing to see yet.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


__all__ = ["waiting"]

_PATIENCE = 2.0  # seconds


@contextmanager
def waiting(text: str, *, patience: float = _PATIENCE) -> Iterator[Callable[[], None]]:
    """
    Show *text* with a spinner on standard error, if that is a terminal and the block
    takes long; the block gets what ends it before something else is written.

    Args:
        text: What is done meanwhile.

        patience: After how many **seconds** it is shown.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    is_over = threading.Event()
    thread = threading.Thread(target=_show, args=(text, patience, is_over), daemon=True)
    thread.start()

    def stop() -> None:
        if not is_over.is_set():
            is_over.set()
            thread.join()

    try:
        yield stop
    finally:
        stop()


def _show(text: str, patience: float, is_over: threading.Event) -> None:
    if is_over.wait(patience):
        return
    from rich.console import Console  # noqa: PLC0415 -- 0.1 s, and only where it took longer already

    with Console(stderr=True).status(f"{text} …"):
        is_over.wait()
