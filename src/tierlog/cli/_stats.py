"""
``tierlog stats``.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from tierlog.cli._output import number, print_json
from tierlog.cli._store_options import chosen, store_options
from tierlog.cli._terminal import log_text, make_console, size
from tierlog.errors import ConfigError
from tierlog.kinds import TIERS
from tierlog.metrics import prometheus_text
from tierlog.segments import Journal, finished, is_own_root
from tierlog.shipping import destination, trouble


__all__ = ["stats"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@click.command()
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the tables.")
@click.option("--prometheus", is_flag=True, help="Print the figures as Prometheus reads them.")
def stats(*, as_json: bool, prometheus: bool, **given: Any) -> None:
    """
    Show what lies in the root, what waits to be shipped, and why.

    It looks at the files; nothing has to run. Exit codes: 0 done; 1 shipping fails at
    present, and the last error says why; 2 wrong usage.
    """
    about = chosen(**given)
    if not is_own_root(about.root):
        raise ConfigError("--root", f"{str(about.root)!r} isn't a root of tierlog: it has no folder .tierlog; name the right one")
    facts = _facts(about.root)
    if prometheus:
        click.echo(prometheus_text(facts), nl=False)
    elif as_json:
        print_json(facts)
    else:
        _show(facts)
    if facts["last_error"]:
        click.get_current_context().exit(1)


def _facts(root: Path) -> dict[str, Any]:
    segments: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    oldest = None
    for one in finished(root):
        segments[one.place.tier] += 1
        stored[one.place.tier] += one.size
        oldest = one.modified if oldest is None else min(oldest, one.modified)
    goal, problem = destination(root), trouble(root)
    ships = goal is not None
    quarantine = root / "quarantine"
    return {
        "root": str(root),
        "ships_to": f"r2://{goal.bucket or 'unknown'}/{goal.prefix}".rstrip("/") if goal is not None else None,
        "segments": {"open": sum(1 for _ in Journal(root).places()), "finished": segments.total()},
        "tiers": {tier: {"segments": segments[tier], "bytes": stored[tier]} for tier in TIERS},
        "pending": segments.total() if ships else 0,
        "backlog_bytes": stored.total() if ships else 0,
        "oldest_unshipped_age": round(max(0.0, time.time() - oldest), 3) if ships and oldest is not None else 0.0,
        "torn_lines": sum(1 for _ in quarantine.iterdir()) if quarantine.is_dir() else 0,
        "last_error": problem.problem if problem is not None else None,
    }


def _show(facts: dict[str, Any]) -> None:
    console = make_console()
    table = Table(box=None, pad_edge=False)
    table.add_column("tier")
    table.add_column("finished segments", justify="right")
    table.add_column("size", justify="right")
    for tier, one in facts["tiers"].items():
        table.add_row(tier, str(one["segments"]), size(one["bytes"]))
    console.print(table)
    console.print(f"{facts['segments']['open']} open; {number(facts['torn_lines'], 'torn line')} in quarantine")
    if facts["ships_to"] is None:
        console.print("nothing is shipped from this root")
        return
    waits = "nothing waits to be shipped"
    if facts["pending"]:
        age = _age(facts["oldest_unshipped_age"])
        waits = f"{number(facts['pending'], 'segment')} to be shipped, {size(facts['backlog_bytes'])}, the oldest for {age}"
    # Both in one line, however long, so that grep finds them whole.
    console.print(log_text(f"ships to {facts['ships_to']}: {waits}"), soft_wrap=True)
    if facts["last_error"]:
        console.print(log_text(f"last error: {facts['last_error']}"), style="bold red", soft_wrap=True)


def _age(seconds: float) -> str:
    """
    Return a time as a person reads it.

    >>> _age(42), _age(7_300), _age(200_000)
    ('42 s', '2 h', '2 d')
    """
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
