"""
The finished segments below a root.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tierlog.layout import Place, parse_local
from tierlog.report import report
from tierlog.segments._journal import Journal


__all__ = ["FOLDERS", "Found", "finished", "is_own_root"]

FOLDERS = ("system", "builds", "deploys", "projects", "lifecycle")


class Found(NamedTuple):
    """
    A finished segment on the disk.

    Attributes:
        place: What names it.

        size: Bytes, as stored.

        modified: Seconds since the epoch.
    """

    place: Place
    size: int
    modified: float


def is_own_root(root: Path) -> bool:
    """
    Tell whether *root* is a folder that tierlog has written segments below.
    """
    return (root / ".tierlog").is_dir()


def finished(root: Path) -> Iterator[Found]:
    """
    Yield the finished segments below *root*, oldest day first in each tier.

    What has another name than a segment's, and links, are left out.
    """
    unfinished = set(Journal(root).places())
    for folder in FOLDERS:
        if (root / folder).is_symlink():
            continue
        for path, status in _files(root / folder, folder):
            place = parse_local(path)
            if place is not None and place not in unfinished:
                yield Found(place, status.st_size, status.st_mtime)


def _files(folder: Path, path: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as e:
        report("folder", f"{folder} can't be read ({e.strerror or e}); what is in it stays there, make it readable")
        return
    for entry in found:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _files(folder / entry.name, f"{path}/{entry.name}")
        elif stat.S_ISREG(status.st_mode):
            yield f"{path}/{entry.name}", status
