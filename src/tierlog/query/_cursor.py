"""
Where an answer was left, as a text that is good for a URL.

It names the last record that was delivered by what orders them, so that it stays right
whatever is written, shipped or compacted in between.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

import orjson

from tierlog.errors import QueryError


__all__ = ["Key", "decode_cursor", "encode_cursor"]

_VERSION = 1
_LONGEST = 4_096  # characters
_BEHIND_ALL_MS = 253_402_300_800_000  # the year 10000


class Key(NamedTuple):
    """
    What records are ordered by.

    Attributes:
        ts: Milliseconds since the epoch.

        instance: ``instanceId``.

        seq: ``seq``.
    """

    ts: int
    instance: str
    seq: int


def encode_cursor(key: Key, order: str) -> str:
    """
    Return the cursor that stands behind the record of *key*.
    """
    return urlsafe_b64encode(orjson.dumps([_VERSION, order, *key])).rstrip(b"=").decode()


def decode_cursor(text: object, order: str) -> Key:
    """
    Return the key of the record that the cursor stands behind.

    Raises:
        QueryError: It is no cursor, or one of the other order.
    """
    if type(text) is not str or not text.isascii() or len(text) > _LONGEST:
        raise QueryError("cursor", "isn't one that a search has given")
    try:
        version, given, ts, instance, seq = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError) as e:
        raise QueryError("cursor", "isn't one that a search has given") from e
    is_key = type(ts) is int and 0 <= ts < _BEHIND_ALL_MS and type(instance) is str and type(seq) is int
    if version != _VERSION or not is_key:
        raise QueryError("cursor", "isn't one that a search has given")
    if given != order:
        raise QueryError("cursor", f"is one of order={given!r}; use it with the same order")
    return Key(ts, instance, seq)
