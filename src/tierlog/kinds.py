"""
Tiers, levels, and the open registry of what kinds of records each tier holds.
"""

from __future__ import annotations

import re

from tierlog.errors import ConfigError


__all__ = ["LEVELS", "TIERS", "default_kind", "is_kind", "known", "level_name", "register"]

TIERS = ("system", "build", "deploy", "action", "lifecycle")
"""All tiers; the set is closed."""

LEVELS = {10: "debug", 20: "info", 30: "warn", 40: "error"}
"""``lvl`` by the number of the standard levels."""

_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")

_known: dict[str, tuple[str, ...]] = {
    "system": ("log", "meta", "billing", "rate_limit", "auth", "health", "security", "job", "metric"),
    "build": ("line", "meta"),
    "deploy": ("deploy", "line", "dns", "domain"),
    "action": ("action", "integration", "advisor", "domain", "env", "team"),
    "lifecycle": ("build", "deploy", "project", "billing"),
}


def level_name(levelno: int) -> str:
    """
    Return the ``lvl`` of a stdlib level number.
    """
    if levelno < 20:  # noqa: PLR2004 -- the stdlib's own numbers
        return "debug"
    if levelno < 30:  # noqa: PLR2004
        return "info"
    return "warn" if levelno < 40 else "error"  # noqa: PLR2004


def is_kind(value: object) -> bool:
    """
    Tell whether *value* can be a kind: a lower-case name of at most 64 characters.
    """
    return type(value) is str and _KIND.match(value) is not None


def known(tier: str) -> tuple[str, ...]:
    """
    Return the kinds declared for *tier*, its default first.

    Raises:
        ConfigError: There is no such tier.
    """
    try:
        return _known[tier]
    except KeyError:
        raise ConfigError.unknown("tier", f"there's no {tier!r}", TIERS, given=str(tier)) from None


def default_kind(tier: str) -> str:
    """
    Return the kind of a record of *tier* that names none.
    """
    return _known[tier][0]


def register(tier: str, *kinds: str) -> None:
    """
    Declare *kinds* as known for *tier*.

    Any well-formed kind may be logged without this: it is for those who want
    their own to be listed beside tierlog's.

    Raises:
        ConfigError: There is no such tier, or a kind is malformed.
    """
    have = known(tier)
    for kind in kinds:
        if not is_kind(kind):
            raise ConfigError("kind", f"{kind!r} doesn't match {_KIND.pattern[:-2]}")
    _known[tier] = (*have, *(kind for kind in dict.fromkeys(kinds) if kind not in have))
