"""
Packing segments, and unpacking them again.

Zstandard is written in frames, one for each block of :mod:`tierlog.blocks`: any tool
reads the whole, and one block is one ranged read. Gzip has no such parts; with
``tierlog[speed]`` it is unpacked in a third of the time.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from tierlog.blocks import blocks
from tierlog.errors import MissingExtraError, TierlogError


__all__ = ["UnpackingError", "frame_sizes", "open_plain", "pack_file", "unpack_frame"]

# Measured on 16 MiB of build logs: 9 gives a fifth less than 3 and is faster than gzip; more gives nothing.
_ZSTD_LEVEL = 9
_GZIP_LEVEL = 6
_GZIP_WINDOW = 31  # the largest, with gzip's header and checksum
_CHUNKS = {"gz": 65_536, "isal": 65_536, "zst": 16_384}  # zstd may make a thousand times as much of it
_BUFFER = 262_144


class UnpackingError(TierlogError, ValueError):
    """
    What is packed is damaged, or ends too early.
    """


class _Unpacker(Protocol):
    """
    Unpacks one frame of Zstandard, or one member of gzip.
    """

    @property
    def eof(self) -> bool:
        """
        Whether the end was there.
        """

    @property
    def unused_data(self) -> bytes:
        """
        What stood behind the end.
        """

    def decompress(self, data: bytes, /) -> bytes:
        """
        Return what comes of *data*.
        """


def pack_file(src: BinaryIO, dst: BinaryIO, packing: str) -> tuple[int, ...]:
    """
    Pack *src*, from where it is to its end, into *dst*.

    The same bytes come of it each time, as long as the library stays the same. There's
    one block in the memory at a time.

    Args:
        src: What to read.

        dst: What to write to.

        packing: ``zst`` or ``gz``.

    Returns:
        The stored bytes of each frame, in order: frame *n* is block *n*. Nothing for
        gzip, which has no frames.

    Raises:
        MissingExtraError: ``tierlog[zstd]`` isn't installed.
    """
    if packing == "gz":
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, dst, mtime=0) as file:
            for block in blocks(src):
                file.write(block)
        return ()
    packer = _zstandard().ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True, write_content_size=True)
    sizes = []
    for block in blocks(src):
        frame = packer.compress(block)
        dst.write(frame)
        sizes.append(len(frame))
    if not sizes:  # without any frame it would be a file that was cut off
        dst.write(packer.compress(b""))
    return tuple(sizes)


def open_plain(file: BinaryIO, packing: str | None) -> BinaryIO:
    """
    Return a buffered file to read what *file* holds, unpacked. Closing it closes *file*.

    All frames or members are read, whoever made them. Reading raises
    :class:`UnpackingError` if one is damaged or ends too early; that whole ones are
    missing at the end can't be seen.

    Args:
        file: At its beginning.

        packing: ``zst``, ``gz``, or None if it isn't packed.

    Raises:
        MissingExtraError: ``tierlog[zstd]`` isn't installed.
    """
    if packing is None:
        return file if isinstance(file, io.BufferedIOBase) else cast("BinaryIO", io.BufferedReader(_Plain(file), _BUFFER))
    is_quick = packing == "gz" and file.seekable() and _isal() is not None
    return cast("BinaryIO", io.BufferedReader(_Quick(file) if is_quick else _Unpacked(file, packing), _BUFFER))


def unpack_frame(data: bytes) -> bytes:
    """
    Return what one frame of a Zstandard segment holds.

    Raises:
        UnpackingError: It is damaged, or isn't exactly one frame.

        MissingExtraError: ``tierlog[zstd]`` isn't installed.
    """
    zstandard = _zstandard()
    try:
        return cast("bytes", zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False))
    except zstandard.ZstdError as e:
        raise UnpackingError(str(e)) from e


def frame_sizes(file: BinaryIO, packing: str | None) -> tuple[int, ...]:
    """
    Return what :func:`pack_file` returned when it made *file*, which is read to its end.

    Returns:
        Nothing if it has no frames of one block each: another tool has packed it.

    Raises:
        UnpackingError: It is damaged, or ends too early.

        MissingExtraError: ``tierlog[zstd]`` isn't installed.
    """
    if packing != "zst":
        return ()
    unpacked = _Unpacked(file, packing, is_owner=False)
    sizes = [len(block) for block in blocks(cast("BinaryIO", io.BufferedReader(unpacked, _BUFFER)))]
    stored = tuple(size for size, _ in unpacked.frames)
    return stored if sizes == [size for _, size in unpacked.frames] else ()


class _Plain(io.RawIOBase):
    """
    A file that is read as it is, and closed with this one.
    """

    def __init__(self, file: BinaryIO, *, is_owner: bool = True) -> None:
        super().__init__()
        self._file = file
        self._is_owner = is_owner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.some(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._is_owner:
                self._file.close()

    def some(self, most: int) -> bytes | memoryview:
        return self._file.read(most)


class _Unpacked(_Plain):
    """
    What a packed file holds.

    The libraries' own readers take a file that was cut off for one that is whole, or
    know no second frame.

    Attributes:
        frames: The bytes of each frame, or member, that was read: as stored, and
            unpacked.
    """

    def __init__(self, file: BinaryIO, packing: str, *, is_owner: bool = True) -> None:
        super().__init__(file, is_owner=is_owner)
        self._make, self._error = _unpackers(packing)
        self._chunk = _CHUNKS[packing]
        self._unpacker: _Unpacker | None = self._make()  # an empty file is one that was cut off
        self._packed = b""
        self._ready = memoryview(b"")
        self._stored = self._plain = 0
        self.frames: list[tuple[int, int]] = []

    def some(self, most: int) -> bytes | memoryview:
        while not self._ready:
            self._packed = self._packed or self._file.read(self._chunk)
            if not self._packed:
                if self._unpacker is not None:
                    raise UnpackingError("it ends too early")
                return b""
            self._ready = memoryview(self._next())
        data, self._ready = self._ready[:most], self._ready[most:]
        return data

    def _next(self) -> bytes:
        self._unpacker = unpacker = self._unpacker or self._make()
        try:
            data = unpacker.decompress(self._packed)
        except self._error as e:
            raise UnpackingError(str(e)) from e
        rest = unpacker.unused_data if unpacker.eof else b""
        self._stored += len(self._packed) - len(rest)
        self._plain += len(data)
        self._packed = rest
        if unpacker.eof:
            self.frames.append((self._stored, self._plain))
            self._stored = self._plain = 0
            self._unpacker = None
        return data


class _Quick(_Plain):
    """
    What a gzip file holds, unpacked by the quicker library. What that can't unpack the
    standard one tries again: of a damaged file, both give the same.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._start = file.tell()
        self._size = 0
        self._unpacked = _Unpacked(file, "isal", is_owner=False)
        self._is_quick = True

    def some(self, most: int) -> bytes | memoryview:
        try:
            data = self._unpacked.some(most)
        except UnpackingError:
            if not self._is_quick:
                raise
            self._is_quick = False
            self._file.seek(self._start)
            self._unpacked = _Unpacked(self._file, "gz", is_owner=False)
            left = self._size
            while left and (data := self._unpacked.some(left)):
                left -= len(data)
            data = self._unpacked.some(most)
        self._size += len(data)
        return data


def _unpackers(packing: str) -> tuple[Callable[[], _Unpacker], type[Exception]]:
    if packing == "isal":
        isal = _isal()
        return lambda: isal.decompressobj(_GZIP_WINDOW), isal.error
    if packing == "gz":
        return lambda: zlib.decompressobj(_GZIP_WINDOW), zlib.error
    zstandard = _zstandard()
    return zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError


def _isal() -> Any:
    try:
        from isal import isal_zlib  # noqa: PLC0415 -- an extra, and only where something is packed
    except ImportError:
        return None
    return isal_zlib


def _zstandard() -> Any:
    try:
        import zstandard  # noqa: PLC0415 -- an extra, and only where something is packed
    except ImportError as e:
        raise MissingExtraError("zstd") from e
    return zstandard
