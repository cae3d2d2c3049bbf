"""
How long segments are kept, and what is held, as commands are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from tierlog.cli._errors import WrongUse
from tierlog.cli._store_options import Chosen
from tierlog.kinds import TIERS
from tierlog.retention import DEFAULT, parse_hold, parse_retention


__all__ = ["held", "hold_option", "kept", "retention_option"]

_F = TypeVar("_F", bound=Callable[..., Any])

retention_option: Callable[[_F], _F] = click.option(
    "--retention",
    multiple=True,
    metavar="[TIER=]TIME",
    help="How long segments are kept, such as 30d, build=14d or system=forever; may be repeated.  [default: as configured, else "
    f"as the process that ships has noted in the root; {DEFAULT} where nothing is shipped]",
)

hold_option: Callable[[_F], _F] = click.option(
    "--hold",
    multiple=True,
    metavar="PROJECT",
    help="A project of which nothing is deleted, besides those that are configured or noted in the root; may be repeated.",
)


def kept(about: Chosen, given: Sequence[str], *, deletes: bool = False) -> Mapping[str, float | None]:
    """
    Return for how many seconds each tier is kept, None: for ever.

    Args:
        about: What the command is about.

        given: What the command line says of it.

        deletes: Whether what is older is deleted: then nothing is guessed.

    Raises:
        ConfigError: One of these times can't work.

        WrongUse: It isn't known how long, and something is to be deleted.
    """
    found = dict(parse_retention("sink.retention", about.retention(DEFAULT)))
    if deletes and not about.knows_retention and not _is_whole(given):
        raise WrongUse(
            f"--retention: how long the service that ships keeps its segments isn't noted in {about.root}; "
            "give the service's --config, or --retention for every tier and --hold for each project that is held"
        )
    for one in sorted(given, key=lambda one: "=" in one):  # that of all tiers comes first
        if "=" in one:
            name = one.partition("=")[0].strip()
            asked = parse_retention("--retention", one)
            found.update({tier: asked[tier] for tier in TIERS if name in {tier, "default"}})
        else:
            found = dict(parse_retention("--retention", one))
    return found


def _is_whole(given: Sequence[str]) -> bool:
    """
    Tell whether the command line says for every tier how long.
    """
    named = {one.partition("=")[0].strip() if "=" in one else "default" for one in given}
    return "default" in named or named >= set(TIERS)


def held(about: Chosen, given: Sequence[str]) -> frozenset[str]:
    """
    Return the projects of which nothing is deleted: those of the process that ships are
    among them, unless a configuration file says which.

    Raises:
        ConfigError: One of them can't be a project's id.
    """
    return parse_hold("sink.hold", about.options.get("hold", ())) | parse_hold("--hold", given) | frozenset(about.noted_hold)
