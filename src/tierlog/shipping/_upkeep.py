"""
What is to be done from time to time, each on a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tierlog import _fork
from tierlog.context import muted
from tierlog.report import report


__all__ = ["Task", "Upkeep"]


class Task(NamedTuple):
    """
    Something to be done from time to time.

    Attributes:
        name: What reports call it.

        pause: Returns in how many **seconds** it is due next.

        run: Does it.
    """

    name: str
    pause: Callable[[], float]
    run: Callable[[], None]


class Upkeep:
    """
    Runs tasks when they are due: none waits for another one, which may take hours. A
    forked child has its own threads.

    Args:
        tasks: What is to be done.

        monotonic: Returns seconds.
    """

    fork_order = 6

    def __init__(self, tasks: Sequence[Task], monotonic: Callable[[], float]) -> None:
        self._tasks = tasks
        self._monotonic = monotonic
        self._has_threads = False
        self._begin_anew()
        _fork.watch(self)

    def start(self) -> None:
        """
        Start the threads.
        """
        with self._lock:
            if self._has_threads or self._ended.is_set():
                return
            self._has_threads = True
            for task in self._tasks:
                thread = threading.Thread(target=self._work, args=(task,), name=f"tierlog-{task.name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is ending
                    return

    def close(self) -> None:
        """
        Let the threads end. It waits for nothing.
        """
        self._ended.set()

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Begin anew.
        """
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._has_threads = False

    def _work(self, task: Task) -> None:
        with muted():
            due = self._monotonic() + task.pause()
            while not self._ended.wait(max(0.0, due - self._monotonic())):
                if due > self._monotonic():
                    continue
                try:
                    task.run()
                except Exception as e:  # noqa: BLE001 -- it is tried again
                    report(task.name, f"{task.name}: {e}; it is tried again")
                due = self._monotonic() + task.pause()
