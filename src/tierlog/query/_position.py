"""
Where a tail stands, as a text that is good for a URL and for a header.

It has no state behind it: any later process goes on from it. It names the segments that
may still grow, or did a moment ago, each by a few bytes that don't change when it is
renamed, packed or shipped, with how far it was read. Of all others the horizon tells:
what was last written before that is done. Inside of what one poll has found, it names the
last record that was delivered.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from tierlog.errors import QueryError
from tierlog.layout import Place
from tierlog.query._cursor import Key


__all__ = ["Position", "behind", "decode_position", "encode_position", "key_of"]

_BAD = "isn't one that a tail has given"
_VERSION = 1
_LONGEST = 65_536  # characters
_TIME_BYTES, _COUNT_BYTES = 6, 2
_KEY_BYTES, _OFFSET_BYTES = 6, 5
_ENTRY_BYTES = _KEY_BYTES + _OFFSET_BYTES
_TIMES = 3
_HEAD_BYTES = 2 + _TIMES * _TIME_BYTES + _COUNT_BYTES


class Position(NamedTuple):
    """
    How far everything was read.

    Attributes:
        since: What is before isn't asked for, **milliseconds** since the epoch.

        horizon: Segments that were last written to before are done, unless they are
            named; **milliseconds** since the epoch.

        stored: The same of objects, by the clock of their store.

        offsets: By their keys, how many bytes of segments were read.

        whole: The keys of those that were read to their end.

        foreign: The keys of those that were first met in a store.

        is_from_now: Whether *since* is when it began, which tells of objects only: what
            is written here later is delivered whatever its time is.

        ends: Where the poll that was being delivered stopped to read, by the keys of all
            segments that it read.

        last: The last of its records that was delivered; None if none was.
    """

    since: int
    horizon: int
    stored: int
    offsets: Mapping[bytes, int]
    whole: frozenset[bytes] = frozenset()
    foreign: frozenset[bytes] = frozenset()
    is_from_now: bool = False
    ends: Mapping[bytes, int] = {}
    last: Key | None = None


def key_of(place: Place) -> bytes:
    """
    Return what a segment is known by, wherever it is and however it is packed; a build's
    file must be given as the part that its first line makes it.
    """
    from hashlib import blake2b  # noqa: PLC0415 -- 5 ms, and only to follow

    return blake2b(f"{place.tier}/{place.id}/{place.instance}-{place.ulid}".encode(), digest_size=_KEY_BYTES).digest()


def encode_position(position: Position) -> str:
    """
    Return the cursor of *position*.
    """
    head = [
        bytes([_VERSION, position.is_from_now]),
        *(_number(ms, _TIME_BYTES) for ms in (position.since, position.horizon, position.stored)),
    ]
    count = len(position.offsets).to_bytes(_COUNT_BYTES, "big")
    entries = [
        key + _number(offset << 2 | (key in position.foreign) << 1 | (key in position.whole), _OFFSET_BYTES)
        for key, offset in position.offsets.items()
    ]
    entries += [key + _number(offset, _OFFSET_BYTES) for key, offset in position.ends.items()]
    text = _text(b"".join([*head, count, *entries]))
    return text if position.last is None else behind(text, position.last)


def behind(text: str, last: Key) -> str:
    """
    Return the cursor of a position that has ends, with the *last* record.
    """
    return f"{text}.{_text(orjson.dumps([*last]))}"


def decode_position(text: object) -> Position:
    """
    Return the position of a cursor.

    Raises:
        QueryError: It is no cursor of a tail.
    """
    if type(text) is not str or not text.isascii() or len(text) > _LONGEST:
        raise QueryError("cursor", _BAD)
    encoded, _, last = text.partition(".")
    try:
        return _decoded(_bytes(encoded), Key(*orjson.loads(_bytes(last))) if last else None)
    except (ValueError, TypeError) as e:
        raise QueryError("cursor", _BAD) from e


def _decoded(body: bytes, last: Key | None) -> Position:
    entries = body[_HEAD_BYTES:]
    if len(body) < _HEAD_BYTES or body[0] != _VERSION or len(entries) % _ENTRY_BYTES:
        raise ValueError(_BAD)
    since, horizon, stored = (int.from_bytes(body[2 + at * _TIME_BYTES :][:_TIME_BYTES], "big") for at in range(_TIMES))
    split = int.from_bytes(body[_HEAD_BYTES - _COUNT_BYTES : _HEAD_BYTES], "big") * _ENTRY_BYTES
    named, ends = _entries(entries[:split]), _entries(entries[split:])
    if split > len(entries) or bool(ends) != (last is not None):
        raise ValueError(_BAD)
    if last is not None and (type(last.ts) is not int or type(last.instance) is not str or type(last.seq) is not int):
        raise ValueError(_BAD)
    offsets = {key: number >> 2 for key, number in named.items()}
    whole, foreign = (frozenset(key for key, number in named.items() if number & flag) for flag in (1, 2))
    return Position(since, horizon, stored, offsets, whole, foreign, bool(body[1]), ends, last)


def _text(body: bytes) -> str:
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int, size: int) -> bytes:
    return min(max(value, 0), (1 << 8 * size) - 1).to_bytes(size, "big")


def _entries(body: bytes) -> dict[bytes, int]:
    return {
        body[at : at + _KEY_BYTES]: int.from_bytes(body[at + _KEY_BYTES : at + _ENTRY_BYTES], "big")
        for at in range(0, len(body), _ENTRY_BYTES)
    }
