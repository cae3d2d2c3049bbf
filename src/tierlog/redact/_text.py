"""
Hiding secrets in one text.

A text is looked at once for all rules together, and only the patterns of those
rules run that were seen, near where they were seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tierlog.redact._blocks import hide_blocks
from tierlog.redact._body import SIGNS as BARE_SIGNS
from tierlog.redact._finders import LONGEST, KnownText, Pattern, Span, Work
from tierlog.redact._matcher import Matcher, literal
from tierlog.redact._rule import Rule
from tierlog.redact._rules import RULES


__all__ = ["MAX_CHARS", "TextRedactor"]

MAX_CHARS = 1_048_576
"""Longest text that is looked at; what follows is cut off, marked as such."""

_BLOCK_TRIGGERS = ("----begin|---- begin|----end|---- end", r"----\x1b", "-user-key-file", *map(literal, BARE_SIGNS))
_FIRST_KNOWN = 1 << 20
_TRUNCATED = "[TRUNCATED]"
_NOTHING = r"\x00\x00\x00\x00"

# Units of work, about 10 ns each. A text of ordinary size with hundreds of secrets
# stays below what is allowed; a long one made of little else is withheld.
_ORDINARY = 65_536
_ALLOWED_ORDINARY = 2_500_000
_ALLOWED_LONG = 1_000_000
_ALLOWED_PER_CHAR = 4
_LONG = 32_768  # a text up to this isn't worth the time it takes to compile the matcher of literals
_BUILT_IN = frozenset(map(id, RULES))  # a user's own may hold what isn't for the disk
_ASCII_CASES = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})


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
        self._patterns = [Pattern(rule) for rule in rules]
        self._known = [KnownText(form, name) for form, name in known]
        by_trigger: dict[str, list[int]] = {}
        for index, one in enumerate(self._patterns):
            by_trigger.setdefault(one.trigger, []).append(index)
        self._triggered = list(by_trigger.values())
        # Apart, since known texts come and go, and rules take long to compile.
        self._are_built_in = _BUILT_IN.issuperset(map(id, rules))
        self._matcher = Matcher([*by_trigger, *(_BLOCK_TRIGGERS if blocks else ())], keep=self._are_built_in)
        self._literals: list[str] = []
        self._literal_matcher: Matcher | None = None  # made when the first long text needs it
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
        return text[:-LONGEST] + _TRUNCATED if is_cut else text

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
        absent = self._absent(lower)
        size = len(text)
        work = Work(_ALLOWED_ORDINARY if size <= _ORDINARY else max(_ALLOWED_LONG, size * _ALLOWED_PER_CHAR), absent)
        found: list[Span] = []
        for finder in self._finders(hits, lower, absent):
            found += finder.all_spans(text, lower, work)
        return _joined(found)

    def _finders(self, hits: Iterable[int], lower: str, absent: frozenset[str]) -> list[Pattern | KnownText]:
        """
        Return what is to be tried on a text, in the order of the rules: of many that
        share a trigger, few are meant.
        """
        triggered = len(self._triggered)
        indices = sorted(index for hit in hits if hit < triggered for index in self._triggered[hit])
        patterns = (self._patterns[index] for index in indices)
        known = (self._known[hit - _FIRST_KNOWN] for hit in hits if hit >= _FIRST_KNOWN)
        if not absent:
            return [*(one for one in patterns if one.may_be_in(lower)), *known]
        return [*(one for one in patterns if not one.literals or not absent.issuperset(one.literals)), *known]

    def _absent(self, lower: str) -> frozenset[str]:
        """
        Return which literals aren't in a text, if it is so long that one look for all of them pays.
        """
        if len(lower) <= _LONG:
            return frozenset()
        if self._literal_matcher is None:
            self._literals = sorted({one for pattern in self._patterns for one in pattern.literals})
            self._literal_matcher = Matcher([literal(one) for one in self._literals] or [_NOTHING], keep=self._are_built_in)
        present = set(self._literal_matcher.hits(lower))
        return frozenset(one for index, one in enumerate(self._literals) if index not in present)


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
