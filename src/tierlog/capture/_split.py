"""
Bytes of one stream into lines, as they come.

A line ends with a newline, and nothing else. A carriage return within a line begins
it again, which is how progress is shown: what was there is overwritten.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from tierlog.envelope import MSG_MAX_BYTES


__all__ = ["KEPT_CHARS", "Piece", "Splitter"]

KEPT_CHARS = 2 * MSG_MAX_BYTES
"""Characters of a line that are kept until it is redacted and cut; the rest is counted."""

_END = re.compile(rb"\r*\n|\r+(?!\Z)")
_RETURNS = re.compile(r"\r+\n")
_ESCAPE = re.compile(
    r"\0|\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours, and moves of the cursor
    r"|[\]PX^_][^\x07\x1b\r\n]*(?:\x07|\x1b\\)"  # titles, links, marks of CI systems
    r"|[ -/]+[0-~]|[0-Z\\-~])?",  # character sets, and what is left
)


class Piece(NamedTuple):
    """
    What came together.

    Attributes:
        texts: Lines without their ends, and without escape sequences and NULs, which aren't seen.

        is_overwritten: Whether they aren't whole lines, but states of one that goes on.

        dropped: Bytes of the one line that weren't kept.
    """

    texts: list[str]
    is_overwritten: bool = False
    dropped: int = 0


class Splitter:
    """
    Takes chunks of any size; never raises, and keeps no more than one line.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []  # of the line that has no end yet
        self._size = 0
        self._dropped = 0  # bytes of it

    def feed(self, chunk: bytes) -> list[Piece]:
        """
        Take the next chunk, and return what it has completed.
        """
        if not self._dropped:
            return self._taken(self._decoder.decode(chunk))
        end = _END.search(chunk) if b"\n" in chunk or b"\r" in chunk else None
        if end is None:
            self._dropped += len(chunk)
            return []
        self._dropped += end.start()
        return [*self.close(), *self.feed(chunk[end.end() :])]

    def close(self) -> list[Piece]:
        """
        Return the last line, if it has no end.
        """
        text = _plain("".join(self._parts) + self._decoder.decode(b"", final=True))
        dropped, self._dropped, self._parts, self._size = self._dropped, 0, [], 0
        self._decoder.reset()
        return _lines(text + "\n", dropped) if text else []

    def _taken(self, text: str) -> list[Piece]:
        if not text:
            return []
        pieces: list[Piece] = []
        may_end = "\n" in text or "\r" in text or (bool(self._parts) and self._parts[-1].endswith("\r"))
        self._parts.append(text)
        self._size += len(text)
        if may_end:
            text = "".join(self._parts)
            end = text.rfind("\n") + 1
            pieces = _lines(text[:end]) if end else []
            rest = text[end:]
            # What a carriage return overwrites is known once something follows it.
            start = rest.rstrip("\r").rfind("\r") + 1
            if start:
                pieces.append(Piece(_states(_plain(rest[:start])), is_overwritten=True))
            self._parts, self._size = [rest[start:]], len(rest) - start
        if self._size > KEPT_CHARS:
            text = "".join(self._parts)
            self._parts, self._size = [text[:KEPT_CHARS]], KEPT_CHARS
            self._dropped = len(text[KEPT_CHARS:].encode())
        return pieces


def _lines(text: str, dropped: int = 0) -> list[Piece]:
    """
    Return the lines of *text*, which ends with a newline.
    """
    text = _plain(text)
    if "\r" not in text:
        return [Piece(text[:-1].split("\n"), dropped=dropped)]
    pieces: list[Piece] = []
    lines: list[str] = []
    for line in _RETURNS.sub("\n", text)[:-1].split("\n"):
        states = _states(line)
        if len(states) > 1:
            pieces += [*([Piece(lines)] if lines else []), Piece(states[:-1], is_overwritten=True)]
            lines = []
        lines.append(states[-1] if states else "")
    return [*pieces, Piece(lines, dropped=dropped)]


def _states(line: str) -> list[str]:
    return [state for state in line.split("\r") if state]


def _plain(text: str) -> str:
    return _ESCAPE.sub("", text) if "\x1b" in text or "\0" in text else text
