"""
Patterns that users may give, and those that they may not.
"""

from __future__ import annotations

import pytest

from tierlog.redact._linear import problem


@pytest.mark.parametrize(
    "pattern",
    [
        r"acme-[a-z]{4}-\d{6}",
        r"\bT-\d{6}\b",
        r"pin (?P<secret>\d{4})",
        r"(?:live|test)_[A-Za-z0-9]{32}",
        r"tok_[\w-]{20,60}(?![\w-])",
        r"(?<![\w])key=[a-f0-9]{32}",
        r"^T-\d{6}$",
    ],
)
def test_taken(pattern):
    """
    Bounded patterns, as rules need them, are taken.
    """
    assert problem(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "[z-a]",
        "",
        "a?",
        r"\d{0,6}",
        "|x",
        r"(a)\1",
        r"(?P<x>a)(?P=x)b",
        "(a+)+b",
        "(a{1,30}){1,30}b",
        "(?:ab|a|b){1,50}c",
        r"token=.*secret",
        r"a+b+",
        r"[a-z]{1,500}[a-z0-9]{1,500}x",
        r"\w{1,5000}@",
    ],
)
def test_refused(pattern):
    """
    What doesn't compile, matches nothing at all, or may take long, is refused in one line.
    """
    reason = problem(pattern)

    assert reason
    assert "\n" not in reason
