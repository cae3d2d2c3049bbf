"""
From the outbox to the log: each row's event once, whenever this process ends.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from tierlog.handler import TierHandler
from tierlog.lifecycle._event import Transition
from tierlog.lifecycle._log import Log
from tierlog.lifecycle._outbox import Outbox
from tierlog.report import report


__all__ = ["Dispatcher"]

_OLDEST_CLAIM = 0.5  # of a lease: who was stopped for longer may have been given up


class Dispatcher:
    """
    Turns rows into events. For one thread at a time.

    Args:
        outbox: The rows.

        handler: Where to; the handler made last if None.

        lease_ms: After how many **milliseconds** a claim of another host is void; None: never.

        now_ms: Returns **milliseconds** since the epoch.

    Attributes:
        counts: ``written`` events; rows whose event was ``found`` in the log; ``failures``.

        last_error: What failed last.
    """

    def __init__(self, outbox: Outbox, *, handler: TierHandler | None, lease_ms: int | None, now_ms: Callable[[], int]) -> None:
        self._outbox = outbox
        self._handler = handler
        self._lease_ms = lease_ms
        self._now_ms = now_ms
        self._fallback = f"process-{os.urandom(16).hex()}"
        self._written: list[Transition] = []  # which the outbox doesn't know yet
        self.counts: Counter[str] = Counter(written=0, found=0, failures=0)
        self.last_error: str | None = None

    def log(self) -> Log | None:
        """
        Return the log that events go to at present; None if there is none.
        """
        return Log.current(self._handler, self._fallback)

    def run(self, patience: float = 0.0) -> bool:
        """
        Write all events that wait, and return whether that is done; never raise.

        Args:
            patience: For how many **seconds** to wait for other processes of this log.
        """
        log = self.log()
        if log is None:
            return False
        try:
            with log.turn(patience) as root:
                return root is not None and self._turn(log, root)
        except Exception as e:  # noqa: BLE001 -- whatever it is, what waits is tried again
            self._failed(e)
            return False

    @property
    def failures(self) -> int:
        """
        How often something failed.
        """
        return self.counts["failures"]

    def attempt(self, work: Callable[[], None]) -> None:
        """
        Do what isn't urgent; never raise.
        """
        try:
            work()
        except SQLAlchemyError as e:
            self._failed(e)

    def _turn(self, log: Log, root: str) -> bool:
        is_clear = self._settle(log, root)
        while True:
            done = list(self._written)
            claimed = self._outbox.next(done, root, log.instance)
            del self._written[: len(done)]
            if not claimed:
                return is_clear
            if not self._write(log, claimed):
                return False

    def _settle(self, log: Log, root: str) -> bool:
        """
        Find out about rows that somebody claimed who is dead by now.
        """
        is_clear = True
        known = {one.id for one in self._written}
        for left in self._outbox.left(root, self._lease_ms):
            if left.id in known:
                continue
            try:
                is_there = log.has(left)
            except OSError as e:  # a store that doesn't answer is no reason to hold up the others
                self._failed(e)
                is_clear = False
                continue
            if is_there:
                self.counts["found"] += 1
                self._written.append(left)
            else:
                self._outbox.free(left)
        return is_clear

    def _write(self, log: Log, claimed: list[Transition]) -> bool:
        """
        Write the events, and return whether all were kept.
        """
        before = log.losses()
        latest = None if self._lease_ms is None else (claimed[0].claimed_ms or 0) + self._lease_ms * _OLDEST_CLAIM
        for one in claimed:
            now = self._now_ms()
            if latest is not None and now > latest:
                return False
            log.write(one, now)
        log.flush()
        if log.is_kept and log.losses() > before:
            self._failed(OSError("the log didn't keep all of them"))
            return False  # which ones, the log says next time
        self.counts["written"] += len(claimed)
        self._written += claimed
        return True

    def _failed(self, error: BaseException) -> None:
        self.counts["failures"] += 1
        self.last_error = " ".join(str(getattr(error, "orig", None) or error).split())
        report("lifecycle", f"transitions of builds wait in the outbox ({self.last_error}); they are tried again")

    def stats(self) -> dict[str, Any]:
        """
        Return the counters.
        """
        return {**self.counts, "last_error": self.last_error}
