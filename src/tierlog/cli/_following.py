"""
Writing what comes, as it comes.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Collection
from typing import Any, NoReturn

import click
import orjson

from tierlog.cli._event_view import EventView
from tierlog.cli._reading import put, put_lines, tell


__all__ = ["follow", "write"]

_PERIOD = 0.2  # seconds
_INTERRUPTED = 130


def follow(tail: Any, view: EventView | None, *, shown: Collection[tuple[str, int]] = ()) -> NoReturn:
    """
    Write what *tail* gives until Ctrl-C, or until nobody reads it any more.

    Args:
        tail: A :class:`tierlog.query.Tail`.

        view: What makes text of events; None for the lines as they were written.

        shown: Events that were written already, by ``instanceId`` and ``seq``.
    """
    told = 0
    try:
        while True:
            lines = tail.poll_lines()
            for line in lines:
                write(line, view, shown)
            sys.stdout.flush()
            if len(tail.problems) > told:
                tell(tail.problems[told:], 0)
                told = len(tail.problems)
            if not lines:
                _wait()
    except KeyboardInterrupt:
        click.get_current_context().exit(_INTERRUPTED)
    finally:
        tail.close()


def write(line: bytes, view: EventView | None, shown: Collection[tuple[str, int]] = ()) -> tuple[str, int]:
    """
    Write the event of a line, unless it is one of those that were *shown*, and return
    what names it.
    """
    event = orjson.loads(line)
    name = event["instanceId"], event["seq"]
    if name in shown:
        return name
    put_lines(line + b"\n") if view is None else put(view, event)
    return name


def _wait() -> None:
    """
    Wait a moment.

    Raises:
        BrokenPipeError: The reader of standard output has gone.
    """
    if not hasattr(select, "poll"):
        time.sleep(_PERIOD)
        return
    gone = select.poll()
    gone.register(sys.stdout.fileno(), 0)
    if any(happened & select.POLLERR for _, happened in gone.poll(_PERIOD * 1000)):
        raise BrokenPipeError
