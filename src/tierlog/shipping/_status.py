"""
How shipping goes, noted in the root for who looks from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson


__all__ = ["Trouble", "note_trouble", "trouble"]


class Trouble(NamedTuple):
    """
    Why nothing is shipped at present.

    Attributes:
        ms: Since when it is known, milliseconds since the epoch.

        problem: What is wrong, and what to do.
    """

    ms: int
    problem: str


def note_trouble(root: Path, found: Trouble | None) -> None:
    """
    Note the trouble, or that there's none any more. A failure to is no failure.
    """
    path = root / ".tierlog" / "trouble"
    try:
        if found is None:
            path.unlink(missing_ok=True)
            return
        path.write_bytes(orjson.dumps({"v": 1, **found._asdict()}, option=orjson.OPT_APPEND_NEWLINE))
    except OSError:
        return


def trouble(root: Path) -> Trouble | None:
    """
    Return why nothing is shipped at present, None if nothing is known to be wrong.
    """
    try:
        noted = orjson.loads((root / ".tierlog" / "trouble").read_bytes())
        return Trouble(int(noted["ms"]), str(noted["problem"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
