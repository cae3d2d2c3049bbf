"""
The bytes of a segment, wherever it is and however it is packed.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import BinaryIO, Protocol, cast

from tierlog._platform import OPEN_READ
from tierlog.blocks import BLOCK_BYTES, blocks
from tierlog.errors import TierlogError
from tierlog.packing import open_plain, unpack_frame
from tierlog.query._listing import Listed
from tierlog.stores import Store


__all__ = ["Content", "Spool", "Spooled", "opened"]

_FILE_BYTES = 67_108_864


class Content(Protocol):
    """
    What a segment holds, unpacked.
    """

    is_changed: bool
    """Whether it isn't as it was listed: it was written to, or is another one."""

    def blocks(self) -> Iterator[bytes]:
        """
        Yield it from its beginning to its end: runs of whole lines. Behind the last
        newline of a block there may be the beginning of a line that is in the next one.
        """

    def read(self, offset: int, size: int, frame: tuple[int, int], /) -> bytes:
        """
        Return a part of it; *frame* is where that is stored, -1 if it isn't known.
        """

    def close(self) -> None:
        """
        Let go of it.
        """


def opened(listed: Listed) -> Content:
    """
    Open a segment.

    Raises:
        OSError: It can't be read; FileNotFoundError if it isn't there any more.

        StoreError: The store didn't answer; ObjectNotFoundError if it has none.
    """
    packing = listed.place.packing
    if listed.store is not None:
        return _Object(listed.store, listed.name, packing)
    assert listed.root is not None  # noqa: S101 -- it is in either
    fd = os.open(f"{listed.root}/{listed.name}", OPEN_READ)  # a Path takes longer than to open it
    status = os.fstat(fd)
    if listed.inode and status.st_ino != listed.inode:  # a build's log went on in a new file
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), listed.name)
    return _File(fd, status, listed) if packing is None else _Packed(fd, packing)


class _File:
    """
    A plain file, as long as it was when it was opened.
    """

    def __init__(self, fd: int, status: os.stat_result, listed: Listed) -> None:
        self._fd = fd
        self._is_open = listed.is_open
        self._size = status.st_size
        self.is_changed = (status.st_size, status.st_mtime_ns) != (listed.size, listed.modified_ns)
        self._closer = weakref.finalize(self, os.close, fd)

    def blocks(self) -> Iterator[bytes]:
        offset, most = 0, BLOCK_BYTES
        while offset < self._size:
            block = os.pread(self._fd, min(most, self._size - offset), offset)
            if not block:
                return
            end = block.rfind(b"\n") + 1
            if end < len(block) and offset + len(block) >= self._size and not self._is_open:
                block += b"\n"  # else the last line isn't whole yet
                end = len(block)
            if end:
                yield block
                offset += end
                most = BLOCK_BYTES
            elif offset + len(block) >= self._size:
                return
            else:
                most *= 2

    def read(self, offset: int, size: int, _frame: tuple[int, int]) -> bytes:
        return os.pread(self._fd, size, offset)

    def close(self) -> None:
        self._closer()


class _Packed:
    """
    A packed file.
    """

    is_changed = False

    def __init__(self, fd: int, packing: str) -> None:
        self._fd = fd
        self._packing = packing
        self._closer = weakref.finalize(self, os.close, fd)

    def blocks(self) -> Iterator[bytes]:
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", closefd=False) as file, open_plain(file, self._packing) as plain:
            yield from _ended(plain)

    def read(self, _offset: int, _size: int, frame: tuple[int, int]) -> bytes:
        return unpack_frame(os.pread(self._fd, frame[1], frame[0]))

    def close(self) -> None:
        self._closer()


class _Object:
    """
    An object in a store.
    """

    is_changed = False

    def __init__(self, store: Store, key: str, packing: str | None) -> None:
        self._store = store
        self._key = key
        self._packing = packing

    def blocks(self) -> Iterator[bytes]:
        with open_plain(self._store.open(self._key), self._packing) as plain:
            yield from _ended(plain)

    def read(self, offset: int, size: int, frame: tuple[int, int]) -> bytes:
        if self._packing is None:
            return self._store.get(self._key, offset, offset + size)
        return unpack_frame(self._store.get(self._key, frame[0], sum(frame)))

    def close(self) -> None:
        pass


def _ended(file: BinaryIO) -> Iterator[bytes]:
    readable = _Readable(file)
    for block in blocks(cast("BinaryIO", readable)):
        yield block if block.endswith(b"\n") else block + b"\n"
    if readable.error is not None:
        raise readable.error


class _Readable:
    """
    What can be read of a file before it turns out to be damaged, or breaks off.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = cast("BufferedReader", file)
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        return self._tried(self._file.read1, size)  # read() would drop what it has when it fails

    def readline(self) -> bytes:
        return self._tried(self._file.readline, -1)

    def _tried(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return b"" if self.error is not None else read(size)
        except (TierlogError, OSError) as e:
            self.error = e
            return b""


class Spooled:
    """
    A file without a name, which goes when nobody refers to it.
    """

    def __init__(self) -> None:
        from tempfile import TemporaryFile  # noqa: PLC0415 -- 5 ms, and only where the memory is too small

        with TemporaryFile() as file:
            self._fd = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._fd)
        self.size = 0

    def write(self, block: bytes) -> None:
        """
        Append *block*.

        Raises:
            OSError: There's no space.
        """
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self.size += len(block)

    def read(self, offset: int, size: int) -> bytes:
        """
        Return a part of it.
        """
        return os.pread(self._fd, size, offset)


class Spool:
    """
    Keeps on the disk what can't be read a second time at no cost.
    """

    def __init__(self) -> None:
        self._file: Spooled | None = None

    def keep(self, block: bytes) -> tuple[Spooled, int]:
        """
        Keep *block*.

        Returns:
            The file, and where the block is in it.

        Raises:
            OSError: There's no space.
        """
        if self._file is None or self._file.size >= _FILE_BYTES:
            self._file = Spooled()
        at = self._file.size
        self._file.write(block)
        return self._file, at
