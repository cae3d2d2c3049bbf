"""
What couldn't be read.
"""

from __future__ import annotations

from typing import NamedTuple


__all__ = ["Problem"]


class Problem(NamedTuple):
    """
    Something that couldn't be read.

    Attributes:
        name: The segment's path or key, or what else it is.

        problem: Why, in one line.
    """

    name: str
    problem: str
