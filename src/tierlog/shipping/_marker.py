"""
Where the segments of a root go, and how long they stay there: a note in the root, for
whoever looks after it.

Without the note, finished segments are there to stay, and may be deleted when
they are old enough; with it, they wait to be shipped, and never may. It holds no
secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson


__all__ = ["Destination", "destination", "note_destination"]

_NAME = "ships"


class Destination(NamedTuple):
    """
    A bucket, and what the process that ships does there.

    Attributes:
        bucket: Its name.

        prefix: What keys begin with.

        endpoint_url: Where it is; None for AWS.

        has_checkpoints: Whether open segments are stored while they grow.

        compression: ``gzip`` or ``zstd`` at upload; None: not.

        retention: For how many **seconds** each tier is kept, None: for ever; None
            instead of it all if it isn't known.

        hold: Projects of which nothing is deleted; None if they aren't known.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    has_checkpoints: bool = False
    compression: str | None = None
    retention: Mapping[str, float | None] | None = None
    hold: tuple[str, ...] | None = None


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
    compression = noted.get("compression")
    return Destination(
        bucket,
        prefix,
        endpoint_url,
        has_checkpoints,
        compression if type(compression) is str else None,
        _retention(noted.get("retention")),
        _hold(noted.get("hold")),
    )


def _retention(noted: Any) -> dict[str, float | None] | None:
    is_known = isinstance(noted, dict) and all(time is None or type(time) in {int, float} for time in noted.values())
    return noted if is_known else None


def _hold(noted: Any) -> tuple[str, ...] | None:
    is_known = isinstance(noted, list) and all(type(one) is str for one in noted)
    return tuple(noted) if is_known else None
