"""
``tierlog ship`` and ``tierlog recover``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tierlog.cli._errors import WrongUse
from tierlog.cli._output import countdown, number, print_json
from tierlog.cli._store_options import Chosen, chosen, store_options
from tierlog.cli._terminal import size
from tierlog.errors import ConfigError
from tierlog.layout import Place, local_path
from tierlog.segments import Journal, finished, is_own_root, recover_segments
from tierlog.shipping import destination


__all__ = ["recover", "ship"]

_timeout = click.option("--timeout", default="60s", show_default=True, metavar="TIME", help="For how long to try.")
_SHOWN = 3

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")


@click.command()
@store_options
@_timeout
@_json
def ship(*, timeout: str, as_json: bool, **given: Any) -> None:
    """
    Ship the finished segments that wait in the root.

    A process that ships does so by itself; this is for what it left behind, and
    may run beside it. Where to ship, and how to compress, is taken from the root if it
    isn't said.

    Exit codes: 0 all is shipped; 1 something still waits; 2 wrong usage.
    """
    about = chosen(**given)
    if not about.has_bucket:
        raise WrongUse("--bucket: it isn't known where to ship to; name the bucket, or a --config that does")
    report = {"root": str(about.root), **_shipped(about, timeout)}
    left = list(Journal(about.root).places())
    _told({**report, "open": len(left)}, as_json=as_json, left=left)


@click.command()
@store_options
@_timeout
@_json
def recover(*, timeout: str, as_json: bool, **given: Any) -> None:
    """
    Finish the segments of processes that were killed, and ship what waits.

    What live processes have open is left alone. Torn lines go to quarantine/. It
    may be killed and run again: nothing is lost and nothing doubled.

    Exit codes: 0 all is mended and shipped; 1 something isn't; 2 wrong usage.
    """
    about = chosen(**given)
    _own(about)
    recovered = recover_segments(about.root)
    report: dict[str, Any] = {
        "root": str(about.root),
        "recovered": recovered.segments,
        "torn_lines": recovered.torn,
        "empty": recovered.empty,
        "live": recovered.live,
        "unmended": recovered.failed,
    }
    if about.has_bucket:
        report |= _shipped(about, timeout)
    elif destination(about.root) is not None:  # which is damaged, as was told
        report["pending"] = sum(1 for _ in finished(about.root))
    _told(report, as_json=as_json)


def _own(about: Chosen) -> None:
    if not is_own_root(about.root):
        raise ConfigError("--root", f"{str(about.root)!r} isn't a root of tierlog: it has no folder .tierlog; name the right one")


def _shipped(about: Chosen, timeout: str) -> dict[str, Any]:
    from tierlog.r2 import ship as ship_root  # noqa: PLC0415 -- an extra: only on demand

    _own(about)
    with countdown("shipping") as progress:
        done = ship_root(about.root, timeout=timeout, progress=progress, **about.only(ship_root))
    return done._asdict()


def _told(report: dict[str, Any], *, as_json: bool, left: Sequence[Place] = ()) -> None:
    if as_json:
        print_json(report)
    else:
        click.echo("; ".join(_sentences(report)))
    if left:
        owners = sorted({one.instance or local_path(one) for one in left})
        whose = ", ".join([*owners[:_SHOWN], *(["…"] if len(owners) > _SHOWN else [])])
        said = f"{number(len(left), 'open segment')} left to whoever writes there ({whose}); of a process that was killed"
        click.echo(f"tierlog: {said}: tierlog recover --root {report['root']}", err=True)
    if report.get("problem") or report.get("pending") or report.get("unmended"):
        if report.get("problem"):
            click.echo(f"tierlog: {report['problem']}", err=True)
        click.get_current_context().exit(1)


def _sentences(report: dict[str, Any]) -> list[str]:
    said = []
    if "recovered" in report:
        said.append(f"recovered {number(report['recovered'], 'segment')}")
        for name, text, what in (
            ("torn_lines", "torn line", ""),
            ("empty", "empty segment", ""),
            ("live", "live segment", " left alone"),
        ):
            if report[name]:
                said.append(f"{number(report[name], text)}{what}")
        if report["unmended"]:
            said.append(f"{number(report['unmended'], 'segment')} couldn't be mended")
    if "shipped" in report:
        said.append(f"shipped {number(report['shipped'], 'segment')} ({size(report['stored_bytes'])})")
    if report.get("pending"):
        said.append(f"{number(report['pending'], 'segment')} still wait{'s' if report['pending'] == 1 else ''}")
    return said
