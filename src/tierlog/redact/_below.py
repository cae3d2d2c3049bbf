"""
Secrets on the line below their name: answers to a prompt, values that were wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tierlog.redact._body import without_ansi
from tierlog.redact._rules._accepts import may_stand_alone


__all__ = ["Below"]

_LONGEST_NAME: Final = 96
_LONGEST_VALUE: Final = 4_096
_END = re.compile(r"[\w\])\"'`][ \t]{0,8}[:=]\Z|(?:\A|[\s:=\"'])(?:bearer|basic)\Z", re.IGNORECASE)
_FOR_WHAT = re.compile(
    r"\b(pass(?:word|phrase|code)|secret|token|(?:access|api|private|secret)[ _-]?key) (?:for|of|to) [\w.\-\"'` ]{1,60}:\Z",
    re.IGNORECASE,
)
_VALUE = re.compile(rf"\s*([\"'`]?)(?P<value>[^\s\"'`]{{1,{_LONGEST_VALUE}}})\1[,;]?\s*\Z")
_MARK = re.compile(r"\[REDACTED:[^\[\]\s]{1,256}\]|\[WITHHELD\]")


class Below:
    """
    Hides a line that is one word and may be a secret, where the line before it, or the
    one before an empty line, ends in a secret's name.

    The two are looked at as one line, so what is hidden is what would be on one line,
    but for words, numbers, paths and prompts: something else may follow there.

    Args:
        text: Hides what is secret in one line.

    Attributes:
        waits: Whether the next line is judged by one that came before.
    """

    def __init__(self, text: Callable[[str], str]) -> None:
        self._text = text
        self._name = ""
        self._is_far = False
        self.waits = False

    def line(self, line: str) -> str:
        """
        Return *line*, with a mark in it if it is the value of the name before it.

        Args:
            line: With or without its end.
        """
        last = line.rstrip()[-1:]
        if not self._name and last not in _LAST:
            return line
        plain = without_ansi(line) if "\x1b" in line else line
        if self._name and not plain.strip():
            if self._is_far:
                self.forget()
            self._is_far = True
            return line
        shown = self._hidden(line, plain) if self._name else line
        self._name = _name_at_end(plain) if shown is line else ""
        self.waits, self._is_far = bool(self._name), False
        return shown

    def forget(self) -> None:
        """
        Forget what came before.
        """
        self._name = ""
        self.waits = self._is_far = False

    def _hidden(self, line: str, plain: str) -> str:
        found = _VALUE.match(plain)
        if not found or not may_stand_alone(found["value"]):
            return line
        value = plain.strip()
        prompt = _FOR_WHAT.search(self._name)
        for before in (self._name, *([f"{prompt[1]}:"] if prompt else [])):
            before += "" if before.endswith("=") else " "  # noqa: PLW2901 -- as it would stand on one line
            shown = self._text(before + value)
            mark = _MARK.search(shown, len(before)) if shown.startswith(before) and shown != before + value else None
            if mark:
                # The word as a whole, whatever of it would end a value within a line.
                return (line if found["value"] in line else plain).replace(found["value"], mark[0], 1)
        return line


_LAST = frozenset((":", "=", "m", *"rRcC"))
"""What a name, ``Bearer``, ``Basic`` or a colour ends in."""


def _name_at_end(plain: str) -> str:
    """
    Return what may be a name at the end of a line.
    """
    text = plain.rstrip()[-_LONGEST_NAME:]
    return text if _END.search(text) else ""
