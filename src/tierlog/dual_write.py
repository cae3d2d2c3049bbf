"""
An old handler and tierlog side by side, for those who move from one to the other.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tierlog._fork import ForkSafeLock
from tierlog.errors import ConfigError
from tierlog.plain import text_of
from tierlog.report import report
from tierlog.steps import report_failure


__all__ = ["DualWrite", "Missing", "Parity"]

_WINDOW = 1_000  # different messages that are missing
_KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Missing:
    """
    A message that only one side has kept.

    Attributes:
        side: Where it is missing: ``old`` or ``new``.

        logger: Who logged it.

        level: At what level.

        why: ``level`` or ``filter`` where the side didn't want it, ``failed`` where it
            couldn't.

        digest: Equal for equal messages of this process; nothing can be read from it.

        count: How often.
    """

    side: str
    logger: str
    level: str
    why: str
    digest: str
    count: int


@dataclass(frozen=True, slots=True)
class Parity:
    """
    How both sides compare.

    Attributes:
        records: Records that came.

        old: Records that the old side has kept.

        new: Records that the new side has kept.

        counts: By logger and level, what came and what each side has kept.

        missing: What only one side has kept: the last 1 000 different messages.

        lost: Lines that the new side accepted and couldn't write; see
            :func:`tierlog.stats`.
    """

    records: int
    old: int
    new: int
    counts: Mapping[tuple[str, str], tuple[int, int, int]]
    missing: tuple[Missing, ...]
    lost: int

    @property
    def is_equal(self) -> bool:
        """
        Whether each record is on both sides or on neither.
        """
        return not self.missing and not self.lost

    def __str__(self) -> str:
        lines = [f"{self.records} records: {self.old} old, {self.new} new, {self.lost} lost; {self._verdict()}"]
        for (logger, level), (came, old, new) in sorted(self.counts.items()):
            if old != new:
                lines.append(f"  {logger} {level}: {came} came, {old} old, {new} new")
        lines += [f"  not {one.side} ({one.why}): {one.logger} {one.level} {one.digest} x{one.count}" for one in self.missing]
        return "\n".join(lines)

    def _verdict(self) -> str:
        return "both sides have the same" if self.is_equal else f"{len(self.missing)} messages are on one side only"


class DualWrite(logging.Handler):
    """
    Hands each record to both handlers, so that neither's failure is the other's, and
    counts what each keeps.

    Both keep their own level, filters and formatter, and neither must be on a logger
    besides. The new one comes first: its line is safe before the old one may block.

    Args:
        old: The handler that there was, or its name in *handlers*.

        new: The :class:`tierlog.TierHandler`, or its name in *handlers*.

        handlers: In a dictConfig, ``cfg://handlers``: names are looked up there when
            the first record comes, since no order is promised.

        level: As for every handler.

    Raises:
        ConfigError: A side is neither a handler nor the name of one.
    """

    def __init__(
        self,
        old: logging.Handler | str,
        new: logging.Handler | str,
        *,
        handlers: Mapping[str, Any] | None = None,
        level: int | str = logging.NOTSET,
    ) -> None:
        self._sides: dict[str, logging.Handler] = {}
        self._handlers = handlers
        self._named = {"old": old, "new": new}
        for side, named in self._named.items():
            if not isinstance(named, logging.Handler) and (handlers is None or named not in handlers):
                raise ConfigError(side, f"{named!r} is neither a handler nor, with handlers='cfg://handlers', the name of one")
        self._key = os.urandom(16)
        self._guard = ForkSafeLock()
        self._failures = {"old": _Failures(), "new": _Failures()}
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._missing: OrderedDict[tuple[str, str, str, str, str], int] = OrderedDict()
        self._lost_before = 0
        super().__init__(level)
        if handlers is None:
            self._find()

    def handle(self, record: logging.LogRecord) -> bool:
        """
        Hand *record* to both sides, if the filters let it pass.
        """
        passed = self.filter(record)
        if not passed:
            return False
        self.emit(passed if isinstance(passed, logging.LogRecord) else record)  # 3.12: a filter may replace it
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """
        Hand *record* to both sides.
        """
        if not self._sides:
            self._find()
        digest = self._digest(record)  # before a side changes it, as queues do
        fates = {}
        try:
            fates["new"] = self._give("new", record)
        finally:
            fates["old"] = self._give("old", record)
            self._count(record, fates, digest)

    def report(self) -> Parity:
        """
        Return how both sides compare until now.
        """
        with self._guard:
            counts = {key: (came, old, new) for key, (came, old, new) in self._counts.items()}
            missing = tuple(Missing(*key, count=count) for key, count in self._missing.items())
        totals = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0]
        lost = max(0, self._lost() - self._lost_before)
        return Parity(totals[0], totals[1], totals[2], counts, missing, lost)

    def flush(self) -> None:
        """
        Flush both sides.
        """
        for side, handler in self._sides.items():
            try:
                handler.flush()
            except Exception as e:  # noqa: BLE001 -- one side's failure isn't the other's
                report_failure(f"the flush of the {side} handler", e)

    def _find(self) -> None:
        found = {}
        for side, named in self._named.items():
            handler = named if isinstance(named, logging.Handler) else (self._handlers or {})[named]
            if not isinstance(handler, logging.Handler):
                report("dual write", f"{named!r} isn't a handler yet")
                return
            found[side] = handler
        for side, handler in found.items():
            self._failures[side].watch(handler)
        self._sides = found
        self._lost_before = self._lost()

    def _give(self, side: str, record: logging.LogRecord) -> str:
        handler = self._sides.get(side)
        if handler is None:
            return "failed"
        if record.levelno < handler.level:
            return "level"
        failures = self._failures[side]
        before = failures.count
        try:
            passed = handler.handle(record)
        except Exception as e:  # noqa: BLE001 -- one side's failure isn't the other's, nor the application's
            report_failure(f"the {side} handler", e)
            return "failed"
        if failures.count != before:
            return "failed"
        return _KEPT if passed or passed is None else "filter"

    def _count(self, record: logging.LogRecord, fates: Mapping[str, str], digest: str) -> None:
        old, new = (fates.get(side, "failed") for side in ("old", "new"))
        key = (record.name, record.levelname)
        with self._guard:
            counts = self._counts.setdefault(key, [0, 0, 0])
            for index, is_one in enumerate((True, old == _KEPT, new == _KEPT)):
                counts[index] += is_one
            if (old == _KEPT) != (new == _KEPT):
                side, why = ("new", new) if old == _KEPT else ("old", old)
                one = (side, *key, why, digest)
                self._missing[one] = self._missing.pop(one, 0) + 1
                if len(self._missing) > _WINDOW:
                    self._missing.popitem(last=False)

    def _digest(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 -- wrong arguments are the sides' to handle
            message = text_of(record.msg)
        text = f"{record.name}\0{record.levelno}\0{message}".encode("utf-8", "backslashreplace")
        return hmac.digest(self._key, text, "sha256")[:8].hex()

    def _lost(self) -> int:
        stats = getattr(self._sides.get("new"), "stats", None)
        return sum(stats()["dropped"].values()) if stats is not None else 0


class _Failures:
    """
    How often a handler has said that it couldn't, by its ``handleError``.
    """

    def __init__(self) -> None:
        self._thread = threading.local()

    @property
    def count(self) -> int:
        """
        How often in this thread.
        """
        return getattr(self._thread, "count", 0)

    def watch(self, handler: logging.Handler) -> None:
        """
        Count the failures of *handler*, which says what it always said.
        """
        before = handler.handleError

        def counted(record: logging.LogRecord) -> None:
            self._thread.count = self.count + 1
            before(record)

        handler.handleError = counted  # type: ignore[method-assign]
