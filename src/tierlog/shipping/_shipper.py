"""
The threads that ship, and what waits for them.

A log call never waits for them: it leaves a file on the disk, and the sink says
when that file is finished. They log nothing that comes back here.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tierlog import _fork
from tierlog.context import muted
from tierlog.errors import StoreError
from tierlog.layout import Place, local_path
from tierlog.report import report
from tierlog.segments import finished
from tierlog.shipping._queue import Backoff, Queue
from tierlog.shipping._status import Trouble, note_trouble
from tierlog.shipping._upload import Uploaded, Uploader
from tierlog.typing import Clock


__all__ = ["Attempt", "Shipper"]

_MOST_SCANNED = 10_000  # segments in the memory at once; the rest is found when these are shipped
_MOST_ATTEMPTS = 256
_LOOK = 1.0  # seconds; how long a segment may lie in the inbox
_REMIND = 300.0  # seconds between two reports of the same trouble
_LEDGER_AGE = 30 * 86_400.0  # seconds; no process is silent for so long and then goes on
_NS = 1e9


class Attempt(NamedTuple):
    """
    One upload, for who wants to look at single ones.

    Attributes:
        path: The segment, below the root.

        key: Where it is stored; None if that failed.

        stored_bytes: Bytes of the object; 0 if it failed.

        seconds: How long it took, reading included.

        problem: Why it failed, None if it didn't.
    """

    path: str
    key: str | None
    stored_bytes: int
    seconds: float
    problem: str | None


class Shipper:
    """
    Ships what is finished below a root, for as long as it takes.

    Safe to share between threads; a forked child has its own threads and nothing
    to do until something is added.

    Args:
        uploader: Ships one segment.

        after: Called, on a thread of its own business, with each segment shipped.

        ended: Called when, after :meth:`close`, the last of the threads ends.

        connections: How many segments are shipped at once.

        backoff: How long to wait after failures.

        rescan: After how many **seconds** to look for finished segments that
            nobody ships.

        clock: Returns nanoseconds since the epoch.

        monotonic: Returns seconds.

    Attributes:
        attempts: The last uploads, oldest first.
    """

    fork_order = 4  # after everything that may add a segment

    def __init__(
        self,
        uploader: Uploader,
        *,
        after: Callable[[Uploaded], None],
        ended: Callable[[], None],
        connections: int,
        backoff: Backoff,
        rescan: float,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._uploader = uploader
        self._after = after
        self._ended = ended
        self._connections = connections
        self._backoff = backoff
        self._rescan = rescan
        self._clock = clock
        self._monotonic = monotonic
        self._is_closing = self._gives_up = False
        self._begin_anew()
        _fork.watch(self)

    def add(self, place: Place) -> None:
        """
        Ship the segment at *place*, which was finished just now. It waits for nothing.
        """
        self._inbox.append((place, self._clock()))
        if self._lock.acquire(blocking=False):  # whoever has it looks into the inbox before long
            try:
                self._changed.notify()
            finally:
                self._lock.release()

    def start(self) -> None:
        """
        Start the threads, and look for segments that were finished before.
        """
        if self._threads:
            return
        with self._changed:
            if self._threads:
                return
            self._scan_due = self._monotonic()
            for number in range(self._connections):
                thread = threading.Thread(target=self._work, args=(number,), name=f"tierlog-ship-{number}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is ending: drain() does it
                    return
                self._threads.append(thread)
                self._working += 1

    def close(self, *, gives_up: bool = False) -> None:
        """
        Let the threads end when there's nothing left to ship; if it *gives_up*, after
        what they are shipping. It waits for nothing.
        """
        with self._changed:
            self._is_closing = True
            self._gives_up = gives_up
            self._changed.notify_all()

    def drain(self, timeout: float, *, progress: Callable[[int, int], None] | None = None) -> bool:
        """
        Wait until everything that waits is shipped.

        Args:
            timeout: At most so many **seconds**.

            progress: Called with the segments and bytes that still wait.

        Returns:
            Whether everything is.
        """
        end = self._monotonic() + timeout
        while True:
            with self._changed:
                self._take_in()
                now = self._monotonic()
                alive = any(thread.is_alive() for thread in self._threads)
                is_looking = self._is_scanning or (alive and now >= self._scan_due)  # nobody knows yet what there is
                left = len(self._queue) + is_looking
                if now >= end or not left:
                    return not left
                if progress is not None:
                    progress(len(self._queue), self._queue.backlog_bytes)
                place = None if alive else self._queue.take(now)
                if place is None:
                    due = self._queue.due(now)
                    self._changed.wait(min(end - now, 0.1 if alive or due is None else max(due, 0.01)))
                    continue
            with muted():
                self._ship(place)

    def scan(self) -> None:
        """
        Look for finished segments that nobody ships, and tidy the ledgers.
        """
        self._uploader.ledger.tidy(self._clock() / _NS - _LEDGER_AGE)
        with self._changed:
            known = self._queue.places()  # not what is finished while we look, and isn't seen
        found = []
        for one in finished(self._uploader.root):
            found.append(one)
            if len(found) >= _MOST_SCANNED:
                break
        with self._changed:
            if len(found) < _MOST_SCANNED:
                for place in set(known).difference(one.place for one in found):
                    self._queue.drop(place)
            for one in sorted(found, key=lambda one: one.modified):
                self._queue.add(one.place, one.size, one.modified)
            self._changed.notify_all()

    def drop_oldest(self, most_bytes: int) -> list[Place]:
        """
        Delete the oldest segments that wait until at most *most_bytes* do, and
        return them.
        """
        gone = []
        with self._changed:
            self._take_in()
            for place in self._queue.places():
                if self._queue.backlog_bytes <= most_bytes:
                    break
                try:
                    (self._uploader.root / local_path(place)).unlink(missing_ok=True)
                except OSError:
                    continue
                self._queue.drop(place)
                gone.append(place)
        return gone

    @property
    def backlog_bytes(self) -> int:
        """
        Bytes of finished segments that aren't shipped, as far as this process knows.
        """
        with self._changed:
            self._take_in()
            return self._queue.backlog_bytes

    def stats(self) -> Mapping[str, Any]:
        """
        Return ``shipped``, ``pending`` and ``failed``, ``shipped_bytes``,
        ``backlog_bytes``, ``upload_seconds``, ``oldest_unshipped_age`` (seconds),
        and the ``last_error``.
        """
        with self._changed:
            self._take_in()
            oldest = self._queue.oldest
            return {
                "shipped": self._shipped,
                "pending": len(self._queue),
                "failed": self._failed,
                "shipped_bytes": self._bytes,
                "upload_seconds": round(self._seconds, 3),
                "backlog_bytes": self._queue.backlog_bytes,
                "oldest_unshipped_age": max(0.0, round(self._clock() / _NS - oldest, 3)) if oldest is not None else 0.0,
                "last_error": self._last_error,
            }

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Begin anew: the parent ships what is the parent's.
        """
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue = Queue(self._backoff)
        self._inbox: deque[tuple[Place, int]] = deque()
        self._threads: list[threading.Thread] = []
        self._working = self._settling = 0
        self._scan_due = float("inf")
        self._is_scanning = False
        self.attempts: deque[Attempt] = deque(maxlen=_MOST_ATTEMPTS)
        self._shipped = self._failed = self._bytes = 0
        self._seconds = 0.0
        self._last_error: str | None = None
        self._last_report: tuple[str, float] | None = None

    def _take_in(self) -> None:
        while self._inbox:
            place, ns = self._inbox.popleft()
            try:
                size = os.stat(self._uploader.root / local_path(place)).st_size
            except OSError:
                continue
            self._queue.add(place, size, ns / _NS)

    def _work(self, number: int) -> None:
        with muted():
            while True:
                place = self._next(is_first=number == 0)
                if place is None:
                    break
                self._ship(place)
        with self._changed:
            self._working -= 1
            is_last = not self._working
        if is_last:
            self._ended()

    def _next(self, *, is_first: bool) -> Place | None:
        """
        Return the next segment, as soon as there's one; None to end.
        """
        while True:
            with self._changed:
                if self._gives_up:
                    return None
                now = self._monotonic()
                must_scan = is_first and now >= self._scan_due
                if not must_scan:
                    self._take_in()
                    place = self._queue.take(now)
                    if place is not None:
                        return place
                    if self._is_closing and (not len(self._queue) or not is_first):
                        return None
                    due = self._queue.due(now)
                    limits = [self._scan_due - now if is_first else self._rescan, self._rescan if due is None else due]
                    self._changed.wait(max(0.0, min(*limits, _LOOK)) + 0.001)
                    continue
                self._scan_due, self._is_scanning = now + self._rescan, True
            try:
                self.scan()
            except OSError as e:
                report("scan", f"{self._uploader.root} couldn't be searched for finished segments ({e}); it is tried again")
            finally:
                with self._changed:
                    self._is_scanning = False
                    self._changed.notify_all()

    def _ship(self, place: Place) -> None:
        began = self._monotonic()
        try:
            settled = self._uploader.settled(place)
            if settled is not None and settled != place:
                with self._changed:
                    self._queue.rename(place, settled)
                place = settled
            uploaded = None if settled is None else self._uploader.upload(settled)
        except StoreError as e:
            self._failing(place, began, e.problem, e.code, is_store=e.code != "Conflict")
        except Exception as e:  # noqa: BLE001 -- the thread must go on, whatever it is
            self._failing(place, began, f"{local_path(place)}: {e}", type(e).__name__, is_store=False)
        else:
            self._succeeding(place, began, uploaded)

    def _succeeding(self, place: Place, began: float, uploaded: Uploaded | None) -> None:
        seconds = self._monotonic() - began
        if uploaded is not None:
            self._after(uploaded)
        with self._changed:
            self._settling += 1  # each of two that come here at once would leave the last word to the other
            waiting = len(self._queue) - self._settling
            was_failing = self._queue.is_failing
            is_over = waiting <= 0 or (uploaded is not None and (was_failing or not self._shipped))
            is_news = uploaded is not None and was_failing and self._last_report is not None
            if is_news:
                self._last_report = None
        # Before anybody is told that it is shipped, and ends the process.
        if is_over:  # the trouble may be another process's
            note_trouble(self._uploader.root, None)
        if is_news:
            report("shipping again", f"shipping to {self._uploader.store.name} works again; {_many(waiting)}")
        with self._changed:
            self._settling -= 1
            self._queue.done(place)
            if uploaded is not None:
                self._queue.succeeded()
                self._shipped += 1
                self._bytes += uploaded.shipped.stored_bytes
                self._seconds += seconds
                shipped = uploaded.shipped
                self.attempts.append(Attempt(shipped.sealed.path, shipped.key, shipped.stored_bytes, seconds, None))
            self._changed.notify_all()

    def _failing(self, place: Place, began: float, problem: str, code: str, *, is_store: bool) -> None:
        now = self._monotonic()
        with self._changed:
            self._failed += 1
            self._last_error = problem
            self.attempts.append(Attempt(local_path(place), None, 0, now - began, problem))
            self._queue.failed(place, now, is_store=is_store)
            said = self._last_report
            is_news = said is None or said[0] != code or now - said[1] > _REMIND
            if is_news:
                self._last_report = (code, now)
            waiting = len(self._queue)
            self._changed.notify_all()
        if is_news:
            note_trouble(self._uploader.root, Trouble(self._clock() // 1_000_000, problem))
            report(f"ship {code}", f"{problem}; {_many(waiting)} on the disk, and {'is' if waiting == 1 else 'are'} tried again")


def _many(waiting: int) -> str:
    return "1 segment waits" if waiting == 1 else f"{waiting} segments wait"
