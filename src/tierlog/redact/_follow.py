"""
Following a text or a stream row by row through the private keys in it.

A block is followed row by row and never looked up as a whole: its rows may come
one at a time, with other rows between them, and its end may never come. A row ends
with its line, or with a newline that was escaped within the line.

Inside a block a row is hidden if it is what a key's body is made of, and stays if
it is words. So a block that nobody ends hides little that isn't a key, and it is
given up after :data:`MAX_ROWS`, :data:`MAX_BODY` or :data:`MAX_OTHER`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tierlog.redact._body import (
    BREAK,
    MARK,
    Row,
    bare_keys,
    is_known,
    is_naked,
    is_short_end,
    judge,
    may_be_bare,
    shape,
    tail_start,
    without_ansi,
)
from tierlog.redact._headers import LOOK_AHEAD, Header, headers, is_prose, may_hold_block, mended, torn, with_visible_headers
from tierlog.redact._rows import CHARS_PER_WORK, MAX_BODY, rows, work_room


__all__ = ["MAX_HELD", "MAX_OTHER", "MAX_ROWS", "RULE", "UNENDED", "Blocks"]

RULE: Final = "private-key"

MAX_ROWS: Final = 512
"""Rows of a body, after which a block is given up; a key of 16384 bits has 200."""

MAX_OTHER: Final = 32
"""Rows that are no body, one after another, after which a block is given up."""

MAX_HELD: Final = 128
"""Rows that may be the last of a key, and so wait for what follows them."""

UNENDED: Final = "[REDACTED:private-key-unended]"
"""Written once, where a block without an end was given up."""

_RULE_UNENDED = "private-key-unended"
_MAX_OTHER_IN_PROSE = 8
_MAX_PUBLIC = 2_048  # rows of certificates, which are no key
_MAX_PREFIX = 80
_FULL = 60  # characters of a row that more rows may follow
_SHORTEST = 9  # "----BEGIN"
_WORK_OF_HEADER = 16


class Blocks:
    """
    Follows one text or stream through its lines, and hides the keys in it.

    Args:
        count: Called with the name of a rule for each mark written.

    Attributes:
        hidden: How many rows, or parts of rows, were hidden.

        work: How many rows and headers were looked at.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self.hidden = 0
        self.work = 0
        self._out: list[str] = []
        self._parts: list[str] = []  # of the line that is being looked at
        self._forget()

    def line(self, text: str, end: str) -> list[str]:
        """
        Return what may be written now that the line *text* has come.

        Joined, it is the whole text. With an empty *end*, each item is what is left
        of one line, and nothing comes of a line that is hidden whole.

        Args:
            text: A line, or a part of one.

            end: What ends it. It comes with the next item if the line is hidden.
        """
        if not self.is_busy and (len(text) < _SHORTEST or not (may_hold_block(text) or is_naked(text))):
            self._waits = True
            return [text + end]
        room = self.work + work_room(text)
        text = with_visible_headers(text)
        position = self._mend(text)
        for header in headers(text, position, len(text)):
            self._between(
                text[position : header.start], text[header.start : header.end], header, text[header.end : header.end + LOOK_AHEAD]
            )
            position = header.end
            if self.work > room:  # a line that is made to take long
                text = text[:position] + MARK
                self.hidden += 1
                break
        self._rest(text[position:], end, is_whole=position == 0)
        if self._parts:
            self._out.append("".join(self._parts))
            self._parts = []
        return self._taken()

    def passes(self, lines: Sequence[str]) -> bool:
        """
        Tell that all of *lines*, in which no block begins or ends, may be written as they
        are; if so, they have been taken.
        """
        # Most lines are told by their end, which costs less than the call.
        if self.is_busy or any(map(is_naked, [line for line in lines if " " not in line[-12:-3]])):
            return False
        self._waits = True
        return True

    def let_go(self) -> list[str]:
        """
        Return the lines that wait for the end of a key, which may never come.
        """
        self._release()
        return self._taken()

    @property
    def is_busy(self) -> bool:
        """
        Whether the next line is judged by what came before it.
        """
        return bool(self._inside or self._held or self._torn or self._public or self._gap)

    def close(self) -> list[str]:
        """
        Return what is left, and forget everything.
        """
        self._release()
        if self._gap:
            self._out.append(self._gap)
        self._forget()
        return self._taken()

    def _taken(self) -> list[str]:
        out, self._out = self._out, []
        return out

    def _forget(self) -> None:
        self._held: list[str] = []  # lines that may be the last of a key
        self._waits = True
        self._public = 0  # rows that a certificate may still have
        self._torn = ""  # a header that the end of its line cut in two
        self._gap = ""  # what ends the line of a mark, when a line follows
        self._leave()

    def _enter(self, prefix: str, *, is_marked: bool = True, is_bare: bool = False) -> None:
        self._inside, self._is_marked, self._is_bare = True, is_marked, is_bare
        self._prefix = shape(prefix)
        self._public = 0

    def _leave(self) -> None:
        self._inside = self._is_marked = self._is_bare = self._is_fresh = self._is_after_full = False
        self._rows = self._body = self._others = self._blank = 0
        self._prefix = ""

    def _emit(self, text: str) -> None:
        self._parts += [self._gap, text]
        self._gap = ""

    def _mark(self) -> None:
        self._emit(MARK)
        self._count(RULE)
        self._is_marked, self._is_fresh = True, False

    def _mend(self, text: str) -> int:
        """
        Return how much of *text* is the rest of a header that the last line began.
        """
        head, self._torn = self._torn, "" if self._inside else torn(text)
        row = text.lstrip()
        size = mended(head, row) if head else 0
        if not size:
            return 0
        self._mark()
        self._enter("")
        return len(text) - len(row) + size

    def _between(self, before: str, written: str, header: Header, after: str) -> None:
        """
        Take what stands before a header or footer, and then that.
        """
        self.work += _WORK_OF_HEADER
        if self._inside:
            if header.begins or not is_known(before, self._prefix):
                self._inner(before, None)
        elif header.begins or not header.is_private or not self._is_tail(before):
            self._outer(before, "", is_whole=False)
        if header.begins:
            self._begin(before, written, after, is_private=header.is_private)
        elif self._inside and self._is_marked:
            self._leave_after_footer()
        else:
            self._leave()
            self._public = 0
            self._emit(written)

    def _begin(self, before: str, written: str, after: str, *, is_private: bool) -> None:
        self._leave()
        if not is_private:
            self._public = _MAX_PUBLIC
            self._emit(written)
            return
        spoken_of = is_prose(after)
        if spoken_of:
            self._emit(written)
        else:
            self._mark()
        self._enter(before, is_marked=not spoken_of)

    def _leave_after_footer(self) -> None:
        is_fresh = self._is_fresh
        self._leave()
        self._gap = ""
        self._is_fresh = is_fresh

    def _rest(self, text: str, end: str, *, is_whole: bool) -> None:
        """
        Take what follows the last header or footer of a line.
        """
        if self._inside:
            self._inner(text, end)
        elif is_whole:
            self._outer(text, end, is_whole=True)
        else:
            is_blank = not without_ansi(text).strip()
            if is_blank and (self._is_fresh or (not end and not self._parts)):
                text = end = ""
            self._is_fresh = False
            if text or end:
                self._outer(text, end, is_whole=False)

    def _inner(self, text: str, end: str | None) -> None:
        """
        Take rows within a block; what follows the block's end is taken as outside.
        """
        position = 0
        room = self.work + work_room(text)
        for row, sep in rows(text, end):
            if self.work > room:
                self._emit(MARK + (end or ""))
                return
            if not self._row(row, sep):
                self._outer(text[position:], end or "", is_whole=position == 0)
                return
            position += len(row) + len(sep or "")
            if not self._inside:
                if position < len(text):
                    self._outer(text[position:], end or "", is_whole=False)
                return

    def _row(self, row: str, sep: str | None) -> bool:
        """
        Write or hide one row; False if the block was given up before it.
        """
        self.work += 1
        verdict = judge(row, self._prefix, is_after_full=self._is_after_full)
        if verdict.kept is None:
            self._hide(row, sep, verdict)
            return True
        if verdict.body:
            self._count_body(verdict.body)
        elif self._is_over():
            self._give_up(sep)
            return False
        self._emit(verdict.kept + (sep or ""))
        self._is_fresh = bool(sep)
        return True

    def _is_over(self) -> bool:
        self._others += 1
        return self._others > (0 if self._is_bare else MAX_OTHER if self._is_marked else _MAX_OTHER_IN_PROSE)

    def _hide(self, row: str, sep: str | None, verdict: Row) -> None:
        if not self._is_marked:
            if not verdict.body:
                self._emit(row + (sep or ""))
                return
            self._mark()
        if sep is not None and not self._is_fresh:
            self._gap = sep
        if not verdict.body:
            if self._parts and not self._rows and "\x1b" in row and not without_ansi(row).strip():
                self._parts.append(row.strip())  # the end of the header's colour
            self._blank += 1
            if self._blank > MAX_OTHER:
                self._give_up(sep)
            return
        self._count_body(verdict.body)
        if self._rows > MAX_ROWS or self._body > MAX_BODY:
            self._give_up(sep)
        elif self._is_bare and verdict.is_last:
            self._leave()

    def _count_body(self, size: int) -> None:
        self.hidden += 1
        self._rows += 1
        self._body += size
        self._is_after_full = size >= _FULL
        self._others = self._blank = 0

    def _give_up(self, sep: str | None) -> None:
        """
        Leave a block whose end didn't come, and say so unless nothing was hidden.
        """
        if self._rows and not self._is_bare:
            self._emit(UNENDED + (sep or " "))
            self._count(_RULE_UNENDED)
        self._leave()

    def _outer(self, text: str, end: str, *, is_whole: bool) -> None:
        """
        Take a line, or a part of one, that is in no block.
        """
        if self._public:
            self._public -= 1
        elif may_be_bare(text) and self._bare(text, end):
            return
        elif is_whole and self._may_wait(text):
            if self._gap:
                self._emit("")
            self._held.append(text + end)
            return
        self._release()
        self._emit(text + end)

    def _bare(self, text: str, end: str) -> bool:
        """
        Hide keys without a header, and tell whether there were any.
        """
        position = 0
        for start, stop in bare_keys(text):
            self._release()
            self._emit(text[position:start])
            self._mark()
            self._enter(text[position:start], is_bare=True)
            self._count_body(stop - start)
            position = stop
            if BREAK.match(text, stop) or not text[stop:].strip(" \t\"'`,;\\)]}"):
                self._inner(text[stop:], end)
                return True
            self._leave()
        if position:
            self._emit(text[position:] + end)
        return position > 0

    def _may_wait(self, text: str) -> bool:
        is_row = is_naked(text) or (bool(self._held) and is_short_end(text))
        if is_row and self._waits and len(self._held) < MAX_HELD:
            return True
        self._waits = not is_row
        return False

    def _release(self) -> None:
        if self._held:
            self._out += self._held
            self._held = []

    def _is_tail(self, before: str) -> bool:
        """
        Hide the last rows of a key whose beginning didn't come; tell whether they are there.
        """
        self.work += len(before) // CHARS_PER_WORK
        start = tail_start(before)
        is_prefix = start <= _MAX_PREFIX
        if start == len(before) and not (self._held and is_prefix):
            return False
        if is_prefix:
            self._held = []
        self._release()
        self._emit("" if is_prefix and start == len(before) else before[:start])
        self._mark()
        self._enter("")
        self.hidden += 1
        return True
