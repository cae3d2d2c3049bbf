"""
One at-fork hook for everything that has locks, threads or files.

It takes every lock before the fork, so that none is inherited held, and tells
each part in the child to begin anew. Nothing here logs.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import ref


__all__ = ["ForkSafeLock", "Forked", "Lock", "watch"]

_PATIENCE = 1.0  # seconds: a disk that hangs must not stop a fork for ever


class Lock(Protocol):
    """
    A lock that the thread which has it may take again.
    """

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:  # noqa: FBT001 -- the stdlib's
        """
        Take it.
        """

    def release(self) -> None:
        """
        Give it back.
        """


class Forked(Protocol):
    """
    What takes part in a fork.

    Attributes:
        fork_order: Those with the lower number are locked first; it is the
            order in which a log call takes the locks.
    """

    fork_order: int

    def fork_lock(self) -> Lock:
        """
        Return the lock to be held during the fork.
        """

    def after_fork_in_child(self) -> None:
        """
        Begin anew, with locks of one's own.
        """


_watched: list[ref[Forked]] = []  # a list, since appending to it disturbs nobody who reads it
_is_registered = False
_held = threading.local()  # what this thread's fork holds: others may fork at the same time


def watch(part: Forked) -> None:
    """
    Let *part* take part in every fork from now on, for as long as it lives.
    """
    global _is_registered  # noqa: PLW0603 -- hooks can't be taken back
    _watched.append(ref(part, _watched.remove))
    if not _is_registered:
        _is_registered = True  # at once: another thread that comes here meanwhile must not do it, too
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


class ForkSafeLock:
    """
    A reentrant lock, for short work, that no child inherits held.
    """

    fork_order = 3  # after the pipelines'

    def __init__(self) -> None:
        self._lock = threading.RLock()
        watch(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    def fork_lock(self) -> Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Begin anew.
        """
        self._lock = threading.RLock()


def _parts() -> list[Forked]:
    alive = [part for one in list(_watched) if (part := one()) is not None]
    return sorted(alive, key=lambda one: one.fork_order)


def _before() -> None:
    _held.locks = taken = []
    for part in _parts():
        lock = part.fork_lock()
        if lock.acquire(timeout=_PATIENCE):
            taken.append(lock)


def _in_parent() -> None:
    for lock in reversed(_held.__dict__.pop("locks", ())):
        lock.release()


def _in_child() -> None:
    _held.__dict__.clear()
    for part in _parts():
        part.after_fork_in_child()
