"""
Whether what answers are made of can be reached.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from anyio import to_thread

from tierlog.errors import ConfigError
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

        patience: For how many **seconds** who asks waits for it.
    """

    def __init__(self, checks: Iterable[tuple[str, Callable[[], object]]], *, patience: float = 5.0) -> None:
        self._checks = list(checks)
        self._patience = patience
        self._looked = -_FRESH
        self._looking: asyncio.Future[str | None] | None = None
        self._at = ""
        self._problem: str | None = None

    @property
    def is_looking(self) -> bool:
        """
        Whether it hasn't been answered yet.
        """
        return self._looking is not None

    async def problem(self) -> str | None:
        """
        Return what can't be reached or used, or doesn't answer; None if all do.
        """
        if self._looking is None and time.monotonic() - self._looked >= _FRESH:
            self._looking = asyncio.ensure_future(to_thread.run_sync(self._look))
            self._looking.add_done_callback(self._has_looked)
        if self._looking is None:
            return self._problem
        done, _ = await asyncio.wait([self._looking], timeout=self._patience)
        return self._problem if done else f"{self._at} doesn't answer"

    def _has_looked(self, looking: asyncio.Future[str | None]) -> None:
        self._looking = None
        if not looking.cancelled():
            self._problem, self._looked = looking.result(), time.monotonic()

    def _look(self) -> str | None:
        for name, check in self._checks:
            self._at = name
            try:
                check()
            except Exception as e:  # noqa: BLE001 -- whatever it is, it isn't well
                if isinstance(e, ConfigError) and e.setting == "table":  # anybody may hear what a table lacks, and nothing else
                    report("admin-health", f"{name} can't be used: {e.problem}")
                    return f"{name} can't be used: {e.problem}"
                report("admin-health", f"{name} can't be reached: {type(e).__name__}: {e}")
                return f"{name} can't be reached"
        return None
