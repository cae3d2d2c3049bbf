"""
What of that which stands where a secret would stand is one.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

from tierlog.redact._rule import entropy


__all__ = [
    "is_authorization",
    "is_aws_secret",
    "is_basic",
    "is_bearer",
    "is_cookie",
    "is_encoded",
    "is_flag_value",
    "is_mixed",
    "is_pair",
    "is_random_code",
    "is_random_text",
    "is_told",
    "is_user_password",
    "looks_random",
    "may_stand_alone",
    "not_code",
    "not_filler",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STAND_IN = re.compile(
    r"(?:[*x.X#•\-_?]+|<[^>]{0,80}>?|\$\w+|\$[({].*|\{\{?.*|%\(?\w{0,40}\)?s?|%\w{1,40}%|\[?(?:REDACTED|FILTERED|MASKED|HIDDEN)\b.*"
    r"|@\w{1,40}@|(?:enter|insert|put|add|replace|use)[ _-]?(?:me|your|this|here|key|token|the|with)(?:[ _-]\w*)*"
    r"|(?:your|my)[ _-](?:[a-z]+[ _-])*(?:password|passwd|token|secret|key|api|credentials?)(?:[ _-]?here)?"
    r"|(?:api|secret|access)[_-]?(?:key|token)"
    r"|\w*(?:encrypted|ENC)\[.*"
    r"|\S{0,64}(?:\.{2,3}|\u2026)[\[<(*]+(?:REDACTED|FILTERED|MASKED|HIDDEN|TRUNCATED)\W*"  # cut by whoever wrote it down
    r"|[\w\-]{0,32}?abcdefghijklmnopqrstuvwxyz[\w\-]{0,32}|[\w.\-]{0,32}?x{6,64}"
    r"|(?:[a-z]{1,16}[ _-]){0,6}(?:fake|dummy|bogus|sample|example|placeholder)(?:[ _-][a-z]{1,16}){0,6})\Z",
    re.IGNORECASE | re.DOTALL,
)
_CONSTANT = re.compile(r"(?:[A-Z][A-Z0-9]*_)+(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_?\d{1,2})?\Z")
_WORDS = _words(
    "none null nil true false undefined unset yes no on off required optional missing invalid expired empty string "
    "str bool int not is was the a an for must has have had could can should will would may and or to of in with "
    "from by at as be are incorrect wrong correct accepted rejected failed denied ok error errors changed updated "
    "reset set enabled disabled unknown default please redacted filtered masked hidden removed n/a nan object array "
    "any text bytes file prompt stdin env environment keychain configured present absent found provided specified "
    "supplied given needed foo bar baz foobar 0 1 creating creation created still reading read refreshing destroying "
    "destruction modifying modifications this field passed do cannot length minimum maximum already exists loaded loading "
    "using synced rotated see stored hashed expected contains unable too must weak access sends sent try"
)
_KEY = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}\Z")
_NAME = re.compile(
    r"(?:[A-Z]{2,4}\d|[A-Z][a-z]\d)?(?:[A-Z]{1,6}[a-z]{2,}\d{0,2}|[A-Z]{1,3}\d(?=[A-Z])|To|Of|On|In|By|Is|Or)+[A-Z]{0,4}\d{0,2}\Z"
)
_PATH = re.compile(r"(?:~?/|\.{1,2}/|[A-Za-z]:\\{1,2})[^\s/\\]*[/\\]|[a-z][a-z0-9+.\-]{1,20}://")
_CODE = re.compile(
    r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)*[(\[]"
    r"|(?:self|this|args|argv|config|settings|options|opts|process|os|env|ENV|req|request|res|response|ctx|context|params|data"
    r"|user|props|state|secrets|vars|var|local|values|github|inputs|steps|needs|app|cfg|conf|form|cls|event|module|each|input"
    r"|output|kwargs|std|System|obj|client|item|row|body|payload|result|account|credentials|session|constants|import"
    r"|Environment|Config|Settings)(?:(?:\.|->|::)[A-Za-z_]\w*)+\Z"
    r"|(?:[A-Za-z]\w*_)?(?:password|passwd|pass|pwd|pw|secret|token|key)s?[:;,)]?\Z"
    r"|(?:[A-Za-z_]\w*\.)+(?:passw(?:or)?d|secret|token|(?:api_?)?key|value|text)\Z",
    re.IGNORECASE,
)
_NOT_RANDOM = re.compile(
    r"[\d.:/T Z+,\-]+\Z"  # a number, a date, a version
    r"|0x[0-9a-fA-F]{1,16}\Z"
    r"|(?:[a-z0-9\-]+\.)+[a-z]{2,12}(?::\d{1,5})?(?:/\S*)?\Z"  # a host or a file
    r"|[A-Za-z_]+\d{0,5}(?:(?:\.|::|->)[A-Za-z_]+\d{0,5})+:?\Z"  # a name in a program
    r"|(?:[a-z]+\.){2}\S*:?\Z"
    r"|[a-z]+(?:[A-Z][a-z]+)+\d{0,2}\Z|[A-Za-z]+(?:[_\-][A-Za-z]+)+\d{0,2}\Z"
    r"|.*abcdefghijklm"
    r"|.*@[\w\-]+\.[a-z]{2,8}\Z",
    re.DOTALL,
)
# As documentation shows one; looked for one by one, since a pattern of them all is slow.
_SHOWN = ("EXAMPLE", "####", "****", "xxxxxxxx", "XXXXXXXX", "123456789012", "1234-1234-1234", "1234_1234_1234", "1234.1234.1234")
_SHOWN_END = ("...", "\u2026")
_METAVAR = re.compile(r"(?:id|type|env|src|source)=|sha256:[0-9a-f]{64}\Z|[A-Z][A-Z_\-]*[\])>.,]*\Z|\[|\(|-|=")
_FORMAT_WORDS = _words(
    "pass password passwd pwd token secret key apikey api_key user username xxx example option options flag flags argument "
    "arguments"
)
_SHORTEST_RANDOM = 8
_LONG_LETTERS = 24
_LONG_BEARER = 24
_LEAST_SMALL = 0.6
_LEAST_ENTROPY = 2.5  # bits per character
_LETTERS_ENTROPY = 3.5
_MIXED_ENTROPY = 2.9
_KEY_ENTROPY = 4.2
_MOST_SLASHES = 3
_LOOKED_AT = 256
_SYMBOLS = frozenset("!#$%^&*?~{}[]<>()@")
_MANY_SYMBOLS = 5
_SHORTEST_ALONE = 6
_SOMETHING_ELSE = re.compile(
    r"[<{(\[|#\-/]|.*[:=]\Z(?<!==)(?<![A-Za-z0-9+/]{15}=)|\w[\w.\-]{0,64}=[^=]"
    r"|[A-Za-z]+(?:[_\-][A-Za-z]+)*[_\-]\d{1,4}\W?\Z"  # a name with a number
    r"|v\d{1,4}(?:\.\d{1,6}){1,3}[\w.\-+]{0,16}\Z"  # a version
    r"|[\w.\-]+@[\w.\-]+(?::[~/]\S*|[~:]?[$#%>])\Z",  # a prompt
    re.DOTALL,
)
_SYMBOL = re.compile(r"[!@#$%^&*+=?~](?!\Z)")
_DIGIT = re.compile(r"\d")
_ALNUM = re.compile(r"[^\W_]")
_CAMEL = re.compile(r"(?:[A-Z]?[a-z]+){1,6}\Z|(?:[A-Z][a-z]+){1,6}\Z")


def not_filler(value: str) -> bool:
    """
    Tell that *value*, which stood in quotes, isn't a stand-in for a secret, the
    name of a constant, a word of prose or a path.
    """
    core = value.strip(" \t.,:;!")
    if not core or core.lower() in _WORDS or _CONSTANT.match(core):
        return False
    return not _is(_STAND_IN, core) and (_PATH.match(value) is None or _is_key(value))


def not_code(value: str) -> bool:
    """
    Tell that *value*, which stood without quotes, isn't an expression of a program either.
    """
    return not_filler(value) and _ALNUM.search(value) is not None and not _is_code(value)


def looks_random(value: str) -> bool:
    """
    Tell that *value* has a digit and enough variety to have been generated.
    """
    if len(value) < _SHORTEST_RANDOM or not not_filler(value) or _is(_NOT_RANDOM, value) or _is_shown(value):
        return False
    return _has_digit(value) and entropy(value[:_LOOKED_AT]) > _LEAST_ENTROPY


def is_random_text(value: str) -> bool:
    """
    Tell that *value*, which stood in quotes, looks generated, be it only of letters.
    """
    if " " in value or _is_name(value):
        return False
    return looks_random(value) or _is_letters(value) or _is_symbols(value)


def is_random_code(value: str) -> bool:
    """
    Tell that *value*, which stood without quotes, looks generated and isn't an expression of a program.
    """
    return not_code(value) and is_random_text(value)


def is_mixed(value: str) -> bool:
    """
    Tell that *value* of a known shape has a digit and isn't made of a few repeated characters.
    """
    return _has_digit(value) and entropy(value[:_LOOKED_AT]) > _MIXED_ENTROPY and not value.lower().startswith("abcdefghij")


def is_authorization(value: str) -> bool:
    """
    Tell that *value* of a header is a secret, no name of a scheme.
    """
    return looks_random(value) and "-HMAC-" not in value.upper()


def is_aws_secret(value: str) -> bool:
    """
    Tell that the 40 characters *value* look like a key of Amazon's, no hash or path.
    """
    if value.isalnum() or value.startswith("/") or value.count("/") > _MOST_SLASHES:
        return False
    return is_mixed(value) and entropy(value) > _KEY_ENTROPY and value.lower() != value


def is_bearer(value: str) -> bool:
    """
    Tell that *value* behind ``Bearer`` is a token, no word.
    """
    if not not_filler(value) or _is_code(value):
        return False
    return _has_digit(value) or len(value) > _LONG_BEARER


def is_basic(value: str) -> bool:
    """
    Tell that *value* behind ``Basic`` is a user name and password in base64.
    """
    if b":" in _decoded(value):
        return not _CAMEL.match(value) or _decoded(value).isascii()
    return len(value) % 4 == 0 and (value[-1] == "=" or _has_digit(value))


def is_cookie(value: str) -> bool:
    """
    Tell that *value* is a list of cookies, or the value of one.
    """
    if not not_filler(value) or _is_code(value):
        return False
    first = value.split(";", maxsplit=1)[0]
    return "=" in value[:_LOOKED_AT].replace(" = ", "") or (" " not in first and looks_random(first))


def is_pair(value: str) -> bool:
    """
    Tell that *value*, the second of two texts beside each other, isn't one more name.
    """
    return not_filler(value) and _has_digit(value) and not _is(_NOT_RANDOM, value) and " " not in value


def is_flag_value(value: str) -> bool:
    """
    Tell that *value* behind a flag isn't a word of its description.
    """
    return not_code(value) and not _METAVAR.match(value) and value.lower() not in _FORMAT_WORDS


def is_user_password(value: str) -> bool:
    """
    Tell that *value* behind a user name and a colon isn't the word for one.
    """
    return not_filler(value) and value.lower() not in _FORMAT_WORDS


def is_told(value: str) -> bool:
    """
    Tell that *value* in a sentence is no word of it.
    """
    return not_filler(value) and any(char.isdigit() or char in "!@#$%^&*" for char in value[:-1])


def may_stand_alone(value: str) -> bool:
    """
    Tell that *value*, one word on a line below a name, may be a secret: no word of a
    language, number, name, path, option, assignment or prompt.
    """
    if len(value) < _SHORTEST_ALONE or _SOMETHING_ELSE.match(value[:_LOOKED_AT]) or _is(_NOT_RANDOM, value):
        return False
    return not_code(value) and (_has_digit(value) or _SYMBOL.search(value) is not None or _is_letters(value))


def is_encoded(value: str) -> bool:
    """
    Tell that *value* is base64, no word.
    """
    kinds = (
        any(char.islower() for char in value) + any(char.isupper() for char in value) + any(not char.isalpha() for char in value)
    )
    return kinds > 1 and (len(value.rstrip("=")) % 4 != 1) and bool(_decoded(value)) and not _CAMEL.match(value)


def _is(pattern: re.Pattern[str], value: str) -> bool:
    """
    Tell that *pattern* matches a value, or both ends of a long one.
    """
    if len(value) > _LOOKED_AT:
        return pattern.match(value[:_LOOKED_AT]) is not None and pattern.match(value[-_LOOKED_AT:]) is not None
    return pattern.match(value) is not None


def _is_code(value: str) -> bool:
    return _CODE.match(value[:_LOOKED_AT]) is not None


def _has_digit(value: str) -> bool:
    return _DIGIT.search(value) is not None


def _is_shown(value: str) -> bool:
    return value.endswith(_SHOWN_END) or any(part in value for part in _SHOWN)


def _is_letters(value: str) -> bool:
    if len(value) < _LONG_LETTERS or not value.isalpha() or not value.isascii() or "abcdefghijklm" in value.lower():
        return False
    head = value[:_LOOKED_AT]
    changes = sum(a.isupper() != b.isupper() for a, b in pairwise(head))
    return changes > len(head) / 4 and entropy(head) > _LETTERS_ENTROPY


def _is_name(value: str) -> bool:
    """
    Tell that *value* is words, written as one, such as the name of a class.
    """
    return _NAME.match(value) is not None and sum(map(str.islower, value)) > len(value) * _LEAST_SMALL


def _is_key(value: str) -> bool:
    """
    Tell that *value*, which may be a path, is more likely a key in base64 with a slash in it.
    """
    head = value[:_LOOKED_AT]
    changes = sum(a.isupper() != b.isupper() for a, b in pairwise(head))
    return _KEY.match(head) is not None and changes > len(head) / 3 and _has_digit(head) and entropy(head) > _KEY_ENTROPY


def _is_symbols(value: str) -> bool:
    kinds = len(set(value[:_LOOKED_AT]) & _SYMBOLS)
    return (
        kinds >= _MANY_SYMBOLS
        and len(value) > _SHORTEST_RANDOM
        and not_filler(value)
        and entropy(value[:_LOOKED_AT]) > _LETTERS_ENTROPY
    )


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
