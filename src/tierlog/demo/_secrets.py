"""
Secrets to be hidden, made anew by each run, and the records they are planted in.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


__all__ = ["Planted", "make", "needles", "planted"]

_ALPHABET = string.ascii_letters + string.digits
_PEM_LABEL = "PRIVATE KEY"  # kept apart from its dashes, so that no scanner takes this file for a key
_SHOWN = 6


class Planted(NamedTuple):
    """
    A record with a secret in it.

    Attributes:
        name: What the secret is.

        msg: The message, or the format of *args*.

        args: The format's arguments.

        data: The payload.
    """

    name: str
    msg: str
    args: tuple[str, ...] = ()
    data: Mapping[str, Any] = {}

    def shortened(self, values: Mapping[str, str]) -> Planted:
        """
        Return the record as it may be shown: of each secret, the beginning.
        """
        short = {value: f"{_tail(value)[:_SHOWN]}…" for value in values.values()}
        args = tuple(short.get(arg, arg) for arg in self.args)
        return self._replace(args=args, data={key: short.get(value, value) for key, value in self.data.items()})


def make() -> dict[str, str]:
    """
    Return new secrets by name.
    """
    body = base64.b64encode(secrets.token_bytes(384)).decode()
    rows = [body[start : start + 64] for start in range(0, len(body), 64)]
    return {
        "provider token": "gh" + "p_" + _random(36),
        "bearer header": _random(40),
        "password in a URL": _random(24),
        "password field": _random(24),
        "environment": _random(40),
        "private key": "\n".join([f"-----BEGIN {_PEM_LABEL}-----", *rows, f"-----END {_PEM_LABEL}-----"]),
    }


def planted(values: Mapping[str, str]) -> list[Planted]:
    """
    Return the records that carry *values*, which :func:`make` made.
    """
    return [
        Planted("password in a URL", "git clone https://deploy:%s@git.example.com/shop.git", (values["password in a URL"],)),
        Planted("bearer header", "GET /v1/zones, Authorization: Bearer %s", (values["bearer header"],)),
        Planted("provider token", "the token %s expires in 3 days", (values["provider token"],)),
        Planted("environment", "CLOUDFLARE_API_TOKEN=%s wrangler deploy", (values["environment"],)),
        Planted("password field", "database is configured", (), {"user": "shop", "password": values["password field"]}),
        Planted("private key", "the signing key could not be read: %s", (values["private key"],)),
    ]


def needles(values: Mapping[str, str]) -> Iterator[bytes]:
    """
    Yield what no file may hold: the halves of each secret, so that a part counts.
    """
    for value in values.values():
        for row in value.splitlines():
            if not row.startswith("-----"):
                middle = len(row) // 2
                yield row[:middle].encode()
                yield row[middle:].encode()


def _tail(value: str) -> str:
    """
    Return *value* without the line that opens a key.
    """
    return value.partition("\n")[2] or value


def _random(size: int) -> str:
    # The first is a letter and the last a digit, so that every rule sees a secret at all.
    return secrets.choice(string.ascii_letters) + "".join(secrets.choice(_ALPHABET) for _ in range(size - 2)) + "7"
