"""
One object in a store, packed.

The packed object is stored beside the plain one, which goes when that is verified and
in the catalog. Every step may be repeated, and done by several at once.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, NamedTuple, cast

from tierlog.compaction._likeness import Likeness, likeness
from tierlog.compaction._outcome import Change, CompactionError
from tierlog.compaction._rows import Rows
from tierlog.errors import ObjectExistsError, ObjectNotFoundError
from tierlog.layout import Place, local_path, parse_local, remote_key
from tierlog.packing import frame_sizes, pack_file
from tierlog.segments import part_of
from tierlog.stores import Put, Store, Stored


__all__ = ["RemotePacker"]

_IN_MEMORY_BYTES = 33_554_432  # what is larger goes through the disk
_BLOCK = 262_144
_ATTEMPTS = 3
_SOME_DAY = "1970-01-01"
_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_CONTENT_TYPES = {"gz": "application/gzip", "zst": "application/zstd"}


class _Kept(NamedTuple):
    key: str
    etag: str
    size: int
    is_ours: bool


class RemotePacker:
    """
    Packs objects of one store.

    Args:
        store: The store.

        packing: How to pack them.

        rows: Where it is noted.
    """

    def __init__(self, store: Store, packing: str, rows: Rows) -> None:
        self._store = store
        self._packing = packing
        self._rows = rows

    def finished(self, key: str) -> Stored | None:
        """
        Return the object under *key*, with its metadata.

        Returns:
            None if there's nothing to pack: it went, is empty, or is the checkpoint of
            a segment that is open.

        Raises:
            StoreError: The store didn't answer.
        """
        found = self._store.head(key)
        return found if found is not None and found.size and found.metadata.get("state") != "open" else None

    def pack(self, key: str, place: Place) -> Change | None:
        """
        Pack the object under *key*, and take the plain one away.

        Returns:
            None if there's nothing to do; see :meth:`finished`.

        Raises:
            CompactionError: It isn't what its metadata says, or another segment has
                its name.

            StoreError: The store didn't do it, or it isn't known whether it did.
        """
        found = self.finished(key)
        if found is None:
            return None
        with SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
            plain = cast("BinaryIO", spool)
            try:
                self._fetch(found, plain)
            except ObjectNotFoundError:  # somebody else was faster
                return None
            packed = io.BytesIO()
            plain.seek(0)
            frames = pack_file(plain, packed, self._packing)
            body = packed.getvalue()
            plain.seek(0)
            if likeness(io.BytesIO(body), self._packing, plain) is not Likeness.SAME:
                raise CompactionError(f"{key}: what was packed can't be unpacked again")
            kept = self._kept(found, place, body, plain)
        self._rows.move(
            [key],
            kept.key,
            self._packing,
            stored_bytes=kept.size,
            etag=kept.etag,
            frames=lambda: frames if kept.is_ours else frame_sizes(io.BytesIO(self._store.get(kept.key)), self._packing),
        )
        self._store.delete(key)
        return Change(found.size, kept.size)

    def _fetch(self, found: Stored, plain: BinaryIO) -> None:
        """
        Read the object into *plain*, and see whether it is what it was.
        """
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        size = 0
        with self._store.open(found.key) as file:
            while block := file.read(_BLOCK):
                plain.write(block)
                sha256.update(block)
                md5.update(block)
                size += len(block)
        noted = found.metadata.get("sha256")
        is_right = noted == sha256.hexdigest() if noted else not _MD5.match(found.etag) or found.etag == md5.hexdigest()
        if size != found.size or not is_right:
            raise CompactionError(f"{found.key} isn't what was stored once; it is left as it is, see 'tierlog verify'")

    def _kept(self, found: Stored, place: Place, body: bytes, plain: BinaryIO) -> _Kept:
        """
        Store the packed object, or find that it is stored.
        """
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        put = Put("", body, len(body), md5, dict(found.metadata), None, _CONTENT_TYPES[self._packing])
        for key in self._keys(found, place, plain):
            kept = self._put(put._replace(key=key), plain)
            if kept is not None:
                return kept
        raise CompactionError(f"{found.key} and {key} differ; look at both, and take one of them away")

    def _keys(self, found: Stored, place: Place, plain: BinaryIO) -> Iterator[str]:
        packed = place._replace(packing=self._packing)
        yield remote_key(packed)
        if place.instance is None:  # a build that went on after its file was packed
            plain.seek(0)
            first = next((line for line in plain if line.strip()), b"")
            day = found.metadata.get("day", "")
            is_day = parse_local(local_path(place._replace(day=day))) is not None
            part = part_of(place._replace(day=day if is_day else _SOME_DAY), first)
            yield remote_key(part._replace(packing=self._packing))

    def _put(self, put: Put, plain: BinaryIO) -> _Kept | None:
        """
        Store one object, in the place of one that is damaged, too; None if another
        segment has its key.
        """
        for _ in range(_ATTEMPTS):
            try:
                etag = self._store.put(put)
            except (ObjectExistsError, ObjectNotFoundError):
                there = self._store.head(put.key)
                like = None if there is None else self._likeness(there, put, plain)
                if there is None or like is None:  # it went in between
                    put = put._replace(replaces=None)
                elif like is Likeness.OTHER:
                    return None
                elif like is Likeness.SAME and _told(there) == {name: value for name, value in put.metadata.items() if value}:
                    return _Kept(put.key, there.etag, there.size, there.etag == put.md5)
                else:
                    put = put._replace(replaces=there.etag)
                continue
            stored = Stored(put.key, put.size, etag, 0, {})
            if self._likeness(stored, put, plain) is not Likeness.SAME:
                raise CompactionError(f"{put.key}: what is stored isn't what was sent; the plain one stays")
            return _Kept(put.key, etag, put.size, is_ours=True)
        raise CompactionError(f"{put.key} keeps changing; it is packed again next time")

    def _likeness(self, there: Stored, put: Put, plain: BinaryIO) -> Likeness | None:
        """
        Compare what is stored with the plain segment; None if it went.
        """
        if there.etag == put.md5:
            return Likeness.SAME
        try:
            packed = io.BytesIO(self._store.get(there.key))
        except ObjectNotFoundError:
            return None
        plain.seek(0)
        return likeness(packed, self._packing, plain)


def _told(stored: Stored) -> dict[str, str]:
    return {name: value for name, value in stored.metadata.items() if value}
