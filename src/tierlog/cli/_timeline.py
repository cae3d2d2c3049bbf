"""
``tierlog timeline``.
"""

from __future__ import annotations

from typing import Any

import click

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


__all__ = ["timeline"]

_EPILOG = """\b
Examples:
  tierlog timeline 01JD3YZ5T8AB9C2D4E6F8G0H1J --since 1d
  tierlog timeline 01JD3YZ5T8AB9C2D4E6F8G0H1J --level warn+ --newest --limit 50
"""


@click.command(epilog=_EPILOG)
@click.argument("project_id", metavar="PROJECT", shell_complete=ids_in("projects"))
@levels_option
@time_options
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most so many.")
@click.option("--newest", is_flag=True, help="Newest first.")
@click.option("--cursor", metavar="TEXT", help="Go on where a timeline with the same options stopped.")
@view_options
@place_options
def timeline(*, newest: bool, **given: Any) -> None:
    """
    Show everything of a project, of all tiers, in the order of its time: what its
    users did, what was built and deployed, and what became of it. PROJECT may be the
    end of its id, as a terminal shows it, if one on the disk alone has it.

    Exit codes: 0 found; 1 nothing found; 2 wrong usage, or something couldn't be
    read; 130 stopped; 141 nobody reads the output any more.
    """
    how, store = look(given), opened(given)
    filters = asked({**given, "order": "desc" if newest else "asc"}, is_utc=how.is_utc)
    filters["project_id"] = whole_id(store, "PROJECT", filters["project_id"], ("action", "lifecycle"))
    with wrong_use():
        found = store.timeline(**filters)
    with found:
        view = None if how.as_json else how.view(known=filters.keys())
        click.get_current_context().exit(show(found, view, limit=filters.get("limit"), store=store))
