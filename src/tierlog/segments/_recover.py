"""
Mending the segments that killed processes left behind.

Only what can be locked, and whose instance has no live process that has closed it for
the moment, is touched, so a live neighbour never is. Every step may be repeated: killed
anywhere and run again, the result is the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple
from zlib import crc32

from tierlog._platform import OPEN_PLAIN, is_still_at, lock_exclusive, unlock
from tierlog.layout import Place, local_path
from tierlog.ndjson import decode
from tierlog.segments._journal import Journal
from tierlog.segments._live import forget_dead, is_live
from tierlog.typing import Recovered


__all__ = ["recover_segments"]

_BEGIN = b'{"ts":'
_BLOCK = 65_536


class _Fragment(NamedTuple):
    offset: int
    data: bytes


def recover_segments(root: Path) -> Recovered:
    """
    Finish what processes that have ended left unfinished below *root*.

    Torn lines, whole lines that aren't envelopes and the filler of mapped
    segments are taken out; the first two are kept in ``quarantine/``.
    """
    journal = Journal(root)
    segments = torn = empty = live = failed = 0
    for place in journal.places():
        try:
            outcome = _recover_one(root, place, journal)
        except OSError:
            failed += 1
            continue
        if outcome is None:
            live += 1
            continue
        segments += 1
        torn += outcome.torn
        empty += outcome.empty
    forget_dead(root)
    return Recovered(segments, torn, empty, live, failed)


def _recover_one(root: Path, place: Place, journal: Journal) -> Recovered | None:
    path = root / local_path(place)
    try:
        fd = os.open(path, OPEN_PLAIN)
    except FileNotFoundError:
        journal.forget(place)
        return Recovered()
    with open(fd, "rb+", closefd=True) as file:
        if not lock_exclusive(fd):
            return None
        try:
            if not is_still_at(fd, path) or is_live(root, place):
                return None
            fragments, end = _inspect(file)
            for fragment in fragments:
                _quarantine(root, place, fragment)
            _mend(fd, fragments, end)
            if end == 0:
                path.unlink(missing_ok=True)
            journal.forget(place)
        finally:
            unlock(fd)
    return Recovered(torn=len([one for one in fragments if one.data.strip()]), empty=int(end == 0))


def _inspect(file: IO[bytes]) -> tuple[list[_Fragment], int]:
    """
    Return what isn't an envelope, and where the last envelope ends.
    """
    fragments, offset, end = [], 0, 0
    limit = _without_filler(file)
    file.seek(0)
    for line in file:
        if offset >= limit:
            break
        good = _good_part(line)
        if good:
            if len(good) < len(line):
                fragments.append(_Fragment(offset, line[: -len(good)]))
            end = offset + len(line)
        else:
            fragments.append(_Fragment(offset, line))
        offset += len(line)
    return fragments, end


def _without_filler(file: IO[bytes]) -> int:
    """
    Return where the newlines begin with which a mapped segment is filled, behind
    that of its last line.
    """
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        kept = file.read(end - start).rstrip(b"\n")
        if kept:
            return start + len(kept) + 1
        end = start
    return 0


def _good_part(line: bytes) -> bytes:
    """
    Return the envelope at the end of *line*, empty if there's none.

    A process that was killed in the middle of a line of a shared file leaves a
    part of it in front of the next process's line.
    """
    if not line.endswith(b"\n") or len(line) == 1:
        return b""
    for start in _starts(line):
        try:
            decode(line[start:])
        except ValueError:
            continue
        return line[start:] if line[:start].strip() else line
    return b""


def _starts(line: bytes) -> Iterator[int]:
    start = line.find(_BEGIN)
    while start >= 0:
        yield start
        start = line.find(_BEGIN, start + 1)


def _quarantine(root: Path, place: Place, fragment: _Fragment) -> None:
    """
    Keep a torn line. Its place and contents name it, so nothing is kept twice.
    """
    if not fragment.data.strip():
        return
    folder = root / "quarantine"
    folder.mkdir(exist_ok=True)
    name = local_path(place).replace("/", "~")
    with open(folder / f"{name}.{fragment.offset}.{crc32(fragment.data):08x}.torn", "wb") as file:
        file.write(fragment.data)
        file.flush()
        os.fsync(file.fileno())


def _mend(fd: int, fragments: list[_Fragment], end: int) -> None:
    """
    Cut what stands behind the last envelope; blank what stands before it.

    Blanks before a line are part of valid JSON, so nothing has to move.
    """
    for fragment in fragments:
        if fragment.offset < end:
            os.pwrite(fd, b" " * len(fragment.data), fragment.offset)
    os.ftruncate(fd, end)
