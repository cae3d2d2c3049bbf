"""
``tierlog r2``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import click

from tierlog.cli._errors import WrongUse
from tierlog.cli._output import print_json
from tierlog.cli._retention_options import held, hold_option, kept, retention_option
from tierlog.cli._store_options import chosen, store_options
from tierlog.errors import ConfigError
from tierlog.retention import tier_prefix


__all__ = ["r2", "rules"]

_DAY = 86_400


@click.group(invoke_without_command=True)
@click.pass_context
def r2(context: click.Context) -> None:
    """
    What is to be done with the bucket itself.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@r2.command()
@store_options
@retention_option
@hold_option
def lifecycle(*, retention: tuple[str, ...], hold: tuple[str, ...], **given: Any) -> None:
    """
    Print the rules with which the bucket deletes old segments by itself.

    They are JSON for 'aws s3api put-bucket-lifecycle-configuration
    --lifecycle-configuration file://…', which replaces the rules the bucket has, and
    which needs a token that may administrate it. Nothing is applied.

    R2 counts the days from when an object was stored, and deletes within a day after
    that. Where the rules do it, give 'retention: null' to the processes that log; the
    catalog then says of what is gone that it is there, until 'tierlog cleanup' runs with
    the same --retention.

    Exit codes: 0 done; 2 wrong usage, or a project is held, which rules can't.
    """
    about = chosen(tells_damage=False, **given)
    if held(about, hold):
        raise WrongUse("--hold: the rules of a bucket can't hold a project; run 'tierlog cleanup' with the hold instead")
    found = rules(kept(about, retention, deletes=True), str(about.options.get("prefix") or ""))
    if not found["Rules"]:
        raise ConfigError("--retention", "everything is kept for ever, so there's no rule; give a time such as 30d")
    print_json(found)


def rules(retention: Mapping[str, float | None], prefix: str) -> dict[str, Any]:
    """
    Return the bucket's rules, as boto3 takes them.

    >>> rules({"build": 86_400.5, "system": None}, "logs")["Rules"]
    [{'ID': 'tierlog-build', 'Status': 'Enabled', 'Filter': {'Prefix': 'logs/builds/'}, 'Expiration': {'Days': 2}}]

    Args:
        retention: For how many **seconds** each tier is kept; None: for ever.

        prefix: What keys begin with, as the sink takes it.
    """
    start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return {
        "Rules": [
            {
                "ID": f"tierlog-{tier}",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{start}{tier_prefix(tier)}"},
                "Expiration": {"Days": math.ceil(seconds / _DAY)},
            }
            for tier, seconds in retention.items()
            if seconds is not None
        ]
    }
