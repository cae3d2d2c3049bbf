"""
The segments below a root, noticed as they come.

Each is noted in the journal before it is made, so that nothing else has to be looked at
as long as the journal's folder stays as it is. What came and was finished meanwhile is
found in the folders that have changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tierlog.layout import Place, local_path, parse_local
from tierlog.query._listing import Wanted
from tierlog.query._problem import Problem, note
from tierlog.typing import Clock


__all__ = ["Folder", "Found"]

_SECOND_NS = 1_000_000_000
_FRESH_NS = 3 * _SECOND_NS  # a folder may change twice in what its time takes for one moment
_LATER_NS = 10 * _SECOND_NS
_SHARE = 20  # of the time, one part goes for looking
_SOON_NS = _SECOND_NS
_DEPTH = 2


class Found(NamedTuple):
    """
    A file that wasn't there before.

    Attributes:
        path: Its path below the root.

        place: What names it.

        inode: Its number.

        size: Bytes.

        modified_ns: When it was last written to.
    """

    path: str
    place: Place
    inode: int
    size: int
    modified_ns: int


class _Entries:
    """
    What was in a folder, and when that had changed.
    """

    __slots__ = ("before", "changed", "files", "folders")

    def __init__(self) -> None:
        self.changed = -1
        self.files: dict[str, int] = {}
        self.before: dict[str, int] = {}
        self.folders: frozenset[str] = frozenset()


class Folder:
    """
    Watches a root.

    Args:
        root: The folder.

        asked: What places must be like.

        problems: Where it is noted which folders can't be read.

        monotonic: Returns nanoseconds.

    Attributes:
        open: The segments that may still grow, by their paths.

        looked_ns: When all that there was had been found.

        is_due: Whether something came or went, and wasn't looked for yet.

        changes: How often something came or went.
    """

    def __init__(self, root: Path, asked: Wanted, problems: list[Problem], monotonic: Clock) -> None:
        from tierlog.segments import FOLDERS, Journal  # noqa: PLC0415 -- 30 ms, and only to follow

        self.root = root
        self.open: dict[str, Place] = {}
        self.looked_ns = 0
        self.changes = 0
        self.is_due = True
        self._asked = asked
        self._problems = problems
        self._folders = FOLDERS
        self._journal = Journal(root)
        self._noted = str(root / ".tierlog" / "open")
        self._noted_at = -2
        self._monotonic = monotonic
        self._soon_ns = self._later_ns = 0
        self._known: dict[str, _Entries] = {}

    def is_open(self, found: Found) -> bool:
        """
        Tell whether a file may still grow; it may have come after the journal was read.
        """
        return found.path in self.open or self._journal.has(found.place)

    def knew(self, path: str) -> bool:
        """
        Tell whether a file was there already when its folder was listed before.
        """
        folder, _, name = path.rpartition("/")
        entries = self._known.get(folder)
        return entries is not None and name in entries.before

    def look(self, now_ns: int) -> Iterator[Found]:
        """
        Yield what came since the last time.

        Args:
            now_ns: **Nanoseconds** since the epoch, as the file system has them.
        """
        changed = _changed(self._noted)
        if changed != self._noted_at:
            is_fresh = now_ns - changed < _FRESH_NS
            self.open = {local_path(place): place for place in self._journal.places() if self._asked.has(place)}
            self._noted_at = -2 if is_fresh else changed
            self.is_due = True
            self.changes += 1
        began_ns = self._monotonic()
        if began_ns < (self._soon_ns if self.is_due else self._later_ns):
            return
        self.is_due = False
        is_first = not self.looked_ns
        yield from self._walk(now_ns)
        self.looked_ns = now_ns
        ended_ns = self._monotonic()
        self._soon_ns = ended_ns
        if not is_first:  # that took long, as nothing was known
            self._soon_ns += min((ended_ns - began_ns) * _SHARE, _SOON_NS)
        self._later_ns = self._soon_ns + _LATER_NS

    def _walk(self, now_ns: int) -> Iterator[Found]:
        for name in self._folders:
            yield from self._within(name, now_ns, 0)

    def _within(self, folder: str, now_ns: int, depth: int) -> Iterator[Found]:
        path = f"{self.root}/{folder}"
        entries = self._known.get(folder)
        changed = _changed(path)
        if changed < 0:
            self._known.pop(folder, None)
            return
        if entries is None:
            entries = self._known[folder] = _Entries()
        if changed != entries.changed:
            yield from self._listed(folder, path, entries)
            entries.changed = changed if now_ns - changed >= _FRESH_NS else -1
        if depth < _DEPTH:
            for name in entries.folders:
                yield from self._within(f"{folder}/{name}", now_ns, depth + 1)

    def _listed(self, folder: str, path: str, entries: _Entries) -> Iterator[Found]:
        files: dict[str, int] = {}
        folders: set[str] = set()
        try:
            with os.scandir(path) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        folders.add(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        files[entry.name] = entry.inode()
        except OSError as e:
            if not isinstance(e, (FileNotFoundError, NotADirectoryError)):
                note(self._problems, path, f"can't be read: {e.strerror or e}")
            return
        before = entries.before = entries.files
        entries.files = files
        for name in entries.folders - folders:
            self._known.pop(f"{folder}/{name}", None)
        entries.folders = frozenset(folders)
        for name, inode in files.items():
            if before.get(name) != inode:
                one = f"{folder}/{name}"
                place = parse_local(one)
                if place is not None and self._asked.has(place) and (status := status_of(f"{path}/{name}")) is not None:
                    yield Found(one, place, status.st_ino, status.st_size, status.st_mtime_ns)


def status_of(path: str) -> os.stat_result | None:
    """
    Return the status of the file at *path*; None if there's none.
    """
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _changed(folder: str) -> int:
    try:
        status = os.lstat(folder)
    except OSError:
        return -1
    return status.st_mtime_ns if stat.S_ISDIR(status.st_mode) else -1
