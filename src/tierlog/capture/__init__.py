"""
Running commands, with every line that they print as a record.
"""

from __future__ import annotations

from tierlog.capture._levels import level_of
from tierlog.capture._result import Result
from tierlog.capture._run import run, run_async, start
from tierlog.capture._running import Running


__all__ = ["Result", "Running", "level_of", "run", "run_async", "start"]
