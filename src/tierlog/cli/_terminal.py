"""
What all commands show alike: the console, sizes, levels, and text from a log.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from tierlog.demo import plain, spaced


__all__ = ["LEVEL_STYLES", "clock", "log_text", "make_console", "process_name", "size", "spaced"]

LEVEL_STYLES = {"debug": "dim", "info": "green", "warn": "yellow", "error": "bold red"}
"""How a level looks."""

_PIPE_COLUMNS = 100
_KIB = 1024


def make_console() -> Console:
    """
    Return a console on standard output: colours on a terminal, plain text elsewhere.
    """
    columns = os.environ.get("COLUMNS", "")
    width = None if sys.stdout.isatty() else int(columns) if columns.isdecimal() else _PIPE_COLUMNS
    return Console(width=width, highlight=False, markup=False, emoji=False)


def log_text(msg: str) -> Text:
    """
    Return a message as one line that a terminal shows and never obeys, its own
    colours kept.
    """
    return Text.from_ansi(plain(msg.replace("\n", " ↵ ").expandtabs(4), keeps_colours=True))


def clock(ms: int) -> str:
    """
    Return the time of day in UTC, of milliseconds since the epoch.

    >>> clock(1_700_000_000_123)
    '22:13:20.123'
    """
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%H:%M:%S}.{ms % 1000:03}"


def process_name(instance: str) -> str:
    """
    Return what an ``instanceId`` begins with.

    >>> process_name("web-01-5Q4QK2KJ")
    'web-01'
    """
    return instance.rpartition("-")[0]


def size(count: int) -> str:
    """
    Return a number of bytes as a person reads it.

    >>> size(417_000), size(312)
    ('407 KiB', '312 B')
    """
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < _KIB or unit == "GiB":
            break
        value /= _KIB
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
