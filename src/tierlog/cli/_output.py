"""
What commands that do long work show: progress on a terminal, one JSON object on demand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


__all__ = ["bar", "countdown", "number", "print_json"]


def print_json(value: Any) -> None:
    """
    Print *value* as one JSON object, indented on a terminal.
    """
    is_shown = sys.stdout.isatty()
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if is_shown else None)
    except TypeError:  # a name of a file that isn't UTF-8
        text = json.dumps(value, indent=2 if is_shown else None).encode()
    click.echo(text)


def number(count: int, what: str) -> str:
    """
    Return a count with its noun.

    >>> number(1, "segment"), number(1_200, "segment")
    ('1 segment', '1 200 segments')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}".replace(",", " ")


@contextmanager
def bar(text: str) -> Iterator[Callable[[int, int | None], None]]:
    """
    Show a bar on standard error if that is a terminal, for the length of the block,
    which gets what is called with how much is done, and of how much.
    """
    with _progress() as progress:
        task = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def countdown(text: str) -> Iterator[Callable[[int, int], None]]:
    """
    Show a bar as :func:`bar` does, which is told what is left.
    """
    most = 0
    with _progress() as progress:
        task = progress.add_task(text, total=None)

        def left(count: int, _size: int) -> None:
            nonlocal most
            most = max(most, count)
            progress.update(task, completed=most - count, total=most)

        yield left


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
