"""
``tierlog doctor``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from tierlog.cli._configured import Configured, configured, of_options
from tierlog.cli._inert import inert
from tierlog.cli._output import number, print_json
from tierlog.cli._store_options import Chosen, chosen, sink_options, store_options
from tierlog.doctor import (
    SEVERITIES,
    Finding,
    bucket_findings,
    code_findings,
    format_findings,
    of_error,
    option_findings,
    root_facts,
    root_findings,
    server_clock,
    setup_of,
    skew_findings,
    surroundings_findings,
    wiring_findings,
)
from tierlog.errors import ConfigError, MissingExtraError
from tierlog.settings import from_environment


__all__ = ["doctor"]

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "ok": ("✓", "green")}
_MOUNTS = Path("/proc/mounts")
_EPILOG = """\b
Examples:
  tierlog doctor --config logging.json
  tierlog doctor --config shop.settings:LOGGING
  tierlog doctor --django shop.settings
  tierlog doctor --root /var/log/app --local-only --code src
  tierlog doctor --json | jq -r '.findings[] | select(.severity != "ok") | .what'
"""


@click.command(epilog=_EPILOG)
@store_options
@click.option("--django", metavar="MODULE", help="A settings module, whose LOGGING it is.  [default: DJANGO_SETTINGS_MODULE]")
@click.option(
    "--code",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Python files, or folders of them, whose log calls are read for clashing names in extra=; may be repeated.",
)
@click.option("--local-only", is_flag=True, help="Put nothing into the bucket, and ask nobody for the time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the list.")
def doctor(*, django: str | None, code: tuple[Path, ...], local_only: bool, as_json: bool, **given: Any) -> None:
    """
    Say what will go wrong, and how to mend it.

    It looks at the configuration of logging, at the folder of the segments, at the
    environment, and at the bucket, into which it puts one small object and deletes
    it again. --config may also be a Python path, such as shop.settings:LOGGING,
    whose module is imported. Without a configuration it is the TIERLOG_ variables'.

    Exit codes: 0 no error, though there may be warnings; 1 an error; 2 wrong usage;
    130 stopped.
    """
    config = given.pop("config")
    found, about = _configuration(str(config) if config is not None else None, django, given)
    found += code_findings(code) if code else []
    found += root_findings(root_facts(about.root, clock=time.time_ns, mounts=_mounts()))
    found += surroundings_findings(os.environ, ships=about.has_bucket, botocore=_botocore())
    if about.has_bucket and not local_only:
        found += _of_bucket(about)
    found.sort(key=lambda one: SEVERITIES.index(one.severity))
    is_well = found[0].severity != "error"
    if as_json:
        counts = {name: sum(one.severity == name for one in found) for name in SEVERITIES}
        print_json({"ok": is_well, "counts": counts, "findings": [one._asdict() for one in found]})
    else:
        _show(found)
    click.get_current_context().exit(0 if is_well else 1)


def _configuration(config: str | None, django: str | None, given: Mapping[str, Any]) -> tuple[list[Finding], Chosen]:
    """
    Return what is wrong with the configuration, and the place that it is about.
    """
    found: list[Finding] = []
    about = None
    try:
        setup = configured(config, django, os.environ) or _of_environment()
        try:
            about = _about(setup, given)
        except ConfigError as e:
            found.append(of_error("configuration", e))
        found += _of_configuration(setup, uses_boto=about is not None and about.has_bucket)
    except ConfigError as e:
        found.append(of_error("configuration", e))
    return list({one.what: one for one in found}.values()), about or chosen(config=None, **given)


def _of_environment() -> Configured:
    options = from_environment(os.environ)
    where = (
        "it is tierlog.configure()'s, with the TIERLOG_ variables" if options else "none is given: it is tierlog.configure()'s"
    )
    try:
        return Configured(where, of_options(options))
    except ConfigError as e:
        raise ConfigError(f"TIERLOG_{e.setting.upper()}", e.problem) from e


def _about(setup: Configured, given: Mapping[str, Any]) -> Chosen:
    sink = sink_options(setup.config) or {}
    options = {**sink, **{name: value for name, value in given.items() if value is not None}}
    return chosen(config=None, **options)


def _of_configuration(setup: Configured, *, uses_boto: bool) -> list[Finding]:
    described = setup_of(setup.config)
    return [
        Finding("configuration", "ok", setup.where),
        *wiring_findings(described, uses_boto=uses_boto),
        *format_findings(described),
        *option_findings(described),
    ]


def _of_bucket(about: Chosen) -> list[Finding]:
    try:
        store = about.store()
    except (ConfigError, MissingExtraError) as e:
        return [of_error("bucket", e)]
    ahead = server_clock(about.options.get("endpoint_url"), clock=time.time_ns)
    clocks = skew_findings(ahead) if ahead is not None else []
    return [*clocks, *bucket_findings(store, clock=time.time_ns, compares_clocks=ahead is None)]


def _mounts() -> str:
    try:
        return _MOUNTS.read_text(errors="replace")
    except OSError:
        return ""


def _botocore() -> str | None:
    try:
        return version("botocore")
    except PackageNotFoundError:
        return None


def _show(found: list[Finding]) -> None:
    width = max(len(one.check) for one in found)
    for one in found:
        mark, colour = _MARKS[one.severity]
        head = f"{mark} {one.check:<{width}}"
        click.echo(f"{click.style(head, fg=colour, bold=one.severity == 'error')}  {inert(one.what)}")
        if one.mend:
            click.echo(f"{'':{width + 2}}  {click.style('→ ' + inert(one.mend), dim=True)}")
    counts = [sum(one.severity == name for one in found) for name in SEVERITIES[:2]]
    if any(counts):
        click.echo(f"{number(counts[0], 'error')}, {number(counts[1], 'warning')}")
    else:
        click.echo("nothing that can be seen from here will go wrong")
