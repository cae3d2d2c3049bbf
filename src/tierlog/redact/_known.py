"""
Secrets that the program knows itself, and the forms in which they get into texts.

A value rarely meets a log as it is: it comes out of JSON, a URL, a shell, a page or
base64. Each form is a plain text to look for, so nothing has to be decoded. What
stands beside a value shifts its base64, so three forms of it leave out the
characters that depend on neighbours.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

from tierlog.redact._keys import is_sensitive


__all__ = ["MIN_LENGTH", "forms", "from_environment", "usable"]

MIN_LENGTH = 8
"""Characters that a value needs by default. Shorter ones would hide ordinary words."""

_LEAST = 4  # what no setting goes below
_LEAST_ENCODED = 8
_MAX_CHARS = 16_384
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_UNICODE_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
_SAFE_SETS = ("", "/", "~", "-_.!~*'()", "/:@!$&'()*+,;=?")  # of quote and its relatives in other languages
_SAFE_IN_HTML = tuple(
    str.maketrans({char: f"\\u{ord(char):04x}" for char in chars}) for chars in ("<>&", "<>&'", "<>&'+", "<>&'=")
)
_NOT_SHELL = re.compile(r"[^\w@%+=:,./-]", re.ASCII)
_BREAKS = re.compile(r"\r\n|\n|\r|\\r\\n|\\n")
_MANY_LINES = 256

_NO_SECRETS = frozenset(
    word
    for words in (
        "true false none null undefined yes no on off enabled disabled default required optional password secret token changeme",
        "localhost development production staging test example root admin administrator guest user minioadmin",
        "postgres postgresql mysql mariadb mongodb redis rabbitmq docker",
    )
    for word in words.split()
)
"""Values of variables that would hide too much if they were looked for."""

_NO_VALUES = re.compile(r"[A-Z0-9_]*_(?:FILE|PATH|DIR|SOCK|SOCKET)\Z|XDG_|DBUS_|SESSION_MANAGER\Z|(?:OLD)?PWD\Z")
_PLACE = re.compile(
    r"~/|\.{1,2}/|[A-Za-z]:\\|file:|unix:|/(?:Applications|Library|Users|Volumes|app|bin|builds|data|dev|etc|github|home|lib|media|mnt|nix|"
    r"opt|private|proc|root|run|secrets?|snap|srv|sys|tmp|usr|var|workspaces?)/"
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]{0,30}://(?P<authority>[^/?#\s]*)")
_PARAMETER = re.compile(r"[?&;](?P<name>[^=&;#?]{1,64})=(?P<value>[^&;#\s]+)")


def usable(value: str, min_length: int = MIN_LENGTH) -> str | None:
    """
    Return why *value* can't be hidden wherever it appears, or None if it can.

    It is refused for its length alone, because a known value that isn't hidden is
    a leak. The reason doesn't show the value.

    >>> usable("hunter2")
    'it has 7 characters and 8 are needed, so that it hides no ordinary words'
    """
    if not value.strip():
        return "it is blank"
    size, least = len(value.strip()), max(min_length, _LEAST)
    if size < least:
        return f"it has {size} characters and {least} are needed, so that it hides no ordinary words"
    if len(value) > _MAX_CHARS:
        return f"it has {len(value)} characters and {_MAX_CHARS} is the most"
    return None


def forms(value: str) -> tuple[str, ...]:
    """
    Return the texts that show *value*, itself among them, the longest first.

    They are the value, each of its lines that is long enough, and of both: escaped
    as in JSON (once and twice, with and without characters beyond ASCII), in
    Python, in a shell, in HTML and in URLs; in hexadecimal digits; in base64 of
    both alphabets wherever the value stands in what was encoded, from 7 bytes on.
    """
    found: dict[str, None] = {}
    for text in _texts(value):
        for form in (*_escaped(text), *_percent_encoded(text), *_in_bytes(text)):
            found[form] = None
    return tuple(sorted(filter(None, found), key=lambda form: (-len(form), form)))


def from_environment(environ: Mapping[str, str], min_length: int = MIN_LENGTH) -> dict[str, str]:
    """
    Return the secrets among the variables of *environ*, by their names.

    A variable counts if its name is that of a secret, and its value isn't a
    switch, a path, a well-known default or a text too short to be hidden. Of a URL
    with a password in it, whatever the variable is called, that password counts.

    >>> from_environment({"DB_PASSWORD": "correct horse", "HOME": "/root", "DATABASE_URL": "pg://me:hunter2hunter2@db/x"})
    {'DB_PASSWORD': 'correct horse', 'DATABASE_URL': 'hunter2hunter2'}
    """
    secrets = ((name, _secret_of(name, value.strip())) for name, value in environ.items())
    return {name: secret for name, secret in secrets if secret and usable(secret, min_length) is None}


def _secret_of(name: str, value: str) -> str | None:
    is_named = is_sensitive(name) and _NO_VALUES.match(name.upper()) is None
    url = _URL.match(value)
    if url:
        return _password_in(value, url["authority"]) or (_key_in(value, url["authority"]) if is_named else None)
    if not is_named or value.lower() in _NO_SECRETS or _PLACE.match(value):
        return None
    return value


def _password_in(url: str, authority: str) -> str | None:
    user, _, _ = authority.rpartition("@")
    password = user.partition(":")[2]
    if not password:
        values = (found["value"] for found in _PARAMETER.finditer(url) if is_sensitive(found["name"]))
        password = next(values, "")
    return unquote(password) or None


def _key_in(url: str, authority: str) -> str | None:
    """
    Return what is secret of a URL in a variable that is called a secret: the user,
    or all of it if it has a query or a long path, such as that of a webhook.
    """
    user = unquote(authority.rpartition("@")[0])
    if len(user) >= MIN_LENGTH:
        return user
    rest = url.partition("://")[2]
    is_plain = "@" not in rest and "?" not in rest and all(len(part) <= MIN_LENGTH for part in rest.split("/")[1:])
    return None if is_plain else url


def _texts(value: str) -> Iterator[str]:
    """
    Yield *value*, and its parts that logs show alone.
    """
    yield value
    if value.strip() != value:
        yield value.strip()
    lines = [line.strip() for line in _BREAKS.split(value)[:_MANY_LINES]]
    if len(lines) > 1:
        # A line of few letters, such as a brace or a rule, would hide all over the log.
        yield from (line for line in lines if usable(line) is None and _is_told_apart(line))


def _is_told_apart(line: str) -> bool:
    return not line.startswith("-----") and sum(map(str.isalnum, line)) >= _LEAST


def _escaped(text: str) -> Iterator[str]:
    yield text
    for ensure_ascii in (True, False):
        once = json.dumps(text, ensure_ascii=ensure_ascii)[1:-1]
        for form in (once, json.dumps(once, ensure_ascii=ensure_ascii)[1:-1]):
            yield form
            yield form.replace("/", "\\/")
            yield from (form.translate(escapes) for escapes in _SAFE_IN_HTML)
            yield _UNICODE_ESCAPE.sub(lambda match: "\\u" + match[0][2:].upper(), form)
    yield repr(text)[1:-1]
    yield repr(text.encode("utf-8", "surrogatepass"))[2:-1]
    yield from (text.replace(sign, f"\\{sign}") for sign in "'\"")
    yield from (text.replace("'", quoted) for quoted in ("'\"'\"'", "'\\''"))
    yield _NOT_SHELL.sub(r"\\\g<0>", text)
    page = html.escape(text)
    yield page
    yield html.escape(text, quote=False)
    yield page.replace("&#x27;", "&#39;")
    yield page.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _percent_encoded(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    encoded = [quote(raw, safe=safe) for safe in _SAFE_SETS] + [quote_plus(raw)]
    for form in encoded:
        for one in (form, _PERCENT.sub(lambda match: match[0].lower(), form)):
            yield one
            yield one.replace("%", "%25")


def _in_bytes(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) * 2 >= _LEAST_ENCODED:
        yield raw.hex()
        yield raw.hex().upper()
    for offset in range(3):
        yield from _alphabets(_base64_inside(raw, offset))


def _base64_inside(raw: bytes, offset: int) -> str:
    """
    Return the base64 of *raw* behind *offset* other bytes, without the characters
    that other bytes have a part in.
    """
    encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
    first = (offset * 8 + 5) // 6
    last = (offset + len(raw)) * 8 // 6
    inside = encoded[first:last]
    return inside if len(inside) >= _LEAST_ENCODED else ""


def _alphabets(encoded: str) -> Iterable[str]:
    url_safe = encoded.replace("+", "-").replace("/", "_")
    return {
        encoded: None,
        url_safe: None,
        # Base64 itself in JSON or in a URL.
        encoded.replace("/", "\\/"): None,
        quote(encoded, safe=""): None,
        quote(encoded, safe="").replace("%2F", "%2f").replace("%2B", "%2b"): None,
    }
