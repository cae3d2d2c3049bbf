"""
The pytest fixture ``tierlog_events``.

pytest loads this module in every run of everyone who has tierlog installed, so it
imports the rest only when the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


__all__ = ["tierlog_events"]


@pytest.fixture
def tierlog_events() -> Iterator[Any]:
    """
    Give what a test logs: a sequence of events, with ``find(**fields)`` and ``clear()``.
    """
    from tierlog.testing import capture  # noqa: PLC0415 -- only for those who use it

    with capture() as events:
        yield events
