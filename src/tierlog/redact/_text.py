"""
Hiding secrets in one text.

A short look at single characters tells most texts clean; only what is left is
compared with the rules' literals, and only the rules whose literal is there run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tierlog.redact._keys import is_sensitive
from tierlog.redact._rules import RULES, Rule


__all__ = ["MAX_CHARS", "TextRedactor"]

MAX_CHARS = 1_048_576
"""Longest text that is looked at; what follows is cut off, marked as such."""

_SHORTEST = 5  # "pwd=x"
_TOKEN_SHORTEST = 14
_UNSAFE_TAIL = 16_384  # a secret that the cut went through can't be longer
_TRUNCATED = "[TRUNCATED]"
_MARK = "[REDACTED:"
_PEM = "-----BEGIN "
_PUTTY = "PuTTY-User-Key-File-"

_PEM_BEGIN = re.compile(r"-----BEGIN (?P<label>(?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?)-----|PuTTY-User-Key-File-[0-9]")


class TextRedactor:
    """
    Replaces what *rules* find by their mark.

    Args:
        rules: What to look for, in order.

        count: Called with the name of a rule for each secret hidden.
    """

    def __init__(self, count: Callable[[str], None], rules: Sequence[Rule] = RULES) -> None:
        self._count = count
        folded = [rule for rule in rules if rule.folded]
        exact = [rule for rule in rules if not rule.folded]
        self._rules = (*exact, *folded)
        literals = [literal for rule in exact for literal in rule.literals] + [_PEM, _PUTTY]
        self._lower = _by_sign([literal for literal in literals if literal == literal.lower()])
        self._mixed = _by_sign(literals)
        self._folded = tuple(dict.fromkeys(literal for rule in folded for literal in rule.literals))

    def is_clean(self, text: str) -> bool:  # noqa: C901, PLR0911, PLR0912 -- each step spares the next
        """
        Tell, without running a pattern, that *text* holds no secret.
        """
        size = len(text)
        if size < _SHORTEST:
            return True
        lower = text if text.islower() else None
        if size >= _TOKEN_SHORTEST:
            plain, dashed, scored, dotted = self._mixed if lower is None else self._lower
            for literal in plain:
                if literal in text:
                    return False
            if "-" in text:
                for literal in dashed:
                    if literal in text:
                        return False
            if "_" in text:
                for literal in scored:
                    if literal in text:
                        return False
            if "." in text:
                for literal in dotted:
                    if literal in text:
                        return False
        if lower is None:
            lower = text.lower()
        if "=" in text or ":" in text or "asic " in lower or "earer" in lower or "%3" in text:
            for literal in self._folded:
                if literal in lower:
                    return False
        return True

    def hide(self, text: str) -> str:
        """
        Return *text* with every secret in it replaced.
        """
        is_cut = len(text) > MAX_CHARS
        if is_cut:
            text = text[:MAX_CHARS]
        if _PEM in text or _PUTTY in text:
            text = self._hide_pem(text)
        lower = text.lower()
        for rule in self._rules:
            if any(literal in (lower if rule.folded else text) for literal in rule.literals):
                text = self._apply(rule, text)
        return text[:-_UNSAFE_TAIL] + _TRUNCATED if is_cut else text

    def _apply(self, rule: Rule, text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            group = next((name for name in ("secret", "quoted", "bare") if match.re.groupindex.get(name) and match[name]), 0)
            secret = match[group]
            if _MARK in secret or (rule.accepts and not rule.accepts(secret)):
                return match[0]
            if "name" in match.re.groupindex and not is_sensitive(match["name"]):
                return match[0]
            self._count(rule.name)
            start, end = match.start(group) - match.start(), match.end(group) - match.start()
            return f"{match[0][:start]}[REDACTED:{rule.name}]{match[0][end:]}"

        return rule.pattern.sub(replace, text)

    def _hide_pem(self, text: str) -> str:
        parts, position = [], 0
        while begin := _PEM_BEGIN.search(text, position):
            parts += [text[position : begin.start()], "[REDACTED:private-key]"]
            self._count("private-key")
            end = f"-----END {begin['label']}-----" if begin["label"] else "Private-MAC:"
            found = text.find(end, begin.end())
            # A block that doesn't end hides the rest: its body has no mark of its own.
            position = len(text) if found < 0 else found + len(end)
        return "".join([*parts, text[position:]])


def _by_sign(literals: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """
    Return the literals without a sign, with a dash, an underscore, a full stop.
    """
    signs = {literal: next((char for char in "-_." if char in literal), "") for literal in literals}
    return tuple(tuple(literal for literal in signs if signs[literal] == sign) for sign in ("", "-", "_", "."))
