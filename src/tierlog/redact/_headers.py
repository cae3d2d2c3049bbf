"""
Where the block of a private key, or another block, begins and ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tierlog.redact._body import BREAK, SIGNS, judge, may_be_bare, without_ansi


__all__ = [
    "LOOK_AHEAD",
    "Header",
    "find_all",
    "headers",
    "is_prose",
    "may_hold_block",
    "mended",
    "places",
    "torn",
    "with_visible_headers",
]

LOOK_AHEAD = 100
"""How many characters behind a header tell whether it is only spoken of."""

_MAX_TORN = 96
_SPACE = r"(?:[ \t\xa0]{1,3}|%20|[+_])"
_HEADER = re.compile(
    rf"(?<=----)[ ]?(?P<side>BEGIN|END){_SPACE}(?P<label>(?:[A-Z0-9]{{1,12}}{_SPACE}){{0,4}}[A-Z0-9]{{1,12}})[ ]?-{{4,5}}"
    r"|(?P<putty>PuTTY-User-Key-File)-[0-9]{1,3}(?::[^\n\\]{0,80})?"
    r"|Private-(?:MAC|Hash):[ ]{0,3}[0-9a-f]{0,128}"
    r"|(?<=----)[ ]?END\b",  # of a footer that was cut
    re.IGNORECASE,
)
_PRIVATE = re.compile(r"(?:PRIVATE|SECRET).{1,3}KEY|OPENVPN.{1,3}STATIC", re.IGNORECASE)
_TORN = re.compile(r"-{4,5}[ ]?BEGIN(?:[ ][A-Z0-9]{1,12}){0,4}[ ]?-{0,4}\s{0,8}\Z", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]{2}")

_SIDES = ("BEGIN", "END", "begin", "end", "Begin", "End")
_FIRST = (*(f"----{side}" for side in _SIDES), *(f"---- {side}" for side in _SIDES))
_PUTTY = ("PuTTY-User-Key-File", "putty-user-key-file", "PUTTY-USER-KEY-FILE")
_PUTTY_END = ("Private-MAC:", "Private-Hash:", "private-mac:")


class Header(NamedTuple):
    """
    The first or the last line of a block.

    Attributes:
        start: Where it starts, its dashes included.

        end: Where it ends.

        begins: Whether a block begins with it.

        is_private: Whether the block is of a private key, or may be.
    """

    start: int
    end: int
    begins: bool
    is_private: bool


def may_hold_block(text: str) -> bool:
    """
    Tell, by looking for a few literals, whether *text* may hold a private key.
    """
    return "----" in text or "-User-Key-File" in text or "-user-key-file" in text or "-USER-KEY-FILE" in text or may_be_bare(text)


def find_all(text: str, literals: Iterable[str], limit: int) -> list[int]:
    """
    Return where any of *literals* is in *text*, in order; about *limit* places at most.
    """
    found: list[int] = []
    for literal in literals:
        place = text.find(literal)
        while place >= 0 and len(found) <= limit:
            found.append(place)
            place = text.find(literal, place + len(literal))
    return sorted(found)


def places(text: str, limit: int) -> list[int]:
    """
    Return where in *text* a key, or the end of one, may begin.
    """
    coloured = ("----\x1b",) if "\x1b" in text else ()
    return find_all(text, (*_FIRST, *_PUTTY, *coloured, *SIGNS), limit)


def headers(text: str, position: int, limit: int) -> Iterator[Header]:
    """
    Yield the first and last lines of blocks from *position* on.
    """
    if "----" not in text and "-" not in text:
        return
    for place in find_all(text, (*_FIRST, *_PUTTY, *_PUTTY_END), limit):
        dashes = 4 if text.startswith("-", place) else 0
        found = _HEADER.match(text, place + dashes)
        if not found or place < position:
            continue
        start = place - 1 if dashes and place > position and text[place - 1] == "-" else place
        position = found.end()
        label = found["label"]
        begins = bool(found["putty"]) or (found["side"] or "").upper() == "BEGIN"
        yield Header(start, position, begins, not label or bool(_PRIVATE.search(label)))


def with_visible_headers(text: str) -> str:
    """
    Return *text* without colours if it is they that hide a header in it.
    """
    if "\x1b" not in text or "----" not in text or any(header.is_private for header in headers(text, 0, LOOK_AHEAD)):
        return text
    plain = without_ansi(text)
    return plain if any(header.is_private for header in headers(plain, 0, LOOK_AHEAD)) else text


def torn(text: str) -> str:
    """
    Return the header at the end of *text* that the end of the line cut in two.
    """
    found = _TORN.search(text[-_MAX_TORN:]) if "----" in text else None
    return found[0].rstrip() if found else ""


def mended(head: str, row: str) -> int:
    """
    Return how much of *row* is the rest of a private key's header, begun as *head*.
    """
    for joined in (head, f"{head} "):
        whole = joined + row[:_MAX_TORN]
        header = next(headers(whole, 0, LOOK_AHEAD), None)
        if header and header.begins and header.is_private and header.end > len(joined):
            return header.end - len(joined)
    return 0


def is_prose(after: str) -> bool:
    """
    Tell that a header is spoken of, by what follows it on its row.
    """
    row = BREAK.split(after, maxsplit=1)[0].split("----", 1)[0]
    verdict = judge(row, "")
    return verdict.kept is not None and not verdict.body and bool(_WORD.search(without_ansi(row)))
