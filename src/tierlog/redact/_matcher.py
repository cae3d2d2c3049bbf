"""
A first look at a text: which of many patterns may be in it.

Hyperscan (G. Langdale et al., *Hyperscan: A Fast Multi-pattern Regex Matcher for
Modern CPUs*, NSDI 2019) looks for all of them at once, in time linear in the text
and independent of their number.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import hyperscan

from tierlog.redact import _kept


__all__ = ["Matcher", "literal"]

_FLAGS = (
    hyperscan.HS_FLAG_SINGLEMATCH
    | hyperscan.HS_FLAG_CASELESS
    | hyperscan.HS_FLAG_PREFILTER  # what it can't express, it may find too often
    | hyperscan.HS_FLAG_MULTILINE  # several texts are looked at as lines of one
)


class Matcher:
    """
    Tells which of *patterns* a text may hold; without regard to case, so that it
    may tell too many, never too few.

    Safe to share between threads.

    Args:
        patterns: What to look for.

        keep: Whether what is compiled may be kept on the disk, for the next process.

    Raises:
        ValueError: One of them isn't a pattern.
    """

    def __init__(self, patterns: Sequence[str], *, keep: bool = False) -> None:
        self._database = _compiled(tuple(patterns), keep)
        self._scan = self._database.scan
        self._own = threading.local()

    def hits(self, text: str) -> list[int]:
        """
        Return the indices of the patterns that may be in *text*.
        """
        found: list[int] = []
        try:
            scratch = self._own.scratch
        except AttributeError:
            scratch = self._own.scratch = hyperscan.Scratch(self._database)
        content = text.encode("utf-8", "surrogatepass")
        try:
            self._scan(content, _note, 0, found, scratch)
        except hyperscan.ScratchInUseError:  # a signal handler logs in the middle of a look
            found.clear()
            self._scan(content, _note, 0, found, hyperscan.Scratch(self._database))
        return found


@lru_cache(maxsize=8)  # tenths of a second; the handlers of a process have the same
def _compiled(patterns: tuple[str, ...], keep: bool) -> hyperscan.Database:  # noqa: FBT001 -- for the cache
    database = _kept.load(patterns) if keep else None
    if database is None:
        database = _compile(patterns)
        if keep:
            _kept.save(patterns, database)
    return database


def _compile(patterns: tuple[str, ...]) -> hyperscan.Database:
    size = len(patterns)
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=[pattern.encode("utf-8", "surrogatepass") for pattern in patterns],
            ids=list(range(size)),
            elements=size,
            flags=[_FLAGS] * size,
        )
    except hyperscan.error as e:
        raise ValueError(str(e)) from e
    return database


def literal(text: str) -> str:
    """
    Return the pattern that finds just *text*.
    """
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\x{byte:02x}" for byte in _bytes(text))  # noqa: PLR2004


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _note(index: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    found.append(index)
