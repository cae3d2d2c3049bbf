"""
Which names of fields say that their value is a secret.

A name is split into lower-case words at separators and at changes of case, so
that ``apiKey``, ``API_KEY`` and ``x-api-key`` are one name.
"""

from __future__ import annotations

import re
from itertools import pairwise


__all__ = ["is_sensitive"]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ANYWHERE = _words(
    "password passwd passwort passphrase passcode pwd secret secrets credential credentials authorization cookie "
    "cookies setcookie apikey apisecret accesskey secretkey privatekey signingkey sessionid phpsessid jsessionid "
    "jwt csrf csrftoken xsrf token authtoken accesstoken refreshtoken idtoken dsn connectionstring"
)
_AT_THE_END = _words("auth session sid")
_ENDINGS = ("password", "passwords", "passwd", "passphrase", "apikey", "apikeys")
_PAIRS = frozenset(
    [
        *(("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("signing", "key")),
        *(("encryption", "key"), ("master", "key"), ("ssh", "key"), ("account", "key"), ("session", "id")),
        *(("session", "key"), ("connection", "string"), ("conn", "str"), ("pass", "word"), ("license", "key")),
        *(("client", "key"), ("service", "key"), ("auth", "key")),
        *(("api", "keys"), ("access", "keys"), ("db", "pass"), ("user", "pass"), ("smtp", "pass"), ("ftp", "pass")),
    ]
)
_HARMLESS_END = _words(
    "count counts used usage limit limits length len size total type kind name policy age ttl expiry expires expired "
    "expiration at enabled disabled required valid changed rotated status state url uri path file method algorithm "
    "index position budget cost rate per version strength hint label source"
)


def is_sensitive(name: str) -> bool:
    """
    Tell whether a field called *name* holds a secret.

    >>> is_sensitive("dbPassword"), is_sensitive("X-Api-Key"), is_sensitive("tokens_used")
    (True, True, False)
    """
    words = [word.lower() for word in _WORDS.findall(name[:256])]
    if not words or words[-1] in _HARMLESS_END:
        return False
    if words[-1] in _AT_THE_END or not _ANYWHERE.isdisjoint(words) or words[-1].endswith(_ENDINGS):
        return True
    return any(pair in _PAIRS for pair in pairwise(words))
