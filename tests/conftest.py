"""
What several test modules need, and the check that nothing global is left changed.
"""

from __future__ import annotations

import logging
import os

import pytest
from hypothesis import HealthCheck, settings

from tierlog import context, handler, runtime
from tierlog.report import report


collect_ignore = ["servers"]  # what starts them isn't installed everywhere

# No timing decides; under tox a run is like the one before, elsewhere new examples are looked for.
settings.register_profile(
    "untimed", deadline=None, derandomize="TOX_ENV_NAME" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
"""A valid id."""

OTHER_ULID = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
"""Another one."""


@pytest.fixture(autouse=True)
def first_report():
    """
    Let each test be the first that something is reported to: what an earlier one caused holds nothing back.
    """
    report._last.clear()  # noqa: SLF001 -- what was said when, which no public call resets
    report._held_back.clear()  # noqa: SLF001 -- and how often it wasn't


@pytest.fixture(autouse=True)
def logging_state():
    """
    Give each test a root logger without tierlog, and put everything back after it.
    """
    root = logging.getLogger()
    manager = logging.Logger.manager
    before = (root.level, root.handlers[:], root.filters[:], logging.getLoggerClass(), logging.getLogRecordFactory())
    known = set(manager.loggerDict)
    loggers = [one for one in manager.loggerDict.values() if isinstance(one, logging.Logger)]
    states = [(one, type(one), one.level, one.disabled, one.propagate, one.handlers[:], one.filters[:]) for one in loggers]
    handlers = [one for one in handler.all_handlers if not one._is_closed]  # what a fixture of a module closed, is none
    handler.all_handlers[:] = handlers
    last_resort = logging.lastResort
    token = context.restore(context.EMPTY)

    yield

    context.unbind(token)
    for one in handler.all_handlers:
        if one not in handlers:
            one.close()
    handler.all_handlers[:] = handlers
    runtime._configured.clear()  # noqa: SLF001 -- no public call resets it
    root.setLevel(before[0])
    root.handlers[:], root.filters[:] = before[1], before[2]
    logging.setLoggerClass(before[3])
    logging.setLogRecordFactory(before[4])
    logging.disable(logging.NOTSET)
    logging.lastResort = last_resort
    for one, kind, level, disabled, propagate, own_handlers, filters in states:
        one.__class__ = kind
        one.setLevel(level)
        one.disabled, one.propagate, one.handlers[:], one.filters[:] = disabled, propagate, own_handlers, filters
    for name in set(manager.loggerDict) - known:
        del manager.loggerDict[name]
