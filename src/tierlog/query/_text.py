"""
What ``msg`` is searched for: a text, with or without regard to case, or a pattern.

Patterns are Hyperscan's: linear in the text, whoever wrote it, and whoever the pattern.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
import re._parser as parser  # type: ignore[import-not-found, unused-ignore]
from collections.abc import Callable
from typing import Any, NamedTuple

from tierlog.errors import QueryError
from tierlog.ndjson import dump_text
from tierlog.query._repeats import DIFFERENT, MOST_WEIGHT, repeated_weight


__all__ = ["Text", "text_of"]

_LONGEST = 4_096  # characters
_SHORTEST = 3  # characters of a literal that is worth looking for
_DIFFERENT = (*DIFFERENT, "\\v")  # of a literal, also what is one character in Python and several in Hyperscan


class Text(NamedTuple):
    """
    What a message must hold.

    Attributes:
        holds: Tells whether a message does.

        needle: Bytes that the line of each such message has; None if none are known.

        is_caseless: Whether *needle* is to be found without regard to the case of its
            ASCII letters.
    """

    holds: Callable[[str], bool]
    needle: bytes | None
    is_caseless: bool = False


def text_of(given: object, *, case: bool, regex: bool) -> Text:
    """
    Return what to look for.

    Args:
        given: The text, or the pattern.

        case: Whether the case of letters matters.

        regex: Whether it is a pattern.

    Raises:
        QueryError: It is neither, or a pattern that can't be matched in linear time.
    """
    if type(given) is not str or len(given) > _LONGEST:
        raise QueryError("text", f"{str(given)[:40]!r} isn't a text of at most {_LONGEST} characters")
    if regex:
        return _pattern(given, case=case)
    if case:
        return Text(lambda msg: given in msg, _inner(given) or None)
    lowered = given.lower()
    ascii_run = max(re.findall(r"[\x20-\x7e]*", given), key=len)
    return Text(lambda msg: lowered in msg.lower(), _inner(ascii_run) or None, is_caseless=True)


def _inner(text: str) -> bytes:
    return dump_text(text)[1:-1]


def _pattern(pattern: str, *, case: bool) -> Text:
    import hyperscan  # noqa: PLC0415 -- 0.1 s, and only for patterns

    if "\0" in pattern:  # the library's texts end there
        raise QueryError("text", "holds the character NUL; write it as \\x00 in a pattern")
    if repeated_weight(pattern) > MOST_WEIGHT:
        raise QueryError("text", f"{pattern[:80]!r} repeats too much; use + or smaller numbers, or [0-9A-Za-z_] instead of \\w")
    flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_UCP | hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_SINGLEMATCH
    if not case:
        flags |= hyperscan.HS_FLAG_CASELESS
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(expressions=[pattern.encode()], ids=[0], elements=1, flags=[flags])
        scratch = hyperscan.Scratch(database)
    except (hyperscan.error, UnicodeEncodeError) as e:
        problem = " ".join(str(e).split())
        raise QueryError("text", f"{pattern[:80]!r} can't be matched in linear time, or is no pattern ({problem})") from e

    def holds(msg: str) -> bool:
        found: list[bool] = []
        database.scan(msg.encode(), _note, 0, found, scratch)
        return bool(found)

    literal = _literal(pattern) if case else ""
    return Text(holds, _inner(literal) if len(literal) >= _SHORTEST else None)


def _note(_index: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    found.append(True)


def _literal(pattern: str) -> str:
    """
    Return the longest text that is in all that *pattern* matches; empty if none is known.
    """
    if any(sign in pattern for sign in _DIFFERENT):
        return ""
    try:
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return ""
    if tree.state.flags & ~re.UNICODE:
        return ""
    runs = [""]
    for op, value in tree:
        if op is ops.LITERAL:
            runs[-1] += chr(value)
        else:
            runs.append("")
    return max(runs, key=len)
