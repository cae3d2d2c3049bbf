"""
``tierlog catalog``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from tierlog.cli._errors import WrongUse
from tierlog.cli._output import bar, number, print_json
from tierlog.cli._store_options import Chosen, chosen, store_options
from tierlog.cli._terminal import size
from tierlog.errors import CatalogError, ConfigError
from tierlog.segments import is_own_root


__all__ = ["catalog"]

_SHOWN = 10


@click.group()
def catalog() -> None:
    """
    Look after the catalog, which makes answers fast and is never the truth.
    """


@catalog.command("rebuild")
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")
def rebuild_command(*, as_json: bool, **given: Any) -> None:
    """
    Make the catalog again, of the segments in the root and in the bucket.

    All segments are read. Processes may log and ship meanwhile. A catalog that is
    damaged is set aside, under a name that ends in .corrupt-<milliseconds>.

    Exit codes: 0 done; 1 something couldn't be read; 2 wrong usage.
    """
    about = chosen(**given)
    if about.options.get("catalog") is False:
        raise WrongUse("--catalog: there is none to be made again; name one")
    if not about.has_bucket and not is_own_root(about.root):
        raise ConfigError("--root", f"{str(about.root)!r} isn't a root of tierlog: it has no folder .tierlog; name the right one")
    report = _rebuilt(about)
    if as_json:
        print_json(report)
    else:
        _tell(report)
    if report["unreadable"]:
        click.get_current_context().exit(1)


def _rebuilt(about: Chosen) -> dict[str, Any]:
    """
    Make it again, and once more in a new file if the old one turns out to be damaged.
    """
    set_aside = None
    try:
        done = _attempt(about)
    except CatalogError as e:
        if not e.is_damaged or not Path(e.catalog).is_file():
            raise
        set_aside = _set_aside(Path(e.catalog))
        done = _attempt(about)
    return {"root": str(about.root), **done, "set_aside": set_aside}


def _attempt(about: Chosen) -> dict[str, Any]:
    from tierlog.catalog import rebuild  # noqa: PLC0415 -- an extra: only on demand

    root = about.root if is_own_root(about.root) else None
    opened = about.catalog()
    try:
        with bar("reading segments") as progress:
            return rebuild(opened, root, about.store(), progress=progress)._asdict()
    finally:
        opened.close()


def _set_aside(path: Path) -> str:
    """
    Give a damaged file another name, and return it. What SQLite has beside it belongs to it.
    """
    aside = f"{path}.corrupt-{time.time_ns() // 1_000_000}"
    for suffix in ("-wal", "-shm", ""):
        try:
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
        except FileNotFoundError:
            if not suffix:
                raise
    return aside


def _tell(report: dict[str, Any]) -> None:
    if report["set_aside"]:
        click.echo(f"the damaged catalog is {report['set_aside']} now")
    entered = f"{number(report['local'], 'local segment')} and {number(report['shipped'], 'shipped segment')}"
    said = [f"{entered} entered ({size(report['stored_bytes'])})", f"{number(report['removed'], 'row')} removed"]
    if report["open"]:
        said.append(f"{number(report['open'], 'open segment')} left out")
    if report["foreign"]:
        said.append(f"{number(report['foreign'], 'foreign object')} skipped")
    if report["unreadable"]:
        said.append(f"{number(len(report['unreadable']), 'segment')} unreadable")
    click.echo("; ".join(said))
    for key, problem in list(report["unreadable"].items())[:_SHOWN]:
        click.echo(f"tierlog: {key}: {problem}", err=True)
    if len(report["unreadable"]) > _SHOWN:
        click.echo(f"tierlog: and {len(report['unreadable']) - _SHOWN} more; --json tells all", err=True)
