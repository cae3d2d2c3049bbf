"""
What differs between operating systems and versions of Python, in one place.

Locks are advisory and belong to the open file: they end with the process,
however it ends, which is what recovery relies on.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path


try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


__all__ = [
    "OPEN_APPEND",
    "OPEN_PLAIN",
    "OPEN_READ",
    "forget_lock",
    "host_name",
    "is_still_at",
    "lock_exclusive",
    "lock_shared",
    "lock_waiting",
    "possessive",
    "reached_size_limit",
    "sync_data",
    "sync_folders",
    "unlock",
]

_HAS_POSSESSIVE_GROUPS = sys.version_info >= (3, 11, 5)  # before, they don't find all they should: python/cpython#106052
_POSSESSIVE_GROUP = re.compile(r"\)([?*+]|\{\d*,?\d*\})\+")

_COMMON = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

OPEN_APPEND = os.O_WRONLY | os.O_APPEND | _COMMON
"""Flags of a segment that is appended to; add ``O_CREAT`` to make it."""

OPEN_PLAIN = os.O_RDWR | _COMMON
"""Flags of a file that is read and mended in place."""

OPEN_READ = os.O_RDONLY | _COMMON
"""Flags of a finished file."""


def possessive(pattern: str, *, is_right: bool = _HAS_POSSESSIVE_GROUPS) -> str:
    """
    Return *pattern* as it can be relied on here: groups that are possessive may backtrack
    where Python gets those wrong.
    """
    return pattern if is_right else _POSSESSIVE_GROUP.sub(r")\1", pattern)


def host_name() -> str:
    """
    Return this machine's name, without its domain.
    """
    import platform  # noqa: PLC0415 -- 4 ms, and only where no name was given

    return platform.node().partition(".")[0] or "host"


def _flock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if sys.platform == "win32":  # pragma: no cover -- no Windows in the test matrix
    import msvcrt

    _FAR = 1 << 62  # a byte no segment reaches, so that reading is never blocked

    def lock_exclusive(fd: int) -> bool:
        """
        Take the lock of *fd* for this process alone; false if somebody has it.
        """
        position = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            os.lseek(fd, _FAR, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, position, os.SEEK_SET)
        return True

    def lock_shared(fd: int) -> bool:
        """
        Windows has no shared byte lock here: build files have one writer.
        """
        return lock_exclusive(fd)

    def lock_waiting(fd: int) -> None:
        """
        Take the lock of *fd* for this process alone, and wait for it.
        """
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_LOCK, 1)
        os.lseek(fd, position, os.SEEK_SET)

else:

    def lock_exclusive(fd: int) -> bool:
        """
        Take the lock of *fd* for this process alone; false if somebody has it.
        """
        return _flock(fd, fcntl.LOCK_EX)

    def lock_shared(fd: int) -> bool:
        """
        Take the lock of *fd* together with others; false if one has it alone.
        """
        return _flock(fd, fcntl.LOCK_SH)

    def lock_waiting(fd: int) -> None:
        """
        Take the lock of *fd* for this process alone, and wait for it.
        """
        fcntl.flock(fd, fcntl.LOCK_EX)


def is_still_at(fd: int, path: Path) -> bool:
    """
    Tell whether the open file *fd* is the one at *path*: nobody took it away or put
    another one there since it was opened.
    """
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def unlock(fd: int) -> None:
    """
    Give up the lock of *fd*, and that of children that were forked meanwhile and
    have inherited it.
    """
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_UN)


def reached_size_limit(fd: int) -> bool:
    """
    Tell whether the file is as large as this process may make one.
    """
    try:
        import resource  # noqa: PLC0415 -- only after an error, and not on Windows
    except ImportError:  # pragma: no cover -- no Windows in the test matrix
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return limit != resource.RLIM_INFINITY and os.fstat(fd).st_size >= limit


def forget_lock(fd: int) -> None:
    """
    Close *fd* in a forked child, leaving the parent's lock as it is.

    A ``flock`` is held by the open file, which parent and child share: closing
    gives up the child's share of it only, unlocking would end it for both.
    """
    try:
        os.close(fd)
    except OSError:  # the application closed every descriptor itself
        return


def sync_folders(path: Path, root: Path) -> None:
    """
    Force the entries of the folders from that of *path* up to *root* to the disk:
    a file that is on the disk without its name is lost all the same.
    """
    if sys.platform == "win32":  # pragma: no cover -- folders can't be opened there
        return
    for folder in path.parents:
        fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        if folder == root:
            return


sync_data = getattr(os, "fdatasync", os.fsync)
"""Force what was written to a descriptor to the disk."""
