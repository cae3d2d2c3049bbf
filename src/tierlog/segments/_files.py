"""
Ways to put lines into an open file.

Both survive the process being killed once :meth:`write` has returned: the bytes
are the kernel's by then.
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tierlog._platform import (
    OPEN_APPEND,
    OPEN_PLAIN,
    forget_lock,
    is_still_at,
    lock_exclusive,
    lock_shared,
    reached_size_limit,
    sync_data,
)
from tierlog.envelope import LINE_MAX_BYTES
from tierlog.segments._held import held_put


__all__ = ["AppendFile", "MappedFile", "SegmentFile", "open_file"]

_FIRST_WINDOW = 65_536
_LARGEST_WINDOW = 1_048_576
_ATTEMPTS = 100
_MAP_OPTIONS: Any = {"trackfd": False} if sys.version_info >= (3, 13) else {}  # no second descriptor


class SegmentFile(Protocol):
    """
    An open segment.

    Attributes:
        is_torn: Whether a part of a line is left that couldn't be taken back.
    """

    is_torn: bool

    @property
    def put(self) -> Callable[[bytes], int]:
        """
        What appends a line and returns how many bytes of it were taken, which is
        all the hot path calls; if fewer than all, :meth:`complete` is next.
        """

    @property
    def put_held(self) -> Callable[[bytes], int] | None:
        """
        What does the same without letting other threads run; None if :attr:`put`
        doesn't let them either, or it can't be done here.
        """

    def complete(self, line: bytes, written: int, /) -> None:
        """
        Append the rest of *line*, of which *written* bytes were taken.

        Raises:
            OSError: It doesn't fit; the part was taken back, or :attr:`is_torn`.
        """

    def size(self) -> int:
        """
        Return the bytes of lines in the file, of whichever process.
        """

    def ends_with(self, line: bytes, /) -> bool:
        """
        Tell whether *line* is the last one in the file.
        """

    def sync(self) -> None:
        """
        Force what was written to the disk.
        """

    def is_alone(self) -> bool:
        """
        Tell, of a shared file, whether no other process has it open; the shared
        lock is lost, so the file must be closed next.
        """

    def cut(self) -> None:
        """
        Take away what isn't lines, before the file is closed.
        """

    def close(self) -> None:
        """
        Cut, and give up the lock.
        """

    def abandon(self) -> None:
        """
        Close in a forked child: the file and its lock are the parent's.
        """


def open_file(path: Path, *, is_shared: bool, is_mapped: bool, is_new: bool = True) -> SegmentFile | None:
    """
    Open and lock the segment at *path*.

    Args:
        path: The file.

        is_shared: Whether other processes may write it, too.

        is_mapped: Whether to write it through a mapping; never if shared.

        is_new: Whether to make it if it isn't there.

    Returns:
        None if it isn't there and not *is_new*, or somebody else has its lock.

    Raises:
        OSError: It couldn't be opened.
    """
    mapped = is_mapped and not is_shared
    flags = (OPEN_PLAIN if mapped else OPEN_APPEND) | (os.O_CREAT if is_new else 0)
    for _ in range(_ATTEMPTS):
        try:
            fd = os.open(path, flags, 0o666)
        except FileNotFoundError:
            if is_new:
                raise
            return None
        if not (lock_shared if is_shared else lock_exclusive)(fd):
            os.close(fd)
            return None
        if is_still_at(fd, path):  # nobody took it away between opening and locking
            return _made(path, fd, os.fstat(fd).st_size, is_shared=is_shared, is_mapped=mapped)
        os.close(fd)
    raise OSError(errno.EBUSY, "is taken away as soon as it is made", str(path))


def _made(path: Path, fd: int, size: int, *, is_shared: bool, is_mapped: bool) -> SegmentFile:
    return MappedFile(fd, size) if is_mapped else AppendFile(path, fd, is_shared=is_shared)


class AppendFile:
    """
    One ``write`` to a file opened with ``O_APPEND`` for each line.
    """

    __slots__ = ("_fd", "_has_blanks", "_is_shared", "_path", "is_torn", "put", "put_held")

    def __init__(self, path: Path, fd: int, *, is_shared: bool) -> None:
        self._path = path
        self._fd = fd
        self._is_shared = is_shared
        self._has_blanks = False
        self.is_torn = False
        self.put: Callable[[bytes], int] = partial(os.write, fd)
        self.put_held = held_put(fd)

    def complete(self, line: bytes, written: int) -> None:
        """
        Append the rest of *line*, or take the part back.
        """
        reason = errno.EFBIG if reached_size_limit(self._fd) else errno.ENOSPC
        error = OSError(reason, os.strerror(reason), str(self._path))
        try:
            if not self._is_shared:  # of a shared file, the rest might not stand behind the part
                written += os.write(self._fd, line[written:])
        except OSError as e:
            error = e
        if written == len(line):
            return
        try:
            self._take_back(written)
        except OSError:
            self.is_torn = True
        raise error

    def _take_back(self, count: int) -> None:
        end = os.lseek(self._fd, 0, os.SEEK_CUR)
        if not self._is_shared:
            os.ftruncate(self._fd, end - count)
            return
        # Others may have appended behind it by now: blanks before a line leave
        # that line valid, where cutting would take it away.
        plain = os.open(self._path, OPEN_PLAIN)
        try:
            os.pwrite(plain, b" " * count, end - count)
            self._has_blanks = True
        finally:
            os.close(plain)

    def ends_with(self, line: bytes) -> bool:
        """
        Tell whether *line* is the last one in the file.
        """
        with open(self._path, "rb") as file:
            file.seek(max(0, self.size() - len(line)))
            return file.read() == line

    def sync(self) -> None:
        """
        Force what was written to the disk.
        """
        sync_data(self._fd)

    def size(self) -> int:
        """
        Return the bytes in the file.
        """
        return os.fstat(self._fd).st_size

    def is_alone(self) -> bool:
        """
        Tell whether no other process has the file open.
        """
        return lock_exclusive(self._fd)

    def cut(self) -> None:
        """
        Take away the blanks that stand for a part of a line, if they are the end.
        """
        if self._has_blanks:
            with open(self._path, "rb+") as file:
                file.seek(max(0, self.size() - LINE_MAX_BYTES))
                tail = file.read()
                file.truncate(self.size() - (len(tail) - len(tail.rstrip(b" "))))

    def close(self) -> None:
        """
        Give up the lock and close.
        """
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def abandon(self) -> None:
        """
        Close in a forked child.
        """
        fd, self._fd = self._fd, -1
        if fd >= 0:
            forget_lock(fd)


class MappedFile:
    """
    Lines copied into a shared mapping of the file.

    The space ahead is filled with newlines before it is mapped, so that a full
    disk is an error here and not a signal later, and so that every reader who
    skips empty lines can read the file while it grows.
    """

    __slots__ = ("_base", "_end", "_fd", "_filled", "_map", "_size", "_window", "is_torn")

    put_held = None

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.is_torn = False
        self._size = size
        self._filled = size
        self._window = _FIRST_WINDOW
        self._base = 0
        self._end = 0
        self._map: mmap.mmap | None = None

    def put(self, line: bytes) -> int:
        """
        Append *line*, whole or not at all.

        Raises:
            OSError: There's no space.
        """
        start = self._size
        length = len(line)
        end = start + length
        if end > self._end:
            self._grow(end)
        # The size moves first: an exception between the two statements leaves
        # newlines behind, and never the rest of one line after another.
        self._size = end
        self._map[start - self._base : end - self._base] = line  # type: ignore[index]
        return length

    def _grow(self, needed: int) -> None:
        base = self._size - self._size % mmap.ALLOCATIONGRANULARITY
        end = max(needed, self._size + self._window)
        filler = b"\n" * (end - self._filled)
        while self._filled < end:
            try:
                self._filled += os.pwrite(self._fd, filler[: end - self._filled], self._filled)
            except OSError:
                if self._filled < needed:
                    raise
                end = self._filled  # less than wanted, and enough for this line
        window = mmap.mmap(self._fd, end - base, offset=base, **_MAP_OPTIONS)
        if self._map is not None:
            self._map.close()
        self._map, self._base, self._end = window, base, end
        self._window = min(self._window * 2, _LARGEST_WINDOW)

    def ends_with(self, line: bytes) -> bool:
        """
        Tell whether *line* is the last one in the file.
        """
        return os.pread(self._fd, len(line), max(0, self._size - len(line))) == line

    def sync(self) -> None:
        """
        Force what was written to the disk.
        """
        sync_data(self._fd)

    def size(self) -> int:
        """
        Return the bytes of lines in the file.
        """
        return self._size

    def complete(self, line: bytes, written: int) -> None:
        """
        Do nothing: a line is taken whole or not at all.
        """

    def is_alone(self) -> bool:
        """
        A mapped file is never shared.
        """
        return True

    def cut(self) -> None:
        """
        Take away the filler.
        """
        os.ftruncate(self._fd, self._size)

    def close(self) -> None:
        """
        Cut the filler, give up the lock and close.
        """
        try:
            if self._fd >= 0:
                self.cut()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """
        Close in a forked child.
        """
        if self._map is not None:
            self._map.close()
            self._map = None
        fd, self._fd, self._end = self._fd, -1, 0
        if fd >= 0:
            forget_lock(fd)
