"""
``tierlog build``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tierlog.cli._errors import WrongUse
from tierlog.cli._event_view import BuildView
from tierlog.cli._following import follow
from tierlog.cli._ids import whole_id
from tierlog.cli._read_options import (
    asked,
    ids_in,
    levels_option,
    look,
    opened,
    place_options,
    time_options,
    view_options,
    wrong_use,
)
from tierlog.cli._reading import show


__all__ = ["build"]

_EPILOG = """\b
Examples:
  tierlog build 01JD3YZ5T8AB9C2D4E6F8G0H1J
  tierlog build 01JD3YZ5T8AB9C2D4E6F8G0H1J --deploy --follow
  tierlog build 01JD3YZ5T8AB9C2D4E6F8G0H1J --text > build.log
  tierlog build 01JD3YZ5T8AB9C2D4E6F8G0H1J --level warn+ --since 10m
"""


@click.command(epilog=_EPILOG)
@click.argument("build_id", metavar="ID", shell_complete=ids_in("builds"))
@click.option("--deploy", is_flag=True, help="The log of its deploy instead.")
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@levels_option
@time_options
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most so many lines.")
@click.option("--cursor", metavar="TEXT", help="Go on where the same command stopped.")
@view_options
@place_options
def build(*, deploy: bool, is_followed: bool, **given: Any) -> None:
    """
    Show the log of a build as the build printed it.

    On a terminal it has the times before it, and colours where it went wrong; its
    own colours are left out. ID may be its end, as a terminal shows it, if one build
    on the disk alone has it.

    Exit codes: 0 found; 1 nothing found; 2 wrong usage, or something couldn't be
    read; 130 stopped; 141 nobody reads the output any more.
    """
    how, store = look(given), opened(given)
    filters = asked(given, is_utc=how.is_utc)
    filters["build_id"] = whole_id(store, "ID", filters["build_id"], ("build", "deploy"))
    view = None if how.as_json else how.view(BuildView)
    tier = "deploy" if deploy else "build"
    if is_followed:
        _refuse(given, "until", "limit", "cursor")
        with wrong_use():
            tail = store.tail(tiers=tier, **{"since": 0, **filters})
        follow(tail, view)
    with wrong_use():
        found = store.search(tiers=tier, **filters)
    with found:
        click.get_current_context().exit(show(found, view, limit=filters.get("limit"), store=store))


def _refuse(given: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if given.get(name) is not None:
            raise WrongUse(f"--{name}: with --follow there's no end; leave one of them out")
