"""
What was sealed, shipped and catalogued: one file per instance, appended to.

A segment is sealed before it is shipped: its facts are noted together with the
hash of the segment of the same instance that was sealed before it. One ``write``
does both, so that the chain has no fork and no hole, whenever the process dies.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tierlog import _fork
from tierlog._platform import OPEN_PLAIN, is_still_at, lock_waiting, sync_data, unlock
from tierlog.facts import Facts
from tierlog.layout import Place, local_path, parse_local
from tierlog.report import report
from tierlog.shipping._facts_json import facts_from, facts_json


__all__ = ["Ledger", "Sealed", "Shipped", "sealed"]

_VERSION = 1
_SUFFIX = ".ledger"
_BEGIN_BYTES = 256  # of a file, which tell it from all others
_FULL = frozenset([errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)])


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
        self.file: tuple[int, bytes] | None = None
        self.end = 0
        self.head = ""
        self.sealed: dict[str, Sealed] = {}
        self.shipped: dict[str, Shipped] = {}

    def find(self, path: str) -> Sealed | None:
        if path in self.shipped:
            return self.shipped[path].sealed
        return self.sealed.get(path)

    def take_line(self, line: bytes) -> None:
        try:
            self.take(orjson.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):  # damaged: what stands behind it counts all the same
            return

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
        self._heads: dict[str, tuple[str, str]] = {}  # what the file's was before, and what came then
        self._unnoted: dict[str, Sealed] = {}

    def seal(self, place: Place, facts: Facts) -> Sealed:
        """
        Put the segment at *place* into its instance's chain, at its end; once only.

        It is on the disk when this returns, unless that is full: shipping makes the room.

        Raises:
            OSError: It isn't, for another reason.
        """
        path = local_path(place)
        instance = place.instance or ""
        with self._opened(instance) as (book, file):
            known = book.find(path) or self._unnoted.get(path)
            if known is not None:
                return known
            before = book.head
            one = Sealed(path, self._head(instance, book), facts)
            try:
                file.append({"event": "sealed", "path": path, "prev": one.prev_sha256, "facts": facts_json(facts)})
                file.sync()
            except OSError as e:
                if e.errno not in _FULL:
                    raise
                self._unnoted[path] = one
            self._heads[instance] = (before, facts.sha256)
            return one

    def find(self, place: Place) -> Sealed | None:
        """
        Return the segment at *place* if it was sealed.
        """
        path = local_path(place)
        with self._opened(place.instance or "") as (book, _):
            return book.find(path) or self._unnoted.get(path)

    def ship(self, shipped: Shipped) -> None:
        """
        Note that a segment is stored, unless the disk is full.

        Raises:
            OSError: It couldn't be noted, for another reason.
        """
        path, instance = shipped.sealed.path, shipped.sealed.instance
        entry = {"event": "shipped", "path": path, "key": shipped.key}
        with self._opened(instance) as (_, file):
            self._unnoted.pop(path, None)
            try:
                file.append({**entry, "etag": shipped.etag, "bytes": shipped.stored_bytes, "frames": shipped.frames})
            except OSError as e:
                if e.errno not in _FULL:
                    raise

    def finish(self, sealed: Sealed) -> None:
        """
        Note that there's nothing left to do for a segment.
        """
        with self._opened(sealed.instance) as (book, file):
            head = self._head(sealed.instance, book)
            if head != book.head:
                file.append({"event": "head", "sha256": head})  # there was no room for it, or the file was taken away
            file.append({"event": "done", "path": sealed.path})
            if not book.sealed and not book.shipped:
                # The number tells this file from another one that gets its place on the disk.
                file.replace({"event": "head", "sha256": book.head, "number": secrets.token_hex(8)})

    def waiting(self) -> Iterator[Shipped]:
        """
        Yield the segments that are stored and not in the catalog yet.
        """
        for instance in self.instances():
            try:
                with self._opened(instance) as (book, _):
                    found = list(book.shipped.values())
            except OSError as e:
                report("ledger", f"{e}; what it says is entered in the catalog when it can be read")
                continue
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

    def _head(self, instance: str, book: _Book) -> str:
        """
        Return the hash of the segment that was sealed last, noted or not.
        """
        before, last = self._heads.get(instance, ("", ""))
        return last if last and book.head in {"", before} else book.head

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
            raise OSError(errno.ENOSPC, "no space for the ledger", str(self._path))
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
                fd = os.open(self._path, OPEN_PLAIN | os.O_APPEND | os.O_CREAT, 0o666)
            except FileNotFoundError:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                continue
            lock_waiting(fd)
            if is_still_at(fd, self._path):
                return fd
            os.close(fd)

    def _read(self) -> None:
        status = os.fstat(self._fd)
        # A number of the disk's is given again: only what stands in the file says that it is the same.
        this = status.st_ino, os.pread(self._fd, _BEGIN_BYTES, 0).partition(b"\n")[0]
        book = self._books.get(self._instance)
        if book is None or book.file != this or book.end > status.st_size:
            self._books[self._instance] = book = _Book()
            book.file = this
        self._book = book
        if status.st_size == book.end:
            return
        with open(self._path, "rb") as file:
            file.seek(book.end)
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._fd, book.end)  # torn by a process that was killed in the middle of it
                    return
                book.take_line(line)
                book.end += len(line)
