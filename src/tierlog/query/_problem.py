"""
What couldn't be read.
"""

from __future__ import annotations

from typing import NamedTuple


__all__ = ["Problem", "note"]

_MOST = 1_000


class Problem(NamedTuple):
    """
    Something that couldn't be read.

    Attributes:
        name: The segment's path or key, or what else it is.

        problem: Why, in one line.
    """

    name: str
    problem: str


def note(problems: list[Problem], name: str, problem: str) -> None:
    """
    Add a problem, once, to a list that is kept for a long time.
    """
    found = Problem(name, problem)
    if found not in problems and len(problems) < _MOST:
        problems.append(found)
