"""
Which segments of a root are not done yet.

An empty file per segment, named after it, lies in ``.tierlog/open`` from before
the segment is made until it is finished. So recovery looks at the segments of
processes that were killed and not at all the others, however many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tierlog.layout import Place, local_path, parse_local


__all__ = ["Journal"]

_FLAGS = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


class Journal:
    """
    The unfinished segments below *root*.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / ".tierlog" / "open"

    def note(self, place: Place) -> None:
        """
        Say that the segment at *place* is about to be written. May be repeated.

        Raises:
            OSError: It couldn't be noted; the segment must not be made.
        """
        path = self._path(place)
        try:
            os.close(os.open(path, _FLAGS, 0o666))
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, _FLAGS, 0o666))

    def forget(self, place: Place) -> None:
        """
        Say that the segment at *place* is finished. May be repeated.
        """
        self._path(place).unlink(missing_ok=True)

    def has(self, place: Place) -> bool:
        """
        Tell whether the segment at *place* isn't finished.
        """
        return self._path(place).exists()

    def places(self) -> Iterator[Place]:
        """
        Yield the segments that are not finished, in any order.
        """
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return
        for name in names:
            place = parse_local(name.replace("~", "/"))
            if place is not None:
                yield place

    def _path(self, place: Place) -> Path:
        return self._folder / local_path(place).replace("/", "~")
