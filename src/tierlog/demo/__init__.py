"""
The demo: real output through ``logging``, in several processes, one of them killed.

``worker`` is what each process runs, :func:`run` starts them, kills one, recovers
and proves from the files what was kept. What is replayed lies in ``data``. Nothing
here writes to a terminal; that is the command line's.
"""

from __future__ import annotations

from tierlog.demo._facts import BuildLog, Claim, Example, Facts, File, Process
from tierlog.demo._processes import DemoError
from tierlog.demo._run import run
from tierlog.demo._text import level_of, plain, spaced


__all__ = ["BuildLog", "Claim", "DemoError", "Example", "Facts", "File", "Process", "level_of", "plain", "run", "spaced"]
