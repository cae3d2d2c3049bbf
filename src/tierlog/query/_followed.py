"""
A file that is read as it grows.
"""

from __future__ import annotations

import os
from pathlib import Path

from tierlog.blocks import BLOCK_BYTES
from tierlog.layout import Place
from tierlog.query._folder import Found, status_of
from tierlog.query._handles import Handle, Handles
from tierlog.query._lines import event_of
from tierlog.query._position import key_of
from tierlog.query._whole import HOPELESS_BYTES, good_part, whole


__all__ = ["Followed", "Gone"]

_LINE_BYTES = 65_536  # most lines are shorter
_TS = slice(6, 19)
_CROCKFORD = {char: number for number, char in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_MS_CHARS = 10  # of an ULID


class Gone(Exception):  # noqa: N818 -- it isn't an error: it was shipped, say
    """
    A segment isn't where it was.
    """


class Followed:
    """
    A segment, and how far it was read.

    Args:
        root: The folder.

        found: The file.

        handles: Opens files.

        is_open: Whether it may still grow.

        number: Of the folder.

    Attributes:
        root: The folder.

        number: Of the folder.

        found: The file as it was found last.

        path: Its path below the root.

        place: What names it; of a build's file, as the part that its first line makes it,
            as soon as it has one.

        key: What it is known by; None if it has no whole line yet.

        inode: The file's number.

        offset: How far it was read.

        size: Bytes it had when it was looked at.

        modified_ns: When it was last written to.

        is_open: Whether it may still grow.

        is_shared: Whether any process may continue it.

        head_ts: About the time of the next line, **milliseconds** since the epoch.
    """

    is_stored = False
    floor_ms = 0
    __slots__ = (
        *("_handle", "_handles", "_is_stuck", "_looked"),
        *("found", "head_ts", "inode", "is_open", "is_shared", "key", "modified_ns"),
        *("number", "offset", "path", "place", "root", "size"),
    )

    def __init__(self, root: Path, found: Found, handles: Handles, *, is_open: bool, number: int = 0) -> None:
        self.root = root
        self.number = number
        self.found: Found | None = found
        self.path = found.path
        self.place = found.place
        self.inode = found.inode
        self.size = found.size
        self.modified_ns = found.modified_ns
        self.is_open = is_open
        self.is_shared = found.place.instance is None
        self.key: bytes | None = None
        self.offset = 0
        self.head_ts = 0
        self._handle: Handle | None = None
        self._handles = handles
        self._is_stuck = False
        self._looked = (-1, -1)
        if not self.is_shared:
            self._named(found.place)

    @property
    def who(self) -> tuple[int, int]:
        """
        The file, whatever its name is.
        """
        return self.number, self.inode

    @property
    def name(self) -> str:
        """
        What people know it by.
        """
        return self.path

    @property
    def is_unread(self) -> bool:
        """
        Whether nothing was read of it, and there may be something.
        """
        return not self.offset and self._looked != (self.size, self.modified_ns)

    def look(self) -> bool:
        """
        Tell whether there may be something to read.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        status = os.fstat(self._handle.fd) if self._handle is not None else status_of(f"{self.root}/{self.path}")
        if status is None or status.st_ino != self.inode:
            raise Gone
        self.size, self.modified_ns = status.st_size, status.st_mtime_ns
        if self.offset >= self.size:
            return False
        return self._looked != (self.size, self.modified_ns) or self._read(1) != b"\n"  # a mapping is written unseen

    def hold(self) -> None:
        """
        Keep the file open from now on, if there aren't too many already.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        if self._handle is None and not self._handles.is_full:
            self._handle = self._opened()

    def take(self, most: int | None = None) -> tuple[list[bytes], int]:
        """
        Return the next whole lines, and how many torn ones stood between them; neither if
        there's nothing more for now.

        Args:
            most: Not to read beyond so many bytes from its beginning, up to which it was
                read before.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        is_final = not self.is_open or most is not None
        size = BLOCK_BYTES
        while True:
            block = self._read(size if most is None else max(0, min(size, most - self.offset)))
            found = whole(block, is_final=is_final, was_stuck=self._is_stuck)
            if found.size or found.is_stuck or len(block) < size or size >= HOPELESS_BYTES:
                break
            size *= 2  # a line that is longer than a block, or a stretch of newlines
        self._is_stuck = found.is_stuck
        self._looked = (self.size, self.modified_ns)
        self.offset += found.size
        if found.lines:
            if self.key is None:
                self._named(_part_of(self.place, found.lines[0]))
            last = found.lines[-1][_TS]
            self.head_ts = int(last) if last.isdigit() else self.head_ts
        return found.lines, found.skipped

    def first_key(self) -> bytes | None:
        """
        Return its key, for which its first line is read if need be.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        if self.key is None:
            handle = self._handle or self._opened()
            part = _part(self.place, handle.fd)
            if part is not None:
                self._named(part)
        return self.key

    def last_ts(self) -> int | None:
        """
        Return the time of its last line; None if that isn't known.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        lines = self._read(_LINE_BYTES, at=max(0, self.size - _LINE_BYTES)).rstrip(b"\n").rpartition(b"\n")
        event = event_of(lines[2])
        return None if event is None else int(event["ts"])

    def skip_all(self) -> None:
        """
        Go behind the last whole line.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        end = self.size
        size = _LINE_BYTES
        while end > 0:
            block = self._read(min(size, end), at=max(0, end - size))
            body = block.rstrip(b"\n")  # a mapped file has many, where nothing was written yet
            start = body.rfind(b"\n") + 1
            if not body:
                end -= len(block)
            elif start or len(block) == end or size >= HOPELESS_BYTES:
                is_whole = len(body) < len(block) and good_part(body[start:])
                self.offset = end - len(block) + (len(body) + 1 if is_whole else start)
                return
            else:
                size *= 2

    def skip(self, before_ms: int) -> None:
        """
        Go behind the lines at its beginning that are older.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        while block := self._read(BLOCK_BYTES):
            for line in block[: block.rfind(b"\n") + 1].splitlines(keepends=True):
                ts = line.lstrip(b" ")[_TS]
                if ts.isdigit() and int(ts) >= before_ms:
                    return
                self.offset += len(line)
            if b"\n" not in block:
                return

    def rename(self, found: Found) -> bool:
        """
        Go on with the same file under another name; tell whether it is the same.

        Raises:
            Gone: It isn't where it was.

            OSError: It can't be read.
        """
        is_same = self._handle is not None
        if not is_same:  # its number may have been given to another one
            other = Followed(self.root, found, self._handles, is_open=False).first_key()
            is_same = self.key in {None, other}
        if is_same:
            self.path, self.found = found.path, found
            self.is_shared = found.place.instance is None
            if self.key is None and not self.is_shared:
                self._named(found.place)
        return is_same

    def let_go(self) -> None:
        """
        Close the file.
        """
        self._handle = None

    def _named(self, place: Place) -> None:
        self.place = place
        self.key = key_of(place)
        if place.ulid and not self.head_ts:
            for char in place.ulid[:_MS_CHARS]:
                self.head_ts = self.head_ts * 32 + _CROCKFORD[char]

    def _read(self, size: int, at: int | None = None) -> bytes:
        handle = self._handle or self._opened()
        return os.pread(handle.fd, size, self.offset if at is None else at)

    def _opened(self) -> Handle:
        try:
            handle = self._handles.open(self.root / self.path)
        except FileNotFoundError as e:
            raise Gone from e
        if handle.inode != self.inode:
            raise Gone
        if self.is_shared and self.key is not None:  # another one may have both its name and its number
            part = _part(self.place, handle.fd)
            if part is None or key_of(part) != self.key:
                raise Gone
        return handle


def _part(place: Place, fd: int) -> Place | None:
    """
    Return the part that the first line of a build's file makes it; None if there's none.
    """
    for size in (_LINE_BYTES, HOPELESS_BYTES):
        line, newline, _ = os.pread(fd, size, 0).lstrip(b"\n \r").partition(b"\n")
        if newline:
            return _part_of(place, good_part(line) or line)
    return None


def _part_of(place: Place, line: bytes) -> Place:
    from tierlog.segments import part_of  # noqa: PLC0415 -- 30 ms, and only to follow

    return part_of(place, line)
