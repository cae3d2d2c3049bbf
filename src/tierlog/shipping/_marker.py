"""
Where the segments of a root go: a note in the root, for whoever looks after it.

Without the note, finished segments are there to stay, and may be deleted when
they are old enough; with it, they wait to be shipped, and never may.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import orjson


__all__ = ["Destination", "destination", "note_destination"]

_NAME = "ships"


class Destination(NamedTuple):
    """
    A bucket.

    Attributes:
        bucket: Its name.

        prefix: What keys begin with.

        endpoint_url: Where it is; None for AWS.

        has_checkpoints: Whether open segments are stored while they grow.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    has_checkpoints: bool = False


def note_destination(root: Path, destination: Destination) -> None:
    """
    Note that the segments of *root* go there.

    Raises:
        OSError: It couldn't be noted.
    """
    path = root / ".tierlog" / _NAME
    content = orjson.dumps({"v": 1, **destination._asdict()}, option=orjson.OPT_APPEND_NEWLINE)
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{_NAME}.{os.getpid()}")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def destination(root: Path) -> Destination | None:
    """
    Return where the segments of *root* go, None if they stay.
    """
    try:
        noted = orjson.loads((root / ".tierlog" / _NAME).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError):
        return Destination("")  # it ships, and nobody knows where to
    return Destination(
        str(noted.get("bucket", "")), str(noted.get("prefix", "")), noted.get("endpoint_url"), bool(noted.get("has_checkpoints"))
    )
