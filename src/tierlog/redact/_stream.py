"""
Redaction of what comes in pieces: a process's output, a file that is read by chunks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tierlog.redact._below import Below
from tierlog.redact._blocks import Blocks
from tierlog.redact._redactor import Redactor


__all__ = ["MAX_LINE", "StreamRedactor"]

MAX_LINE: Final = 65_536
"""Characters of a line that may wait for its end; a longer one is written in pieces."""

_KEPT = 16_384  # what always waits of a long line: no secret is longer
_STEP = 4_096
_TRIES = 8
_WORD = 256
_HEADER = 128
_TOGETHER = 8  # lines: with more, what one is about would colour too many
_ABOVE = 2  # lines that came before, and may name what comes now
_LONG_ABOVE = 1_024  # characters
_WITHHELD = "[WITHHELD]"
_MARK = "[REDACTED:"
_END = re.compile(r"\r\n|\n|\r(?!\Z)")


class _Text(Protocol):
    def text(self, text: str, /) -> str: ...


class StreamRedactor:
    """
    Hides secrets in one stream of one process, whatever way it is cut.

    One for each stream: what it remembers is its own, and it isn't to be shared
    between threads. Use either :meth:`feed`, for chunks of any size, or
    :meth:`feed_line`, for lines.

    A secret that is one word is also hidden on the line below its name, or one
    empty line further down.

    A private key over many lines becomes one ``[REDACTED:private-key]``, in every
    usual wrapping. A key without an end hides 512 rows or 64 KiB that look like its
    body, and is given up after 32 lines in a row that don't; then
    ``[REDACTED:private-key-unended]`` says so, once.

    Lines that look like the last rows of a key wait, at most 128 of them, for the
    line that tells.

    Args:
        redactor: What hides secrets within a line; None for a :class:`Redactor`
            of its own.

        count: Called with the name of a rule for each mark that is written for a
            private key; None to let *redactor* count it, if it is a
            :class:`Redactor`. What it hides itself it counts anyway.
    """

    def __init__(self, redactor: _Text | None = None, *, count: Callable[[str], None] | None = None) -> None:
        self._redactor = Redactor() if redactor is None else redactor
        own = self._redactor.count if isinstance(self._redactor, Redactor) else _nothing
        self._blocks = Blocks(count or own)
        self._below = Below(self._text)
        self._parts: list[str] = []  # of the line that has no end yet
        self._size = 0
        self._above: list[str] = []  # the last lines, if they are without secrets

    def feed(self, text: str) -> str:
        """
        Take the next chunk and return what may be written now.

        All that is returned, and what :meth:`close` returns, is the whole stream.
        A line waits for its end, since the rest of a secret may follow: a newline,
        or a carriage return and what comes after it. Beyond :data:`MAX_LINE` its
        beginning is written, cut where no secret is cut.
        """
        self._parts.append(text)
        self._size += len(text)
        if self._size <= MAX_LINE and not _ends_line(self._parts):
            return ""
        out: list[str] = []
        self._keep(self._whole_lines("".join(self._parts), out), out)
        return "".join(out)

    def feed_line(self, line: str) -> list[str]:
        """
        Take one line, with or without its end, and return the lines to write now.

        They come without their ends: mostly the one line, redacted; none for a row
        of a key, or for a line that waits; several when lines that waited are let
        go. A line is never held back because it has no end.
        """
        out: list[str] = []
        for text in re.split(r"\r\n|\n|\r", self._taken() + line.removesuffix("\n").removesuffix("\r")):
            out += self._line(text, "")
        return out

    def feed_lines(self, lines: Sequence[str]) -> list[str]:
        """
        Take lines without their ends, and return the lines to write now, as
        :meth:`feed_line` does; at a fraction of its cost if no secret is near.

        Lines are looked at with their neighbours, and with the two that came before
        them, since a secret may stand on the line below its name.
        """
        redactor = self._redactor
        if self._parts or type(redactor) is not Redactor or not redactor.takes_lines:
            return [out for line in lines for out in self.feed_line(line)]
        rows = list(lines)
        has_above = bool(self._above) or self._below.waits
        if not self._below.waits and self._are_clean([*self._above, *rows]) and self._blocks.passes(rows):
            near = 0
        elif has_above and self._are_clean(rows) and self._blocks.passes(rows):
            near = _TOGETHER  # what came before may say what the first of them are
        else:
            rows = [row for line in lines for row in self._blocks.line(line, "")]
            near = len(rows)
        out: list[str] = []
        for start in range(0, near, _TOGETHER):
            some = self._together([self._below.line(row) for row in rows[start : start + _TOGETHER]])
            self._keep_above(some)
            out += some
        self._keep_above(rows[near:])
        return out + rows[near:]

    def _are_clean(self, rows: list[str]) -> bool:
        redactor = self._redactor
        return isinstance(redactor, Redactor) and redactor.hides_blocks and redactor.is_clean("\n".join(rows))

    def _keep_above(self, lines: list[str]) -> None:
        above = [*self._above, *lines[-_ABOVE:]][-_ABOVE:]
        # A mark would be found again, and counted.
        self._above = above if all(len(line) <= _LONG_ABOVE and _MARK not in line for line in above) else []

    def _together(self, rows: list[str]) -> list[str]:
        """
        Return some lines redacted as one text, since a secret may stand on the line
        below its name.
        """
        above = "".join(f"{line}\n" for line in self._above)
        for before in (above, "") if above else ("",):
            text = before + "\n".join(rows)
            if len(text) > MAX_LINE:
                continue
            clean = self._text(text)
            if clean == text:
                return rows
            # Else all are withheld for one of them, or what was returned should have been another.
            if (_WITHHELD not in clean or _WITHHELD in text) and clean.startswith(before):
                return clean[len(before) :].split("\n")
        return [self._text(row) for row in rows]

    def let_go_lines(self) -> list[str]:
        """
        Return the lines that wait since they may be the last rows of a key; for those who
        don't want them to wait long. A key that has begun stays hidden.
        """
        return [self._shown(part) for part in self._blocks.let_go()]

    def close(self) -> str:
        """
        Return the rest; a later :meth:`feed` begins anew.
        """
        out: list[str] = []
        rest = self._whole_lines(self._taken(), out)
        if rest:
            out += self._line(rest.removesuffix("\r"), "\r" if rest.endswith("\r") else "")
        out += self._closed()
        return "".join(out)

    def close_lines(self) -> list[str]:
        """
        Return the lines that :meth:`feed_line` still holds; a later one begins anew.
        """
        self._above = []
        return self._closed()

    def _taken(self) -> str:
        text = "".join(self._parts)
        self._parts, self._size = [], 0
        return text

    def _keep(self, rest: str, out: list[str]) -> None:
        """
        Keep what has no end yet, after writing the beginning of a long line.
        """
        position = 0
        while len(rest) - position > MAX_LINE:
            at = position + self._cut(rest[position : position + MAX_LINE])
            out += self._line(rest[position:at], "")
            position = at
        self._parts = [rest[position:]]
        self._size = len(rest) - position

    def _whole_lines(self, text: str, out: list[str]) -> str:
        """
        Write the lines of *text* that have an end; return the rest.
        """
        position = 0
        for end in _END.finditer(text):
            while end.start() - position > MAX_LINE:
                at = position + self._cut(text[position : position + MAX_LINE])
                out += self._line(text[position:at], "")
                position = at
            out += self._line(text[position : end.start()], end[0])
            position = end.end()
        return text[position:]

    def _cut(self, text: str) -> int:
        """
        Return where *text*, of which more follows, may be cut: where the parts are
        redacted as the whole is.
        """
        clean = self._text(text)
        at = len(text) - _KEPT
        for _ in range(_TRIES):
            at = _between_words(text, at)
            if clean == text or _WITHHELD in clean or self._text(text[:at]) + self._text(text[at:]) == clean:
                break
            at -= _STEP
        return at

    def _line(self, text: str, end: str) -> list[str]:
        try:
            return [self._shown(part) for part in self._blocks.line(text, end)]
        except Exception:  # noqa: BLE001 -- not looked at means not written
            return [_WITHHELD + end]

    def _closed(self) -> list[str]:
        out = [self._shown(part) for part in self._blocks.close()]
        self._below.forget()
        return out

    def _shown(self, line: str) -> str:
        return self._text(self._below.line(line))

    def _text(self, text: str) -> str:
        try:
            return self._redactor.text(text)
        except Exception:  # noqa: BLE001 -- not looked at means not written
            return _WITHHELD + "\n" * text.endswith("\n")


def _ends_line(parts: list[str]) -> bool:
    """
    Tell that the last of *parts* ends a line.
    """
    last = parts[-1]
    return "\n" in last or "\r" in last or (len(parts) > 1 and parts[-2].endswith("\r"))


def _between_words(text: str, at: int) -> int:
    """
    Return a place before *at*, at the end of a word and not within a key's header.
    """
    space = text.rfind(" ", at - _WORD, at)
    at = space + 1 if space >= 0 else at
    dashes = text.find("-----", at - _HEADER, at + _HEADER)
    return dashes if 0 <= dashes < at else at


def _nothing(rule: str) -> None:
    """
    Count nothing.
    """
