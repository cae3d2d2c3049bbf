"""
Storing open segments while they grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tierlog.errors import StoreError
from tierlog.layout import Place
from tierlog.report import report
from tierlog.shipping._upload import Uploader


__all__ = ["Checkpoints"]


class Checkpoints:
    """
    Stores each open segment that has grown since the last time.

    Args:
        uploader: Stores one.

        open_places: Returns the segments of this process that are open, and their
            bytes.
    """

    def __init__(self, uploader: Uploader, open_places: Callable[[], Iterable[tuple[Place, int]]]) -> None:
        self._uploader = uploader
        self._open_places = open_places
        self._stored: dict[Place, tuple[int, str]] = {}

    def run(self) -> None:
        """
        Store what has grown.
        """
        places = dict(self._open_places())
        self._stored = {place: known for place, known in self._stored.items() if place in places}
        for place, size in places.items():
            before, etag = self._stored.get(place, (0, None))
            if size == before:
                continue
            try:
                now = self._uploader.checkpoint(place, etag)
            except StoreError as e:
                report("checkpoint", f"{e.problem}; the open segments are on the disk, and are stored later")
                return
            if now is not None:
                self._stored[place] = (size, now)
