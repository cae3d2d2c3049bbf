"""
Tiers, and the open registry of what kinds of records each holds.
"""

from __future__ import annotations

import re

from tierlog.errors import ConfigError


__all__ = ["TIERS", "default_kind", "is_kind", "known", "register"]

TIERS = ("system", "build", "deploy", "action", "lifecycle")
"""All tiers; the set is closed."""

_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")

_known: dict[str, tuple[str, ...]] = {
    "system": ("log", "meta", "billing", "rate_limit", "auth", "health", "security", "job", "metric"),
    "build": ("line", "meta"),
    "deploy": ("deploy", "line", "dns", "domain"),
    "action": ("action", "integration", "advisor", "domain", "env", "team"),
    "lifecycle": ("build", "deploy", "project", "billing"),
}


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
