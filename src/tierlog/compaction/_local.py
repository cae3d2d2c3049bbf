"""
One finished file, packed.

Every step may be repeated: killed anywhere and done again, the packed file is there
and the plain one isn't. Until it is verified and on the disk, no reader takes it for
a segment.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tierlog._platform import OPEN_PLAIN, OPEN_READ, is_still_at, lock_exclusive, sync_folders, unlock
from tierlog.compaction._likeness import Likeness, likeness
from tierlog.compaction._outcome import Change, CompactionError
from tierlog.compaction._rows import Rows
from tierlog.layout import PACKINGS, Place, local_path, parse_local
from tierlog.packing import frame_sizes, pack_file
from tierlog.segments import FOLDERS, Journal, claim


__all__ = ["LocalPacker"]

_FRESH = ".tmp"


class LocalPacker:
    """
    Packs finished files of one root.

    Args:
        root: The folder of the segments.

        packing: How to pack them.

        rows: Where it is noted.
    """

    def __init__(self, root: Path, packing: str, rows: Rows) -> None:
        self._root = root
        self._packing = packing
        self._rows = rows
        self._journal = Journal(root)

    def sweep(self) -> None:
        """
        Take away what was half written when a process was killed.

        Raises:
            OSError: It couldn't be taken away.
        """
        for folder in FOLDERS:
            for parent, _, names in os.walk(self._root / folder):
                for name in names:
                    path = Path(parent, name)
                    place = parse_local(path.relative_to(self._root).as_posix().removesuffix(_FRESH))
                    if name.endswith(_FRESH) and place is not None and place.packing is not None:
                        self._sweep(path, place._replace(packing=None))

    def pack(self, place: Place) -> Change | None:
        """
        Pack the finished file at *place*, and take the plain one away.

        Returns:
            None if there's nothing to do: it isn't there any more, is empty, or
            somebody has it at this moment.

        Raises:
            CompactionError: There's another segment of its name, or it has changed.

            OSError: It couldn't be read, or the packed one not be written.
        """
        settled = claim(self._root, place) if place.instance is None else place
        if settled is None:
            return None
        with self._locked(settled) as file:
            if file is None or os.fstat(file.fileno()).st_size == 0:
                return None
            return self._packed(file, place, settled)

    @contextmanager
    def _locked(self, place: Place) -> Iterator[BinaryIO | None]:
        """
        Give the file at *place*, locked for the length of the block; None if it can't be had.
        """
        path = self._root / local_path(place)
        try:
            fd = os.open(path, OPEN_READ)
        except FileNotFoundError:
            yield None
            return
        with open(fd, "rb") as file:
            is_ours = (
                stat.S_ISREG(os.fstat(fd).st_mode)
                and lock_exclusive(fd)
                and is_still_at(fd, path)
                and not self._journal.has(place)
            )
            try:
                yield file if is_ours else None
            finally:
                unlock(fd)

    def _sweep(self, fresh: Path, plain: Place) -> None:
        if not os.path.lexists(self._root / local_path(plain)):
            fresh.unlink(missing_ok=True)
            return
        with self._locked(plain) as file:
            if file is not None:  # else a live neighbour is at it
                fresh.unlink(missing_ok=True)

    def _packed(self, file: BinaryIO, place: Place, settled: Place) -> Change:
        path = self._root / local_path(settled)
        before = os.fstat(file.fileno())
        packing, broken = self._there(file, settled)
        target = self._path(settled, packing or self._packing)
        if packing is None:
            self._write(file, path, target)
        sync_folders(target, self._root)
        for copy in broken:
            if copy != target:
                copy.unlink(missing_ok=True)
        after_bytes = target.stat().st_size
        self._rows.move(
            dict.fromkeys([local_path(place), local_path(settled)]),
            target.relative_to(self._root).as_posix(),
            packing or self._packing,
            stored_bytes=after_bytes,
            etag=None,
            frames=lambda: self._frames(target, packing or self._packing),
        )
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns) or not is_still_at(file.fileno(), path):
            raise CompactionError(f"{local_path(settled)} has changed while it was packed; it is packed again next time")
        path.unlink()
        return Change(before.st_size, after_bytes)

    def _there(self, file: BinaryIO, place: Place) -> tuple[str | None, list[Path]]:
        """
        Return how the file is packed already, None if it isn't, and packed files that
        are damaged: somebody was killed before the plain one was taken away.
        """
        broken: list[Path] = []
        for packing in sorted(PACKINGS, key=lambda packing: packing != self._packing):
            copy = self._path(place, packing)
            try:
                packed = open(os.open(copy, OPEN_READ), "rb")  # noqa: SIM115 -- closed by who compares
            except FileNotFoundError:
                continue
            file.seek(0)
            match likeness(packed, packing, file):
                case Likeness.SAME:
                    return packing, broken
                case Likeness.DAMAGED:
                    broken.append(copy)
                case Likeness.OTHER:
                    raise CompactionError(f"{local_path(place)} and {copy.name} differ; look at both, and take one of them away")
        return None, broken

    def _write(self, file: BinaryIO, path: Path, target: Path) -> None:
        fresh = target.with_name(f"{target.name}{_FRESH}")
        fresh.unlink(missing_ok=True)
        try:
            with open(os.open(fresh, OPEN_PLAIN | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                file.seek(0)
                pack_file(file, out, self._packing)
                out.flush()
                _copy_status(path, fresh)
                os.fsync(out.fileno())
            self._check(file, fresh)
            os.replace(fresh, target)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def _check(self, file: BinaryIO, fresh: Path) -> None:
        file.seek(0)
        if likeness(open(fresh, "rb"), self._packing, file) is not Likeness.SAME:  # noqa: SIM115 -- closed by who compares
            raise CompactionError(f"{fresh.name} isn't what was written; the disk may be at fault")

    def _path(self, place: Place, packing: str) -> Path:
        return self._root / local_path(place._replace(packing=packing))

    @staticmethod
    def _frames(path: Path, packing: str) -> tuple[int, ...]:
        with open(path, "rb") as file:
            return frame_sizes(file, packing)


def _copy_status(path: Path, fresh: Path) -> None:
    """
    Give *fresh* the times, permissions and owner that *path* has.
    """
    status = os.stat(path)
    if hasattr(os, "chown"):
        try:
            os.chown(fresh, status.st_uid, status.st_gid)
        except PermissionError:  # only root may give files away
            pass
    shutil.copystat(path, fresh)
