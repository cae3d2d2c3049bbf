"""
``tierlog verify``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tierlog.cli._output import bar, number, print_json
from tierlog.cli._retention_options import kept, retention_option
from tierlog.cli._store_options import Chosen, chosen, store_options
from tierlog.cli._terminal import log_text, make_console, size
from tierlog.errors import ConfigError, StoreError, TierlogError
from tierlog.retention import gone_before
from tierlog.segments import is_own_root
from tierlog.shipping import sealed
from tierlog.verify import Finding, Verified
from tierlog.verify import verify as verify_all


__all__ = ["verify"]

_SHOWN = 5  # of each kind
_MAX_CHARS = 400
_INFORMATION = {
    "copy": "a segment that is in two places",
    "expired": "numbers that went by age",
    "pending": "numbers of another machine that may not have been shipped yet",
    "elsewhere": "numbers in segments that weren't looked at",
    "open": "a stream that may go on",
    "cut": "a stream without an end: its process was killed",
    "begin_late": "a chain whose beginning isn't there",
    "no_metadata": "an object without our metadata",
}


@click.command()
@store_options
@retention_option
@click.option("--local-only", is_flag=True, help="Look at the root alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, in which up to 1000 findings of a kind stand.")
def verify(*, retention: tuple[str, ...], local_only: bool, as_json: bool, **given: Any) -> None:
    """
    Read all segments, and tell what is missing, doubled or changed.

    It writes nothing, and may run while processes log and ship. All objects in the
    bucket are downloaded. With a --bucket and no root, the bucket alone is read.

    The catalog knows what was deleted by age. Without one, nothing that is older than
    the --retention is called missing.

    Exit codes: 0 nothing is wrong; 1 something is, or the bucket can't be read; 2
    wrong usage.
    """
    about = chosen(**given)
    limits = kept(about, retention)
    root = about.root if is_own_root(about.root) else None
    if root is None and (local_only or not about.has_bucket):
        raise ConfigError("--root", f"{str(about.root)!r} isn't a root of tierlog: it has no folder .tierlog; name the right one")
    store = None if local_only else about.store()
    if store is not None:
        next(iter(store.list()), None)  # before everything that is here is read, in vain
    shortest = min((seconds for seconds in limits.values() if seconds is not None), default=None)
    verified = _verified(about, root, store, shortest)
    if as_json:
        print_json(verified.as_dict())
    else:
        _show(verified)
    if not verified.is_clean:
        click.get_current_context().exit(1)


def _verified(about: Chosen, root: Path | None, store: Any, shortest: float | None) -> Verified:
    catalog = _catalog(about, has_store=store is not None)
    noted = gone_before(root) if root is not None else None
    with bar("verifying") as update:
        progress = _counter(update)

        def run(catalog: Any) -> Verified:
            gone = noted
            if catalog is None and store is not None and shortest is not None:
                gone = max(noted or 0, int((time.time() - shortest) * 1000))
            seals = sealed(root) if root is not None else ()
            return verify_all(root, store, catalog=catalog, sealed=seals, progress=progress, gone_before_ms=gone)

        try:
            return run(catalog)
        except StoreError:
            raise
        except TierlogError as e:
            if catalog is None:
                raise
            _without(e)
        return run(None)


def _counter(update: Callable[[int, int | None], None]) -> Callable[[str, int], None]:
    segments = 0

    def count(_name: str, _size: int) -> None:
        nonlocal segments
        segments += 1
        update(segments, None)

    return count


def _catalog(about: Chosen, *, has_store: bool) -> Any:
    """
    Return the catalog; None if there's none, which is told where there should be one.
    """
    given = about.options.get("catalog")
    path = about.root / ".tierlog" / "catalog.sqlite"
    if given is False:
        return None
    if not isinstance(given, str) and not path.exists():
        if has_store:
            _without("there is no catalog")
        return None
    try:
        return about.catalog()
    except TierlogError as e:
        _without(e)
        return None


def _without(problem: object) -> None:
    click.echo(f"tierlog verify: {problem}; it goes on without the catalog", err=True)


def _show(verified: Verified) -> None:
    console = make_console()
    console.print(
        f"read {number(verified.local, 'segment')} here and {number(verified.remote, 'object')} in the bucket: "
        f"{number(verified.records, 'record')} of {number(verified.instances, 'stream')}, {size(verified.size)}, "
        f"in {verified.seconds:.1f} s"
    )
    _list(console, verified.counts, verified.findings, "bold red")
    if verified.information_counts:
        console.print("also seen, which is no fault:", style="dim")
        for kind, count in sorted(verified.information_counts.items()):
            console.print(log_text(f"{_grouped(count):>7} {kind}: {_INFORMATION.get(kind, kind)}"), style="dim", soft_wrap=True)
    if verified.is_clean:
        console.print("nothing is missing, doubled or changed", style="bold green")
    else:
        console.print(number(sum(verified.counts.values()), "finding"), style="bold red")


def _list(console: Console, counts: dict[str, int], findings: list[Finding], style: str) -> None:
    for kind, count in sorted(counts.items()):
        console.print(log_text(f"{_grouped(count):>7} {kind}"), style=style)
        shown = [one for one in findings if one.kind == kind][:_SHOWN]
        for one in shown:
            # In one line, however long, so that a path can be copied and found by grep.
            console.print(log_text(f"        {one.detail[:_MAX_CHARS]}"), soft_wrap=True)
        if findings and count > len(shown):
            console.print(f"        and {_grouped(count - len(shown))} more; --json lists them")


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", " ")
