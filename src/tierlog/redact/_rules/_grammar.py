"""
How programs, settings and logs write that a name has a value.

All patterns here are lower case, for texts in lower case.
"""

from __future__ import annotations


__all__ = ["ASSIGN_TRIGGER", "BARE", "OPERATOR", "QUOTED", "TAIL", "UNQUOTE", "XML", "or_value"]

TAIL = r"[\w.\-]{0,30}+"
"""What goes on behind the telling part of a name."""

_COLOUR = r"(?:(?:\x1b|\\{1,2}(?:u001b|x1b|033))\[[0-9;]{0,8}+m)?+"
UNQUOTE = _COLOUR + r"(?:\\{0,3}+[\"'`]\]?+)?+(?:\[\d{0,4}+\])?+(?: string| str)?+"
"""What ends a name: a quote, perhaps escaped; the bracket of an index or a size; a type."""

OPERATOR = r"[ \t]{0,8}+(?>:{0,3}+={1,3}+>?+|[?!.+|]={1,2}+|\|\|[:=]?+|:|%3d|%3a)" + _COLOUR + r"[ \t]{0,8}+" + _COLOUR
"""What stands between a name and a value."""

_BESIDE = r"(?:,\s{0,40}+|\s{1,40}+)[\"']?+value[\"']?+[ \t]{0,3}+[:=][ \t]{0,3}+"

_NO_PAIR = "|".join(rf"\w{{{size}}}(?:[:=]|%3d)" for size in range(1, 16))
BARE = (
    r"(?:[^\s\"'`,;&<>(){}\[\]\\%|\x1b]|,(?![\s\"'\\]|" + _NO_PAIR + r")|%(?!26|3b|22|20|0a|0d)|\|(?![|\s])"
    r"|\\(?![\snrtu\"'`\\])|[({\[](?=[\w({\[$])|[)}\]>](?=[\w$\-]))"
)
"""One character of a value without quotes."""

QUOTED = (
    r"[@$bfru]{0,2}+(?>\"(?P<secret>(?:[^\"\\\r\n]|\\[^\r\n]){1,1024}+)|'(?P<quoted>(?:[^'\\\r\n]|\\[^\r\n]){1,1024}+)"
    r"|(?:`|\\{1,3}[\"'])(?P<bare>(?:[^\"`\\\r\n]|\\(?![\"'\\])|\\\\(?![\"'\\])|\\\\\\[\"'](?=[^\s,:}\]\"'\\]))"
    r"{1,1024}+))"
)
"""A value in quotes, perhaps escaped, the closing one missing or not."""

XML = r">\s{0,40}+(?P<secret>[^<>\s\"'={][^<>\r\n]{0,1023}+)\s{0,40}+</"

ASSIGN_TRIGGER = r"[\w.\-\"'`\\ \t\[\]\x1b;]*(?:[=:>,|?!.+]|%3|\s+[\"']?value)"
"""What the first look asks for behind the telling part of a name."""


def or_value(operator: str) -> str:
    """
    Return *operator*, or the name of a field beside that holds the value.
    """
    return f"(?>{operator}|{_BESIDE})"
