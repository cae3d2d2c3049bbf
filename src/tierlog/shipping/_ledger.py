"""
What was sealed, shipped and catalogued: one file per instance, appended to.

A segment is sealed before it is shipped: its facts are noted together with the
hash of the segment of the same instance that was sealed before it. One ``write``
does both, so that the chain has no fork and no hole, whenever the process dies.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tierlog import _fork
from tierlog._platform import OPEN_APPEND, is_still_at, lock_waiting, sync_data, unlock
from tierlog.facts import Facts
from tierlog.layout import Place, local_path, parse_local
from tierlog.shipping._facts_json import facts_from, facts_json


__all__ = ["Ledger", "Sealed", "Shipped", "sealed"]

_VERSION = 1
_SUFFIX = ".ledger"


class Sealed(NamedTuple):
    """
    A segment with its link in the chain.

    Attributes:
        path: Its path below the root.

        prev_sha256: SHA-256 of the segment of its instance that was sealed before
            it; empty if there was none.

        facts: What it holds.
    """

    path: str
    prev_sha256: str
    facts: Facts

    @property
    def place(self) -> Place:
        """
        What names it.
        """
        place = parse_local(self.path)
        assert place is not None  # noqa: S101 -- nothing else is sealed
        return place

    @property
    def key(self) -> str:
        """
        The path, as reports name it.
        """
        return self.path

    @property
    def sha256(self) -> str:
        """
        SHA-256 of its bytes.
        """
        return self.facts.sha256

    @property
    def instance(self) -> str:
        """
        The instance whose chain it is in.
        """
        return self.place.instance or ""


class Shipped(NamedTuple):
    """
    A segment that is stored, and verified.

    Attributes:
        sealed: The segment.

        key: Its key in the store.

        etag: The object's.

        stored_bytes: Bytes of the object.

        frames: Bytes of each of its frames, which each hold a block; empty if it
            has none.
    """

    sealed: Sealed
    key: str
    etag: str
    stored_bytes: int
    frames: tuple[int, ...] = ()


class _Book:
    """
    What is known of one instance's file, read as far as *end*.
    """

    def __init__(self) -> None:
        self.inode = -1
        self.end = 0
        self.head = ""
        self.sealed: dict[str, Sealed] = {}
        self.shipped: dict[str, Shipped] = {}

    def find(self, path: str) -> Sealed | None:
        if path in self.shipped:
            return self.shipped[path].sealed
        return self.sealed.get(path)

    def take(self, entry: dict[str, Any]) -> None:
        path = str(entry.get("path", ""))
        match entry.get("event"):
            case "head":
                self.head = str(entry["sha256"])
            case "sealed":
                one = Sealed(path, str(entry["prev"]), facts_from(entry["facts"]))
                self.sealed[path] = one
                self.head = one.sha256
            case "shipped" if path in self.sealed:
                one = self.sealed.pop(path)
                frames = tuple(int(size) for size in entry.get("frames", ()))
                self.shipped[path] = Shipped(one, str(entry["key"]), str(entry["etag"]), int(entry["bytes"]), frames)
            case "done":
                self.sealed.pop(path, None)
                self.shipped.pop(path, None)


class Ledger:
    """
    The ledgers of a root. Safe to share between threads and between processes.

    Args:
        root: The folder of the segments.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / ".tierlog" / "ledger"
        self._lock = _fork.ForkSafeLock()
        self._books: dict[str, _Book] = {}
        self._heads: dict[str, str] = {}

    def seal(self, place: Place, facts: Facts) -> Sealed:
        """
        Put the segment at *place* into its instance's chain, at its end; once only.

        It is on the disk when this returns.

        Raises:
            OSError: It isn't.
        """
        path = local_path(place)
        instance = place.instance or ""
        with self._opened(instance) as (book, file):
            known = book.find(path)
            if known is not None:
                return known
            one = Sealed(path, book.head or self._heads.get(instance, ""), facts)
            file.append({"event": "sealed", "path": path, "prev": one.prev_sha256, "facts": facts_json(facts)})
            file.sync()
            self._heads[instance] = facts.sha256
            return one

    def find(self, place: Place) -> Sealed | None:
        """
        Return the segment at *place* if it was sealed.
        """
        with self._opened(place.instance or "") as (book, _):
            return book.find(local_path(place))

    def ship(self, shipped: Shipped) -> None:
        """
        Note that a segment is stored.
        """
        entry = {"event": "shipped", "path": shipped.sealed.path, "key": shipped.key}
        with self._opened(shipped.sealed.instance) as (_, file):
            file.append({**entry, "etag": shipped.etag, "bytes": shipped.stored_bytes, "frames": shipped.frames})

    def finish(self, sealed: Sealed) -> None:
        """
        Note that there's nothing left to do for a segment.
        """
        with self._opened(sealed.instance) as (book, file):
            file.append({"event": "done", "path": sealed.path})
            if not book.sealed and not book.shipped:
                file.replace({"event": "head", "sha256": book.head})

    def waiting(self) -> Iterator[Shipped]:
        """
        Yield the segments that are stored and not in the catalog yet.
        """
        for instance in self.instances():
            with self._opened(instance) as (book, _):
                found = list(book.shipped.values())
            yield from found

    def sealed(self) -> Iterator[Sealed]:
        """
        Yield the segments that are sealed, shipped or not.
        """
        for instance in self.instances():
            with self._opened(instance) as (book, _):
                found = [*book.sealed.values(), *(one.sealed for one in book.shipped.values())]
            yield from found

    def tidy(self, before: float) -> None:
        """
        Take away what ended processes left: ledgers that say nothing but where a chain
        ends, and files that were to take a ledger's place.

        Args:
            before: Only what wasn't touched since then, **seconds** since the epoch.
        """
        for name in self._names():
            path = self._folder / name
            with suppress(OSError):
                if path.stat().st_mtime >= before:
                    continue
                if not name.endswith(_SUFFIX):
                    path.unlink()
                    continue
                instance = name.removesuffix(_SUFFIX)
                with self._opened(instance) as (book, _):
                    if not book.sealed and not book.shipped:
                        path.unlink()
                        self._books.pop(instance, None)

    def instances(self) -> list[str]:
        """
        Return the instances that have a ledger.
        """
        return [name.removesuffix(_SUFFIX) for name in self._names() if name.endswith(_SUFFIX)]

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []

    def _opened(self, instance: str) -> _Opened:
        return _Opened(self._folder, instance, self._books, self._lock)


def sealed(root: Path) -> Iterator[Sealed]:
    """
    Yield the segments below *root* that are sealed, for who checks the chain.
    """
    return Ledger(root).sealed()


class _Opened:
    """
    An instance's file, locked for the length of a ``with`` block, and what it says.
    """

    def __init__(self, folder: Path, instance: str, books: dict[str, _Book], lock: _fork.ForkSafeLock) -> None:
        self._path = folder / f"{instance}{_SUFFIX}"
        self._instance = instance
        self._books = books
        self._lock = lock
        self._fd = -1
        self._book = _Book()

    def __enter__(self) -> tuple[_Book, _Opened]:
        self._lock.__enter__()
        try:
            self._fd = self._open()
            self._read()
        except BaseException:
            self.__exit__()
            raise
        return self._book, self

    def __exit__(self, *exc: object) -> None:
        fd, self._fd = self._fd, -1
        try:
            if fd >= 0:
                unlock(fd)
                os.close(fd)
        finally:
            self._lock.__exit__(*exc)

    def append(self, entry: dict[str, Any]) -> None:
        line = orjson.dumps({"v": _VERSION, **entry}, option=orjson.OPT_APPEND_NEWLINE)
        if os.write(self._fd, line) != len(line):
            os.ftruncate(self._fd, self._book.end)
            raise OSError(28, "no space for the ledger", str(self._path))
        self._book.end += len(line)
        self._book.take(entry)

    def replace(self, entry: dict[str, Any]) -> None:
        """
        Begin the file anew with *entry* alone.
        """
        line = orjson.dumps({"v": _VERSION, **entry}, option=orjson.OPT_APPEND_NEWLINE)
        fresh = self._path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        with open(fresh, "wb") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        self._books.pop(self._instance, None)

    def sync(self) -> None:
        sync_data(self._fd)

    def _open(self) -> int:
        while True:
            try:
                fd = os.open(self._path, OPEN_APPEND | os.O_CREAT, 0o666)
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                continue
            lock_waiting(fd)
            if is_still_at(fd, self._path):
                return fd
            os.close(fd)

    def _read(self) -> None:
        book = self._books.get(self._instance)
        status = os.fstat(self._fd)
        if book is None or book.inode != status.st_ino or book.end > status.st_size:
            self._books[self._instance] = book = _Book()
            book.inode = status.st_ino
        self._book = book
        if status.st_size == book.end:
            return
        with open(self._path, "rb") as file:
            file.seek(book.end)
            for line in file:
                try:
                    entry = orjson.loads(line) if line.endswith(b"\n") else None
                except orjson.JSONDecodeError:
                    entry = None
                if type(entry) is not dict:
                    break  # torn by a process that was killed in the middle of it
                book.take(entry)
                book.end += len(line)
        os.ftruncate(self._fd, book.end)
