"""
Which lines of a command are errors and warnings: those that their tool has marked as such.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import hyperscan

from tierlog._platform import possessive


__all__ = ["Levels", "level_of"]

_LOOKED_AT = 512  # characters: marks stand at the beginning

# What may stand before a mark: times, brackets, a place in a file, who says so.
_BEFORE = (
    r"(?:[\s|>#\u2022\u23af\u2500-\u257f]++|-(?=[ ])|X(?=[ ]\[)"
    r"|\[(?![ \t]*+(?i:error|fatal|critical|warn(?:ing)?)[ \t]*+\])[^\[\]]{0,64}+\]:?"
    r"|\((?:node|\d)[^()]{0,40}+\)"
    r"|\d[\d:.,/T+\-]*+(?:Z|ms|s)?+(?=[\s\]|:>)])|(?:time|ts)=\S{1,40}+"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
    r"|[\w.@/\\\-]{1,200}(?::\d{1,7}){1,2}+(?::|[ ]-(?=[ ]))|[\w.@/\\\-]{1,200}\(\d{1,7}(?:,\d{1,7})?+\):"
    r"|(?!(?i:info|debug|trace|note|warn|warning|error|fatal|critical)\b)"
    r"[\w.@/\-]{1,80}(?:\[\d{1,9}\])?+(?::(?=[ ])|[ ][\-|](?=[ ]))"
    r"){0,8}"
)
_ERROR = (
    r"\[[ \t]*+(?i:error|fatal|critical)[ \t]*+\]|(?:ERROR|FATAL|CRITICAL)\b(?![\-./=])"
    r"|(?i:(?:fatal[ ])?error(?:\[\w{1,16}\])?|fatal|panic):(?![ \t]*+0\b)"
    r"|[Ee]rror[ ](?:[A-Z]{1,6}\d{2,6}\b|[A-Z][a-z]|during[ ])|npm[ ](?:ERR!|error\b)|ERR_[A-Z_]{3,64}\b|E:(?=[ ])"
    r"|Traceback[ ]\(most recent call last\)|thread[ ]'[^']{1,64}'[ ]panicked|[\u2718\u2717\u2716\u274c]"
    r"|[\w.]{0,80}(?:Error|Exception)(?::(?=[ ])|\Z)|level=(?:error|fatal|panic)\b|\*\*\*[ ](?:\[|No[ ]rule)"
)
_WARNING = (
    r"\[[ \t]*+(?i:warn(?:ing)?)[ \t]*+\]|WARN(?:ING)?\b(?![\-./=])|(?i:warn(?:ing)?)(?:\[\w{1,16}\])?:(?![ \t]*+0\b)"
    r"|[Ww]arning[ ](?:[A-Z]{1,6}\d{2,6}\b|[A-Z\"'])|npm[ ](?:WARN|warn)\b|W:(?=[ ])|\u26a0|\u25b2[ ]\[WARNING\]|\(!\)"
    r"|\w{0,80}Warning:(?=[ ])|level=warn(?:ing)?\b"
)
_MARK = re.compile(possessive(rf"{_BEFORE}(?:(?P<error>{_ERROR})|(?P<warn>{_WARNING}))"))

# What each of the marks has: in bytes, and without regard to case.
_SIGNS = (
    *(rb"err(?:or|!|_)", b"fatal", b"critical", b"panic", b"exception", b"traceback", b"warn"),
    *(rb"\*\*\* ", rb"^[EW]: ", rb"[ :\]>|#][EW]: ", rb"\(!\)", rb"\xe2\x9c[\x96-\x98]", rb"\xe2\x9d\x8c", rb"\xe2\x9a\xa0"),
)


def level_of(text: str) -> str:
    """
    Return the level of a line without colours: ``error`` or ``warn`` if it begins
    with what tools mark such lines with, after times, brackets and places; else ``info``.

    >>> level_of("npm error code ETARGET"), level_of("src/a.c:3:1: warning: unused"), level_of("0 errors")
    ('error', 'warn', 'info')
    """
    found = _MARK.match(text[:_LOOKED_AT])
    if found is None:
        return "info"
    return "error" if found["error"] else "warn"


class Levels:
    """
    Tells the levels of lines, many at once; not to be shared between threads.

    One look at all of them finds those that may have a mark. Most have none, and cost
    nothing more.
    """

    def __init__(self) -> None:
        self._database = _database()
        self._scratch = hyperscan.Scratch(self._database)

    def split(self, texts: list[str]) -> list[tuple[str, list[str]]]:
        """
        Return *texts* in order, with those together that follow each other on one level.

        Args:
            texts: Lines without their ends.
        """
        runs: list[tuple[str, list[str]]] = []
        done = 0
        for index in self._may_be_marked(texts):
            level = level_of(texts[index])
            if level == "info":
                continue
            if index > done:
                runs.append(("info", texts[done:index]))
            if index == done and runs and runs[-1][0] == level:
                runs[-1][1].append(texts[index])
            else:
                runs.append((level, [texts[index]]))
            done = index + 1
        if done < len(texts):
            runs.append(("info", texts[done:] if done else texts))
        return runs

    def _may_be_marked(self, texts: list[str]) -> list[int]:
        content = "\n".join(texts).encode("utf-8", "surrogatepass")
        ends: list[int] = []
        self._database.scan(content, _note, 0, ends, self._scratch)
        if not ends:
            return []
        if content.count(b"\n") >= len(texts):  # one of them has more than one line
            return list(range(len(texts)))
        indices: list[int] = []
        line = position = 0
        for end in ends:
            line += content.count(b"\n", position, end)
            position = end
            if not indices or line > indices[-1]:
                indices.append(line)
        return indices


@cache
def _database() -> hyperscan.Database:
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_MULTILINE
    database = hyperscan.Database()
    size = len(_SIGNS)
    database.compile(expressions=list(_SIGNS), ids=list(range(size)), elements=size, flags=[flags] * size)
    return database


def _note(_index: int, _start: int, end: int, _flags: int, ends: Any) -> None:
    ends.append(end)
