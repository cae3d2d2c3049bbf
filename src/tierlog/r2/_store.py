"""
A store in Cloudflare R2, or any S3.
"""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

from tierlog._fork import ForkSafeLock
from tierlog.errors import ConfigError, ObjectNotFoundError
from tierlog.options import count, seconds
from tierlog.r2._client import new_client
from tierlog.r2._problems import BOTO_ERRORS, store_error
from tierlog.stores import Put, Stored


__all__ = ["R2Store"]

T = TypeVar("T")

_RANGE_NOT_SATISFIABLE = 416
_BUFFER = 262_144
_FEWEST, _MOST_CHARS = 3, 63


class R2Store:
    """
    A bucket, or what is in it below a prefix. Safe to share between threads and
    with forked children.

    Args:
        bucket: Its name; it must be there.

        prefix: What keys begin with; a ``/`` is put behind it.

        endpoint_url: Where the bucket is, such as
            ``https://<account>.r2.cloudflarestorage.com``; AWS if None.

        access_key_id: With *secret_access_key*; boto3's own chain if None.

        secret_access_key: See *access_key_id*.

        region: ``auto`` for R2.

        connect_timeout: For one attempt, **seconds**.

        read_timeout: For one attempt, **seconds**.

        connections: How many requests there are at once.

        attempts: How often botocore tries what it thinks is worth it.

    Attributes:
        name: The bucket and prefix, for people.

    Raises:
        ConfigError: An option can't work.

        MissingExtraError: ``tierlog[r2]`` isn't installed.
    """

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        region: str = "auto",
        connect_timeout: float | str = 5.0,
        read_timeout: float | str = 30.0,
        connections: int = 4,
        attempts: int = 1,
    ) -> None:
        self.bucket = _checked_bucket(bucket)
        self.prefix = _checked_prefix(prefix)
        self.name = f"r2://{self.bucket}/{self.prefix}".rstrip("/")
        if (access_key_id is None) != (secret_access_key is None):
            missing, given = "access_key_id", "secret_access_key"
            if access_key_id is not None:
                missing, given = given, missing
            raise ConfigError(f"sink.{missing}", f"is missing beside {given}; give both, or neither for boto3's own chain")
        self._endpoint = _checked_endpoint(endpoint_url)
        self._client_options: dict[str, Any] = {
            "endpoint_url": self._endpoint,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "region": region,
            "connect_timeout": seconds("sink.connect_timeout", connect_timeout, least=0.001),
            "read_timeout": seconds("sink.read_timeout", read_timeout, least=0.001),
            "connections": count("sink.connections", connections),
            "attempts": count("sink.attempts", attempts),
        }
        self._lock = ForkSafeLock()
        self._made: tuple[int, Any] = (-1, None)

    def put(self, put: Put) -> str:
        """
        Keep an object, all of it or nothing, and return its ``etag``.

        Raises:
            ObjectExistsError: There's one under the key already, or not the one
                that it is to replace.

            StoreError: It isn't known whether it was kept.
        """
        condition = {"IfNoneMatch": "*"} if put.replaces is None else {"IfMatch": f'"{put.replaces}"'}
        return self._asked(
            put.key,
            lambda client: _etag(
                client.put_object(
                    Bucket=self.bucket,
                    Key=self.prefix + put.key,
                    Body=put.body,
                    ContentLength=put.size,
                    ContentMD5=b64encode(bytes.fromhex(put.md5)).decode(),
                    ContentType=put.content_type,
                    Metadata=dict(put.metadata),
                    **condition,
                )
            ),
        )

    def head(self, key: str) -> Stored | None:
        """
        Return what there is of *key*, None if there's no such object.

        Raises:
            StoreError: The store didn't answer.
        """
        try:
            return self._asked(key, lambda client: _stored(key, client.head_object(Bucket=self.bucket, Key=self.prefix + key)))
        except ObjectNotFoundError:
            return None

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """
        Return the bytes of an object from *start* to before *end*, as far as there are.

        Raises:
            ObjectNotFoundError: There's no such object.

            StoreError: It couldn't be read.
        """
        if end is not None and end <= start:
            return b""
        ranged = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}

        def whole(client: Any) -> bytes:
            try:
                answer = client.get_object(Bucket=self.bucket, Key=self.prefix + key, **ranged)
            except BOTO_ERRORS as e:
                if getattr(e, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode") == _RANGE_NOT_SATISFIABLE:
                    return b""
                raise
            return bytes(answer["Body"].read())

        return self._asked(key, whole)

    def open(self, key: str) -> BinaryIO:
        """
        Return a file to read an object from, from its beginning to its end.

        Raises:
            ObjectNotFoundError: There's no such object.

            StoreError: It couldn't be read; reading raises it, too.
        """
        answer = self._asked(key, lambda client: client.get_object(Bucket=self.bucket, Key=self.prefix + key))
        body = _Body(answer["Body"], lambda error: self._fail(error, key))
        return cast("BinaryIO", io.BufferedReader(body, _BUFFER))

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Stored]:
        """
        Yield the objects whose keys start with *prefix*, in the order of their bytes.

        Each thousand of them costs a request of class A.

        Args:
            prefix: What keys start with.

            after: Only keys behind this one.

        Raises:
            StoreError: The store didn't answer.
        """
        asked: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        if after:
            asked["StartAfter"] = self.prefix + after
        token: str | None = ""
        while token is not None:
            found, token = self._asked(prefix, lambda client: _page(client.list_objects_v2(**asked)))
            for key, stored in found:
                yield stored._replace(key=key.removeprefix(self.prefix))
            asked["ContinuationToken"] = token

    def delete(self, key: str) -> None:
        """
        Take an object away; it is no error if there is none.

        Raises:
            StoreError: It isn't known whether it was.
        """
        self._asked(key, lambda client: client.delete_object(Bucket=self.bucket, Key=self.prefix + key))

    def _asked(self, key: str, ask: Callable[[Any], T]) -> T:
        try:
            return ask(self._client())
        except BOTO_ERRORS as e:
            self._fail(e, key)

    def _client(self) -> Any:
        """
        Return this process's client: a child must not share its parent's connections.
        """
        if self._made[0] != os.getpid():
            with self._lock:  # it takes 0.1 s, which each thread would spend
                if self._made[0] != os.getpid():
                    self._made = (os.getpid(), new_client(**self._client_options))
        return self._made[1]

    def _fail(self, error: Exception, key: str) -> NoReturn:
        raise store_error(error, bucket=self.bucket, key=self.prefix + key, endpoint=self._endpoint) from error


class _Body(io.RawIOBase):
    """
    The body of an answer as a file, whose errors are the store's.
    """

    def __init__(self, body: Any, fail: Callable[[Exception], NoReturn]) -> None:
        super().__init__()
        self._body = body
        self._fail = fail

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._body.read(len(buffer))
        except BOTO_ERRORS as e:
            self._fail(e)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()


def _checked_bucket(bucket: Any) -> str:
    name = bucket if type(bucket) is str else ""
    if not _FEWEST <= len(name) <= _MOST_CHARS or not name.isascii() or name.strip("-._") != name or set(name) & set("/:@ \\%"):
        raise ConfigError(
            "sink.bucket",
            f"{bucket!r} isn't a bucket's name: 3 to 63 lower case letters, digits and hyphens, without prefix or URL",
        )
    return name


def _checked_prefix(prefix: Any) -> str:
    if type(prefix) is not str or not prefix.isascii() or not prefix.isprintable():
        raise ConfigError("sink.prefix", f"{prefix!r} isn't a prefix: it must be of printable ASCII")
    inner = prefix.strip("/")
    return f"{inner}/" if inner else ""


def _checked_endpoint(url: Any) -> str | None:
    if url is None or url == "":
        return None
    scheme, _, host = str(url).partition("://")
    if scheme not in {"http", "https"} or not host or host.startswith("/") or "@" in host or "<" in host:
        raise ConfigError(
            "sink.endpoint_url",
            f"{str(url).rpartition('@')[2]!r} isn't a URL such as https://<account>.r2.cloudflarestorage.com, "
            "without credentials and bucket",
        )
    return str(url)


def _etag(answer: Mapping[str, Any]) -> str:
    return str(answer["ETag"]).strip('"')


def _stored(key: str, answer: Mapping[str, Any]) -> Stored:
    metadata = {name.lower(): value for name, value in answer["Metadata"].items()}
    return Stored(key, answer["ContentLength"], _etag(answer), _ms(answer["LastModified"]), metadata)


def _page(answer: Mapping[str, Any]) -> tuple[list[tuple[str, Stored]], str | None]:
    """
    Return the objects of a page, with their whole keys, and what asks for the next one.
    """
    found = [
        (one["Key"], Stored("", one["Size"], _etag(one), _ms(one["LastModified"]), {})) for one in answer.get("Contents", ())
    ]
    return found, answer["NextContinuationToken"] if answer["IsTruncated"] else None


def _ms(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
