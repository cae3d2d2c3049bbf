"""
What all endpoints share.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from anyio import CapacityLimiter

from tierlog.admin._health import Health
from tierlog.admin._live import Live
from tierlog.admin._rates import Rates
from tierlog.admin._signer import Signer
from tierlog.admin._tokens import Verifier
from tierlog.query import LogStore
from tierlog.typing import Clock


__all__ = ["Service", "StreamLimits"]

_SCANS, _QUERIES = 8, 8
_SELDOM, _MOST = 10.0, 4_096  # seconds, and of how many that is known


class StreamLimits(NamedTuple):
    """
    What live tails may take.

    Attributes:
        listeners: How many there may be.

        idle: After how many **seconds** without an event one ends.

        ping: After how many **seconds** of silence it says that it is there.
    """

    listeners: int
    idle: float
    ping: float


class Service:
    """
    The parts, joined.

    Attributes:
        store: What is searched.

        builds: The database of builds: an engine or a URL; None if there is none.

        verifier: Tells who asks.

        signer: Signs cursors and tickets.

        rates: Tells whether it may be asked now.

        health: Tells whether logs and builds can be read.

        live: Tells what is written.

        limits: How long, and by how many, that may be listened to.

        clock: Returns nanoseconds since the epoch.

        write_timeout: For how many **seconds** a client may not read.
    """

    def __init__(
        self,
        *,
        store: LogStore,
        builds: Any,
        verifier: Verifier,
        signer: Signer,
        rates: Rates,
        health: Health,
        live: Live,
        limits: StreamLimits,
        clock: Clock,
        write_timeout: float,
    ) -> None:
        self.store = store
        self.builds = builds
        self.verifier = verifier
        self.signer = signer
        self.rates = rates
        self.health = health
        self.live = live
        self.limits = limits
        self.clock = clock
        self.write_timeout = write_timeout
        self.listeners = 0
        self.counts: dict[tuple[str, int], int] = {}
        self.openapi: Callable[[str], bytes] = lambda _: b"{}"
        self._refused: dict[str, float] = {}

    @cached_property
    def scans(self) -> CapacityLimiter:
        """
        How many threads may read segments at once.
        """
        return CapacityLimiter(_SCANS)

    @cached_property
    def queries(self) -> CapacityLimiter:
        """
        How many threads may ask the database at once.
        """
        return CapacityLimiter(_QUERIES)

    def gauges(self) -> list[str]:
        """
        Return what else Prometheus is told.
        """
        return [
            "# HELP tierlog_admin_listeners Live tails at present.",
            "# TYPE tierlog_admin_listeners gauge",
            f"tierlog_admin_listeners {self.listeners}",
            "# HELP tierlog_admin_missed_total Events that live tails missed.",
            "# TYPE tierlog_admin_missed_total counter",
            f"tierlog_admin_missed_total {self.live.missed}",
        ]

    def stop(self) -> None:
        """
        End what doesn't end by itself.
        """
        self.live.stop()

    def now(self) -> float:
        """
        Return **seconds** since the epoch.
        """
        return self.clock() / 1e9

    def is_first_refusal(self, who: str) -> bool:
        """
        Tell whether *who* wasn't told a moment ago to come again later.
        """
        now = time.monotonic()
        if now - self._refused.get(who, -_SELDOM) < _SELDOM:
            return False
        if len(self._refused) >= _MOST:
            self._refused = {one: at for one, at in self._refused.items() if now - at < _SELDOM}
        self._refused[who] = now
        return True

    def count(self, name: str, status: int) -> None:
        """
        Count an answer.
        """
        self.counts[name, status] = self.counts.get((name, status), 0) + 1
