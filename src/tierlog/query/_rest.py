"""
What is left of a finished segment behind some of its bytes, packed or in a store.
"""

from __future__ import annotations

from collections.abc import Iterator

from tierlog.query._lines import ts_of
from tierlog.query._listing import Listed
from tierlog.query._open import opened
from tierlog.query._whole import whole


__all__ = ["Rest"]


class Rest:
    """
    A finished segment that isn't a plain file, read on from where it was left.

    Args:
        listed: Where it is.

        key: What it is known by.

        offset: How far it was read, unpacked.

        floor_ms: Lines before aren't asked for, **milliseconds** since the epoch.

    Attributes:
        key: What it is known by.

        offset: How far it was read.

        head_ts: About the time of the next line, **milliseconds** since the epoch.

        name: What people know it by.

        modified_ns: When it was stored, or last written to.
    """

    is_open = False
    is_shared = False
    size = 1  # it isn't known
    number = 0
    found = None

    def __init__(self, listed: Listed, key: bytes, offset: int, *, floor_ms: int = 0) -> None:
        self.listed = listed
        self.key: bytes | None = key
        self.offset = offset
        self.head_ts = 0
        self.floor_ms = floor_ms
        self.name = listed.name
        self.place = listed.place
        self.root = listed.root
        self.modified_ns = listed.modified_ns
        self._blocks: Iterator[bytes] | None = None
        self._is_over = False

    @property
    def who(self) -> bytes:
        """
        The segment.
        """
        return self.key or b""

    @property
    def is_unread(self) -> bool:
        """
        Whether nothing was read of it.
        """
        return not self.offset

    @property
    def is_stored(self) -> bool:
        """
        Whether it is in a store.
        """
        return self.listed.store is not None

    def look(self) -> bool:
        """
        Tell whether there may be something to read.
        """
        return not self._is_over

    def take(self, most: int | None = None) -> tuple[list[bytes], int]:
        """
        Return the next whole lines, and how many torn ones stood between them; neither if
        there's nothing more.

        Args:
            most: Not to read beyond so many bytes from its beginning.

        Raises:
            OSError: It can't be read.

            StoreError: The store didn't answer; it may be tried again.

            ValueError: It is damaged.
        """
        if most is not None and self.offset >= most:
            return [], 0
        try:
            if self._blocks is None:
                self._blocks = self._from(self.offset)
            block = next(self._blocks, b"")
        except BaseException:
            self._blocks = None
            raise
        if most is not None and self.offset + len(block) > most:
            block = block[: most - self.offset]
            self._blocks = None
        found = whole(block, is_final=True, was_stuck=False)
        self._is_over = not block
        self.offset += len(block)
        if found.lines and found.lines[-1][6:19].isdigit():
            self.head_ts = ts_of(found.lines[-1])
        return found.lines, found.skipped

    def let_go(self) -> None:
        """
        Close what is open.
        """
        self._blocks = None

    def _from(self, offset: int) -> Iterator[bytes]:
        content = opened(self.listed)
        at = 0
        try:
            for block in content.blocks():
                size = block.rfind(b"\n") + 1
                if at + size > offset:
                    yield block[max(0, offset - at) : size]
                at += size
        finally:
            content.close()
