"""
Reading what is below the root and in the store; again, too, what has changed since.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from tierlog._platform import OPEN_READ
from tierlog.errors import ObjectNotFoundError, StoreError
from tierlog.layout import Place, parse_local, parse_remote
from tierlog.segments import Journal
from tierlog.stores import Store, Stored
from tierlog.verify._findings import Finding
from tierlog.verify._known import Known, Noted, Source
from tierlog.verify._lines import Lines
from tierlog.verify._read import Content, Counted, UnreadableError, opened, read, settled_end


__all__ = ["Progress", "Scan"]

Progress = Callable[[str, int], None]
"""Called after each segment, with its name and its bytes as stored."""

_OWN_FOLDERS = frozenset([".tierlog", "quarantine"])
_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_ATTEMPTS = 3
_BUFFER = 262_144
_LEDGER = ".ledger"
_FACTS = ("size", "lines", "first-ts", "last-ts")


class Scan:
    """
    A root and a store, read into what is known of them.

    Args:
        root: The folder of the segments; None if there's none to be looked at.

        store: The store; None if there's none to be looked at.

        known: Where it goes.

        noted: What was noted of each segment, by its name.

        progress: See :data:`Progress`.

    Attributes:
        local: Segments read below the root.

        remote: Objects read from the store.

        foreign: Files and objects that aren't ours.

        stored_bytes: Bytes read.
    """

    def __init__(
        self, root: Path | None, store: Store | None, known: Known, noted: dict[str, list[Noted]], progress: Progress | None
    ) -> None:
        self._root = root
        self._store = store
        self._known = known
        self._noted = noted
        self._progress = progress
        self._marks: dict[str, tuple[object, ...]] = {}
        self._moving: set[str] = set()
        self._failed: set[str] = set()
        self._is_again = False
        self._has_moved = False
        self.local = self.remote = self.foreign = self.stored_bytes = 0

    def look(self) -> bool:
        """
        Read what wasn't read yet, and what has changed or may have.

        What is on the disk comes first: what is shipped meanwhile is in the store then.

        Returns:
            Whether there was anything.

        Raises:
            StoreError: The store doesn't tell what it has.
        """
        self._has_moved = False
        if self._root is not None:
            self._look_local(self._root, Journal(self._root))
        if self._store is not None:
            self._look_remote(self._store)
        self._is_again = True
        return self._has_moved

    # -- on the disk ---------------------------------------------------------------

    def _look_local(self, root: Path, journal: Journal) -> None:
        left = set(self._moving)
        for path, status in self._files(root, ""):
            place = parse_local(path) if stat.S_ISREG(status.st_mode) else None
            if place is None:
                self.foreign += not self._is_again
                continue
            left.discard(path)
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
            if path in self._moving or self._marks.get(path) != mark:
                self._marks[path] = mark
                self._has_moved = True
                self._read_local(root, journal, path, place)
        for path in left:
            self._gone(path)
        self._known.local |= {name.removesuffix(_LEDGER) for name in _names(root / ".tierlog" / "ledger")}

    def _files(self, folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as e:
            self._unreadable(prefix or ".", f"can't be read ({e.strerror or e})")
            return
        for entry in found:
            path = f"{prefix}{entry.name}"
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield path, status
            elif path not in _OWN_FOLDERS:
                yield from self._files(folder / entry.name, f"{path}/")

    def _read_local(self, root: Path, journal: Journal, path: str, place: Place) -> None:
        try:
            fd = os.open(root / path, OPEN_READ)
        except FileNotFoundError:
            self._gone(path)
            return
        except OSError as e:
            self._unreadable(path, f"can't be read ({e.strerror or e})")
            return
        with open(fd, "rb") as file:
            before = os.fstat(fd)
            is_open = journal.has(place)
            limit = settled_end(file) if is_open and place.packing is None else None
            content = self._content(Counted(file, is_hashed=False), path, place, limit)
            after = os.fstat(fd)
        changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
        is_open = is_open or changed or journal.has(place)
        (self._moving.add if is_open else self._moving.discard)(path)
        if content is None:
            return
        content.lines.finish(is_open=is_open)
        self.local += path not in self._known.read
        self._known.take(Source(path, place, is_remote=False, is_open=is_open), content, self._noted.get(path, ()))

    def _gone(self, path: str) -> None:
        self._has_moved = True
        self._moving.discard(path)
        self._marks.pop(path, None)
        self._known.forget(path)

    # -- in the store --------------------------------------------------------------

    def _look_remote(self, store: Store) -> None:
        for stored in store.list():
            place = parse_remote(stored.key)
            if place is None:
                self.foreign += not self._is_again
                continue
            mark = (stored.etag, stored.size)
            if self._marks.get(stored.key) != mark:
                self._marks[stored.key] = mark
                self._has_moved = True
                self._read_remote(store, stored.key, place)

    def _read_remote(self, store: Store, key: str, place: Place) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                head = store.head(key)
                if head is None:
                    return
                with store.open(key) as file:
                    counted = Counted(file, is_hashed=True)
                    content = self._content(counted, key, place, None)
                now = store.head(key)
            except ObjectNotFoundError:
                return
            except StoreError as e:
                if attempt == _ATTEMPTS - 1:
                    self._unreadable(key, f"can't be read ({e.problem})")
                continue
            if now is not None and now.etag == head.etag:
                self._take_remote(head, place, content, counted)
                return

    def _take_remote(self, head: Stored, place: Place, content: Content | None, counted: Counted) -> None:
        is_open = head.metadata.get("state") == "open"
        noted = [*self._noted.get(head.key, ()), *_noted(head)]
        if not is_open and "sha256" in head.metadata:
            meta = head.metadata
            instance = meta.get("instance") or place.instance or ""
            self._known.chain.add(
                instance, head.key, meta["sha256"], meta.get("prev-sha256", ""), _number(meta.get("last-ts")) or 0
            )
        if content is None:
            return
        if "sha256" not in head.metadata:
            self._known.information.add(Finding("no_metadata", f"{head.key} has no metadata of tierlog's", segment=head.key))
        content.lines.finish(is_open=is_open)
        self.remote += head.key not in self._known.read
        self._known.take(Source(head.key, place, is_remote=True, is_open=is_open), content, noted)
        is_as_noted = all(one.sha256 == content.sha256.hex() for one in noted)
        if is_as_noted and _MD5.match(head.etag) and head.etag != counted.md5:
            detail = f"{head.key}: the store says its MD5 is {head.etag[:12]}, and it is {counted.md5[:12]}"
            self._known.lasting.add(Finding("hash", detail, segment=head.key))

    # -- both ----------------------------------------------------------------------

    def _content(self, counted: Counted, name: str, place: Place, limit: int | None) -> Content | None:
        lines = Lines(place.tier, None if place.tier in {"build", "deploy"} else place.instance)
        content = None

        def sizes(lines: Lines) -> list[int]:
            return self._known.sizes(place, lines, name, self._noted.get(name, ()))

        try:
            with opened(BufferedReader(counted, _BUFFER), place.packing) as plain:
                content = read(plain, lines, limit, sizes)
            while limit is None and counted.read(_BUFFER):
                continue
        except UnreadableError as e:
            self._unreadable(name, f"can't be read ({e})")
        self.stored_bytes += counted.size
        if self._progress is not None:
            self._progress(name, counted.size)
        return content

    def _unreadable(self, name: str, problem: str) -> None:
        self._known.read.add(name)
        if name not in self._failed:
            self._failed.add(name)
            self._known.lasting.add(Finding("unreadable", f"{name} {problem}", segment=name))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _noted(head: Stored) -> Iterator[Noted]:
    sha256 = head.metadata.get("sha256", "")
    if sha256:
        facts = [(name.replace("-", "_"), _number(head.metadata.get(name))) for name in _FACTS]
        yield Noted("its metadata", sha256, tuple((name, value) for name, value in facts if value is not None))


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
