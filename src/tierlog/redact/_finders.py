"""
Finding what one rule describes, or one known text, in a text that may hold it.

Patterns are tried only where they can match: at the rule's literals, or near them.
What that costs is counted, so that no text takes long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tierlog._platform import possessive
from tierlog.redact._beside import is_place, stands_alone, whole_name
from tierlog.redact._keys import is_count, is_harmless, is_sensitive
from tierlog.redact._matcher import literal
from tierlog.redact._rule import Rule
from tierlog.redact._shapes import begins_with, capped, loose, width


__all__ = ["LONGEST", "WHOLE", "KnownText", "OverBudget", "Pattern", "Span", "Work"]

WHOLE = 4_096
"""A text of up to so many characters isn't worth looking for places in."""

LONGEST = 16_384
"""Characters of the longest secret."""

# Work is counted in units of about 10 ns.
_PER_LITERAL = 100
_PER_PLACE = 60
_PER_PLACE_WITH_HEADS = 110
_PER_TRY = 60
_PER_MATCH = 2_000
_PER_MATCHED_CHAR = 10
_PER_CHAR = 1
_PER_CHAR_BEHIND = 10  # if a pattern looks behind at each of them

_SHORT = 2  # a literal that is everywhere: to try each place of it costs more than to search
_SIGNS = frozenset("_.- ")
_MARK = "[REDACTED:"
_GROUPS = ("secret", "quoted", "bare", "coded")
_NO_WORD = re.compile(r"[^\w-]", re.ASCII)
_is_sensitive = lru_cache(maxsize=4_096)(is_sensitive)  # of the few characters that a pattern takes
_is_harmless = lru_cache(maxsize=4_096)(is_harmless)


class OverBudget(Exception):  # noqa: N818 -- never seen outside
    """
    A text needs more work than any honest one.
    """


class Span(NamedTuple):
    """
    Where a secret is.

    Attributes:
        start: Index of its first character.

        end: Index behind its last one.

        rule: The name of what found it.
    """

    start: int
    end: int
    rule: str


class Work:
    """
    How much more may be done for a text.

    Args:
        left: Units.

        absent: Literals in lower case that are known not to be in the text.

    Attributes:
        places: Where patterns are to be tried, by what leads there: rules have the
            same literals.
    """

    __slots__ = ("_left", "absent", "places")

    def __init__(self, left: int, absent: frozenset[str] = frozenset()) -> None:
        self._left = left
        self.absent = absent
        self.places: dict[object, list[tuple[int, int]]] = {}

    def spend(self, amount: int, and_then: int = 0) -> None:
        """
        Take *amount* from what is left.

        Args:
            amount: Units.

            and_then: How much more will surely be needed.

        Raises:
            OverBudget: There isn't as much.
        """
        self._left -= amount
        if self._left < and_then:
            raise OverBudget


class KnownText:
    """
    Finds one known text.

    Args:
        form: The text.

        name: What its mark says.

    Attributes:
        trigger: What Hyperscan looks for.
    """

    def __init__(self, form: str, name: str) -> None:
        self.trigger = literal(form)
        self._form = form
        self._name = name

    def all_spans(self, text: str, _lower: str, work: Work) -> Iterator[Span]:
        """
        Yield where it is in a text.
        """
        start, size = 0, len(self._form)
        work.spend(len(text))
        while (start := text.find(self._form, start)) >= 0:
            work.spend(_PER_MATCH)
            yield Span(start, start + size, self._name)
            start += 1


class Pattern:
    """
    Finds what a rule describes.

    Args:
        rule: The rule.

    Attributes:
        literals: Those of the rule, in lower case.

        trigger: What Hyperscan looks for.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._compiled: re.Pattern[str] | None = None
        self._width: int | None = None
        self._known_leads: tuple[int, ...] | None = None
        self._per_char = _PER_CHAR_BEHIND if rule.pattern.startswith(("(?<", "(?:(?<")) else _PER_CHAR
        self.literals = tuple(text.lower() for text in rule.literals)
        self.trigger = capped(rule.trigger) or "|".join(literal(text) for text in rule.literals) or loose(rule.pattern)

    def may_be_in(self, lower: str) -> bool:
        """
        Tell whether a text in lower case has one of the rule's literals.
        """
        return not self.literals or any(literal in lower for literal in self.literals)

    def all_spans(self, text: str, lower: str, work: Work) -> Iterator[Span]:
        """
        Yield the secrets in a text.

        Args:
            text: The text.

            lower: The same in lower case, each character in its place.

            work: What may be done.

        Raises:
            OverBudget: That isn't enough.
        """
        looked_at = lower if self._rule.folded else text
        beginnings = self._beginnings(looked_at, work)
        if beginnings is not None:
            yield from self._spans_at(text, looked_at, beginnings, work)
            return
        if len(lower) > WHOLE:
            work.spend(sum(map(lower.count, self.literals)) * _PER_LITERAL)
        for start, end in self._windows(lower, work):
            work.spend((end - start) * self._per_char)
            yield from self._spans(text, looked_at, start, end, work)

    @property
    def _pattern(self) -> re.Pattern[str]:
        # Most are never needed, and all together take a third of a second. No
        # cached_property: its lock may be held by another thread during a fork.
        if self._compiled is None:
            self._compiled = re.compile(possessive(self._rule.pattern), re.ASCII)
        return self._compiled

    @property
    def _reach(self) -> int:
        if self._width is None:
            self._width = min(width(self._pattern), LONGEST)
        return self._width

    @property
    def _leads(self) -> tuple[int, ...]:
        if self._known_leads is None:
            rule = self._rule
            is_first = min(map(len, rule.literals), default=0) > _SHORT and begins_with(rule.pattern, rule.literals)
            self._known_leads = rule.leads or ((0,) * len(rule.literals) if is_first else ())
        return self._known_leads

    def _beginnings(self, looked_at: str, work: Work) -> list[tuple[int, int]] | None:
        """
        Return between which indices a match may begin: for each place of a literal the
        first and the last one. None if that isn't known.
        """
        rule, size = self._rule, len(looked_at)
        if not rule.leads and (size <= WHOLE or not self._leads):
            return None
        key = (rule.literals, self._leads, rule.spread, rule.heads, rule.folded)
        found = work.places.get(key)
        if found is not None:
            return found
        present = [one for one in zip(rule.literals, self._leads, self.literals, strict=True) if one[2] not in work.absent]
        number = sum(looked_at.count(one) for one, _lead, _lower in present)
        per_place = _PER_PLACE_WITH_HEADS if rule.heads else _PER_PLACE
        work.spend(number * per_place, and_then=number * _PER_TRY if rule.spread or not any(self._leads) else 0)
        found = work.places[key] = []
        for one, lead, _lower in present:
            _add_beginnings(found, looked_at, one, lead, rule)
        found.sort()
        return found

    def _spans_at(self, text: str, looked_at: str, beginnings: list[tuple[int, int]], work: Work) -> Iterator[Span]:
        """
        Yield the secrets that begin there.
        """
        match_at = self._pattern.match
        position = 0  # before it, nothing is to be tried any more
        for first, last in beginnings:
            begin = max(position, first)
            while begin <= last:
                work.spend(_PER_TRY)
                match = match_at(looked_at, begin)
                begin += 1
                if match:
                    span, begin = self._judged(match, text, len(text), work)
                    if span:
                        yield span
            position = max(position, begin)

    def _windows(self, lower: str, work: Work) -> Iterator[tuple[int, int]]:
        """
        Yield the parts of a text that can hold such a secret, without overlap.
        """
        size, reach = len(lower), self._reach
        if size <= WHOLE or not self.literals:
            yield 0, size
            return
        start = end = 0
        for at in _places(lower, [one for one in self.literals if one not in work.absent], reach):
            if at - reach > end:
                if end:
                    yield start, end
                start = max(at - reach, 0)
            end = max(end, min(at + 2 * reach, size))
        if end:
            yield start, end

    def _spans(self, text: str, looked_at: str, start: int, end: int, work: Work) -> Iterator[Span]:
        """
        Yield the secrets that begin in a part of the text.
        """
        while match := self._pattern.search(looked_at, start, end):
            span, start = self._judged(match, text, end, work)
            if span:
                yield span

    def _judged(self, match: re.Match[str], text: str, end: int, work: Work) -> tuple[Span | None, int]:
        """
        Return the secret that was matched, if it is one, and where to go on, up to *end*.
        """
        work.spend(_PER_MATCH + (match.end() - match.start()) * _PER_MATCHED_CHAR)
        rule = self._rule
        group = next((name for name in _GROUPS if name in self._pattern.groupindex and match[name]), 0)
        first, last = match.span(group)
        begun = match.start() + 1
        if self._is_secret(match, text, first, last):
            if rule.is_token:
                last = self._end_of_glued(text, first, last, work)
            return Span(first, last, rule.name), max(match.end(), last, begun)
        if rule.is_token:
            # A token begins where a word begins, or behind an escape, whose sign ends one.
            following = _NO_WORD.search(text, begun, end)
            return None, following.start() if following else end
        # What was no value may hold one, but not within quotes.
        return None, max(first if group == "bare" else match.end(), begun)

    def _is_secret(self, match: re.Match[str], text: str, first: int, last: int) -> bool:
        rule = self._rule
        if rule.is_token and not stands_alone(text, match.start(), match.end()):
            return False
        secret = text[first:last]
        if "name" in self._pattern.groupindex:
            name = text[slice(*match.span("name"))]
            if not _is_sensitive(name) or (secret.isdigit() and is_count(name)):
                return False
            if first == match.end("name") + 1 and is_place(text, *match.span("name"), secret):
                return False
        if secret.startswith(_MARK) or not (rule.accepts is None or rule.accepts(secret)):
            return False
        return "name" not in self._pattern.groupindex or not _is_harmless(whole_name(text, *match.span("name")))

    def _end_of_glued(self, text: str, start: int, end: int, work: Work) -> int:
        """
        Return where the last of the tokens ends that are glued to one: a match takes
        the first letters of the next token for its own end.
        """
        is_more = True
        while is_more:
            is_more = False
            for one in self._rule.literals:
                at = text.rfind(one, start + 1, end + len(one) - 1)
                match = self._pattern.match(text, at) if at > start else None
                if match and match.end() > end:
                    work.spend(_PER_MATCH)
                    start, end, is_more = at, match.end(), True
        return end


def _add_beginnings(found: list[tuple[int, int]], text: str, one: str, lead: int, rule: Rule) -> None:
    size, far, heads = len(one), abs(lead), rule.heads
    near = 0 if rule.spread is None else max(far - rule.spread + 1, 0)
    at = text.find(one)
    while at >= 0:
        if lead and (not heads or text.endswith(heads, 0, at - (text[at - 1 : at] in _SIGNS))):
            found.append((max(at - far, 0), at - near))
        elif lead >= 0:
            found.append((at, at))
        at = text.find(one, at + size)


def _places(lower: str, literals: Sequence[str], stride: int) -> list[int]:
    """
    Return indices near which all places of *literals* are: at most *stride* before one.
    """
    places = []
    for one in literals:
        at = lower.find(one)
        while at >= 0:
            places.append(at)
            # All further ones within reach are covered by the last of them.
            last = lower.rfind(one, at + 1, at + stride)
            if last > at:
                places.append(last)
                at = last
            at = lower.find(one, at + 1)
    return sorted(places)
