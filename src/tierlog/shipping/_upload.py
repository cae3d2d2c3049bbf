"""
One finished segment to a store, verified, and then off the disk.

Every step may be repeated: killed anywhere and done again, there's one object and
no local file in the end. What was stored before is known by its MD5.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tierlog import _fork
from tierlog._platform import OPEN_READ, is_still_at, lock_exclusive, sync_data, unlock
from tierlog.envelope import day_of
from tierlog.errors import ObjectExistsError, StoreError
from tierlog.facts import Facts, facts_of
from tierlog.layout import Place, local_path, remote_key
from tierlog.segments import Journal, claim, part_of
from tierlog.shipping._ledger import Ledger, Sealed, Shipped
from tierlog.stores import Put, Store


__all__ = ["METADATA_VERSION", "Uploaded", "Uploader", "object_metadata"]

METADATA_VERSION = "1"

_IN_MEMORY_BYTES = 33_554_432  # what is larger is sent from the disk
_MOST_PROJECTS = 16
_NO_PROJECT: tuple[str, ...] = ()
_CONTENT_TYPES = {None: "application/x-ndjson", "gz": "application/gzip", "zst": "application/zstd"}


class Uploaded(NamedTuple):
    """
    What became of one segment.

    Attributes:
        shipped: It, and where it is stored now.

        was_there: Whether it was stored before, by somebody whose answer was lost.
    """

    shipped: Shipped
    was_there: bool


class _Body(NamedTuple):
    content: bytes | BinaryIO
    md5: str
    size: int
    frames: tuple[int, ...]


def _content(file: BinaryIO) -> BinaryIO:
    """
    Return a finished file to be read more than once: in the memory if it isn't large.
    """
    return io.BytesIO(file.read()) if os.fstat(file.fileno()).st_size <= _IN_MEMORY_BYTES else file


def _facts(file: BinaryIO, packing: str | None) -> Facts:
    if packing is None:
        return facts_of(file)
    from tierlog.packing import open_plain  # noqa: PLC0415 -- most ship what they have written

    with open_plain(io.BytesIO(file.read()), packing) as plain:
        return facts_of(plain)


def _as_it_is(file: BinaryIO) -> _Body:
    """
    Return what is sent of a segment that was compressed before it is shipped.
    """
    content = file.read()
    return _Body(content, hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content), ())


class Uploader:
    """
    Moves segments of one root to a store. Safe to share between threads; a forked child
    lets go of what the parent moves.

    Args:
        root: The folder of the segments.

        store: Where they go.

        ledger: Where it is noted.

        packing: How to compress them: ``gz``, ``zst``, or None.

        has_checkpoints: Whether open segments are stored while they grow.
    """

    fork_order = 3  # nothing else is locked meanwhile

    def __init__(
        self, root: Path, store: Store, ledger: Ledger, *, packing: str | None = None, has_checkpoints: bool = False
    ) -> None:
        self.root = root
        self.store = store
        self.ledger = ledger
        self._packing = packing
        self._has_checkpoints = has_checkpoints
        self._journal = Journal(root)
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._open: set[BufferedReader] = set()
        _fork.watch(self)

    def settled(self, place: Place) -> Place | None:
        """
        Return the place under which the finished segment at *place* never changes again,
        None if there's no such segment.

        Raises:
            OSError: It couldn't be given its name.
        """
        return claim(self.root, place) if place.instance is None else place

    def upload(self, place: Place) -> Uploaded | None:
        """
        Ship the :meth:`settled` segment at *place*, and take it off the disk.

        Returns:
            None if there's nothing to do: it isn't there any more, is empty, or
            somebody else has it at this moment.

        Raises:
            StoreError: It isn't known whether it is stored; the file is as it was.

            OSError: It couldn't be read.
        """
        path = self.root / local_path(place)
        try:
            with self._lock:
                file = open(os.open(path, OPEN_READ), "rb")  # noqa: SIM115 -- closed below
                self._open.add(file)
        except FileNotFoundError:
            return None
        try:
            return self._locked(file, path, place)
        finally:
            with self._lock:
                self._open.discard(file)
                file.close()

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Close what the parent has open: its locks would outlive it here, and files that it
        takes away would stay on the disk.
        """
        for file in self._open:
            file.raw.close()  # not the buffer, whose lock the parent's thread may hold
        self._open = set()
        self._lock = threading.RLock()
        self._reading = threading.Lock()

    def checkpoint(self, place: Place, replaces: str | None) -> str | None:
        """
        Store what there is of the open segment at *place*.

        Args:
            place: The segment.

            replaces: ``etag`` of what was stored of it before.

        Returns:
            The ``etag`` of what is stored now; None if it has no line yet, or isn't
            there any more.

        Raises:
            StoreError: It isn't known whether it is stored.
        """
        lines = self._lines_so_far(self.root / local_path(place))
        if not lines:
            return None
        if place.instance is None:
            place = part_of(place, lines[: lines.index(b"\n") + 1])
        body = self._packed(io.BytesIO(lines), len(lines), hashlib.md5(lines, usedforsecurity=False).hexdigest())
        put = Put(
            remote_key(place._replace(packing=self._packing)),
            body.content,
            body.size,
            body.md5,
            object_metadata(place, facts_of(io.BytesIO(lines)), "", is_open=True),
            replaces,
            _CONTENT_TYPES[self._packing],
        )
        try:
            return self.store.put(put)
        except ObjectExistsError:
            there = self.store.head(put.key)
            if there is None or there.etag == body.md5:
                return body.md5 if there else None
            if there.metadata.get("state") != "open" or int(there.metadata.get("size", "0")) > len(lines):
                return None
            return self.store.put(put._replace(replaces=there.etag))

    def _locked(self, file: BinaryIO, path: Path, place: Place) -> Uploaded | None:
        fd = file.fileno()
        if not self._is_ours(fd, path, place):
            return None
        try:
            if os.fstat(fd).st_size == 0:
                path.unlink()
                return None
            return self._shipped(file, path, place)
        finally:
            unlock(fd)

    def _is_ours(self, fd: int, path: Path, place: Place) -> bool:
        # The lock says who ships it: it ends with the process, however that ends.
        return (
            stat.S_ISREG(os.fstat(fd).st_mode) and lock_exclusive(fd) and is_still_at(fd, path) and not self._journal.has(place)
        )

    def _shipped(self, file: BinaryIO, path: Path, place: Place) -> Uploaded:
        content = _content(file)
        sealed = self.ledger.find(place)
        if sealed is None:
            sync_data(file.fileno())
            # One at a time: else all read at once, which takes the interpreter, and nobody sends meanwhile.
            with self._reading:
                facts = _facts(content, place.packing)
            sealed = self.ledger.seal(place, facts)
        elif place.packing is None and os.fstat(file.fileno()).st_size != sealed.facts.size:
            raise StoreError(
                f"{local_path(place)} has changed since it was sealed in the ledger; it stays on the disk", code="Changed"
            )
        content.seek(0)
        body = self._packed(content, sealed.facts.size, sealed.facts.md5) if place.packing is None else _as_it_is(content)
        metadata = object_metadata(place, sealed.facts, sealed.prev_sha256)
        put = Put("", body.content, body.size, body.md5, metadata, None, _CONTENT_TYPES[place.packing or self._packing])
        for key in self._keys(place):
            etag, was_there = self._stored(put._replace(key=key), sealed)
            if etag is not None:
                shipped = Shipped(sealed, key, etag, body.size, body.frames)
                self.ledger.ship(shipped)
                path.unlink()
                return Uploaded(shipped, was_there)
        raise StoreError(
            f"{key}: another segment is stored under this key; look at both, and take one of them away",
            code="Conflict",
            status=412,
        )

    def _keys(self, place: Place) -> Iterator[str]:
        packed = place._replace(packing=place.packing or self._packing)
        if not place.is_part:
            yield remote_key(packed)
            return
        whole = packed._replace(instance=None, ulid=None)
        if not (self._has_checkpoints and self.store.head(remote_key(packed)) is not None):
            yield remote_key(whole)
        yield remote_key(packed)

    def _stored(self, put: Put, sealed: Sealed) -> tuple[str | None, bool]:
        """
        Store one object, or find that it is stored.

        Returns:
            Its ``etag``, None if something else has its key; and whether it was there.
        """
        try:
            etag = self._put(put)
        except ObjectExistsError:
            there = self.store.head(put.key)
            if there is None:  # it went in between
                return self._verified(put, self._put(put)), False
            if there.etag == put.md5 or self._is_same(there.metadata, sealed):
                return there.etag, True
            if there.metadata.get("state") == "open" and there.metadata.get("instance") == sealed.instance:
                return self._verified(put, self._put(put._replace(replaces=there.etag))), False
            return None, False
        return self._verified(put, etag), False

    def _put(self, put: Put) -> str:
        if not isinstance(put.body, bytes):
            put.body.seek(0)
        return self.store.put(put)

    def _is_same(self, metadata: object, sealed: Sealed) -> bool:
        """
        Tell whether an object that other bytes are stored of holds the same segment:
        two versions of a library don't compress alike.
        """
        return (
            self._packing is not None
            and isinstance(metadata, dict)
            and metadata.get("sha256") == sealed.sha256
            and metadata.get("state") == "done"
        )

    def _verified(self, put: Put, etag: str) -> str:
        if etag == put.md5:
            return etag
        there = self.store.head(put.key)  # a store whose etag is no MD5
        if there is not None and there.size == put.size and there.metadata.get("sha256") == put.metadata["sha256"]:
            return there.etag
        raise StoreError(f"{put.key}: what is stored isn't what was sent; it stays on the disk", code="Unverified")

    def _packed(self, file: BinaryIO, size: int, md5: str) -> _Body:
        """
        Return what is sent of *file*, of which *size* and *md5* are known.
        """
        if self._packing is None:
            return _Body(file.getvalue() if isinstance(file, io.BytesIO) else file, md5, size, ())
        from tierlog.packing import pack_file  # noqa: PLC0415 -- most ship what they have written

        packed = io.BytesIO()
        frames = pack_file(file, packed, self._packing)
        content = packed.getvalue()
        return _Body(content, hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content), frames)

    @staticmethod
    def _lines_so_far(path: Path) -> bytes:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1].rstrip(b"\n") + b"\n" if content.strip() else b""


def object_metadata(place: Place, facts: Facts, prev_sha256: str, *, is_open: bool = False) -> dict[str, str]:
    """
    Return what is kept with the object of a segment, so that one HEAD describes it.

    All values are ASCII. ``first-seq`` and ``last-seq`` are of the segment's own
    instance.
    """
    instance = place.instance or facts.instance
    first, last, _ = facts.seqs.get(instance, (0, 0, 0))
    projects = facts.ids.get("projectId")
    named = (
        sorted(one for one in projects if one.isascii() and one.isprintable() and "," not in one)
        if projects is not None
        else _NO_PROJECT
    )
    is_told = projects is not None and len(named) == len(projects) <= _MOST_PROJECTS
    return {
        "tierlog": METADATA_VERSION,
        "instance": instance if instance.isascii() and instance.isprintable() else "unknown",
        "lines": str(facts.lines),
        "first-ts": str(facts.first_ts),
        "last-ts": str(facts.last_ts),
        "first-seq": str(first),
        "last-seq": str(last),
        "size": str(facts.size),
        "sha256": facts.sha256,
        "prev-sha256": prev_sha256,
        "day": place.day or day_of(facts.first_ts),
        "projects": ",".join(named) if is_told else "*",
        "state": "open" if is_open else "done",
    }
