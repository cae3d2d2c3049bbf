"""
Facts as JSON and back, for the ledger.
"""

from __future__ import annotations

from typing import Any

from tierlog.facts import Block, Facts


__all__ = ["facts_from", "facts_json"]


def facts_json(facts: Facts) -> dict[str, Any]:
    """
    Return *facts* as JSON's types. Masks of blocks are hexadecimal digits.
    """
    return {
        **facts._asdict(),
        "seqs": {instance: list(span) for instance, span in facts.seqs.items()},
        "levels": [[hour, lvl, lines] for (hour, lvl), lines in facts.levels.items()],
        "ids": {name: {one: f"{mask:x}" for one, mask in masks.items()} for name, masks in facts.ids.items()},
        "blocks": [list(block) for block in facts.blocks],
    }


def facts_from(given: dict[str, Any]) -> Facts:
    """
    Return the facts that :func:`facts_json` made *given* of.
    """
    return Facts(
        **{
            **given,
            "seqs": {instance: tuple(span) for instance, span in given["seqs"].items()},
            "levels": {(hour, lvl): lines for hour, lvl, lines in given["levels"]},
            "ids": {name: {one: int(mask, 16) for one, mask in masks.items()} for name, masks in given["ids"].items()},
            "blocks": tuple(Block(*block) for block in given["blocks"]),
        }
    )
