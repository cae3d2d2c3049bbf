"""
``tierlog cleanup``.
"""

from __future__ import annotations

import time
from typing import Any

import click
from rich.table import Table

from tierlog.cli._errors import WrongUse
from tierlog.cli._output import bar, number, print_json
from tierlog.cli._retention_options import held, hold_option, kept, retention_option
from tierlog.cli._store_options import Chosen, chosen, store_options
from tierlog.cli._terminal import log_text, make_console, size
from tierlog.errors import ConfigError, TierlogError
from tierlog.kinds import TIERS
from tierlog.retention import FATES, Cleaned
from tierlog.retention import cleanup as clean
from tierlog.segments import is_own_root


__all__ = ["cleanup"]

_CONNECTIONS = 8
_MOST_SHOWN = 10
_NOUNS = {"deleted": "deleted", "kept": "kept", "held": "held", "waiting": "not shipped yet"}


@click.command()
@store_options
@retention_option
@hold_option
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--local-only", is_flag=True, help="Look at the root alone.")
@click.option("--remote-only", is_flag=True, help="Look at the bucket alone.")
@click.option("--trust-clock", is_flag=True, help="Believe this machine's clock even if nothing was logged for a day.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def cleanup(
    *,
    retention: tuple[str, ...],
    hold: tuple[str, ...],
    dry_run: bool,
    local_only: bool,
    remote_only: bool,
    trust_clock: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """
    Delete segments that are older than they are to be kept.

    A segment is old when the whole UTC day in its path or key is; the keys of builds
    and deploys have no day, so it is the one in the catalog, or that of the upload.
    What isn't shipped from a root that ships, is being written, or belongs to a held
    project stays, and so does every file that isn't a segment. What may belong to a
    held project, since nobody can tell, is held, too.

    Without a --config it deletes as the process that ships from the root does, which
    notes there how long it keeps and what it holds. What isn't noted isn't guessed:
    then it says so, and deletes nothing. A --config that says itself what to 'hold'
    comes before the note.

    If nothing was logged for a day, this machine's clock may be ahead. Ages are counted
    from that day then, unless you --trust-clock.

    Exit codes: 0 done; 1 something couldn't be deleted; 2 wrong usage.
    """
    if local_only and remote_only:
        raise WrongUse("--local-only and --remote-only leave nothing to clean up; give one of them")
    about = chosen(tells_damage=bool(retention), **given)
    limits, projects = kept(about, retention, deletes=True), held(about, hold)
    if not remote_only and not is_own_root(about.root):
        raise ConfigError("--root", f"{str(about.root)!r} isn't a root of tierlog: it has no folder .tierlog; name the right one")
    if remote_only and not about.has_bucket:
        raise WrongUse("--bucket: it isn't known which bucket to clean up; name it, or a --config that does")
    store = None if local_only else about.store()
    catalog, problem = _catalog(about, has_store=store is not None)
    with bar("cleaning up") as update:
        cleaned = clean(
            None if remote_only else about.root,
            store,
            retention=limits,
            clock=time.time_ns,
            hold=projects,
            catalog=catalog,
            dry_run=dry_run,
            trust_clock=trust_clock,
            connections=_CONNECTIONS,
            progress=lambda looked: update(looked, None),
        )
    if problem is not None:
        cleaned.fail(problem)
    if as_json:
        print_json({"root": None if remote_only else str(about.root), "dry_run": dry_run, **cleaned.as_dict()})
    else:
        _show(cleaned, dry_run=dry_run)
    _tell(cleaned)


def _catalog(about: Chosen, *, has_store: bool) -> tuple[Any, str | None]:
    """
    Return the catalog if there's one to be told, and why it can't be.
    """
    is_named = isinstance(about.options.get("catalog"), str)
    is_there = is_own_root(about.root) and (has_store or (about.root / ".tierlog" / "catalog.sqlite").exists())
    if about.options.get("catalog") is False or not (is_named or is_there):
        return None, None
    try:
        return about.catalog(), None
    except TierlogError as e:
        return None, str(e)


def _show(cleaned: Cleaned, *, dry_run: bool) -> None:
    console = make_console()
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("tier")
    for fate in FATES:
        table.add_column("would go" if dry_run and fate == "deleted" else _NOUNS[fate], justify="right")
    for side in ("local", "remote"):
        for tier in TIERS:
            amounts = [cleaned.amount(fate, side=side, tier=tier) for fate in FATES]
            if any(amount.segments for amount in amounts):
                table.add_row(side, tier, *(f"{one.segments} ({size(one.size)})" if one.segments else "-" for one in amounts))
    if table.rows:
        console.print(table)
    deleted = cleaned.amount("deleted")
    verb = "would delete" if dry_run else "deleted"
    console.print(f"{verb} {number(deleted.segments, 'segment')} ({size(deleted.size)})")
    for note in cleaned.notes:
        console.print(log_text(note))


def _tell(cleaned: Cleaned) -> None:
    for problem in cleaned.problems[:_MOST_SHOWN]:
        click.echo(f"tierlog cleanup: {problem}", err=True)
    if cleaned.problem_count > _MOST_SHOWN:
        click.echo(f"tierlog cleanup: {number(cleaned.problem_count - _MOST_SHOWN, 'more problem')}", err=True)
    if cleaned.problem_count:
        click.get_current_context().exit(1)
