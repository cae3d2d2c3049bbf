"""
What a compaction did.
"""

from __future__ import annotations

from typing import NamedTuple

from tierlog.errors import TierlogError


__all__ = ["Change", "Compacted", "CompactionError", "Failure", "Packed"]


class CompactionError(TierlogError):
    """
    A segment can't be packed. It is as it was.
    """


class Change(NamedTuple):
    """
    One segment that was packed.

    Attributes:
        before_bytes: Bytes of the plain one.

        after_bytes: Bytes of the packed one.
    """

    before_bytes: int
    after_bytes: int


class Packed(NamedTuple):
    """
    Segments that were packed; in a dry run, those that would be.

    Attributes:
        segments: How many.

        before_bytes: Bytes of the plain ones.

        after_bytes: Bytes of the packed ones; 0 in a dry run.
    """

    segments: int = 0
    before_bytes: int = 0
    after_bytes: int = 0

    def and_one(self, change: Change) -> Packed:
        """
        Return the sum with one more.
        """
        return Packed(self.segments + 1, self.before_bytes + change.before_bytes, self.after_bytes + change.after_bytes)


class Failure(NamedTuple):
    """
    A segment that couldn't be packed; it is as it was.

    Attributes:
        name: Its path below the root, its key, or the name of the store.

        problem: Why.
    """

    name: str
    problem: str


class Compacted(NamedTuple):
    """
    What a compaction did.

    Attributes:
        local: Files below the root.

        remote: Objects in the store.

        skipped: What is old enough and was left alone: it is in use, waits to be
            shipped, is a checkpoint of an open segment, or went meanwhile.

        failed: What couldn't be packed, and why.
    """

    local: Packed = Packed()
    remote: Packed = Packed()
    skipped: int = 0
    failed: tuple[Failure, ...] = ()

    @property
    def segments(self) -> int:
        """
        Files and objects together.
        """
        return self.local.segments + self.remote.segments

    @property
    def before_bytes(self) -> int:
        """
        Bytes of all of them when they were plain.
        """
        return self.local.before_bytes + self.remote.before_bytes

    @property
    def after_bytes(self) -> int:
        """
        Bytes of all of them now.
        """
        return self.local.after_bytes + self.remote.after_bytes
