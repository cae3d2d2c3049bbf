"""
The thread that ends segments when no line comes to do so.
"""

from __future__ import annotations

import threading
from typing import Protocol
from weakref import ref


__all__ = ["Sweeper"]


class Swept(Protocol):
    """
    What is swept.
    """

    def sweep(self) -> None:
        """
        Do what is due.
        """


class Sweeper:
    """
    Calls ``sweep`` of its owner every *period* **seconds**, for as long as that lives.
    """

    def __init__(self, owner: Swept, period: float) -> None:
        self._owner = ref(owner)
        self._period = period
        self._wake = threading.Event()
        self._has_thread = False

    def start(self) -> None:
        """
        Start the thread, unless that was done before.
        """
        if self._has_thread:
            return
        self._has_thread = True
        thread = threading.Thread(target=_sweep, args=(self._owner, self._wake, self._period), name="tierlog-sweep", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending: close() is next
            return

    def stop(self) -> None:
        """
        Let the thread end, without waiting for it.
        """
        self._wake.set()


def _sweep(owner: ref[Swept], wake: threading.Event, period: float) -> None:
    while not wake.wait(period):
        alive = owner()
        if alive is None:
            return
        alive.sweep()
        del alive
