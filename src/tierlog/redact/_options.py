"""
Options of a redactor, checked before they are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from tierlog.errors import ConfigError
from tierlog.options import check_names, choice
from tierlog.redact._known import usable
from tierlog.redact._paths import Paths
from tierlog.redact._rule import Rule, entropy, sample
from tierlog.redact._rules import RULES
from tierlog.redact._text import TextRedactor


__all__ = ["chosen_rules", "key_options", "known_values"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_KNOWN = "known-value"


def chosen_rules(given: Iterable[Rule | Mapping[str, Any]], without: Iterable[str], pii: Iterable[str]) -> tuple[Rule, ...]:
    """
    Return the rules to use: *given* ones first, then those that come with tierlog.

    Raises:
        ConfigError: A rule can't work, or there's none of that name.
    """
    own = [_rule(number, one) for number, one in enumerate(_items("redact.rules", given))]
    names = {rule.name for rule in own}
    known = {rule.name for rule in RULES}
    off = {choice("redact.without", name, sorted(known | {"private-key"})) for name in _items("redact.without", without)}
    return (*own, *(rule for rule in RULES if rule.name not in names | off), *_personal(_items("redact.pii", pii)))


def key_options(given: Iterable[str], paths: Iterable[str]) -> tuple[list[str], Paths | None]:
    """
    Return the names among *given*, and the paths among them and *paths*.

    Raises:
        ConfigError: One of them is no path.
    """
    items = _items("redact.keys", given)
    names = [one for one in items if not set(one) & set("*.[")]
    anchored = [one for one in items if one not in names] + list(_items("redact.paths", paths))
    try:
        return names, Paths(anchored) if anchored else None
    except ValueError as e:
        raise ConfigError("redact.keys", str(e)) from None


def known_values(given: Iterable[str] | Mapping[str, str], least: int) -> dict[str, str]:
    """
    Return the names of the marks of known *given* values.

    Raises:
        ConfigError: One of them is too short.
    """
    if isinstance(given, Mapping):
        pairs = [(value, name) for name, value in given.items()]
    else:
        pairs = [(one, _KNOWN) for one in _items("redact.known", given)]
    for number, (value, name) in enumerate(pairs):
        reason = "it isn't text" if not isinstance(value, str) else usable(value, least)
        if reason:
            place = f"number {number}" if name == _KNOWN else name
            raise ConfigError("redact.known", f"the value {place} can't be hidden: {reason}")
    return dict(pairs)


def _rule(number: int, given: Rule | Mapping[str, Any]) -> Rule:
    setting = f"redact.rules[{number}]"
    if isinstance(given, Rule):
        rule = given
    elif isinstance(given, Mapping):
        rule = _made(setting, given)
    else:
        raise ConfigError(setting, f"{given!r} is neither a Rule nor a mapping of name, literals and pattern")
    if not _NAME.match(rule.name):
        raise ConfigError(setting, f"{rule.name!r} can't stand in a mark; use lower-case letters, digits and dashes")
    from tierlog.redact._linear import problem  # noqa: PLC0415 -- only for those who have rules of their own

    reason = problem(rule.pattern)
    if reason:
        raise ConfigError(setting, f"the pattern of {rule.name!r} can't be used: {reason}")
    _try(setting, rule)
    return rule


def _personal(names: tuple[str, ...]) -> list[Rule]:
    from tierlog.redact._pii import PII  # noqa: PLC0415 -- only for those who ask for it

    known = tuple(dict.fromkeys(name for name, *_ in PII))
    chosen = {choice("redact.pii", name, known) for name in names}
    return [
        Rule(name, (), pattern, accepts=accepts, trigger=trigger) for name, pattern, accepts, trigger in PII if name in chosen
    ]


def _made(setting: str, given: Mapping[str, Any]) -> Rule:
    def user_rule(
        name: str,
        pattern: str,
        literals: Iterable[str] = (),
        *,
        ignore_case: bool = False,
        whole_word: bool = False,
        min_entropy: float = 0.0,
        positive: Iterable[str] = (),
        negative: Iterable[str] = (),
    ) -> Rule:
        literals = _items(f"{setting}.literals", literals)
        return Rule(
            name,
            tuple(one.lower() for one in literals) if ignore_case else literals,
            f"(?i:{pattern})" if ignore_case else pattern,
            folded=ignore_case,
            is_token=whole_word,
            accepts=partial(_has_entropy, min_entropy) if min_entropy else None,
            positive=_items(f"{setting}.positive", positive),
            negative=_items(f"{setting}.negative", negative),
        )

    check_names(setting, given, user_rule)
    for name in ("name", "pattern"):
        if not isinstance(given.get(name), str):
            raise ConfigError(f"{setting}.{name}", f"{given.get(name)!r} isn't text; a rule needs a name and a pattern")
    return user_rule(**given)


def _has_entropy(least: float, text: str) -> bool:
    return entropy(text) >= least


def _try(setting: str, rule: Rule) -> None:
    """
    Raise what shows that *rule* doesn't do what its samples say.
    """
    try:
        texts = TextRedactor([rule])
    except ValueError as e:
        raise ConfigError(setting, f"the pattern of {rule.name!r} can't be looked for: {e}") from None
    for templates, finds in ((rule.positive, True), (rule.negative, False)):
        for number, template in enumerate(templates):
            if bool(texts.find(sample(template)[0])) is not finds:
                kind = "positive" if finds else "negative"
                said = "isn't found" if finds else "is found"
                raise ConfigError(setting, f"the {kind} sample {number} of {rule.name!r} {said} by its pattern")


def _items(setting: str, given: object) -> tuple[Any, ...]:
    """
    Return *given* as a tuple; one string is a mistake, not a list of letters.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(setting, f"{given!r} isn't a list")
    items = tuple(given)
    if setting != "redact.rules" and not all(isinstance(one, str) for one in items):
        raise ConfigError(setting, "each of the list must be text")
    return items
