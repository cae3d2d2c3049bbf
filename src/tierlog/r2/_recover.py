"""
Shipping what lies in a root, once, by whoever calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tierlog.errors import ConfigError
from tierlog.options import choice, count, seconds
from tierlog.r2._catalog import catalog_writer
from tierlog.r2._store import R2Store
from tierlog.report import report
from tierlog.segments import is_own_root
from tierlog.shipping import Destination, Shipping, destination, note_destination


__all__ = ["COMPRESSIONS", "Done", "noted", "ship"]

COMPRESSIONS = {"gzip": "gz", "zstd": "zst"}
"""How to compress, and what a name ends with then."""


def noted(root: Path, goal: Destination) -> None:
    """
    Note in *root* that its segments go to *goal*. On a full disk they are shipped without
    the note, which is made at the next start.
    """
    try:
        note_destination(root, goal)
    except OSError as e:
        report("destination", f"it couldn't be noted below {root} where its segments go ({e.strerror or e}); they are shipped")


class Done(NamedTuple):
    """
    What was shipped.

    Attributes:
        shipped: Segments that are stored now.

        stored_bytes: Bytes of their objects.

        pending: Segments that still wait.

        problem: Why something waits; None if nothing does.
    """

    shipped: int
    stored_bytes: int
    pending: int
    problem: str | None


def ship(
    root: str | os.PathLike[str] = "logs",
    *,
    bucket: str,
    prefix: str = "",
    endpoint_url: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    region: str = "auto",
    compression: str | None = None,
    catalog: str | bool | None = None,
    checkpoint_interval: float | str | None = None,
    connections: int = 4,
    connect_timeout: float | str = 5.0,
    read_timeout: float | str = 30.0,
    timeout: float | str = 60.0,
    progress: Callable[[int, int], None] | None = None,
) -> Done:
    """
    Ship the finished segments below *root*. Beside a process that does so, too,
    each segment is shipped once.

    Args:
        root: The folder of the segments.

        bucket: As for :class:`tierlog.r2.R2Sink`, and so are the others.

        prefix: What keys begin with.

        endpoint_url: Where the bucket is.

        access_key_id: boto3's own chain if None.

        secret_access_key: See *access_key_id*.

        region: ``auto`` for R2.

        compression: ``gzip`` or ``zstd``.

        catalog: A URL; None: SQLite in *root*; false: none.

        checkpoint_interval: Whether open segments may have been stored, too.

        connections: How many segments are shipped at once.

        connect_timeout: For one attempt, **seconds**.

        read_timeout: For one attempt, **seconds**.

        timeout: For how many **seconds** to try.

        progress: Called with the segments and bytes that still wait.

    Raises:
        ConfigError: An option can't work, or *root* isn't a root of segments.
    """
    folder = Path(root).absolute()
    if not is_own_root(folder):
        raise ConfigError("root", f"{str(folder)!r} isn't a root of tierlog: it has no folder .tierlog")
    store = R2Store(
        bucket,
        prefix=prefix,
        endpoint_url=endpoint_url,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        region=region,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        connections=connections,
    )
    packing = None if compression is None else COMPRESSIONS[choice("compression", compression, tuple(COMPRESSIONS))]
    # How it is stored and how long is for the process that ships to say, if there's one.
    known = destination(folder)
    base = known if known is not None and known.bucket else Destination(bucket, compression=compression)
    has_checkpoints = checkpoint_interval is not None
    goal = base._replace(bucket=bucket, prefix=prefix, endpoint_url=endpoint_url, has_checkpoints=has_checkpoints)
    if goal != known:  # else a process may just be noting something newer
        noted(folder, goal)
    limit = seconds("timeout", timeout)
    shipping = Shipping(
        folder,
        store,
        write=catalog_writer(catalog, folder),
        packing=packing,
        connections=count("connections", connections),
        has_checkpoints=has_checkpoints,
    )
    shipping.start()
    is_done = shipping.drain(limit, progress=progress)
    shipping.close(gives_up=True)
    stats = shipping.stats()
    problem = None if is_done else stats.get("last_error") or _unanswered(store.name, stats, limit)
    return Done(stats["shipped"], stats["shipped_bytes"], stats["pending"], problem)


def _unanswered(name: str, stats: Mapping[str, Any], limit: float) -> str | None:
    """
    Say why something waits though nothing failed.
    """
    if not stats["pending"]:
        return None
    if stats["shipped"]:
        return f"{name}: {limit:g} s weren't enough; run it again, or give it a longer timeout"
    return f"{name}: no answer within {limit:g} s; see that it can be reached, or give it a longer timeout"
