"""
Retention and compaction, daily, by one process of all that share the catalog.

Each process wakes up at 02:00 UTC, and a minute after it has begun, for the case that
nobody was there at two. Who gets the catalog's lease does it, unless it was done since
the last two o'clock; what is local, or has no catalog, goes by a lock in the root.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tierlog._platform import OPEN_PLAIN, host_name, lock_exclusive, unlock
from tierlog.catalog_config import CatalogOption, opened
from tierlog.compaction import compact
from tierlog.errors import TierlogError
from tierlog.report import report
from tierlog.retention import Cleaned, cleanup, parse_hold, parse_retention
from tierlog.shipping import Task
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["daily_task", "last_due_ms", "seconds_until"]

_NAME = "retention"
_HOUR = 2  # UTC
_FIRST_PAUSE = 60.0  # seconds; processes that live shorter have other things to do
_RETRY = 3600.0
_LEASE = 900.0  # seconds, and it is renewed long before
_RENEWAL_MS = 120_000
_DAY_MS = 86_400_000
_DAY_NS = 86_400_000_000_000
_HOUR_NS = 3_600_000_000_000


def seconds_until(hour: int, now_ns: int) -> float:
    """
    Return in how many **seconds** it is *hour* o'clock UTC next; a day if it is now.

    >>> seconds_until(2, 0), seconds_until(2, 2 * 3_600_000_000_000)
    (7200.0, 86400.0)
    """
    return ((hour * _HOUR_NS - now_ns) % _DAY_NS or _DAY_NS) / 1e9


def last_due_ms(hour: int, now_ns: int) -> int:
    """
    Return when it was *hour* o'clock UTC last, **milliseconds** since the epoch.

    >>> last_due_ms(2, 2 * 3_600_000_000_000)
    7200000
    """
    return (now_ns - (now_ns - hour * _HOUR_NS) % _DAY_NS) // 1_000_000


def daily_task(
    root: Path,
    store: Store,
    catalog: CatalogOption,
    *,
    retention: Any,
    hold: Any,
    clock: Clock,
    compact_after: float | None = None,
    packing: str = "zst",
    say: Callable[[str, str], None] = report,
) -> Task:
    """
    Return what deletes, daily, what is older than the *retention*, and compresses what
    is older than *compact_after*.

    Args:
        root: The folder of the segments.

        store: Where they are shipped to.

        catalog: The catalog, as the sink was told.

        retention: As :func:`tierlog.retention.parse_retention` takes it.

        hold: Projects of which nothing is deleted.

        clock: Returns nanoseconds since the epoch.

        compact_after: **Seconds**; None: nothing is compressed.

        packing: How: ``zst`` or ``gz``.

        say: Called with what kind of message it is, and the message.

    Raises:
        ConfigError: *retention* or *hold* can't work.
    """
    kept, held = parse_retention("sink.retention", retention), parse_hold("sink.hold", hold)
    packs = None if compact_after is None else {"older_than": compact_after, "packing": packing, "clock": clock}
    daily = _Daily(root, store, catalog, {"retention": kept, "hold": held, "clock": clock}, packs, clock, say)
    return Task(_NAME, daily.pause, daily.run)


class _Daily:
    def __init__(
        self,
        root: Path,
        store: Store,
        catalog: CatalogOption,
        options: dict[str, Any],
        packs: dict[str, Any] | None,
        clock: Clock,
        say: Callable[[str, str], None],
    ) -> None:
        self._root = root
        self._store = store
        self._catalog = catalog
        self._options = options
        self._packs = packs
        self._clock = clock
        self._say = say
        self._is_first = True
        self._has_failed = False
        self._is_told = False

    def pause(self) -> float:
        """
        Return in how many seconds it is due.
        """
        until = seconds_until(_HOUR, self._clock())
        if self._is_first:
            self._is_first = False
            return min(until, _FIRST_PAUSE)
        return min(until, _RETRY) if self._has_failed else until

    def run(self) -> None:
        """
        Do what is to be done by this process, if anything.
        """
        self._has_failed = True  # until it is known that it hasn't
        due = last_due_ms(_HOUR, self._clock())
        has_catalog = self._catalog is not False
        is_done = self._local(due, None if has_catalog else self._store)
        if has_catalog:
            is_done &= self._remote(due)
        self._has_failed = not is_done

    def _local(self, due: int, store: Store | None) -> bool:
        with _alone(self._root) as last:
            if last is None or self._is_done(last.ms, due):
                return True
            cleaned = cleanup(self._root, store, **self._options)
            self._tell(cleaned)
            self._pack(store, None, None)
            if cleaned.is_complete:
                last.note(self._clock() // 1_000_000)
            return cleaned.is_complete

    def _remote(self, due: int) -> bool:
        try:
            catalog = opened(self._catalog, self._root)
            try:
                return self._leased(catalog, due)
            finally:
                catalog.close()
        except TierlogError as e:
            if not self._is_told:
                self._is_told = True
                self._say(_NAME, f"retention: {e}; nothing is deleted until the catalog can be asked, hourly, who does it")
            return False

    def _leased(self, catalog: Any, due: int) -> bool:
        owner = f"{host_name()}-{os.getpid()}-{secrets.token_hex(4)}"
        if self._is_done(catalog.done(_NAME), due):
            return True
        if not catalog.lease(_NAME, owner, _LEASE):
            return False  # look again whether the other one came to the end
        try:
            if self._is_done(catalog.done(_NAME), due):
                return True
            renew = self._renewal(catalog, owner)
            cleaned = cleanup(None, self._store, catalog=catalog, progress=renew, **self._options)
            self._tell(cleaned)
            self._pack(self._store, catalog, renew)
            self._is_told = False
            if cleaned.is_complete:
                catalog.note_done(_NAME, self._clock() // 1_000_000)
            return cleaned.is_complete
        finally:
            catalog.release(_NAME, owner)

    def _pack(self, store: Store | None, catalog: Any, renew: Callable[[int], None] | None) -> None:
        if self._packs is None or store is None:
            return
        progress = None if renew is None else lambda looked, _total: renew(looked)
        packed = compact(None, store, catalog=catalog, progress=progress, **self._packs)
        if packed.failed:
            self._say("compaction problem", f"compaction: {len(packed.failed)} failed, first {packed.failed[0].problem}")

    def _renewal(self, catalog: Any, owner: str) -> Callable[[int], None]:
        renewed = self._clock() // 1_000_000

        def renew(_looked: int) -> None:
            nonlocal renewed
            now = self._clock() // 1_000_000
            if now - renewed >= _RENEWAL_MS:
                renewed = now
                with suppress(TierlogError):  # at worst somebody else deletes the same
                    catalog.lease(_NAME, owner, _LEASE)

        return renew

    def _is_done(self, done: int | None, due: int) -> bool:
        # What was done in the future was done by a machine whose clock is wrong.
        return done is not None and due <= done <= self._clock() // 1_000_000 + _DAY_MS

    def _tell(self, cleaned: Cleaned) -> None:
        deleted = cleaned.amount("deleted")
        if deleted.segments:
            self._say(
                _NAME, f"retention: deleted {deleted.segments:,} segment{'s'[: deleted.segments > 1]}, {deleted.size:,} bytes"
            )
        if cleaned.problems:
            more = f" ({cleaned.problem_count - 1:,} more)" if cleaned.problem_count > 1 else ""
            self._say(f"{_NAME} problem", f"retention: {cleaned.problems[0]}{more}")
        for note in cleaned.notes:
            self._say(f"{_NAME} note", f"retention: {note}")


class _Last:
    """
    When it was done last, in the locked file *fd*.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def ms(self) -> int:
        text = os.pread(self._fd, 32, 0).strip()
        return int(text) if text.isdigit() else 0

    def note(self, ms: int) -> None:
        os.pwrite(self._fd, f"{ms:016}\n".encode(), 0)


@contextmanager
def _alone(root: Path) -> Iterator[_Last | None]:
    """
    Lock the root for the length of the block, which gets None if somebody else has it.
    """
    fd = os.open(root / ".tierlog" / "retention.lock", OPEN_PLAIN | os.O_CREAT, 0o666)
    try:
        if lock_exclusive(fd):
            try:
                yield _Last(fd)
            finally:
                unlock(fd)
        else:
            yield None
    finally:
        os.close(fd)
