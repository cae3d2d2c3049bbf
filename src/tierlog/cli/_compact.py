"""
``tierlog compact``.
"""

from __future__ import annotations

from typing import Any

import click

from tierlog.cli._output import bar, number, print_json
from tierlog.cli._store_options import Chosen, chosen, store_options
from tierlog.cli._terminal import size
from tierlog.compaction import Compacted, Packed
from tierlog.compaction import compact as compact_segments
from tierlog.errors import ConfigError
from tierlog.options import choice, seconds
from tierlog.segments import is_own_root


__all__ = ["compact"]

_PACKINGS = {"zstd": "zst", "gzip": "gz"}
_MOST_SHOWN = 20


@click.command()
@store_options
@click.option("--older-than", default="7d", show_default=True, metavar="TIME", help="How old segments must be.")
@click.option(
    "--packing",
    type=click.Choice(list(_PACKINGS)),
    help="How to compress them.  [default: as the process that ships does, else zstd]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be compressed, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")
def compact(
    *,
    older_than: str,
    packing: str | None,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """
    Compress the finished segments that are old enough, in the root and in the bucket.

    Each one is compressed, verified, and only then takes the place of the plain one;
    zstd -dc and gzip -dc read it, and so does every command here. In a root that
    ships, files wait until they are shipped, and are compressed in the bucket. It may
    run beside everything else, and be killed and run again.

    Exit codes: 0 done; 1 something couldn't be compressed, and is as it was; 2 wrong
    usage.
    """
    about = chosen(**given)
    least = seconds("--older-than", older_than)
    if not is_own_root(about.root):
        raise ConfigError("--root", f"{str(about.root)!r} isn't a root of tierlog: it has no folder .tierlog; name the right one")
    how = packing or choice("sink.compression", about.options.get("compression") or "zstd", list(_PACKINGS))
    with bar("compressing") as progress:
        done = compact_segments(
            about.root,
            about.store(),
            packing=_PACKINGS[how],
            older_than=least,
            catalog=None if dry_run else _catalog(about),
            progress=progress,
            dry_run=dry_run,
        )
    if as_json:
        print_json(_as_dict(done, dry_run=dry_run))
    else:
        click.echo(_sentence(done, dry_run=dry_run))
        for failure in done.failed[:_MOST_SHOWN]:
            click.echo(f"tierlog compact: {failure.name}: {failure.problem}", err=True)
        if len(done.failed) > _MOST_SHOWN:
            click.echo(f"tierlog compact: and {len(done.failed) - _MOST_SHOWN} more; --json lists all", err=True)
    if done.failed:
        click.get_current_context().exit(1)


def _catalog(about: Chosen) -> Any:
    """
    Return the catalog, if there's one already: rows are only replaced.
    """
    if isinstance(about.options.get("catalog"), str) or (about.root / ".tierlog" / "catalog.sqlite").exists():
        return about.catalog()
    return None


def _as_dict(done: Compacted, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "local": _part(done.local, dry_run=dry_run),
        "remote": _part(done.remote, dry_run=dry_run),
        "skipped": done.skipped,
        "failed": [failure._asdict() for failure in done.failed],
    }


def _part(packed: Packed, *, dry_run: bool) -> dict[str, int]:
    return {name: value for name, value in packed._asdict().items() if not (dry_run and name == "after_bytes")}


def _sentence(done: Compacted, *, dry_run: bool) -> str:
    said = [f"compressed {number(done.segments, 'segment')} from {size(done.before_bytes)} to {size(done.after_bytes)}"]
    if dry_run:
        where = f"{done.local.segments} in the root, {done.remote.segments} in the bucket"
        said = [f"{number(done.segments, 'segment')} ({size(done.before_bytes)}) would be compressed: {where}"]
    if done.skipped:
        said.append(f"left alone {number(done.skipped, 'segment')} in use, or waiting to be shipped")
    if done.failed:
        said.append(f"failed {len(done.failed)}")
    return "; ".join(said)
