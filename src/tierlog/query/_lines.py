"""
Lines as they are ordered and delivered.

All lines of the canonical form have thirteen digits of ``ts`` at the same place, so
their bytes are in the order of time. The few others carry the bytes that order them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from operator import itemgetter
from typing import Any

import orjson

from tierlog.envelope import KEYS


__all__ = ["Odd", "event_of", "mark", "ordered", "raw", "sort_canonical", "spanned", "ts_of"]

_VALUES, _NUMBER = itemgetter(*KEYS), len(KEYS)
_PREFIX = b'{"ts":'
_CANONICAL = re.compile(rb'\{"ts":\d{13},"instanceId":"')
_TS = slice(6, 19)
_TS_END = slice(6, 20)
_WIDTH = 14
_HIGHEST = 9_999_999_999_999
_BEHIND_ALL = b'{"ts"::'  # a colon sorts behind the digits


class Odd(bytes):
    """
    A line whose ``ts`` hasn't thirteen digits: the bytes that order it.

    Attributes:
        raw: Its own bytes.
    """

    raw: bytes


def event_of(line: bytes) -> dict[str, Any] | None:
    """
    Return the event of a line; None if it is torn or foreign.
    """
    try:
        event: dict[str, Any] = orjson.loads(line.raw if type(line) is Odd else line)
        ts, instance, tier, kind, lvl, project, build, user, req, seq, src, msg, _ = _VALUES(event)
    except (ValueError, TypeError, KeyError):
        return None
    # One by one: this is done for each line, and any loop would take a quarter of all its time.
    has_texts = type(instance) is str is type(tier) is type(kind) is type(lvl) is type(src) is type(msg)
    has_heads = (project is None or type(project) is str) and (build is None or type(build) is str)
    has_ids = has_heads and (user is None or type(user) is str) and (req is None or type(req) is str)
    return event if has_texts and has_ids and type(ts) is int is type(seq) and len(event) == _NUMBER else None


def raw(line: bytes) -> bytes:
    """
    Return the bytes of a line as they were written.
    """
    return line.raw if type(line) is Odd else line


def ordered(lines: list[bytes]) -> tuple[list[bytes], int]:
    """
    Return *lines*, sorted by time, and how many of them were torn or foreign. What is
    empty is neither.
    """
    if lines and not lines[-1]:
        lines.pop()  # behind the last newline
    return (lines, 0) if sort_canonical(lines) else _one_by_one(lines)


def sort_canonical(lines: list[bytes]) -> bool:
    """
    Sort *lines* by time, and tell whether all of them have their ``ts`` in the canonical form;
    if not, their order means nothing.
    """
    times = b"".join([line[_TS_END] for line in lines])
    count = len(lines)
    if len(times) != count * _WIDTH or times[_WIDTH - 1 :: _WIDTH] != b"," * count or times.count(b",") != count:
        return False
    lines.sort()
    if not lines:
        return True
    # All between two that begin so do.
    return lines[0].startswith(_PREFIX) and lines[-1].startswith(_PREFIX) and times.replace(b",", b"").isdigit()


def _one_by_one(lines: list[bytes]) -> tuple[list[bytes], int]:
    found: list[bytes] = []
    skipped = 0
    for given in lines:
        line = given.strip(b" \r") if given[:1] in b" " or given[-1:] == b"\r" else given
        if not line:
            continue
        if _CANONICAL.match(line):
            found.append(line)
            continue
        event = event_of(line) if line.startswith(_PREFIX) else None
        if event is None or event["ts"] < 0:
            skipped += 1
            continue
        odd = Odd(b'{"ts":%013d,' % min(event["ts"], _HIGHEST))
        odd.raw = line
        found.append(odd)
    found.sort()
    return found, skipped


def mark(ms: int) -> bytes:
    """
    Return what sorts before all lines of *ms* and later, and behind all before.
    """
    return b'{"ts":%013d' % max(ms, 0) if ms <= _HIGHEST else _BEHIND_ALL


def spanned(lines: list[bytes], since: int, until: int) -> list[bytes]:
    """
    Return those of the sorted *lines* that are from *since* to before *until*.
    """
    first = bisect_left(lines, mark(min(since, _HIGHEST)))
    last = bisect_left(lines, mark(until), first)
    return lines if last - first == len(lines) else lines[first:last]


def ts_of(line: bytes) -> int:
    """
    Return the time that orders a line, **milliseconds** since the epoch.
    """
    return int(line[_TS])
