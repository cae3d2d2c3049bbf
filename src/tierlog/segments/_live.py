"""
Which instances have segments that are closed for the moment only.

A segment that is closed to make room gives up its lock, though its process will
continue it. So that no neighbour takes it for abandoned, the process first locks a
file in ``.tierlog/live`` that is named after the instance, and keeps that lock until
its sink is closed or it ends, however it ends.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tierlog._platform import OPEN_PLAIN, OPEN_READ, forget_lock, is_still_at, lock_exclusive, lock_shared, unlock
from tierlog.layout import Place


__all__ = ["LiveLocks", "forget_dead", "is_live"]

_ATTEMPTS = 10


class LiveLocks:
    """
    The locks of the instances that one sink writes for.
    """

    def __init__(self, root: Path) -> None:
        self._folder = _folder(root)
        self._held: dict[str, int] = {}

    def hold(self, instance: str) -> bool:
        """
        Take the lock of *instance*, if that wasn't done before.

        Returns:
            Whether it is held; if not, no segment of *instance* may be closed and
            continued.
        """
        try:
            return instance in self._held or self._taken(instance)
        except OSError:
            return False

    def release(self) -> None:
        """
        Give up every lock: nothing will be continued.
        """
        while self._held:
            instance, fd = self._held.popitem()
            with suppress(OSError):  # recovery takes away what stays
                if lock_exclusive(fd):
                    (self._folder / instance).unlink(missing_ok=True)
                unlock(fd)
            os.close(fd)

    def abandon(self) -> None:
        """
        Let go of the locks in a forked child: they are the parent's.
        """
        while self._held:
            forget_lock(self._held.popitem()[1])

    def __del__(self) -> None:
        try:
            self.release()
        except (AttributeError, TypeError):  # at its end the interpreter takes modules away
            pass

    def _taken(self, instance: str) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / instance
        for _ in range(_ATTEMPTS):
            fd = os.open(path, OPEN_PLAIN | os.O_CREAT, 0o666)
            try:
                # Shared: one instance may write to two sinks of a root.
                if lock_shared(fd) and is_still_at(fd, path):
                    self._held[instance] = fd
                    return True
            finally:
                if instance not in self._held:
                    os.close(fd)
        return False


def is_live(root: Path, place: Place) -> bool:
    """
    Tell whether a process may continue the segment at *place* though it has given up
    its lock. To be asked while holding that: what is answered before may be outdated.

    Raises:
        OSError: Nobody can tell.
    """
    if place.instance is None:  # a build's file, which anybody may finish and anybody begin anew
        return False
    try:
        fd = os.open(_folder(root) / place.instance, OPEN_READ)
    except FileNotFoundError:
        return False
    try:
        if not lock_exclusive(fd):
            return True
        unlock(fd)
        return False
    finally:
        os.close(fd)


def forget_dead(root: Path) -> None:
    """
    Take away the files of instances whose processes have ended.
    """
    folder = _folder(root)
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        with suppress(OSError):  # next time
            fd = os.open(folder / name, OPEN_PLAIN)
            try:
                if lock_exclusive(fd):
                    if is_still_at(fd, folder / name):
                        os.unlink(folder / name)
                    unlock(fd)
            finally:
                os.close(fd)


def _folder(root: Path) -> Path:
    return root / ".tierlog" / "live"
