"""
How a segment is opened for its first line, and closed and opened again in between.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

from ulid import ULID

from tierlog._platform import sync_folders
from tierlog.envelope import Route, line_ms
from tierlog.errors import ConfigError
from tierlog.layout import Place, local_path
from tierlog.segments._journal import Journal
from tierlog.segments._live import LiveLocks
from tierlog.segments._policy import Policy
from tierlog.segments._segment import Segment


__all__ = ["Opener", "check_writable"]

_SHARED_TIERS = frozenset(["build", "deploy"])
_ATTEMPTS = 1_500
_PAUSE = 0.002  # seconds; a neighbour mends the file at this moment


class Opener:
    """
    Opens the segments of one sink.

    Args:
        root: The folder.

        policy: When a segment ends.

        is_mapped: Whether to write through mappings.

        is_synced: Whether names must be on the disk before the first line.

    Attributes:
        is_mapped: As above; may be changed.
    """

    def __init__(self, root: Path, policy: Policy, *, is_mapped: bool, is_synced: bool) -> None:
        self.is_mapped = is_mapped
        self._root = root
        self._policy = policy
        self._is_synced = is_synced
        self._journal = Journal(root)
        self._live = LiveLocks(root)

    def begin(self, route: Route, line: bytes, now: float) -> Segment:
        """
        Return a new segment for *line*; that of a build may be there.

        Raises:
            OSError: It can't be made.
        """
        ms = line_ms(line)
        is_shared = route.tier in _SHARED_TIERS
        if is_shared:
            place = Place(route.tier, route.day, route.id)
        else:
            place = Place(route.tier, route.day, route.id, route.instance, _new_ulid(ms))
        due, limit = self._policy.due(now, ms, is_shared=is_shared), self._policy.limit(is_shared=is_shared)
        segment = Segment(self._root, self._journal, route, place, due, limit)
        for _ in range(_ATTEMPTS):
            if segment.open(is_mapped=self.is_mapped, is_new=True):
                if self._is_synced:
                    sync_folders(self._root / local_path(place), self._root)
                return segment
            time.sleep(_PAUSE)
        raise OSError(errno.EBUSY, "is held by another process", local_path(place))

    def may_park(self, segment: Segment) -> bool:
        """
        Tell whether neighbours will leave *segment* alone while it is closed.
        """
        return segment.is_shared or self._live.hold(segment.route.instance)

    def resume(self, segment: Segment, line: bytes, now: float) -> bool:
        """
        Open a parked segment again.

        Returns:
            Whether it takes *line*; if not, it is to be finished.

        Raises:
            OSError: It can't be opened.
        """
        if now >= segment.due or not segment.open(is_mapped=self.is_mapped, is_new=False):
            return False
        return segment.size + len(line) <= segment.limit

    def release(self) -> None:
        """
        Let neighbours know that no parked segment is left.
        """
        self._live.release()

    def abandon(self) -> None:
        """
        Let go of what is the parent's, in a forked child.
        """
        self._live.abandon()


def check_writable(root: Path) -> None:
    """
    Make the folder *root*, and see whether segments can be made there.

    Raises:
        ConfigError: They can't.
    """
    try:
        (root / ".tierlog").mkdir(parents=True, exist_ok=True)
        probe = root / ".tierlog" / f"probe-{os.getpid()}-{threading.get_ident()}"
        probe.touch()
        probe.unlink()
    except OSError as e:
        raise ConfigError("sink.root", f"{root} can't be written ({e.strerror or e}); make it writable or choose another") from e


def _new_ulid(ms: int) -> str:
    # python-ulid's own generator keeps state that a fork copies, so the random part
    # comes from the system.
    return str(ULID.from_bytes(min(max(ms, 0), (1 << 48) - 1).to_bytes(6, "big") + os.urandom(10)))
