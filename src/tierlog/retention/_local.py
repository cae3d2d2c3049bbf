"""
Deletion below a root, which leaves alone what isn't ours and what isn't shipped.

Folders are opened one below the other and never by their paths, so that no link leads
out of the root, not even one that is put there meanwhile.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from tierlog._platform import OPEN_READ, lock_exclusive, unlock
from tierlog.facts import facts_of
from tierlog.layout import SUFFIX, Place, parse_local
from tierlog.packing import open_plain
from tierlog.retention._gone import note_gone
from tierlog.retention._job import Job
from tierlog.retention._limits import Limits, day_end_ms
from tierlog.segments import Journal, finished
from tierlog.shipping import destination


__all__ = ["LocalSide", "newest_local"]

_OPEN_FOLDER = OPEN_READ | getattr(os, "O_DIRECTORY", 0)  # OPEN_READ follows no link
_OPEN_ROOT = _OPEN_FOLDER & ~getattr(os, "O_NOFOLLOW", 0)  # where the root is, is its owner's choice
_OPEN_FILE = OPEN_READ | getattr(os, "O_NONBLOCK", 0)  # what has become a pipe meanwhile must not keep us
_FOLDERS = ("system", "builds", "deploys", "projects", "lifecycle")
_ANY_NAME = f"a-{'0' * 26}{SUFFIX}"


def newest_local(root: Path) -> int | None:
    """
    Return when a segment below *root* was last written or finished, **milliseconds**
    since the epoch; None if there's none.
    """
    times: list[float] = []
    with suppress(OSError):  # where we aren't let, nothing is deleted either
        times.append((root / ".tierlog" / "open").stat().st_mtime)  # it changes with each segment begun
    with suppress(OSError):
        times.extend(one.modified for one in finished(root))
    return int(max(times) * 1000) if times else None


class LocalSide:
    """
    A root that is cleaned up.

    Args:
        root: The folder of the segments.

        limits: What is old.

        job: What both sides share.
    """

    def __init__(self, root: Path, limits: Limits, job: Job) -> None:
        self._root = root
        self._limits = limits
        self._job = job
        self._journal = Journal(root)
        self._open = set(self._journal.places())
        self._ships = destination(root) is not None

    def run(self) -> None:
        """
        Delete what is old.
        """
        try:
            root = os.open(self._root, _OPEN_ROOT)
        except OSError as e:
            self._failed(str(self._root), e)
            return
        try:
            for name in _FOLDERS:
                self._folder(root, name, name)
        finally:
            os.close(root)

    def _folder(self, parent: int, name: str, path: str) -> None:
        try:
            folder = os.open(name, _OPEN_FOLDER, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return  # a link among them
        except OSError as e:
            self._failed(path, e)
            return
        try:
            for entry in sorted(os.listdir(folder)):
                self._entry(folder, entry, f"{path}/{entry}")
        except OSError as e:
            self._failed(path, e)
        finally:
            os.close(folder)
        place = _inside(path)
        if place is not None and self._limits.is_old(place.tier, place.day) and not self._job.is_dry:
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError:  # it isn't empty
                return

    def _entry(self, folder: int, name: str, path: str) -> None:
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode) and _inside(path) is not None:
                self._folder(folder, name, path)
            elif stat.S_ISREG(status.st_mode) and (place := parse_local(path)) is not None:
                self._job.cleaned.add("local", place.tier, self._fate(folder, name, path, place), status.st_size)
                self._job.look()
        except FileNotFoundError:  # shipped or claimed meanwhile
            return
        except OSError as e:
            self._failed(path, e)

    def _fate(self, folder: int, name: str, path: str, place: Place) -> str:
        if place in self._open:
            return "kept"
        if self._ships:
            return "waiting"
        if not self._limits.is_old(place.tier, place.day):
            return "kept"
        fd = os.open(name, _OPEN_FILE, dir_fd=folder)
        try:
            if not lock_exclusive(fd):
                return "kept"
            try:
                return self._fate_of_locked(fd, folder, name, path, place)
            finally:
                unlock(fd)
        finally:
            os.close(fd)

    def _fate_of_locked(self, fd: int, folder: int, name: str, path: str, place: Place) -> str:
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not (stat.S_ISREG(now.st_mode) and os.path.samestat(os.fstat(fd), now)) or self._journal.has(place):
            return "kept"
        if self._is_held(fd, place):
            return "held"
        if not self._job.is_dry:
            # In this order each step may be repeated, whenever the process dies.
            note_gone(self._root, day_end_ms(place.day or "") or 0)
            self._job.catalog.expire([path])
            os.unlink(name, dir_fd=folder)
        return "deleted"

    def _is_held(self, fd: int, place: Place) -> bool:
        if not self._job.hold:
            return False
        if place.tier in {"action", "lifecycle"}:
            return self._job.hold.holds([place.id or ""])
        try:
            with open(fd, "rb", closefd=False) as file, open_plain(file, place.packing) as plain:
                projects = facts_of(plain).ids.get("projectId")
        except Exception:  # noqa: BLE001 -- whatever an unpacker raises: nobody can tell
            projects = None
        return self._job.hold.holds(projects)

    def _failed(self, path: str, error: OSError) -> None:
        self._job.cleaned.fail(f"{path}: {error.strerror or error}")


def _inside(path: str) -> Place | None:
    """
    Return a place that is in the folder at *path*, None if it can't be a day's or an id's.
    """
    return parse_local(f"{path}/{_ANY_NAME}") or parse_local(f"{path}/a/{_ANY_NAME}")
