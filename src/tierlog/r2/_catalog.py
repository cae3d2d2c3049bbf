"""
Entering shipped segments in the catalog that a sink was told of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tierlog.catalog_config import CatalogOption, checked, opened
from tierlog.layout import parse_remote
from tierlog.shipping import Shipped


__all__ = ["catalog_writer"]


class _Writer:
    """
    Opens the catalog with the first segments, and again after an error.
    """

    def __init__(self, given: CatalogOption, root: Path) -> None:
        self._given = given
        self._root = root
        self._catalog: Any = None

    def __call__(self, batch: Sequence[Shipped]) -> None:
        if self._catalog is None:
            self._catalog = opened(self._given, self._root)
        self._catalog.put([entry for one in batch if (entry := _entry(one)) is not None])
        # Of a catalog that was rebuilt while they waited, the rows from then.
        self._catalog.delete([one.sealed.path for one in batch])


def _entry(shipped: Shipped) -> Any:
    from tierlog.catalog import Entry  # noqa: PLC0415 -- 0.2 s, and only where it is used

    place = parse_remote(shipped.key)
    if place is None:
        return None
    sealed = shipped.sealed
    return Entry(
        key=shipped.key,
        place=place._replace(day=sealed.place.day),
        state="shipped",
        stored_bytes=shipped.stored_bytes,
        etag=shipped.etag,
        prev_sha256=sealed.prev_sha256,
        facts=sealed.facts,
        frames=shipped.frames,
    )


def catalog_writer(given: CatalogOption, root: Path) -> Callable[[Sequence[Shipped]], None] | None:
    """
    Return what enters shipped segments in the catalog, None if there's none.

    Raises:
        ConfigError: *given* is no catalog.
    """
    option = checked(given)
    return None if option is False else _Writer(option, root)
