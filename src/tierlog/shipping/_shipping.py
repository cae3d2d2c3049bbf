"""
The parts of shipping, joined.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tierlog.layout import Place
from tierlog.shipping._cataloguer import Cataloguer
from tierlog.shipping._ledger import Ledger, Shipped
from tierlog.shipping._queue import Backoff
from tierlog.shipping._shipper import Attempt, Shipper
from tierlog.shipping._upload import Uploader
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["Shipping"]

_RESCAN = 60.0  # seconds
_BACKOFF = Backoff(0.5, 60.0, random.random)


class Shipping:
    """
    Everything that brings finished segments of one root to one store.

    Args:
        root: The folder of the segments.

        store: Where they go.

        write: Enters shipped segments in a catalog; None if there's none.

        packing: How to compress them: ``gz``, ``zst``, or None.

        connections: How many are shipped at once.

        has_checkpoints: Whether open segments are stored while they grow.

        backoff: How long to wait after failures.

        clock: Returns nanoseconds since the epoch.

        monotonic: Returns seconds.

    Attributes:
        uploader: Ships one segment.

        ledger: What was sealed and shipped.
    """

    def __init__(
        self,
        root: Path,
        store: Store,
        *,
        write: Callable[[Sequence[Shipped]], None] | None,
        packing: str | None = None,
        connections: int = 4,
        has_checkpoints: bool = False,
        backoff: Backoff = _BACKOFF,
        clock: Clock = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger = Ledger(root)
        self.uploader = Uploader(root, store, self.ledger, packing=packing, has_checkpoints=has_checkpoints)
        self._cataloguer = Cataloguer(self.ledger, write, backoff=backoff)
        self._monotonic = monotonic
        self._shipper = Shipper(
            self.uploader,
            after=self._cataloguer.add,
            ended=self._cataloguer.close,
            connections=connections,
            backoff=backoff,
            rescan=_RESCAN,
            clock=clock,
            monotonic=monotonic,
        )

    @property
    def attempts(self) -> deque[Attempt]:
        """
        The last uploads, oldest first.
        """
        return self._shipper.attempts

    @property
    def backlog_bytes(self) -> int:
        """
        Bytes of finished segments that aren't shipped, as far as is known here.
        """
        return self._shipper.backlog_bytes

    def start(self) -> None:
        """
        Begin, with what was finished before.
        """
        self._shipper.start()
        self._cataloguer.start()

    def add(self, place: Place) -> None:
        """
        Ship the segment at *place*, which was finished just now.
        """
        self._shipper.add(place)

    def drop_oldest(self, most_bytes: int) -> list[Place]:
        """
        Delete the oldest segments that wait until at most *most_bytes* do.
        """
        return self._shipper.drop_oldest(most_bytes)

    def close(self, *, gives_up: bool = False) -> None:
        """
        Let the threads end when nothing is left to do; if it *gives_up*, after what
        they are doing. It waits for nothing.
        """
        self._shipper.close(gives_up=gives_up)

    def drain(self, timeout: float, *, progress: Callable[[int, int], None] | None = None) -> bool:
        """
        Wait, at most *timeout* **seconds**, until everything is shipped, and entered
        in the catalog; tell whether everything is shipped.

        Args:
            timeout: At most so long.

            progress: Called with the segments and bytes that still wait.
        """
        end = self._monotonic() + timeout
        is_done = self._shipper.drain(timeout, progress=progress)
        self._cataloguer.drain(max(0.0, end - self._monotonic()))
        return is_done

    def stats(self) -> Mapping[str, Any]:
        """
        Return the counters; see :func:`tierlog.stats`.
        """
        found = dict(self._shipper.stats())
        error = found.pop("last_error") or self._cataloguer.last_error
        return {**found, "last_error": error} if error else found
