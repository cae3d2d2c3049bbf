"""
The pytest fixtures ``tierlog_events`` and ``tierlog_canaries``.

pytest loads this module in every run of everyone who has tierlog installed, so it
imports the rest only when a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


__all__ = ["pytest_runtest_makereport", "tierlog_canaries", "tierlog_events"]

_BROKEN_OFF = pytest.StashKey[bool]()


@pytest.fixture
def tierlog_events() -> Iterator[Any]:
    """
    Give what a test logs: a sequence of events, with ``find(**fields)`` and ``clear()``.
    """
    from tierlog.testing import capture  # noqa: PLC0415 -- only for those who use it

    with capture() as events:
        yield events


@pytest.fixture
def tierlog_canaries(request: pytest.FixtureRequest) -> Iterator[Any]:
    """
    Give secrets to log, with ``new(name, like=rule)``. It fails if one is in a segment
    when the test ends, or below what ``watch(path)`` named, or if there is no file.
    """
    from tierlog.testing import Canaries  # noqa: PLC0415 -- only for those who use it

    canaries = Canaries()
    with canaries.recording():
        yield canaries
    canaries.check_recorded(is_whole=not request.node.stash.get(_BROKEN_OFF, False))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """
    Note that a test failed or was skipped: then it needn't have logged anything.
    """
    if call.excinfo is not None:
        item.stash[_BROKEN_OFF] = True
