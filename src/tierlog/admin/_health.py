"""
Whether what answers are made of can be reached.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from anyio import Lock, to_thread

from tierlog.errors import TierlogError
from tierlog.query import LogStore
from tierlog.query import builds as query_builds
from tierlog.report import report
from tierlog.stores import Store


__all__ = ["Health", "checks"]

_FRESH = 5.0  # seconds


def checks(store: LogStore, builds: Any) -> list[tuple[str, Callable[[], object]]]:
    """
    Return what raises if something can't be reached, each with what it is called.
    """
    found: list[tuple[str, Callable[[], object]]] = [("a folder of the logs", partial(os.listdir, root)) for root in store.roots]
    found += [("a store of the logs", partial(_listed, one)) for one in store.stores]
    if builds is not None:
        found.append(("the database of builds", partial(query_builds, builds, limit=1)))
    return found


def _listed(store: Store) -> object:
    return next(iter(store.list("system/")), None)


class Health:
    """
    Looks, but not more often than every few seconds, whoever asks how often.

    Args:
        checks: What raises if something can't be reached, each with what it is called.
    """

    def __init__(self, checks: Iterable[tuple[str, Callable[[], object]]]) -> None:
        self._checks = list(checks)
        self._lock: Lock | None = None
        self._looked = -_FRESH
        self._problem: str | None = None

    async def problem(self) -> str | None:
        """
        Return what can't be reached; None if all can.
        """
        self._lock = self._lock or Lock()
        async with self._lock:
            if time.monotonic() - self._looked >= _FRESH:
                self._problem = await to_thread.run_sync(self._look)
                self._looked = time.monotonic()
            return self._problem

    def _look(self) -> str | None:
        for name, check in self._checks:
            try:
                check()
            except (TierlogError, OSError, ValueError) as e:
                report("admin-health", f"{name} can't be reached: {type(e).__name__}: {e}")
                return f"{name} can't be reached"
        return None
