"""
What a search found, to standard output, and what it couldn't read, to standard error.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import click

from tierlog.cli._event_view import EventView
from tierlog.cli._inert import inert, inert_json
from tierlog.cli._waiting import waiting
from tierlog.query import LogStore, Problem, Search


__all__ = ["NOTHING", "UNREAD", "put", "put_lines", "show", "tell", "tell_if_empty", "written"]

NOTHING, UNREAD = 1, 2
"""Exit codes: nothing was found; something couldn't be read."""

_SHOWN = 5


def show(search: Search, view: EventView | None, *, limit: int | None = None, store: LogStore | None = None) -> int:
    """
    Write what *search* finds, and return the exit code.

    Args:
        search: What is shown.

        view: What makes text of events; None for the lines as they were written.

        limit: How many the search gives at most: where to go on is told then.

        store: What was searched: if nothing is found, it is told whether there is
            anything at all.
    """
    found = written(search, view)
    tell(search.problems, search.skipped)
    if limit and found >= limit:
        click.echo(f"tierlog: stopped at --limit {limit}; to go on, if there's more: --cursor {search.cursor}", err=True)
    is_empty = not found and not search.problems and store is not None and tell_if_empty(store)
    if not found and not is_empty and sys.stderr.isatty():
        click.echo("tierlog: nothing found", err=True)
    return UNREAD if search.problems else 0 if found else NOTHING


def written(search: Search, view: EventView | None) -> int:
    """
    Write what *search* finds, and return how many events it was.
    """
    found = 0
    with waiting("searching") as stop_waiting:
        if view is None:
            for chunk in search.lines():
                stop_waiting()
                put_lines(chunk)
                found += chunk.count(b"\n")
            sys.stdout.buffer.flush()
            return found
        for event in search:
            stop_waiting()
            put(view, event)
            found += 1
        sys.stdout.flush()
    return found


def put(view: EventView, event: Mapping[str, Any]) -> None:
    """
    Write one event.
    """
    sys.stdout.write("\n".join(view.lines(event)) + "\n")


def put_lines(lines: bytes) -> None:
    """
    Write lines as they were written; on a terminal, as JSON that says the same and that
    it doesn't obey.
    """
    if sys.stdout.isatty():
        lines = inert_json(lines.decode(errors="replace")).encode()
    sys.stdout.buffer.write(lines)


def tell(problems: Iterable[Problem], skipped: int) -> None:
    """
    Say what couldn't be read.
    """
    counted = Counter(problems)
    for problem in list(counted)[:_SHOWN]:
        click.echo(inert(f"tierlog: {problem.name}: {problem.problem}"), err=True)
    if len(counted) > _SHOWN:
        click.echo(f"tierlog: and {len(counted) - _SHOWN} more that couldn't be read", err=True)
    if skipped:
        click.echo(f"tierlog: {skipped} torn or foreign line{'' if skipped == 1 else 's'} skipped", err=True)


def tell_if_empty(store: LogStore) -> bool:
    """
    Say that there's nothing in *store* to be searched, if so, and tell whether it is.
    """
    is_empty = next(store.segments(), None) is None
    if is_empty:
        click.echo("tierlog: there are no segments at all; see that --root or --store is right", err=True)
    return is_empty
