"""
Tools for tests: events and objects in memory, a clock that stands still, the contracts
of sinks and stores, and canaries: values that no file may have.

The product never imports this package.
"""

from __future__ import annotations

from tierlog.sinks import MemorySink
from tierlog.testing._canaries import Canaries
from tierlog.testing._events import Events, FakeClock, capture, event_line
from tierlog.testing._sinks import SinkContract
from tierlog.testing._stores import MemoryStore, StoreContract


__all__ = [
    "Canaries",
    "Events",
    "FakeClock",
    "MemorySink",
    "MemoryStore",
    "SinkContract",
    "StoreContract",
    "capture",
    "event_line",
]
