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
    except OSError:  # another user's, say
        pass
    fresh = path.with_name(f"{_NAME}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def destination(root: Path) -> Destination | None:
    """
    Return where the segments of *root* go, None if they stay. It has no ``bucket`` if
    they go somewhere, and the note is damaged.
    """
    try:
        noted = orjson.loads((root / ".tierlog" / _NAME).read_bytes())
        bucket, prefix, endpoint_url = noted["bucket"], noted["prefix"], noted["endpoint_url"]
        has_checkpoints = bool(noted["has_checkpoints"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return Destination("")
    if type(bucket) is not str or type(prefix) is not str or not (endpoint_url is None or type(endpoint_url) is str):
        return Destination("")
    return Destination(bucket, prefix, endpoint_url, has_checkpoints)
