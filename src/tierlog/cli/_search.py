"""
``tierlog search``.
"""

from __future__ import annotations

from typing import Any

import click

from tierlog.cli._read_options import asked, filter_options, look, opened, place_options, time_options, view_options, wrong_use
from tierlog.cli._reading import show


__all__ = ["search"]

_EPILOG = """\b
Examples:
  tierlog search --level error --since 2h
  tierlog search timeout -i --tier build,deploy --project 01JD3YZ5T8AB9C2D4E6F8G0H1J
  tierlog search -E 'HTTP (502|503)' --where 'ms>=250' --newest --limit 20
  tierlog search --req req-7f3a --color always | less -R
  tierlog search --user u-17 --since 2026-05-01 | jq -r .msg
"""


@click.command(epilog=_EPILOG)
@click.argument("text", required=False)
@filter_options
@time_options
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most so many.")
@click.option("--order", type=click.Choice(["asc", "desc"]), default="asc", help="Oldest or newest first.  [default: asc]")
@click.option("--newest", is_flag=True, help="The same as --order desc.")
@click.option("--cursor", metavar="TEXT", help="Go on where a search with the same options stopped.")
@view_options
@place_options
def search(*, newest: bool, order: str, **given: Any) -> None:
    r"""
    Find records, in the order of their time, by what they are and by TEXT in msg.

    What lies in the root and in the bucket that it ships to is searched as one. On
    a terminal there is a line for each record, with its time in local time and its
    exception below it; in a pipe, or with --json, its own line of JSON as it was
    written. On a terminal the text of a log is shown and never obeyed: its colours
    are left out, and what would move the cursor or turn the text is written out,
    such as \x1b.

    Options with several values take them by commas, or may be repeated.

    Exit codes: 0 found; 1 nothing found; 2 wrong usage, or something couldn't be
    read: what could be is shown, and what is missing is told on standard error;
    130 stopped; 141 nobody reads the output any more.
    """
    how, store = look(given), opened(given)
    filters = asked({**given, "order": "desc" if newest else order}, is_utc=how.is_utc)
    with wrong_use():
        found = store.search(**filters)
    view = None if how.as_json else how.view(has_tier=len(filters.get("tiers", "all")) > 1, known=filters.keys())
    with found:
        click.get_current_context().exit(show(found, view, limit=filters.get("limit"), store=store))
