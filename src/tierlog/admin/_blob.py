"""
The bytes of a segment, to be sent as they are.
"""

from __future__ import annotations

import os
import stat
import weakref
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from tierlog.layout import Place, parse_local, parse_remote
from tierlog.stores import Store


__all__ = ["Blob", "FileBlob", "ObjectBlob", "media_type"]

_END_BYTES = 512
_BACK_BYTES = 65_536
_LINE_END = b"}}\n"
_TYPES = {None: "application/x-ndjson", "gz": "application/gzip", "zst": "application/zstd"}
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Blob(Protocol):
    """
    Bytes that don't change any more, up to their size.

    Attributes:
        name: What to save them as.

        place: What names the segment.

        size: How many there are.

        etag: What changes when they do, in quotes.

        modified: When they were last written to, **seconds** since the epoch.

        is_open: Whether there may be more later.
    """

    name: str
    place: Place
    size: int
    etag: str
    modified: float
    is_open: bool

    def read(self, start: int, end: int, /) -> bytes:
        """
        Return the bytes from *start* to before *end*.
        """

    def close(self) -> None:
        """
        Let go of them.
        """


class FileBlob:
    """
    A file below a root, as long as it is now: up to its last whole line if it may grow.

    Args:
        root: The root.

        path: Its path below that.

        is_open: Whether it may grow.

    Raises:
        FileNotFoundError: There's no such segment, or it isn't a file but a link.
    """

    def __init__(self, root: Path, path: str, *, is_open: bool) -> None:
        place = parse_local(path)
        if place is None:
            raise FileNotFoundError(path)
        self._fd = _opened(root, path)
        self._closer = weakref.finalize(self, os.close, self._fd)
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise FileNotFoundError(path)
        self.name = path.rpartition("/")[2]
        self.place = place
        self.is_open = is_open
        self.modified = status.st_mtime
        self.size = _whole(self._fd, status.st_size) if is_open and place.packing is None else status.st_size
        end = os.pread(self._fd, _END_BYTES, max(0, self.size - _END_BYTES))[: self.size]
        self.etag = f'"{self.size:x}-{blake2b(end, digest_size=8).hexdigest()}"'

    def read(self, start: int, end: int) -> bytes:
        """
        Return the bytes from *start* to before *end*.
        """
        return os.pread(self._fd, end - start, start)

    def close(self) -> None:
        """
        Close the file.
        """
        self._closer()


class ObjectBlob:
    """
    An object in a store.

    Args:
        store: The store.

        key: Its key.

    Raises:
        FileNotFoundError: There's no such segment.

        StoreError: The store didn't answer.
    """

    def __init__(self, store: Store, key: str) -> None:
        place = parse_remote(key)
        stored = store.head(key) if place is not None else None
        if place is None or stored is None:
            raise FileNotFoundError(key)
        self._store = store
        self._key = key
        self.name = key.rpartition("/")[2]
        self.place = place
        self.is_open = stored.metadata.get("state", "done") != "done"
        self.modified = stored.modified_ms / 1_000
        self.size = stored.size
        self.etag = f'"{stored.etag}"'

    def read(self, start: int, end: int) -> bytes:
        """
        Return the bytes from *start* to before *end*.
        """
        return self._store.get(self._key, start, end)

    def close(self) -> None:
        """
        Let go of it.
        """


def media_type(place: Place) -> str:
    """
    Return what the bytes of a segment are.
    """
    return _TYPES[place.packing]


def _opened(root: Path, path: str) -> int:
    """
    Open a file below *root*; no part of the path may be a link.
    """
    *folders, name = path.split("/")
    at = os.open(root, os.O_RDONLY)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(name, os.O_RDONLY | _FILE, dir_fd=at)
    except OSError as e:
        raise FileNotFoundError(path) from e
    finally:
        os.close(at)


def _whole(fd: int, size: int) -> int:
    """
    Return how long a growing file is up to its last whole line: behind it there may be
    blank lines, which are room for what comes, and a line that is being written.
    """
    end = size
    while end > 0:
        start = max(0, end - _BACK_BYTES)
        at = os.pread(fd, end - start, start).rfind(_LINE_END)
        if at >= 0:
            return start + at + len(_LINE_END)
        if start == 0:
            break
        end = start + len(_LINE_END) - 1
    return 0
