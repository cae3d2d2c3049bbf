"""
Text from a log as a terminal shows it and never obeys it.
"""

from __future__ import annotations

import re


__all__ = ["inert", "inert_json", "lines_of", "without_colours"]

# Controls, marks that turn the direction, what takes no room, other ends of lines, and tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_COLOUR = re.compile(r"\x1b\[[\d;:]*m")
_NAMES = {"\t": "    ", "\r": r"\r", "\n": r"\n"}
_BYTE, _SHORT = 0xFF, 0xFFFF


def inert(text: str) -> str:
    r"""
    Return *text* as one line, with what a terminal would obey written out.

    >>> inert("\x1b]0;title\x07 caf\xe9 \u202egnp.exe")
    '\\x1b]0;title\\x07 café \\u202egnp.exe'
    """
    return _UNSAFE.sub(_written_out, text)


def inert_json(text: str) -> str:
    r"""
    Return lines of JSON with the same written out as JSON does.

    >>> inert_json('{"msg":"caf\xe9 \u202egnp"}\n')
    '{"msg":"café \\u202egnp"}\n'
    """
    return _UNSAFE.sub(lambda match: match[0] if match[0] == "\n" else _as_json(match[0]), text)


def without_colours(text: str) -> str:
    r"""
    Return *text* without its colours.

    >>> without_colours("\x1b[1;32mok\x1b[0m 3 passed")
    'ok 3 passed'
    """
    return _COLOUR.sub("", text)


def lines_of(text: str) -> list[str]:
    r"""
    Return the lines of *text*, inert; at least one.

    >>> lines_of("one\ntwo\x08\n")
    ['one', 'two\\x08']
    """
    lines = text.split("\n")
    return [inert(line) for line in (lines[:-1] if len(lines) > 1 and not lines[-1] else lines)]


def _as_json(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _written_out(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _NAMES:
        return _NAMES[character]
    return f"\\x{code:02x}" if code <= _BYTE else f"\\u{code:04x}" if code <= _SHORT else f"\\U{code:08x}"
