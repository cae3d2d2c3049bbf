"""
Whether formatters ask for what records have.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from typing import Any

from tierlog.doctor._code import OWN_NAMES
from tierlog.doctor._finding import Finding, error, warning
from tierlog.doctor._setup import Setup, made_by


__all__ = ["format_findings"]

_OWN = OWN_NAMES | {"taskName"}
_PERCENT = re.compile(r"%\((\w+)\)")
_PLAIN = frozenset(["", "logging.Formatter"])


def format_findings(setup: Setup) -> list[Finding]:
    """
    Return what is wrong with the fields that formatters name.
    """
    return [one for name, given in setup.formatters.items() for one in _findings(setup, name, given)]


def _findings(setup: Setup, name: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    defaults = given.get("defaults")
    defaults = dict(defaults) if isinstance(defaults, Mapping) else {}
    for key in sorted(_OWN & set(defaults)):
        yield error(
            "extra-names",
            f"formatters.{name}.defaults has {key!r}, an attribute that each record has: as extra= it raises KeyError",
            f"call it otherwise, such as '{key}_', or put it into extra={{\"data\": {{…}}}}",
        )
    if made_by(given) not in _PLAIN or _has_other_filters(setup, name):
        return  # it may add fields of its own
    for key in sorted(_fields(given) - _OWN - set(defaults)):
        yield warning(
            "extra-names",
            f"formatters.{name} asks for {key!r}, which only records with that extra have: others can't be formatted",
            f'formatters.{name}: "defaults": {{"{key}": "-"}}',
        )


def _has_other_filters(setup: Setup, name: str) -> bool:
    used = [one for one in setup.handlers.values() if one.formatter == name]
    return any(not setup.is_context_filter(filter_) for one in used for filter_ in one.filters)


def _fields(given: Mapping[str, Any]) -> set[str]:
    text = given.get("format", given.get("fmt"))
    if not isinstance(text, str):
        return set()
    style = given.get("style", "%")
    if style == "%":
        return set(_PERCENT.findall(text))
    try:
        if style == "{":
            return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(text) if name}
        return set(string.Template(text).get_identifiers())
    except ValueError:
        return set()
