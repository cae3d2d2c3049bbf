"""
What is in a bucket, and what is on the disk, for tests that ship.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tierlog.ndjson import decode
from tierlog.r2 import R2Store


__all__ = ["events", "objects", "segments"]

_OTHERS = (".tierlog", "quarantine")


def objects(options: dict[str, Any]) -> dict[str, bytes]:
    """
    Return the objects that are in a bucket, by key.
    """
    store = _store(**options)
    return {one.key: store.get(one.key) for one in list(store.list())}


def segments(root: Path) -> dict[str, bytes]:
    """
    Return the segments that are on the disk, by path.
    """
    found = sorted(path for path in root.rglob("*.ndjson*") if path.is_file() and path.relative_to(root).parts[0] not in _OTHERS)
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def events(*contents: bytes) -> list[dict[str, Any]]:
    """
    Return the records of segments.
    """
    return [decode(line) for content in contents for line in content.splitlines()]


@cache  # many ask again and again until something is there
def _store(**options: Any) -> R2Store:
    return R2Store(**options)
