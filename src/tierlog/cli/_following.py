"""
Writing what comes, as it comes.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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
    interrupt = _Interrupt()
    try:
        with interrupt.heeded():
            while not interrupt.has_come:
                interrupt.is_put_off = True
                lines = tail.poll_lines()
                interrupt.is_put_off = False
                for line in lines:
                    write(line, view, shown)
                sys.stdout.flush()
                if len(tail.problems) > told:
                    tell(tail.problems[told:], 0)
                    told = len(tail.problems)
                if not lines and not interrupt.has_come:
                    _wait()
    except KeyboardInterrupt:
        pass
    finally:
        tail.close()
    click.get_current_context().exit(_INTERRUPTED)


class _Interrupt:
    """
    Ctrl-C, which doesn't get lost.

    An exception that comes while a file is let go of is only printed by Python, so the
    first one waits while it is put off.

    Attributes:
        has_come: Whether it was pressed.

        is_put_off: Whether it must not be raised now.
    """

    def __init__(self) -> None:
        self.has_come = False
        self.is_put_off = False

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """
        Take note of it, unless this process ignores it.
        """
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._came)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _came(self, *_: object) -> None:
        is_first, self.has_come = not self.has_come, True
        if not (is_first and self.is_put_off):
            raise KeyboardInterrupt


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
