"""
What a check found.
"""

from __future__ import annotations

from typing import NamedTuple

from tierlog.errors import MissingExtraError, TierlogError


__all__ = ["SEVERITIES", "Finding", "error", "of_error", "ok", "warning"]

SEVERITIES = ("error", "warning", "ok")
"""Worst first."""


class Finding(NamedTuple):
    """
    What a check found.

    Attributes:
        check: What was looked at, one word.

        severity: One of :data:`SEVERITIES`.

        what: What is, in one line.

        mend: What to do, in one line; empty where nothing has to be done.
    """

    check: str
    severity: str
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    """
    Return that all is as it should be.
    """
    return Finding(check, "ok", what)


def warning(check: str, what: str, mend: str) -> Finding:
    """
    Return what may go wrong.
    """
    return Finding(check, "warning", what, mend)


def error(check: str, what: str, mend: str) -> Finding:
    """
    Return what goes wrong.
    """
    return Finding(check, "error", what, mend)


def of_error(check: str, problem: TierlogError) -> Finding:
    """
    Return what an error of ours says: behind its semicolon stands what to do.
    """
    if isinstance(problem, MissingExtraError):
        return error(check, "an extra isn't installed", f"pip install 'tierlog[{problem.extra}]'")
    what, _, mend = str(problem).partition("; ")
    return error(check, what, mend or "correct it")
