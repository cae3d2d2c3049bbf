"""
What a cleanup did, or would do: segments and bytes, by side, tier and what becomes of them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from tierlog.kinds import TIERS


__all__ = ["FATES", "SIDES", "Amount", "Cleaned"]

FATES = ("deleted", "kept", "held", "waiting")
"""What becomes of a segment: it is deleted, it stays, it is held by project, or it
isn't shipped yet."""

SIDES = ("local", "remote")

_MOST_TOLD = 100


class Amount(NamedTuple):
    """
    So many segments, and their bytes as stored.
    """

    segments: int = 0
    size: int = 0


class Cleaned:
    """
    What a cleanup did; after a dry run, what it would do.

    Attributes:
        problems: What couldn't be done, in a sentence each; at most a hundred.

        problem_count: How much couldn't be done.

        notes: What else is to be known.

        is_complete: Whether everything was looked at.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.problem_count = 0
        self.notes: list[str] = []
        self.is_complete = True
        self._amounts: dict[tuple[str, str, str], Amount] = defaultdict(Amount)

    def add(self, side: str, tier: str, fate: str, size: int) -> None:
        """
        Count a segment of *size* bytes.
        """
        before = self._amounts[side, tier, fate]
        self._amounts[side, tier, fate] = Amount(before.segments + 1, before.size + size)

    def fail(self, problem: str) -> None:
        """
        Note what couldn't be done.
        """
        self.problem_count += 1
        if len(self.problems) < _MOST_TOLD:
            self.problems.append(problem)

    def amount(self, fate: str, *, side: str | None = None, tier: str | None = None) -> Amount:
        """
        Return how many segments have that *fate*, on one side or both, in one tier or all.
        """
        found = [
            one
            for (its_side, its_tier, its_fate), one in self._amounts.items()
            if its_fate == fate and side in {None, its_side} and tier in {None, its_tier}
        ]
        return Amount(sum(one.segments for one in found), sum(one.size for one in found))

    def as_dict(self) -> dict[str, Any]:
        """
        Return all of it as JSON has it.
        """
        return {
            **{side: {tier: self._fates(side, tier) for tier in TIERS} for side in SIDES},
            "problem_count": self.problem_count,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "is_complete": self.is_complete,
        }

    def _fates(self, side: str, tier: str) -> dict[str, dict[str, int]]:
        amounts = {fate: self.amount(fate, side=side, tier=tier) for fate in FATES}
        return {fate: {"segments": one.segments, "bytes": one.size} for fate, one in amounts.items()}
