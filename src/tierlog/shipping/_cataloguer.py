"""
Telling the catalog what was shipped, without anybody waiting for it.

What it wasn't told yet stands in the ledger, so that it is told after a restart.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from tierlog import _fork
from tierlog.context import muted
from tierlog.report import report
from tierlog.shipping._ledger import Ledger, Shipped
from tierlog.shipping._queue import Backoff
from tierlog.shipping._upload import Uploaded


__all__ = ["Cataloguer"]

_BATCH = 64
_LEAST_PAUSE = 0.01  # seconds
_MOST_WAITING = 1_024  # in the memory; the others are read from the ledger again


class Cataloguer:
    """
    Enters shipped segments in the catalog, on a thread of its own.

    Args:
        ledger: Where it is noted that a segment is done.

        write: Enters them; None if there's no catalog.

        backoff: How long to wait after failures.
    """

    fork_order = 5
    _thread: threading.Thread | None

    def __init__(self, ledger: Ledger, write: Callable[[Sequence[Shipped]], None] | None, *, backoff: Backoff) -> None:
        self._ledger = ledger
        self._write = write
        self._backoff = backoff
        self._begin_anew()
        _fork.watch(self)

    def start(self) -> None:
        """
        Start the thread, with what the ledger says wasn't told yet.
        """
        with self._changed:
            if self._thread is not None or self._write is None:
                return
            self._has_more = True
            thread = threading.Thread(target=self._work, name="tierlog-catalog", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending: the next start does it
                return
            self._thread = thread

    def add(self, uploaded: Uploaded) -> None:
        """
        Enter a segment that was shipped just now.
        """
        if self._write is None:
            self._finish([uploaded.shipped])
            return
        with self._changed:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(uploaded.shipped)
            else:
                self._has_more = True
            self._changed.notify_all()

    def close(self) -> None:
        """
        Let the thread end when nothing is left. It waits for nothing.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """
        Wait, at most *timeout* **seconds**, until all is entered, or isn't by its only
        attempt where no thread runs any more; tell whether it is.
        """
        if self._write is None:
            return True
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None or not (self._waiting or self._has_more), timeout)
            is_left = self._thread is None and bool(self._waiting)
        if is_left:
            with muted():
                self._try_some()
        return not self._waiting

    @property
    def last_error(self) -> str | None:
        """
        Why the last attempt failed, None if it didn't.
        """
        return self._last_error

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Begin anew: the parent tells what it shipped.
        """
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._thread = None
        self._waiting: deque[Shipped] = deque()
        self._has_more = False
        self._is_closing = False
        self._last_error: str | None = None

    def _work(self) -> None:
        failures = 0
        with muted():
            while self._has_work(is_failing=failures > 0):
                failures = 0 if self._try_some() else failures + 1
                if failures:
                    with self._changed:
                        self._changed.wait_for(lambda: self._is_closing, self._backoff.pause(failures) + _LEAST_PAUSE)

    def _try_some(self) -> bool:
        try:
            self._do_some()
        except Exception as e:  # noqa: BLE001 -- the catalog is no reason to stop
            self._last_error = str(e)
            report("catalog", f"{e}; segments are shipped without it, and entered later")
            return False
        self._last_error = None
        return True

    def _has_work(self, *, is_failing: bool) -> bool:
        """
        Wait for work, and tell whether there's any; if not, the thread ends.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._has_more or self._is_closing)
            is_over = self._is_closing and (is_failing or not (self._waiting or self._has_more))
            if is_over:
                self._thread = None
                self._changed.notify_all()
            return not is_over

    def _do_some(self) -> None:
        with self._changed:
            batch = list(self._waiting)[:_BATCH]
        if not batch or self._write is None:
            self._reread()
            return
        self._write(batch)
        self._finish(batch)
        with self._changed:
            for _ in batch:
                self._waiting.popleft()
            self._changed.notify_all()

    def _reread(self) -> None:
        found = []
        for one in self._ledger.waiting():
            found.append(one)
            if len(found) > _MOST_WAITING:
                break
        with self._changed:
            self._has_more = len(found) > _MOST_WAITING
            known = {one.sealed.path for one in self._waiting}
            self._waiting.extend(one for one in found[:_MOST_WAITING] if one.sealed.path not in known)
            self._changed.notify_all()

    def _finish(self, batch: Sequence[Shipped]) -> None:
        for one in batch:
            try:
                self._ledger.finish(one.sealed)
            except OSError as e:
                report("ledger", f"{one.sealed.path}: {e}; it is entered once more, which changes nothing")
