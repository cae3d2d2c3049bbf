"""
Hiding secrets in one text.

A text is looked at once for all rules together, and only the patterns of those
rules run that were seen, near where they were seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tierlog.redact._blocks import hide_blocks
from tierlog.redact._body import SIGNS as BARE_SIGNS
from tierlog.redact._keys import is_count, is_sensitive
from tierlog.redact._matcher import Matcher, literal
from tierlog.redact._rule import Rule


__all__ = ["MAX_CHARS", "OverBudget", "Span", "TextRedactor"]

MAX_CHARS = 1_048_576
"""Longest text that is looked at; what follows is cut off, marked as such."""

_BLOCK_TRIGGERS = ("----begin|---- begin|----end|---- end", r"----\x1b", "-user-key-file", *map(literal, BARE_SIGNS))
_FIRST_KNOWN = 1 << 20
_NO_WORD = re.compile(r"[^\w-]", re.ASCII)
_PER_MATCH = 1_000  # a match costs about as much as so many characters
_WHOLE = 4_096  # a text up to this isn't worth windows
_PASSES = 6
_UNSAFE_TAIL = 16_384  # a secret that the cut went through can't be longer
_TRUNCATED = "[TRUNCATED]"
_MARK = "[REDACTED:"
_GROUPS = ("secret", "quoted", "bare")

# A token begins where no word goes on, or behind an escape that ends in a letter
# or digit: \n, \u003d, %3D, a colour.
_ESCAPE = re.compile(r"(?:\\[nrtbfv]|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}|\x1b\[[0-9;]{0,8}m|\[[0-9;]{1,8}m)\Z")
_LONGEST_ESCAPE = 12
_ASCII_CASES = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})
_is_sensitive = lru_cache(maxsize=4_096)(is_sensitive)  # of the few characters that a pattern takes


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


class TextRedactor:
    """
    Replaces what *rules* find by a mark.

    Args:
        rules: What to look for; of two that find the same place, the first names
            the mark.

        known: Texts to hide wherever they are, with the names of their marks.

        count: Called with the name of a rule for each secret hidden, if given.

        mark: Returns what stands in the place of a secret, of the rule's name and
            the secret; ``[REDACTED:rule]`` if None.

        blocks: Whether to hide private keys that stand in the text as blocks.

    Attributes:
        hits: Returns what a text may hold, as numbers; none if it holds no secret.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        known: Iterable[tuple[str, str]] = (),
        *,
        count: Callable[[str], None] | None = None,
        mark: Callable[[str, str], str] | None = None,
        blocks: bool = True,
    ) -> None:
        self._count = count or (lambda rule: None)  # noqa: ARG005
        self._mark = mark or (lambda rule, secret: f"[REDACTED:{rule}]")  # noqa: ARG005
        self._patterns = [_Pattern(rule) for rule in rules]
        self._known = [_Known(form, name) for form, name in known]
        by_trigger: dict[str, list[int]] = {}
        for index, one in enumerate(self._patterns):
            by_trigger.setdefault(one.trigger, []).append(index)
        self._triggered = list(by_trigger.values())
        # Apart, since known texts come and go, and rules take long to compile.
        self._matcher = Matcher([*by_trigger, *(_BLOCK_TRIGGERS if blocks else ())])
        self._known_matcher = Matcher([one.trigger for one in self._known]) if self._known else None
        self.hits: Callable[[str], list[int]] = self._all_hits if self._known else self._matcher.hits

    def hide(self, text: str, hits: Sequence[int] | None = None) -> str:
        """
        Return *text* with every secret in it replaced.

        Args:
            text: Any text.

            hits: What :attr:`hits` said of it.

        Raises:
            OverBudget: It would take too long.
        """
        is_cut = len(text) > MAX_CHARS
        if is_cut:
            text, hits = text[:MAX_CHARS], None
        hits = self.hits(text) if hits is None else hits
        if any(len(self._triggered) <= hit < _FIRST_KNOWN for hit in hits):
            hidden = hide_blocks(text, self._count)
            if hidden is not text:
                text, hits = hidden, self.hits(hidden)
        out, position = [], 0
        for start, end, rule in self._spans(text, hits):
            out += [text[position:start], self._mark(rule, text[start:end])]
            self._count(rule)
            position = end
        text = "".join([*out, text[position:]]) if out else text
        return text[:-_UNSAFE_TAIL] + _TRUNCATED if is_cut else text

    def find(self, text: str) -> list[Span]:
        """
        Return where in *text* secrets are, but for blocks, in order and without overlap.

        Raises:
            OverBudget: It would take too long.
        """
        return self._spans(text, self.hits(text))

    def _all_hits(self, text: str) -> list[int]:
        hits = self._matcher.hits(text)
        if self._known_matcher is not None:
            hits += [_FIRST_KNOWN + hit for hit in self._known_matcher.hits(text)]
        return hits

    def _spans(self, text: str, hits: Iterable[int]) -> list[Span]:
        lower = _lowered(text)
        work = _Work(len(text) * _PASSES + MAX_CHARS)
        found: list[Span] = []
        for finder in self._finders(hits, lower):
            for start, end in finder.windows(lower):
                work.spend(end - start)
                found += finder.spans(text, lower, start, end, work)
        return _joined(found)

    def _finders(self, hits: Iterable[int], lower: str) -> list[_Pattern | _Known]:
        """
        Return what is to be tried on a text, in the order of the rules.
        """
        triggered = len(self._triggered)
        indices = sorted(index for hit in hits if hit < triggered for index in self._triggered[hit])
        patterns = (self._patterns[index] for index in indices)
        known = (self._known[hit - _FIRST_KNOWN] for hit in hits if hit >= _FIRST_KNOWN)
        return [*(one for one in patterns if one.may_be_in(lower)), *known]


class _Work:
    """
    How much more may be done for a text; in characters looked at.
    """

    __slots__ = ("_left",)

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise OverBudget


class _Known:
    """
    Finds one known text.
    """

    def __init__(self, form: str, name: str) -> None:
        self.trigger = literal(form)
        self._form = form
        self._name = name

    def windows(self, lower: str) -> Iterator[tuple[int, int]]:
        yield 0, len(lower)

    def spans(self, text: str, _lower: str, start: int, end: int, work: _Work) -> Iterator[Span]:
        size = len(self._form)
        while (start := text.find(self._form, start, end)) >= 0:
            work.spend(_PER_MATCH)
            yield Span(start, start + size, self._name)
            start += 1


class _Pattern:
    """
    Finds what a rule describes.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._compiled: re.Pattern[str] | None = None
        self._width: int | None = None
        self._literals = tuple(text.lower() for text in rule.literals)
        self.trigger = rule.trigger or "|".join(literal(text) for text in rule.literals) or _loose(rule.pattern)

    def may_be_in(self, lower: str) -> bool:
        """
        Tell whether a text has one of the rule's literals: of rules that share a trigger, few are meant.
        """
        return not self._literals or any(literal in lower for literal in self._literals)

    @property
    def _pattern(self) -> re.Pattern[str]:
        # Most are never needed, and all together take a third of a second. No
        # cached_property: its lock may be held by another thread during a fork.
        if self._compiled is None:
            self._compiled = re.compile(self._rule.pattern, re.ASCII)
        return self._compiled

    @property
    def _reach(self) -> int:
        if self._width is None:
            self._width = _width(self._pattern)
        return self._width

    def windows(self, lower: str) -> Iterator[tuple[int, int]]:
        """
        Yield the parts of a text that can hold such a secret, without overlap.
        """
        size = len(lower)
        if size <= _WHOLE or not self._literals:
            yield 0, size
            return
        start = end = 0
        for at in _places(lower, self._literals, self._reach):
            if at - self._reach > end:
                if end:
                    yield start, end
                start = max(at - self._reach, 0)
            end = max(end, min(at + 2 * self._reach, size))
        if end:
            yield start, end

    def spans(self, text: str, lower: str, start: int, end: int, work: _Work) -> Iterator[Span]:
        """
        Yield the secrets that begin in a part of the text.
        """
        rule = self._rule
        looked_at = lower if rule.folded else text
        while match := self._pattern.search(looked_at, start, end):
            work.spend(_PER_MATCH)
            group = next((name for name in _GROUPS if name in self._pattern.groupindex and match[name]), 0)
            first, last = match.span(group)
            begun = match.start() + 1
            if self._is_secret(match, text, first, last):
                yield Span(first, last, rule.name)
                start = max(match.end(), begun)
            elif rule.is_token:
                # A token begins where a word begins, or behind an escape, whose sign ends one.
                following = _NO_WORD.search(text, begun)
                start = following.start() if following else end
            else:  # what was no value may hold one, but not within quotes
                start = max(first if group == "bare" else match.end(), begun)

    def _is_secret(self, match: re.Match[str], text: str, first: int, last: int) -> bool:
        rule = self._rule
        if rule.is_token and not _stands_alone(text, match.start(), match.end()):
            return False
        secret = text[first:last]
        if "name" in self._pattern.groupindex:
            name = text[slice(*match.span("name"))]
            if not _is_sensitive(name) or (secret.isdigit() and is_count(name)):
                return False
        return not secret.startswith(_MARK) and (rule.accepts is None or rule.accepts(secret))


def _places(lower: str, literals: tuple[str, ...], stride: int) -> list[int]:
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


def _stands_alone(text: str, start: int, end: int) -> bool:
    if end < len(text) and text[end].isascii() and text[end].isalnum():
        return False
    if not start:
        return True
    before = text[start - 1]
    if not (before.isascii() and (before.isalnum() or before in "_-")):
        return True
    return _ESCAPE.search(text[max(start - _LONGEST_ESCAPE, 0) : start]) is not None


def _lowered(text: str) -> str:
    """
    Return *text* in lower case, each character in its place.
    """
    lower = text.lower()
    # A few letters beyond ASCII have two in lower case.
    return lower if len(lower) == len(text) else text.translate(_ASCII_CASES)


def _joined(found: Iterable[Span]) -> list[Span]:
    """
    Return the spans in order, overlapping ones as one, named by the longest of them.
    """
    joined: list[Span] = []
    longest = 0
    for span in sorted(found, key=lambda one: one.start):
        size = span.end - span.start
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = Span(last.start, max(last.end, span.end), span.rule if size > longest else last.rule)
            longest = max(longest, size)
        else:
            joined.append(span)
            longest = size
    return joined


def _width(pattern: re.Pattern[str]) -> int:
    from re import _parser  # noqa: PLC0415 -- nothing else tells the width

    return int(min(_parser.parse(pattern.pattern, pattern.flags).getwidth()[1], _UNSAFE_TAIL))


def _loose(pattern: str) -> str:
    """
    Return *pattern* without its named groups and upper bounds, which take long to compile,
    and with the ends of a text as ends of a line: several may be looked at together.
    """
    pattern = re.sub(r"(?<!\\)((?:\\\\)*)\\([AZ])", lambda match: match[1] + ("^" if match[2] == "A" else "$"), pattern)
    return re.sub(r"\{(\d+),\d{3,}\}", r"{\1,}", re.sub(r"\(\?P<\w+>", "(?:", pattern))
