"""
A store in memory, and what every store promises.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from tierlog.errors import ObjectExistsError, ObjectNotFoundError, StoreError
from tierlog.stores import Put, Store, Stored
from tierlog.typing import Clock


__all__ = ["MemoryStore", "StoreContract"]

_METADATA_KEY = re.compile(r"[a-z0-9-]+\Z")
_PLAIN_TEXT = re.compile(r"[\x20-\x7e]*\Z")
_MS_NS = 1_000_000
_SECOND_MS = 1_000


class _Object(NamedTuple):
    stored: Stored
    body: bytes
    content_type: str


class MemoryStore:
    """
    A :class:`tierlog.stores.Store` in memory, as strict as the real ones.

    Args:
        name: What people know it by.

        clock: Returns nanoseconds since the epoch.
    """

    def __init__(self, name: str = "memory://", *, clock: Clock = time.time_ns) -> None:
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}

    def put(self, put: Put, /) -> str:
        """
        Keep an object, all of it or nothing, and return its ``etag``.

        Raises:
            ObjectExistsError: There's one under the key already, or not the one
                that it is to replace.

            StoreError: The bytes aren't what *put* says, or the key or metadata can't
                be kept.
        """
        body = put.body if isinstance(put.body, bytes) else put.body.read()
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if etag != put.md5:
            raise StoreError(f"{put.key}: the MD5 isn't that of the bytes; send them again", code="BadDigest", status=400)
        if len(body) != put.size:
            raise StoreError(f"{put.key}: there are {len(body)} bytes, not {put.size}", code="IncompleteBody", status=400)
        self._check(put)
        with self._lock:
            there = self._objects.get(put.key)
            if (there.stored.etag if there else None) != put.replaces:
                raise ObjectExistsError(f"{put.key}: another object is there", code="PreconditionFailed", status=412)
            stored = Stored(put.key, len(body), etag, self._clock() // _MS_NS, dict(put.metadata))
            self._objects[put.key] = _Object(stored, body, put.content_type)
        return etag

    def head(self, key: str, /) -> Stored | None:
        """
        Return what there is of *key*, None if there's no such object.
        """
        with self._lock:
            found = self._objects.get(key)
        return found.stored._replace(metadata=dict(found.stored.metadata)) if found else None

    def get(self, key: str, start: int = 0, end: int | None = None, /) -> bytes:
        """
        Return the bytes of an object from *start* to before *end*, as far as there are.

        Raises:
            ObjectNotFoundError: There's no such object.
        """
        return self._found(key).body[start:end]

    def open(self, key: str, /) -> BinaryIO:
        """
        Return a file to read an object from, from its beginning to its end.

        Raises:
            ObjectNotFoundError: There's no such object.
        """
        return io.BytesIO(self._found(key).body)

    def list(self, prefix: str = "", /, *, after: str = "") -> Iterator[Stored]:
        """
        Yield the objects whose keys start with *prefix*, in the order of their bytes.

        Args:
            prefix: What keys start with.

            after: Only keys behind this one.
        """
        with self._lock:
            found = [one.stored for key, one in self._objects.items() if key.startswith(prefix) and key > after]
        for stored in sorted(found, key=lambda stored: stored.key.encode()):
            yield stored._replace(metadata={})

    def delete(self, key: str, /) -> None:
        """
        Take an object away; it is no error if there is none.
        """
        with self._lock:
            self._objects.pop(key, None)

    def content_type(self, key: str, /) -> str:
        """
        Return the media type that an object was put with.

        Raises:
            ObjectNotFoundError: There's no such object.
        """
        return self._found(key).content_type

    def _found(self, key: str) -> _Object:
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise ObjectNotFoundError(f"{key}: there's no such object", code="NoSuchKey", status=404)
        return found

    @staticmethod
    def _check(put: Put) -> None:
        texts = [put.key, put.content_type, *put.metadata.values()]
        if not put.key or not all(_PLAIN_TEXT.match(text) for text in texts):
            raise StoreError(f"{put.key!r}: the key and metadata must be ASCII", code="InvalidArgument", status=400)
        if not all(_METADATA_KEY.match(key) for key in put.metadata):
            problem = f"{put.key}: keys of metadata have lower case letters, digits and hyphens"
            raise StoreError(problem, code="InvalidArgument", status=400)


def _put(key: str, body: bytes = b"x", /, **options: Any) -> Put:
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Put(key, body, len(body), md5, {})._replace(**options)


def _refused(store: Store, put: Put) -> StoreError:
    try:
        store.put(put)
    except StoreError as e:
        return e
    raise AssertionError(f"{put.key} was kept, and must not have been")


class StoreContract:
    """
    What every store promises. Inherit from it, and give it the fixture ``store``: an
    empty one.
    """

    def test_has_a_name(self, store: Store) -> None:
        """
        People can be told which store it is.
        """
        assert store.name

    def test_get_what_was_put(self, store: Store) -> None:
        """
        Bytes come back as they were put, whatever they are.
        """
        body = bytes(range(256)) * 3 + b"\r\n\n"

        store.put(_put("a/1", body))

        assert store.get("a/1") == body

    def test_a_file_is_put_whole(self, store: Store) -> None:
        """
        The body may be a file.
        """
        body = b"0123456789" * 20_000

        store.put(_put("a/1", body, body=io.BytesIO(body)))

        assert store.get("a/1") == body

    def test_an_empty_object_is_one(self, store: Store) -> None:
        """
        There may be no bytes at all.
        """
        store.put(_put("a/1", b""))

        assert store.get("a/1") == b""
        assert [one.size for one in store.list()] == [0]

    def test_head_says_what_was_put(self, store: Store) -> None:
        """
        One HEAD gives size, MD5, time and metadata; ``put`` returned the same etag.
        """
        put = _put("a/1", b"hello\n", metadata={"sha256": "ab", "first-ts": "17", "projects": "*"})

        etag = store.put(put)
        found = store.head("a/1")

        assert found is not None
        assert (found.key, found.size, found.etag) == ("a/1", 6, etag)
        assert etag == put.md5
        assert dict(found.metadata) == put.metadata
        assert found.modified_ms > 0

    def test_put_keeps_what_is_there(self, store: Store) -> None:
        """
        A second put is refused, even of the same bytes, and changes nothing.
        """
        store.put(_put("a/1", b"first", metadata={"n": "1"}))

        errors = [_refused(store, _put("a/1", body, metadata={"n": "2"})) for body in (b"other", b"first")]

        found = store.head("a/1")
        assert all(isinstance(error, ObjectExistsError) for error in errors)
        assert store.get("a/1") == b"first"
        assert found is not None
        assert dict(found.metadata) == {"n": "1"}

    def test_put_replaces_what_it_names(self, store: Store) -> None:
        """
        An object takes the place of the one whose etag it names, metadata included.
        """
        etag = store.put(_put("a/1", b"first", metadata={"n": "1"}))

        now = store.put(_put("a/1", b"second", metadata={"m": "2"}, replaces=etag))

        found = store.head("a/1")
        assert store.get("a/1") == b"second"
        assert found is not None
        assert (found.etag, dict(found.metadata)) == (now, {"m": "2"})

    def test_put_replaces_nothing_else(self, store: Store) -> None:
        """
        If another object is there, or none, nothing is put.
        """
        etag = store.put(_put("a/1", b"first"))
        store.put(_put("a/1", b"second", replaces=etag))

        error = _refused(store, _put("a/1", b"third", replaces=etag))
        _refused(store, _put("a/2", b"third", replaces=etag))

        assert isinstance(error, ObjectExistsError)
        assert store.get("a/1") == b"second"
        assert store.head("a/2") is None

    def test_put_of_damaged_bytes_is_refused(self, store: Store) -> None:
        """
        Bytes that don't have the MD5 aren't kept, and neither is anything else.
        """
        error = _refused(store, _put("a/1", b"damaged", md5=_put("a/1", b"as sent").md5))

        assert error.code == "BadDigest"
        assert store.head("a/1") is None

    def test_get_of_a_range(self, store: Store) -> None:
        """
        A range goes from its start to before its end, as far as there are bytes.
        """
        store.put(_put("a/1", b"0123456789"))

        assert store.get("a/1", 3) == b"3456789"
        assert store.get("a/1", 3, 5) == b"34"
        assert store.get("a/1", 8, 99) == b"89"
        assert store.get("a/1", 0, 1) == b"0"

    def test_open_reads_all(self, store: Store) -> None:
        """
        A file gives the object piece by piece, and then nothing.
        """
        body = bytes(range(256)) * 1_000
        store.put(_put("a/1", body))

        with store.open("a/1") as file:
            pieces = []
            while piece := file.read(65_536):
                pieces.append(piece)

        assert b"".join(pieces) == body
        assert len(pieces) > 1

    def test_what_is_not_there(self, store: Store) -> None:
        """
        A missing object is None to HEAD, an error to GET, and none to DELETE.
        """
        store.put(_put("a/10"))

        store.delete("a/1")

        assert store.head("a/1") is None
        for read in (store.get, store.open):
            try:
                read("a/1")
            except ObjectNotFoundError:
                continue
            raise AssertionError(f"{read} found what isn't there")
        assert store.get("a/10") == b"x"

    def test_delete(self, store: Store) -> None:
        """
        What was deleted is gone, and its key is free again.
        """
        store.put(_put("a/1", b"old"))

        store.delete("a/1")

        assert list(store.list()) == []
        store.put(_put("a/1", b"new"))
        assert store.get("a/1") == b"new"

    def test_list_is_in_the_order_of_bytes(self, store: Store) -> None:
        """
        Keys come in the order of their bytes, those with the prefix alone.
        """
        keys = ["a/1", "a/10", "a/2", "a-b", "B", "b/1", "a/1/x"]
        for key in keys:
            store.put(_put(key))

        assert [one.key for one in store.list()] == sorted(keys)
        assert [one.key for one in store.list("a/")] == ["a/1", "a/1/x", "a/10", "a/2"]
        assert list(store.list("nothing/")) == []

    def test_list_goes_on_behind_a_key(self, store: Store) -> None:
        """
        A listing may begin behind a key, whether that is there or not.
        """
        for key in ("a/1", "a/2", "a/3", "b/1"):
            store.put(_put(key))

        assert [one.key for one in store.list(after="a/2")] == ["a/3", "b/1"]
        assert [one.key for one in store.list("a/", after="a/20")] == ["a/3"]
        assert list(store.list(after="b/1")) == []

    def test_list_says_size_and_etag(self, store: Store) -> None:
        """
        What is listed is as HEAD has it, without metadata; the time to a second.
        """
        store.put(_put("a/1", b"hello", metadata={"n": "1"}))

        found = store.head("a/1")

        (listed,) = store.list()

        assert found is not None
        assert (listed.key, listed.size, listed.etag, dict(listed.metadata)) == ("a/1", 5, found.etag, {})
        assert abs(listed.modified_ms - found.modified_ms) <= _SECOND_MS

    def test_what_is_listed_may_be_deleted(self, store: Store) -> None:
        """
        Objects may go and come while they are listed.
        """
        for number in range(20):
            store.put(_put(f"a/{number:02}"))

        seen = []
        for one in store.list("a/"):
            seen.append(one.key)
            store.delete(one.key)
            store.put(_put(f"b/{one.key}"))

        assert seen == [f"a/{number:02}" for number in range(20)]

    def test_one_of_many_threads_wins(self, store: Store) -> None:
        """
        Of all that put an object at once, one does, and the others are told.
        """
        barrier = threading.Barrier(8)
        won: list[int] = []

        def work(number: int) -> None:
            barrier.wait()
            try:
                store.put(_put("a/1", b"%d" % number))
            except ObjectExistsError:
                return
            won.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(won) == 1
        assert store.get("a/1") == b"%d" % won[0]
