"""
Whether the bucket does what shipping needs, tried with one small object.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from hashlib import md5
from typing import Any
from urllib.parse import urlsplit

from ulid import ULID

from tierlog.doctor._finding import Finding, error, of_error, ok, warning
from tierlog.errors import ObjectExistsError, TierlogError
from tierlog.stores import Put, Store, Stored
from tierlog.typing import Clock


__all__ = ["FOLDER", "bucket_findings", "server_clock", "skew_findings"]

FOLDER = ".tierlog-doctor/"
"""What the keys of the objects begin with."""

_AWS = "https://s3.amazonaws.com"
_TIMEOUT = 5.0  # seconds
_MS_NS = 1_000_000
_SOME, _MUCH = 5.0, 300.0  # seconds; at 900 S3 refuses requests
_OLD_MS = 3_600_000
_BODY = b"written by tierlog doctor, to be deleted at once\n"


def bucket_findings(store: Store, *, clock: Clock, compares_clocks: bool = False) -> list[Finding]:
    """
    Put an object, look at it, read it, put it again, and delete it; return what went
    wrong, and nothing is left.

    Args:
        store: The bucket.

        clock: Returns nanoseconds since the epoch.

        compares_clocks: Whether the object's time tells if the clock is right.
    """
    key = f"{FOLDER}{ULID()}"
    put = Put(key, _BODY, len(_BODY), md5(_BODY, usedforsecurity=False).hexdigest(), {}, content_type="text/plain")
    found: list[Finding] = []
    before = clock()
    try:
        store.put(put)
    except TierlogError as e:
        return [of_error("bucket", e)]
    after = clock()
    stored = None
    try:
        stored = store.head(key)
        for one in _round_trip(store, put, stored):
            found.append(one)  # noqa: PERF402 -- kept when the next one raises
    except TierlogError as e:
        found.append(of_error("bucket", e))
    finally:
        found += _deleted(store, key, clock)
    found = found or [ok("bucket", f"an object was put into {store.name}, found, read and deleted")]
    if stored is not None and compares_clocks:
        found += skew_findings(_ahead(before, after, stored.modified_ms / 1000))
    return found


def _round_trip(store: Store, put: Put, stored: Stored | None) -> Iterator[Finding]:
    if stored is None or stored.size != put.size:
        yield error("bucket", f"an object that was just put into {store.name} isn't found", "use a store that is consistent")
    elif stored.etag != put.md5:
        yield warning(
            "bucket",
            f"{store.name} has another ETag than the MD5 of what was put: uploads are verified by reading them",
            "switch encryption with own keys off, if it need not be on",
        )
    if store.get(put.key) != _BODY:
        yield error("bucket", f"{store.name} gives other bytes than were put", "look for a proxy or a cache before it")
    try:
        store.put(put)
        yield error(
            "bucket",
            f"{store.name} puts an object where one is already, though If-None-Match forbids it: two could be taken for one",
            "use a store that knows If-None-Match, as R2, S3 and MinIO do",
        )
    except ObjectExistsError:
        pass
    if put.key not in [one.key for one in store.list(FOLDER)]:
        yield error("bucket", f"{store.name} doesn't list an object that is there", "let the token list objects")


def _deleted(store: Store, key: str, clock: Clock) -> list[Finding]:
    """
    Delete the object, and those that another run left when it was killed.
    """
    try:
        store.delete(key)
        for one in list(store.list(FOLDER)):
            if one.modified_ms < clock() // _MS_NS - _OLD_MS:
                store.delete(one.key)
    except TierlogError as e:
        said = of_error("bucket", e)
        return [said._replace(what=f"{said.what}; {key} is left there")]
    return []


# -- clocks ------------------------------------------------------------------------


def skew_findings(seconds: float) -> list[Finding]:
    """
    Return what is wrong with a clock that is so many **seconds** ahead of the store's.
    """
    off = f"the clock of this machine is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} the store's"
    mend = "set it: timedatectl set-ntp true"
    if abs(seconds) >= _MUCH:
        return [error("clock", f"{off}; at 900 s it refuses every request", mend)]
    if abs(seconds) >= _SOME:
        return [warning("clock", f"{off}: records of several machines are out of order", mend)]
    return [ok("clock", "the clock of this machine is that of the store")]


def server_clock(endpoint: str | None, *, clock: Clock) -> float | None:
    """
    Return by how many **seconds** this machine's clock is ahead of that of the store at
    *endpoint*; None if it doesn't say.
    """
    parts = urlsplit(endpoint or _AWS)
    kind: Any = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT)
        try:
            before = clock()
            connection.request("HEAD", "/")
            said = connection.getresponse().headers["Date"]
            after = clock()
        finally:
            connection.close()
        return _ahead(before, after, parsedate_to_datetime(said).timestamp())
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None


def _ahead(before: int, after: int, theirs: float) -> float:
    """
    Return by how many **seconds** at least a clock is ahead of the store's, which said
    its time, in whole seconds, at some moment between two of ours.
    """
    earliest, latest = before / 1e9 - theirs - 1.0, after / 1e9 - theirs
    return 0.0 if earliest <= 0.0 <= latest else earliest if earliest > 0 else latest
