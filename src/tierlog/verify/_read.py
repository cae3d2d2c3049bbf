"""
One segment from its first byte to its last: lines, hashes and sizes in one pass.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

from tierlog.envelope import LINE_MAX_BYTES
from tierlog.errors import StoreError
from tierlog.packing import open_plain
from tierlog.verify._lines import Lines


__all__ = ["Content", "Counted", "UnreadableError", "opened", "read", "settled_end"]

_BLOCK = 262_144


class UnreadableError(Exception):
    """
    A segment's bytes can't be read, or not unpacked.
    """


class Content(NamedTuple):
    """
    What a segment holds.

    Attributes:
        lines: Its lines.

        size: Bytes, uncompressed.

        sha256: Of those.

        at: The hash of its first bytes, for as many as was asked for.
    """

    lines: Lines
    size: int
    sha256: bytes
    at: dict[int, bytes]


class Counted(io.RawIOBase):
    """
    A file whose bytes are counted as they are read, and hashed where that is asked for.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, file: BinaryIO, *, is_hashed: bool) -> None:
        super().__init__()
        self._file = file
        self._md5 = hashlib.md5(usedforsecurity=False) if is_hashed else None
        self.size = 0

    @property
    def md5(self) -> str:
        """
        MD5 of the bytes so far, as hexadecimal digits.
        """
        return self._md5.hexdigest() if self._md5 is not None else ""

    def readable(self) -> bool:
        """
        Tell that it can be read.
        """
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """
        Read into *buffer*.
        """
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        if self._md5 is not None:
            self._md5.update(data)
        self.size += len(data)
        return len(data)


class _Digest:
    """
    A hash that is also told for some of the first bytes.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0
        self.marks: list[int] = []
        self.at: dict[int, bytes] = {}

    def update(self, block: bytes) -> None:
        end = self._size + len(block)
        for mark in self.marks:
            if self._size < mark <= end:
                part = self._hash.copy()
                part.update(block[: mark - self._size])
                self.at[mark] = part.digest()
        self._hash.update(block)
        self._size = end

    def digest(self) -> bytes:
        return self._hash.digest()


def read(file: BinaryIO, lines: Lines, limit: int | None, marks: Callable[[Lines], Iterable[int]]) -> Content:
    """
    Return what the segment holds that *file*, uncompressed, is read from.

    Args:
        file: At its beginning.

        lines: Where its lines go.

        limit: Bytes after which it ends; None if it does where the file does.

        marks: Returns for how many of the first bytes to tell the hash, too, once the
            first lines are known.

    Raises:
        UnreadableError: It can't be read.

        StoreError: The store didn't answer.
    """
    digest = _Digest()
    size = 0
    while block := _block(file, (sys.maxsize if limit is None else limit) - size):
        lines.feed(block)
        if not size:
            digest.marks = list(marks(lines))
        digest.update(block)
        size += len(block)
    return Content(lines, size, digest.digest(), digest.at)


def _block(file: BinaryIO, room: int) -> bytes:
    """
    Return some whole lines, not more than *room* bytes.
    """
    try:
        block = file.read(min(_BLOCK, room))
        if block and not block.endswith(b"\n"):
            block += file.readline(min(LINE_MAX_BYTES, room - len(block)))
    except StoreError:
        raise
    except Exception as e:  # whatever an unpacker raises
        raise UnreadableError(str(e) or type(e).__name__) from e
    return block


def opened(file: BinaryIO, packing: str | None) -> BinaryIO:
    """
    Return a file to read what *file* holds, unpacked.

    Raises:
        UnreadableError: It can't be unpacked.

        StoreError: The store didn't answer.
    """
    try:
        return open_plain(file, packing)
    except StoreError:
        raise
    except Exception as e:  # whatever an unpacker raises
        raise UnreadableError(str(e) or type(e).__name__) from e


def settled_end(file: BinaryIO) -> int:
    """
    Return where the last line ends that was written to an open segment: what stands
    behind it is filler, or a line that isn't whole yet. The file is rewound.
    """
    size = file.seek(0, os.SEEK_END)
    end = _last(file, size, lambda data: len(data.rstrip(b"\n")))
    if end < size:
        end += end > 0
    else:
        end = _last(file, size, lambda data: data.rfind(b"\n") + 1)
    file.seek(0)
    return end


def _last(file: BinaryIO, end: int, find: Callable[[bytes], int]) -> int:
    """
    Return where *find*, which is given block after block from the end on, finds
    something; 0 if it doesn't.
    """
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = find(file.read(end - start))
        if found > 0:
            return start + found
        end = start
    return 0
