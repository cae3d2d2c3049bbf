"""
One cleanup, from beginning to end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tierlog.envelope import DAY_MS
from tierlog.errors import ConfigError, StoreError
from tierlog.retention._catalog import CatalogLike, Forgiving
from tierlog.retention._cleaned import Cleaned
from tierlog.retention._job import Job
from tierlog.retention._limits import Hold, Limits, parse_hold, parse_retention
from tierlog.retention._local import LocalSide, newest_local
from tierlog.retention._remote import RemoteSide, newest_remote
from tierlog.segments import is_own_root
from tierlog.shipping import destination
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["cleanup"]


def cleanup(
    root: Path | None,
    store: Store | None,
    *,
    retention: Any,
    clock: Clock,
    hold: Any = (),
    catalog: CatalogLike | None = None,
    dry_run: bool = False,
    trust_clock: bool = False,
    connections: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Cleaned:
    """
    Delete segments whose whole UTC day is further back than they are to be kept.

    A file or object under another name than a segment's is never touched, no link is
    followed, and what isn't finished, is being written or isn't shipped stays. It may
    be killed and run again, and run beside processes that log and ship.

    Args:
        root: The folder of the segments; None if there's none to be cleaned up.

        store: Where segments are shipped to; None if it isn't to be cleaned up.

        retention: As :func:`parse_retention` takes it.

        clock: Returns nanoseconds since the epoch.

        hold: Projects of which nothing is deleted. What may be theirs, since nobody can
            tell, is held as well.

        catalog: A :class:`tierlog.catalog.Catalog` that is told.

        dry_run: Whether to count only.

        trust_clock: Whether ages are counted from *clock*, even if nothing that is there
            is of the day before. Else they are counted from the newest that is there,
            and a day: a clock that is ahead would delete what is young.

        connections: How many objects are deleted at once; with 1, on this thread.

        progress: Called after each segment, with how many were looked at.

    Raises:
        ConfigError: *retention* or *hold* can't work, or *root* isn't a root of segments.
    """
    kept = parse_retention("retention", retention)
    held = Hold(parse_hold("hold", hold))
    if root is not None and not is_own_root(root):
        raise ConfigError("root", f"{str(root)!r} isn't a root of tierlog: it has no folder .tierlog")
    cleaned = Cleaned()
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        if progress is not None:
            progress(looked)

    now = clock() // 1_000_000
    job = Job(held, Forgiving(catalog, cleaned), cleaned, dry_run, look)
    if store is not None:
        try:
            limits = Limits(kept, now, None if trust_clock else newest_remote(store, now - DAY_MS))
            RemoteSide(store, limits, job, connections=connections).run()
            _note(cleaned, limits, f"in {store.name}")
        except StoreError as e:
            cleaned.is_complete = False
            cleaned.fail(f"{store.name}: {e.problem}; the rest stays until the next cleanup")
    if root is not None:
        is_sure = trust_clock or destination(root) is not None  # nothing but empty folders goes then
        limits = Limits(kept, now, None if is_sure else newest_local(root))
        LocalSide(root, limits, job).run()
        _note(cleaned, limits, f"below {root}")
    return cleaned


def _note(cleaned: Cleaned, limits: Limits, where: str) -> None:
    if limits.has_spared:
        cleaned.notes.append(
            f"nothing {where} is of the last day, so this machine's clock may be ahead, and what it alone calls old is kept; "
            "if the clock is right, say so (--trust-clock)"
        )
