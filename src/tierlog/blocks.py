"""
A segment cut into blocks, the same everywhere: where facts are found, packed and read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple


__all__ = ["BLOCK_BYTES", "Block", "blocks"]

BLOCK_BYTES = 262_144
"""A block ends with the first line that brings it to this size."""


class Block(NamedTuple):
    """
    A run of whole lines.

    Attributes:
        offset: Bytes from the beginning of the segment, uncompressed.

        size: Bytes, newlines included.

        first_ts: Lowest ``ts``, milliseconds since the epoch.

        last_ts: Highest ``ts``.
    """

    offset: int
    size: int
    first_ts: int
    last_ts: int


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """
    Yield what *file* has left, block by block: runs of whole lines, but for the last
    one of a file that doesn't end with a newline.
    """
    while block := file.read(BLOCK_BYTES):
        while len(block) < BLOCK_BYTES and (more := file.read(BLOCK_BYTES - len(block))):
            block += more  # a socket gives less than was asked for
        if not block.endswith(b"\n"):
            block += file.readline()
        yield block
