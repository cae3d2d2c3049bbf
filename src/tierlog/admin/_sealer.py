"""
Cursors that tell nothing to whom they are given.

Where a tail stands counts what everybody writes; who may see some projects only mustn't
learn from it that there are others.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV


__all__ = ["Sealer"]

_HEAD = re.compile(r"([A-Za-z0-9_-]*)(.*)\Z", re.DOTALL)  # what is encoded already is made shorter
_STEP = 32  # bytes: how long a cursor is tells little, too
_LONGEST = 65_536


class Sealer:
    """
    Encrypts and signs, so that any server with the same key can read it.

    Args:
        secret: What the key is derived of.
    """

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESSIV(hmac.digest(secret, b"tierlog.admin sealer 1", "sha256"))

    def seal(self, text: str) -> bytes:
        """
        Return *text*, sealed, as bytes that are good for a URL.
        """
        head, rest = _HEAD.match(text).groups()  # type: ignore[union-attr]  # it matches whatever there is
        raw = _decoded(head)
        if raw is None:
            raw, rest = b"", text
        packed = len(raw).to_bytes(2, "big") + raw + rest.encode()
        return urlsafe_b64encode(self._cipher.encrypt(packed + b" " * (-len(packed) % _STEP), None)).rstrip(b"=")

    def open(self, sealed: str) -> str | None:
        """
        Return the text; None if it wasn't sealed with this key.
        """
        if not sealed.isascii() or len(sealed) > _LONGEST:
            return None
        try:
            packed = self._cipher.decrypt(urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)), None)
        except (ValueError, InvalidTag):
            return None
        end = 2 + int.from_bytes(packed[:2], "big")
        return _encoded(packed[2:end]) + packed[end:].rstrip(b" ").decode()


@lru_cache(maxsize=8)  # many cursors in a row begin alike
def _decoded(head: str) -> bytes | None:
    """
    Return what *head* encodes; None if that wouldn't be encoded to it.
    """
    raw = urlsafe_b64decode(head + "=" * (-len(head) % 4)) if len(head) % 4 != 1 else b""
    return raw if _encoded(raw) == head else None


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
