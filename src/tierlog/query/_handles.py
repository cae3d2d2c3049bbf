"""
Open files, shared by all who follow them.

A file that is open can be read to its end after it was shipped and taken away.
"""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path

from tierlog._platform import OPEN_READ


__all__ = ["Handle", "Handles"]

_MOST = 512


class Handle:
    """
    An open file; it is closed when nobody refers to it.

    Attributes:
        fd: Its descriptor, to be read by position only.

        inode: Its number.
    """

    __slots__ = ("__weakref__", "fd", "inode")

    def __init__(self, fd: int, inode: int) -> None:
        self.fd = fd
        self.inode = inode
        weakref.finalize(self, os.close, fd)


class Handles:
    """
    The open files of a process. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakValueDictionary[tuple[int, int], Handle] = weakref.WeakValueDictionary()

    @property
    def is_full(self) -> bool:
        """
        Whether no more files should be kept open.
        """
        return len(self._known) >= _MOST

    def open(self, path: Path) -> Handle:
        """
        Open the file at *path*, or return it as it is open already.

        Raises:
            OSError: It can't be opened.
        """
        fd = os.open(path, OPEN_READ)
        status = os.fstat(fd)
        who = (status.st_dev, status.st_ino)
        with self._lock:
            known = self._known.get(who)
            if known is None:
                known = self._known[who] = Handle(fd, status.st_ino)
                return known
        os.close(fd)
        return known
