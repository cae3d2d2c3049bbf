"""
Whether a Zstandard file ends where a frame does, told from the sizes that stand in it.

DuckDB takes a file that was cut off for one that is whole.
"""

from __future__ import annotations

from collections.abc import Callable


__all__ = ["Frames", "is_cut_off"]

_FRAME = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_MAGIC, _LENGTH, _DESCRIPTOR, _BLOCK = 4, 4, 1, 3  # bytes
_CHECKSUM = 4
_RUN = 1  # a block that is one byte, so many times


class Frames:
    """
    Walks from one size to the next, and needs few of the bytes.

    Attributes:
        offset: Where the bytes begin that are needed next.

        need: How many they are.

        is_between: Whether a frame may end there.

        is_lost: Whether there was something else than a frame.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.need = _MAGIC
        self.is_between = True
        self.is_lost = False
        self._take: Callable[[int], None] = self._magic
        self._behind = 0  # the bytes behind the last block

    def take(self, data: bytes) -> None:
        """
        Go on with the bytes that were needed.
        """
        self.is_between = False
        self.offset += len(data)
        self._take(int.from_bytes(data, "little"))

    def feed(self, data: bytes, offset: int) -> None:
        """
        Go on with as much as there is in *data*, which begins at *offset*.
        """
        while not self.is_lost and (at := self.offset - offset) + self.need <= len(data):
            self.take(data[at : at + self.need])

    def _magic(self, number: int) -> None:
        if number in _SKIPPABLE:
            self._next(self._skippable, _LENGTH)
        else:
            self.is_lost = number != _FRAME
            self._next(self._descriptor, _DESCRIPTOR)

    def _skippable(self, size: int) -> None:
        self.offset += size
        self._end()

    def _descriptor(self, flags: int) -> None:
        size_flag, is_single, dictionary = flags >> 6, flags >> 5 & 1, flags & 3
        self.offset += (not is_single) + (0, 1, 2, 4)[dictionary] + ((is_single, 2, 4, 8)[size_flag])
        self._behind = _CHECKSUM if flags >> 2 & 1 else 0
        self._next(self._block, _BLOCK)

    def _block(self, header: int) -> None:
        self.offset += 1 if header >> 1 & 3 == _RUN else header >> 3
        if header & 1:
            self.offset += self._behind
            self._end()
        else:
            self._next(self._block, _BLOCK)

    def _next(self, take: Callable[[int], None], need: int) -> None:
        self._take, self.need = take, need

    def _end(self) -> None:
        self.is_between = True
        self._next(self._magic, _MAGIC)


def is_cut_off(read: Callable[[int, int], bytes], size: int) -> bool:
    """
    Tell whether a file may end within a frame, or holds something else.

    Args:
        read: Returns so many bytes of it, from an offset on.

        size: How many it has.
    """
    frames = Frames()
    while frames.offset < size and not frames.is_lost:
        data = read(frames.need, frames.offset)
        if len(data) < frames.need:
            return True
        frames.take(data)
    return not size or frames.is_lost or not (frames.is_between and frames.offset == size)
