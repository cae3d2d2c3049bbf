"""
One segment of this process, from its first line to its last.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tierlog.envelope import Route
from tierlog.layout import Place, local_path
from tierlog.segments._appender import Slot
from tierlog.segments._files import SegmentFile, open_file
from tierlog.segments._journal import Journal


__all__ = ["Segment"]


class Segment(Slot):
    """
    A segment that lines are written to; parked when its file is closed meanwhile.

    Not safe to share between threads, but for :meth:`sync`.

    Attributes:
        key: The route's key.

        route: What its lines are about.

        place: What names it.

        due: Monotonic time at which it ends.

        used: Monotonic time of its last line.

        size: Bytes of lines, buffered ones included, as far as this process knows.

        limit: The size that no further line may exceed.

        writes: How often this process wrote to its file.

        buffer: Lines not yet in its file.

        put: As :class:`tierlog.segments._files.SegmentFile` says.

        put_held: Likewise.
    """

    __slots__ = (
        *("_file", "_journal", "_root", "_promised", "_sync_lock", "_synced"),
        *("buffer", "place", "route", "writes"),
    )

    def __init__(self, root: Path, journal: Journal, route: Route, place: Place, due: float, limit: float) -> None:
        self._root = root
        self._journal = journal
        self._file: SegmentFile | None = None
        self._sync_lock = threading.RLock()
        self._promised = 0
        self._synced = 0
        self.put = _closed
        self.put_held = None
        self.key = route.key
        self.route = route
        self.place = place
        self.due = due
        self.limit = limit
        self.used = 0.0
        self.size = 0
        self.writes = 0
        self.buffer: list[bytes] = []

    @property
    def is_shared(self) -> bool:
        """
        Whether other processes may write it, too: a build's or deploy's file.
        """
        return self.place.instance is None

    @property
    def is_torn(self) -> bool:
        """
        Whether a part of a line is left in the file: recovery will take it out.
        """
        return self._file is not None and self._file.is_torn

    def open(self, *, is_mapped: bool, is_new: bool) -> bool:
        """
        Open and lock the file.

        Args:
            is_mapped: Whether to write it through a mapping.

            is_new: Whether to make it.

        Returns:
            Whether it is open now; if not, somebody else has it, or has
            finished it.

        Raises:
            OSError: It can't be opened.
        """
        path = self._root / local_path(self.place)
        self._journal.note(self.place)
        try:
            self._file = open_file(path, is_shared=self.is_shared, is_mapped=is_mapped, is_new=is_new)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_file(path, is_shared=self.is_shared, is_mapped=is_mapped, is_new=is_new)
        if self._file is None:
            return False
        self._journal.note(self.place)  # a neighbour may have finished it in between
        self.put, self.put_held = self._file.put, self._file.put_held
        self.size = self._file.size()
        return True

    def write(self, line: bytes) -> None:
        """
        Append *line*, which may be several, to the file.

        Raises:
            OSError: It wasn't appended; no part of it is left.
        """
        written = self.put(line)
        if written != len(line):
            self.complete(line, written)
        self.writes += 1

    def complete(self, line: bytes, written: int) -> None:
        """
        Append the rest of *line*, of which *written* bytes were taken.

        Raises:
            OSError: It doesn't fit.
        """
        if self._file is not None:
            self._file.complete(line, written)

    def ends_with(self, line: bytes) -> bool:
        """
        Tell whether *line* is the last one of this process.
        """
        if self.buffer:
            return self.buffer[-1] is line
        return self._file is not None and self._file.ends_with(line)

    def promise_sync(self) -> Callable[[], None]:
        """
        Return what waits until all that was written so far is on the disk, even
        if the file is closed in between.
        """
        self._promised = self.writes
        return partial(self.sync, self.writes)

    def sync(self, ticket: int) -> None:
        """
        Wait until the first *ticket* writes are on the disk. One call for the disk
        serves all who wait.

        Raises:
            OSError: They may not be.
        """
        with self._sync_lock:
            if self._synced < ticket and self._file is not None:
                writes = self.writes
                self._file.sync()
                self._synced = writes

    def park(self) -> None:
        """
        Close the file, to be opened again for the next line.
        """
        with self._sync_lock:
            file, self._file, self.put, self.put_held = self._file, None, _closed, None
            if file is None:
                return
            try:
                if self._synced < self._promised:
                    file.sync()
                    self._synced = self._promised
            finally:
                file.close()

    def finish(self) -> None:
        """
        Close the file for good, and take it away if it holds nothing.

        Raises:
            OSError: It couldn't be closed as it should; recovery will mend it.
        """
        if self._file is None and self.is_shared and (self._root / local_path(self.place)).exists():
            self.open(is_mapped=False, is_new=False)  # only who has it open can tell that nobody else has
        file = self._file
        is_torn = self.is_torn
        is_last = file is None or not self.is_shared or file.is_alone()
        if file is not None and is_last and file.size() == 0:
            (self._root / local_path(self.place)).unlink(missing_ok=True)
        try:
            # While the lock is held: a neighbour that begins the file again notes it after this.
            if file is not None and is_last:
                file.cut()
            if is_last and not is_torn and not (file is None and self.is_shared):
                self._journal.forget(self.place)
        finally:
            self.park()

    def abandon(self) -> None:
        """
        Let go of the file in a forked child.
        """
        if self._file is not None:
            self._file.abandon()
            self._file = None


def _closed(line: bytes) -> int:
    raise OSError(errno.EBADF, "the segment is closed", f"{len(line)} bytes")
