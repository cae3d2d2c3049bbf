"""
Flat maps from keys to immutable bytes: what a segment is shipped to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, Protocol


__all__ = ["Put", "Store", "Stored"]


class Stored(NamedTuple):
    """
    What a store says of an object.

    Attributes:
        key: Its key, without the store's prefix.

        size: Bytes.

        etag: MD5 of the bytes as 32 hexadecimal digits, for what was put in one
            piece; else whatever the store says, without quotes.

        modified_ms: When it was put, milliseconds since the epoch.

        metadata: What was put with it, keys in lower case; empty where it was
            listed.
    """

    key: str
    size: int
    etag: str
    modified_ms: int
    metadata: Mapping[str, str]


class Put(NamedTuple):
    """
    An object to be put.

    Attributes:
        key: Its key, without the store's prefix; ASCII.

        body: Its bytes, or a file at its beginning that can seek.

        size: Bytes of *body*.

        md5: MD5 of *body* as 32 hexadecimal digits; the store checks it.

        metadata: Kept with it: keys of lower case letters, digits and hyphens;
            values of printable ASCII.

        replaces: ``etag`` of the object that it replaces; None if there must be none.

        content_type: Its media type.
    """

    key: str
    body: bytes | BinaryIO
    size: int
    md5: str
    metadata: Mapping[str, str]
    replaces: str | None = None
    content_type: str = "application/x-ndjson"


class Store(Protocol):
    """
    A flat map from keys to immutable bytes.

    Implementations are safe to share between threads and processes that fork, and
    all pass ``tierlog.testing.StoreContract``. None of the methods tries again by
    itself: that is the caller's business.
    """

    name: str
    """What people know it by, such as ``r2://bucket/prefix``; no secret is in it."""

    def put(self, put: Put, /) -> str:
        """
        Keep an object, all of it or nothing, and return its ``etag``.

        Raises:
            ObjectExistsError: There's one under the key already, or not the one
                that it is to replace.

            StoreError: It isn't known whether it was kept.
        """

    def head(self, key: str, /) -> Stored | None:
        """
        Return what there is of *key*, None if there's no such object.

        Raises:
            StoreError: The store didn't answer.
        """

    def get(self, key: str, start: int = 0, end: int | None = None, /) -> bytes:
        """
        Return the bytes of an object from *start* to before *end*, as far as there are.

        Raises:
            ObjectNotFoundError: There's no such object.

            StoreError: It couldn't be read.
        """

    def open(self, key: str, /) -> BinaryIO:
        """
        Return a file to read an object from, from its beginning to its end.

        Raises:
            ObjectNotFoundError: There's no such object.

            StoreError: It couldn't be read; reading raises it, too.
        """

    def list(self, prefix: str = "", /, *, after: str = "") -> Iterator[Stored]:
        """
        Yield the objects whose keys start with *prefix*, in the order of their bytes.

        Args:
            prefix: What keys start with.

            after: Only keys behind this one.

        Raises:
            StoreError: The store didn't answer.
        """

    def delete(self, key: str, /) -> None:
        """
        Take an object away; it is no error if there is none.

        Raises:
            StoreError: It isn't known whether it was.
        """
