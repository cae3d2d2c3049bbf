"""
How long segments are kept, and what is held, as commands are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from tierlog.cli._store_options import Chosen
from tierlog.kinds import TIERS
from tierlog.retention import DEFAULT, parse_hold, parse_retention


__all__ = ["held", "hold_option", "kept", "retention_option"]

_F = TypeVar("_F", bound=Callable[..., Any])

retention_option: Callable[[_F], _F] = click.option(
    "--retention",
    multiple=True,
    metavar="[TIER=]TIME",
    help=f"How long segments are kept, such as 30d, build=14d or system=forever; may be repeated.  [default: as configured, "
    f"else {DEFAULT}]",
)

hold_option: Callable[[_F], _F] = click.option(
    "--hold",
    multiple=True,
    metavar="PROJECT",
    help="A project of which nothing is deleted, besides those that are configured; may be repeated.",
)


def kept(about: Chosen, given: Sequence[str]) -> Mapping[str, float | None]:
    """
    Return for how many seconds each tier is kept, None: for ever.

    Raises:
        ConfigError: One of these times can't work.
    """
    found = dict(parse_retention("sink.retention", about.options.get("retention", DEFAULT)))
    for one in sorted(given, key=lambda one: "=" in one):  # that of all tiers comes first
        if "=" in one:
            name = one.partition("=")[0].strip()
            asked = parse_retention("--retention", one)
            found.update({tier: asked[tier] for tier in TIERS if name in {tier, "default"}})
        else:
            found = dict(parse_retention("--retention", one))
    return found


def held(about: Chosen, given: Sequence[str]) -> frozenset[str]:
    """
    Return the projects of which nothing is deleted.

    Raises:
        ConfigError: One of them can't be a project's id.
    """
    return parse_hold("sink.hold", about.options.get("hold", ())) | parse_hold("--hold", given)
