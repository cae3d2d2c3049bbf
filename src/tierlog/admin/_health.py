"""
Whether what answers are made of can be reached.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
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


def checks(store: LogStore, builds: Any) -> dict[str, Callable[[], object]]:
    """
    Return what raises if something can't be reached, by what it is called.
    """
    found: dict[str, Callable[[], object]] = {}
    for root in store.roots:
        found["the folder of the logs"] = partial(os.listdir, root)
    for one in store.stores:
        found["the store of the logs"] = partial(_listed, one)
    if builds is not None:
        found["the database of builds"] = partial(query_builds, builds, limit=1)
    return found


def _listed(store: Store) -> object:
    return next(iter(store.list("system/")), None)


class Health:
    """
    Looks, but not more often than every few seconds, whoever asks how often.

    Args:
        checks: What raises if something can't be reached, by what it is called.
    """

    def __init__(self, checks: dict[str, Callable[[], object]]) -> None:
        self._checks = checks
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
        for name, check in self._checks.items():
            try:
                check()
            except (TierlogError, OSError, ValueError) as e:
                report("admin-health", f"{name} can't be reached: {type(e).__name__}: {e}")
                return f"{name} can't be reached"
        return None
