"""
Where in lines secrets are, and what may be shown of them: their surroundings.

A line is redacted, and the marks that are new are the findings. So what is told
about a secret comes from a text that doesn't have it any more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from tierlog.redact import Below, StreamRedactor
from tierlog.typing import RedactsValues


__all__ = ["Finding", "LineScanner", "excerpt"]

_MARK = re.compile(r"\[REDACTED:(?P<rule>[^\[\]#\r\n]{1,128})(?:#[0-9a-f]{1,64})?\]")
_BEFORE, _AFTER = 32, 24  # characters shown around a mark
_NOT_SEEN = ("[WITHHELD]", "[TOO DEEP]", "[TRUNCATED]")
_HIDDEN_ALREADY = re.compile(r"[\W_xX]*(?:redacted|filtered|masked|hidden|withheld|removed|scrubbed)?[\W_xX]*\Z", re.IGNORECASE)
_MOST_TEXT = 1_000_000  # characters that a redactor looks at in one piece
_MOST_STREAMS = 1_024
_KEY = "private-key"


class Finding(NamedTuple):
    """
    One secret that was found.

    Attributes:
        line: Number of its line, from 1; None in a file's name.

        column: Where in the line it begins, from 1; None if it is in a field, or
            in more than one line.

        field: Path of the field it is in, None if the line isn't an object.

        rule: What found it.

        excerpt: The text around it, with marks in the place of secrets.
    """

    line: int | None
    column: int | None
    field: str | None
    rule: str
    excerpt: str


class _AsItIs:
    """
    Hides nothing: what stands in the lines of a key is the stream's own business.
    """

    def text(self, text: str, /) -> str:
        """
        Return *text*.
        """
        return text


class LineScanner:
    """
    Looks for secrets in the lines of one file, in order.

    Args:
        redactor: What finds them.

    Attributes:
        unseen: Numbers of the lines that couldn't be looked at.
    """

    def __init__(self, redactor: RedactsValues) -> None:
        self._redactor = redactor
        self._keys: list[str] = []
        self._lines = self._stream()
        self._below = Below(redactor.text)
        self._messages: dict[tuple[Any, Any], StreamRedactor] = {}
        self.unseen: list[int] = []

    def line(self, number: int, raw: bytes) -> list[Finding]:
        """
        Return what is found in one whole line.
        """
        event = _object(raw)
        text = raw.decode("utf-8", "surrogateescape")
        if event is not None:
            found = self._in_object(number, event)
        elif len(text) > _MOST_TEXT:
            return self.long(number, [raw])
        else:
            found = self._in_text(number, text)
        return self.long(number, [raw]) if found is None else found

    def long(self, number: int, pieces: Iterable[bytes]) -> list[Finding]:
        """
        Return what is found in a line that comes in *pieces*.
        """
        before = Counter(self._redactor.counts())
        rules: list[str] = []
        stream = StreamRedactor(self._redactor, count=rules.append)
        for piece in pieces:
            stream.feed(piece.decode("utf-8", "surrogateescape"))
        stream.close()
        found = Counter(self._redactor.counts()) - before + Counter(rules)
        if found.pop("withheld", 0):
            self.unseen.append(number)
        return [Finding(number, None, None, rule, f"[REDACTED:{rule}]") for rule in found.elements()]

    def close(self, number: int) -> list[Finding]:
        """
        Return what is found at the end of the file, whose last line is *number*.
        """
        for stream in (self._lines, *self._messages.values()):
            stream.close_lines()
        return self._key_findings(number, None)

    def _in_text(self, number: int, text: str) -> list[Finding] | None:
        is_key_row = text not in self._lines.feed_line(text)
        clean = self._redactor.text(self._below.line(text))
        if not _is_seen(text, clean):
            self._keys.clear()
            return None
        found = [Finding(number, at + 1, None, rule, shown) for at, rule, shown in _new_marks(text, clean)]
        if is_key_row:
            found = list(map(_without_surroundings, found))
        return self._with_keys(found, number, None)

    def _in_object(self, number: int, event: dict[str, Any]) -> list[Finding] | None:
        msg = event.get("msg")
        is_key_row = isinstance(msg, str) and self._stream_of(event).feed_line(msg) != [msg]
        clean = self._redactor.data(event)
        try:
            found = [] if clean == event else list(_in_data(number, event, clean, ""))
        except (_NotSeenError, RecursionError):
            self._keys.clear()
            return None
        if is_key_row:
            found = list(map(_without_surroundings, found))
        return self._with_keys(found, number, "msg")

    def _with_keys(self, found: list[Finding], number: int, field: str | None) -> list[Finding]:
        """
        Return *found*, and keys of many lines unless they were found in this line anyway.
        """
        keys = self._key_findings(number, field)
        return found if any(one.rule.startswith(_KEY) for one in found) else [*found, *keys]

    def _key_findings(self, number: int, field: str | None) -> list[Finding]:
        keys, self._keys[:] = list(self._keys), []
        return [Finding(number, None, field, rule, f"[REDACTED:{rule}]") for rule in keys]

    def _stream_of(self, event: dict[str, Any]) -> StreamRedactor:
        """
        Return what follows the messages of *event*'s writer, which others stand between.
        """
        name = (str(event.get("instanceId")), str(event.get("src")))
        if name not in self._messages and len(self._messages) >= _MOST_STREAMS:
            self._messages.clear()
        return self._messages.setdefault(name, self._stream())

    def _stream(self) -> StreamRedactor:
        return StreamRedactor(_AsItIs(), count=self._keys.append)


def excerpt(clean: str, start: int, end: int) -> str:
    """
    Return the part of *clean* around a mark, in one line.
    """
    first, last = max(start - _BEFORE, 0), end + _AFTER
    shown = " ".join(clean[first:last].split())
    return f"{'…' if first else ''}{shown}{'…' if last < len(clean) else ''}"


class _NotSeenError(Exception):
    """
    A part of a line was cut or withheld.
    """


def _without_surroundings(finding: Finding) -> Finding:
    return finding._replace(excerpt=f"[REDACTED:{finding.rule}]")


def _object(raw: bytes) -> dict[str, Any] | None:
    if not raw.lstrip().startswith(b"{"):
        return None
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


def _in_data(number: int, value: Any, clean: Any, field: str) -> Iterator[Finding]:
    """
    Yield the differences of two values as findings.

    Raises:
        _NotSeenError: Something in *value* was not looked at.
    """
    if type(value) is dict and type(clean) is dict:
        for (name, inner), (shown, clean_inner) in zip(value.items(), clean.items(), strict=False):
            path = f"{field}.{shown}" if field else shown
            yield from _in_string(number, name, shown, path)
            yield from _in_data(number, inner, clean_inner, path)
    elif type(value) is list and type(clean) is list:
        for index, (inner, clean_inner) in enumerate(zip(value, clean, strict=False)):
            yield from _in_data(number, inner, clean_inner, f"{field}.{index}")
    elif isinstance(clean, str):
        yield from _in_string(number, value if isinstance(value, str) else "", clean, field)
    if type(value) is type(clean) and isinstance(value, (dict, list)) and len(value) != len(clean):
        raise _NotSeenError


def _in_string(number: int, value: str, clean: str, field: str) -> Iterator[Finding]:
    if value == clean or (value and (_MARK.fullmatch(value) or _HIDDEN_ALREADY.match(value))):
        return
    if not _is_seen(value, clean):
        raise _NotSeenError
    for _, rule, shown in _new_marks(value, clean):
        yield Finding(number, None, field, rule, shown)


def _is_seen(text: str, clean: str) -> bool:
    return text == clean or all(clean.count(sign) <= text.count(sign) for sign in _NOT_SEEN)


def _new_marks(text: str, clean: str) -> Iterator[tuple[int, str, str]]:
    """
    Yield, for each mark in *clean* that *text* doesn't have, where the secret begins
    in *text*, its rule, and an excerpt.
    """
    if text == clean:
        return
    room = Counter(mark[0] for mark in _MARK.finditer(clean)) - Counter(mark[0] for mark in _MARK.finditer(text))
    at = last = 0
    for mark in _MARK.finditer(clean):
        gap = clean[last : mark.start()]
        at = max(text.find(gap, at), 0) + len(gap) if gap else at
        last = mark.end()
        if text.startswith(mark[0], at):
            at += len(mark[0])
        elif room[mark[0]] > 0:
            room[mark[0]] -= 1
            yield at, mark["rule"], excerpt(clean, *mark.span())
            at += 1
