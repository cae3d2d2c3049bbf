"""
Whether a packed segment holds what a plain one does.
"""

from __future__ import annotations

from enum import Enum
from typing import BinaryIO

from tierlog.packing import UnpackingError, open_plain


__all__ = ["Likeness", "likeness"]

_BLOCK = 262_144


class Likeness(Enum):
    """
    What is known of a packed segment.
    """

    SAME = "same"
    """It holds the same bytes."""

    DAMAGED = "damaged"
    """It can't be unpacked to its end, or has a part of the bytes and no others."""

    OTHER = "other"
    """It is whole, and holds something else."""


def likeness(packed: BinaryIO, packing: str, plain: BinaryIO) -> Likeness:
    """
    Compare what *packed* holds with *plain*; both are read to their ends, and
    *packed* is closed.

    Args:
        packed: At its beginning.

        packing: How it is packed.

        plain: At its beginning.

    Raises:
        MissingExtraError: ``tierlog[zstd]`` isn't installed.
    """
    is_alike = True
    try:
        with packed, open_plain(packed, packing) as unpacked:
            while block := unpacked.read(_BLOCK):  # to the end: what is damaged may differ before that shows
                is_alike = is_alike and plain.read(len(block)) == block
    except UnpackingError:
        return Likeness.DAMAGED
    if not is_alike:
        return Likeness.OTHER
    return Likeness.DAMAGED if plain.read(1) else Likeness.SAME
