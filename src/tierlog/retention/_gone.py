"""
Until when what is missing below a root may have gone by age: a note in the root.

It is for ``tierlog verify``, which would miss the numbers of what was deleted where no
catalog knows of it.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson


__all__ = ["gone_before", "note_gone"]

_NAME = "expired"


def note_gone(root: Path, before_ms: int) -> None:
    """
    Note that segments are deleted of what was logged before *before_ms*.

    Raises:
        OSError: It couldn't be noted.
    """
    if (gone_before(root) or 0) >= before_ms:
        return
    path = root / ".tierlog" / _NAME
    fresh = path.with_name(f"{_NAME}.{os.getpid()}")
    fresh.write_bytes(orjson.dumps({"v": 1, "before_ms": before_ms}, option=orjson.OPT_APPEND_NEWLINE))
    os.replace(fresh, path)


def gone_before(root: Path) -> int | None:
    """
    Return before when what was logged may have gone by age, **milliseconds** since the
    epoch; None if nothing may.
    """
    try:
        return int(orjson.loads((root / ".tierlog" / _NAME).read_bytes())["before_ms"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
