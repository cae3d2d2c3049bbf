"""
``tierlog lnav``.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from tierlog.cli._store_options import chosen


__all__ = ["format_folder", "lnav"]

_SQL = ";SELECT tier, log_level, count(*) FROM tierlog_log GROUP BY 1, 2"
_FORMAT = Path(__file__).with_name("data") / "tierlog_log.json"


@click.group()
def lnav() -> None:
    """
    Read segments with lnav, a log viewer for terminals.
    """


@lnav.command()
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where lnav looks for formats.  [default: where this user's lnav does]",
)
def install(*, to: Path | None) -> None:
    """
    Tell lnav what segments are, and what to type then.

    It writes the one file tierlog_log.json, over the one of an older version.
    """
    folder = to if to is not None else format_folder(Path.home(), os.environ.get("XDG_CONFIG_HOME"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _FORMAT.name
    path.write_bytes(_FORMAT.read_bytes())
    root = shlex.quote(os.path.relpath(chosen().root))
    click.echo(f"{path} is written; now type")
    click.echo(f"  lnav -r {root}")
    click.echo("  tierlog search --since 2h --json | lnav")
    click.echo(f"  lnav -n -r {root} -c '{_SQL}' -c ':write-csv-to -'")


def format_folder(home: Path, xdg_config_home: str | None) -> Path:
    """
    Return the folder in which the lnav of a user looks for formats that were installed.

    Args:
        home: The user's home.

        xdg_config_home: The variable of that name.
    """
    own = home / ".lnav"
    if not own.is_dir():
        if xdg_config_home and Path(xdg_config_home).is_dir():
            own = Path(xdg_config_home) / "lnav"
        elif (home / ".config").is_dir():
            own = home / ".config" / "lnav"
    return own / "formats" / "installed"
