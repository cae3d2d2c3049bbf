"""
What DuckDB reads and isn't a plain path: objects of stores, and what is left of damaged
segments.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem

from tierlog.analytics._frames import Frames
from tierlog.errors import StoreError
from tierlog.stores import Store


__all__ = ["SCHEME", "Files"]

SCHEME = "tierlog"
_LONGEST_NEED = 4  # bytes
_READ_AHEAD = 4_194_304  # about what DuckDB asks for at once


class Files(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """
    Files that have only been put here, to be read.

    Attributes:
        failed: Which couldn't be read, by their path, and why.

        cut_off: The paths of those that were read to their end, which isn't that of what
            is packed in them.
    """

    protocol = SCHEME
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, tuple[int, Callable[[], BinaryIO]]] = {}
        self.failed: dict[str, StoreError] = {}
        self.cut_off: set[str] = set()

    def add(self, name: str, size: int, opener: Callable[[], BinaryIO]) -> str:
        """
        Put a file here, and return its path.

        Args:
            name: What the path ends with, which tells how it is packed.

            size: Bytes.

            opener: Returns the file, at its beginning, each time anew.
        """
        path = f"{len(self._files)}/{name.rpartition('/')[2]}"
        self._files[path] = (size, opener)
        return f"{SCHEME}://{path}"

    def add_object(self, store: Store, key: str, size: int) -> str:
        """
        Put an object of a store here, and return its path. It is read by ranges.
        """
        path = ""

        def opened() -> BinaryIO:
            frames = _Walked(lambda: self.cut_off.add(path)) if key.endswith(".zst") else None
            raw = _Object(store, key, size, lambda error: self.failed.setdefault(path, error), frames)
            return io.BufferedReader(raw, _READ_AHEAD)

        path = self.add(key, size, opened)
        return path

    def open(self, path: str, mode: str = "rb", **_options: Any) -> BinaryIO:
        """
        Return a file, at its beginning.
        """
        if mode != "rb":
            raise PermissionError(f"{path} is only to be read")
        return self._found(path)[1]()

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        """
        Return what there is to know of a file.
        """
        return {"name": path, "size": self._found(path)[0], "type": "file"}

    def glob(self, path: str, **_options: Any) -> list[str]:
        """
        Return the path, if there's such a file.
        """
        return [path] if path.removeprefix(f"{SCHEME}://") in self._files else []

    def _found(self, path: str) -> tuple[int, Callable[[], BinaryIO]]:
        try:
            return self._files[path.removeprefix(f"{SCHEME}://")]
        except KeyError:
            raise FileNotFoundError(path) from None


class _Walked:
    """
    The frames of what is read from its beginning on.

    Args:
        note: Called where that has an end that isn't a frame's.
    """

    def __init__(self, note: Callable[[], object]) -> None:
        self._note = note
        self._frames = Frames()
        self._left = b""
        self._end = 0

    def pass_by(self, data: bytes, offset: int, size: int) -> None:
        """
        Look at what was read from *offset* on, of so many bytes all in all.
        """
        if offset != self._end or self._frames.is_lost:
            return  # nothing is known any more
        self._frames.feed(self._left + data, offset - len(self._left))
        self._end += len(data)
        self._left = (self._left + data)[-_LONGEST_NEED:]
        if self._end == size and not (self._frames.is_between and self._frames.offset == size):
            self._note()


class _Object(io.RawIOBase):
    """
    An object that is read by ranges.
    """

    def __init__(
        self, store: Store, key: str, size: int, note: Callable[[StoreError], object], walked: _Walked | None = None
    ) -> None:
        super().__init__()
        self._walked = walked
        self._store = store
        self._key = key
        self._size = size
        self._note = note
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._offset = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        return self._offset

    def readinto(self, buffer: Any) -> int:
        end = min(self._offset + len(buffer), self._size)
        if end <= self._offset:
            return 0
        try:
            data = self._store.get(self._key, self._offset, end)
        except StoreError as e:
            self._note(e)
            raise
        buffer[: len(data)] = data
        if self._walked is not None:
            self._walked.pass_by(data, self._offset, self._size)
        self._offset += len(data)
        return len(data)
