"""
How programs, settings and logs write that a name has a value.

All patterns here are lower case, for texts in lower case.
"""

from __future__ import annotations


__all__ = ["ANNOTATION", "ASSIGN_TRIGGER", "OPERATOR", "QUOTED", "UNQUOTE", "bare", "beside", "changed", "compared", "quoted"]

TAIL = r"[\w.\-]{0,30}+"
"""What goes on behind the telling part of a name."""

_COLOUR = r"(?:(?:\x1b|\\{1,2}(?:u001b|x1b|033))\[[0-9;]{0,8}+m)?+"
_CODED_QUOTE = r"(?:&(?:quot|apos|#3[49]|#x2[27]);|%2[27]|\\{1,2}u002[27])"
"""A quote as HTML, a URL, or JSON without them writes it."""

UNQUOTE = _COLOUR + rf"(?:\\{{0,3}}+[\"'`]\]?+|{_CODED_QUOTE})?+(?:\[\d{{0,4}}+\])?+(?: string| str)?+"
"""What ends a name: a quote, perhaps escaped; the bracket of an index or a size; a type."""

ANNOTATION = (
    r"(?:[ \t]?:[ \t]?&?(?:\\?'static )?(?:optional\[)?(?:string|str|secretstr)\]?[?!]?(?: ?\| ?(?:none|null|undefined))?"
    r"(?=[ \t]?=))?+"
)
"""The type of what has a value in quotes, behind its name."""

OPERATOR = r"[ \t]{0,8}+(?>:{0,3}+={1,3}+>?+|[?!.+|]={1,2}+|\|\|[:=]?+|:|%3d|%3a)" + _COLOUR + r"[ \t]{0,8}+" + _COLOUR
"""What stands between a name and a value."""

_BESIDE = r"(?:,\s{0,40}+|\s{1,40}+)[\"']?+(?:parameter)?+value[\"']?+[ \t]{0,3}+[:=][ \t]{0,3}+"

_NO_PAIR = "|".join(rf"\w{{{size}}}(?:[:=]|%3d)" for size in range(1, 16))
_BARE = (
    r"(?:[^\s\"'`,;&<>(){}\[\]\\%|\x1b]|,(?![\s\"'\\]|" + _NO_PAIR + r")|%(?!ENDS)|\|(?![|\s])"
    r"|\\(?![\snrtu\"'`\\])|[({\[](?=[\w({\[$])|[)}\]>](?=[\w$\-]))"
)
_ENDS_WHERE_ALL_IS_CODED = _BARE.replace("ENDS", "26|3b|22|20|0a|0d")
_ENDS_ELSEWHERE = _BARE.replace("ENDS", "0a|0d")
BARE = rf"(?:(?<=%3[ad]){_ENDS_WHERE_ALL_IS_CODED}{{1,1024}}+|(?<!%3[ad]){_ENDS_ELSEWHERE}{{1,1024}}+)"
"""
A value without quotes. A sign that is written as in a URL ends it only if the one before it is, too: it is
a part of the value of a form.
"""

QUOTED = (
    r"[@$bfru]{0,2}+(?>\"(?P<secret>(?:[^\"\\\r\n]|\\[^\r\n]){1,1024}+)|'(?P<quoted>(?:[^'\\\r\n]|\\[^\r\n]){1,1024}+)"
    r"|(?:`|\\{1,3}[\"'])(?P<bare>(?:[^\"`\\\r\n]|\\(?![\"'\\])|\\\\(?![\"'\\])|\\\\\\[\"'](?=[^\s,:}\]\"'\\]))"
    rf"{{1,1024}}+)|(?:%20|\+)?+{_CODED_QUOTE}(?P<coded>[^\r\n\"<>]{{1,1024}}?){_CODED_QUOTE})"
)
"""A value in quotes, perhaps escaped, the closing one missing or not."""

XML = r"(?:(?:</\w{1,20}+)?+>\s{0,40}+<(?:value|string)>|>)\s{0,40}+(?P<secret>[^<>\s\"'={][^<>\r\n]{0,1023}+)\s{0,40}+</"

ASSIGN_TRIGGER = r"[\w.\-\"'`\\ \t\[\]\x1b;&#%]*(?:[=:>,|?!.+<]|%3|\s+[\"']?(?:parameter)?value)"
"""What the first look asks for behind the telling part of a name."""

# Behind a gap, what looks like a next assignment isn't the value of this one.
_NO_NEXT = (
    "(?!" + "|".join(rf"(?<=\w=[ \t])[a-z_]\w{{{size}}}=[^=\s]|(?<=[ \t])[a-z_]\w{{{size}}}:\s" for size in range(1, 12)) + ")"
)
# The quote that ends what the name is in isn't one that begins a value: wait for "password:" here.
_NO_END = r"(?![\"'`](?:[ \t][^\"'`\r\n]{0,200}+(?:[\r\n]|\Z)|[)\]},;.]{1,3}+(?:\s|\Z)))"
_BLOCK = r"(?:[|>][+\-]?+\d?+[ \t]{0,4}+(?:\r?\n|\\n)[ \t]{1,40}+)?+"  # of YAML: the value stands on the next line


def or_value(operator: str) -> str:
    """
    Return *operator*, or the name of a field beside that holds the value.
    """
    return f"(?>{operator}|{_BESIDE})"


def quoted(names: str) -> str:
    """
    Return the pattern of an assignment to one of *names*, of a value in quotes.
    """
    return rf"(?P<name>(?>{names}){TAIL}){UNQUOTE}{ANNOTATION}{or_value(OPERATOR)}{_NO_END}[(\[]?+{QUOTED}"


def bare(names: str) -> str:
    """
    Return the pattern of an assignment to one of *names*, of a value without quotes.
    """
    return (
        rf"(?P<name>(?>{names}){TAIL})(?:{UNQUOTE}{or_value(OPERATOR)}{_NO_NEXT}"
        rf"(?:!!?+\w{{1,20}}+ )?+{_BLOCK}(?P<bare>(?![(){{}}\[\]]|[bfru][\"']){BARE}[(\[]?+)|{XML})"
    )


def beside(names: str) -> str:
    """
    Return the pattern of a text in quotes behind another one that is one of *names*.
    """
    return rf"(?P<name>(?>{names}){TAIL})\\?[\"'`],[ \t]{{0,3}}\\?[\"'`](?P<secret>[^\"'`\\\r\n]{{6,1024}}+)\\?[\"'`]"


def compared(names: str) -> str:
    """
    Return the pattern of a value that is compared with one of *names*.
    """
    return rf"[\"'`](?P<secret>[^\"'`\r\n]{{1,60}}+)[\"'`] ?[!=]==? ?(?P<name>\w{{0,20}}?(?:{names})\w{{0,30}})"


def changed(names: str) -> str:
    """
    Return the pattern of the new value of one of *names*, behind the old one.
    """
    before = r"(?:\"[^\"\r\n]{0,1024}+\"|null|\(known after apply\))"
    name = rf"(?P<name>(?>{names}){TAIL}){UNQUOTE}"
    return rf"{name}{OPERATOR}{before}[ \t]{{1,4}}+[\-=]>[ \t]{{1,4}}+\"(?P<secret>[^\"\r\n]{{1,1024}}+)\""
