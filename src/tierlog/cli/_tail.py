"""
``tierlog tail``.
"""

from __future__ import annotations

from typing import Any

import click

from tierlog.cli._event_view import EventView
from tierlog.cli._following import follow, write
from tierlog.cli._read_options import asked, filter_options, look, opened, place_options, since_option, view_options, wrong_use
from tierlog.cli._reading import NOTHING, UNREAD, show, tell
from tierlog.query import LogStore


__all__ = ["tail"]

_LAST = 10
_EPILOG = """\b
Examples:
  tierlog tail -f
  tierlog tail -f --level warn+ --tier action,system
  tierlog tail -n 100 --project 01JD3YZ5T8AB9C2D4E6F8G0H1J
  tierlog tail -f --since 10m --build 01JD3YZ5T8AB9C2D4E6F8G0H1J | jq -r .msg
"""


@click.command(epilog=_EPILOG)
@click.argument("text", required=False)
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on with what any process writes, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"So many of the last.  [default: {_LAST}, or all --since]",
)
@filter_options
@since_option
@view_options
@place_options
def tail(*, is_followed: bool, count: int | None, **given: Any) -> None:
    """
    Show the last records, and with -f those to come, of all processes of the host.

    Records come in the order in which they arrive, those of a moment in the order
    of their time. Neither rotation nor shipping nor the restart of a process loses
    or repeats one.

    Exit codes: 0 found; 1 nothing found; 2 wrong usage, or something couldn't be
    read; 130 stopped, as by Ctrl-C; 141 nobody reads the output any more.
    """
    how, store = look(given), opened(given)
    filters = asked(given, is_utc=how.is_utc)
    view = None if how.as_json else how.view(has_tier=len(filters.get("tiers", "all")) > 1, known=filters.keys())
    with wrong_use():
        exit_code = _show(
            store, view, filters, _LAST if count is None and "since" not in filters else count, is_followed=is_followed
        )
    click.get_current_context().exit(exit_code)


def _show(store: LogStore, view: EventView | None, filters: dict[str, Any], count: int | None, *, is_followed: bool) -> int:
    if count is None:
        if is_followed:
            follow(store.tail(**filters), view)
        return show(store.search(**filters), view)
    # Begun before the last ones are read, so that nothing falls between.
    following = store.tail(**{name: value for name, value in filters.items() if name != "since"}) if is_followed else None
    with store.search(**filters, limit=count, order="desc") as found:
        lines = list(found.lines())[::-1]
    shown = {write(line[:-1], view) for line in lines}
    tell(found.problems, found.skipped)
    if following is not None:
        follow(following, view, shown=shown)
    return UNREAD if found.problems else 0 if lines else NOTHING
