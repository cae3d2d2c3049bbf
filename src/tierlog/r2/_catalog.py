"""
Entering shipped segments in the catalog that a sink was told of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tierlog.errors import ConfigError
from tierlog.layout import parse_remote
from tierlog.shipping import Shipped


__all__ = ["catalog_url", "catalog_writer", "opened"]

CatalogOption = str | bool | None
"""A URL; None or true: the SQLite file in the root; false: none."""


def catalog_url(given: CatalogOption, root: Path) -> str | None:
    """
    Return the URL of the catalog, None if there's none.

    Args:
        given: See :data:`CatalogOption`.

        root: The folder of the segments.

    Raises:
        ConfigError: It is none of these.
    """
    if given is False:
        return None
    if isinstance(given, str) and "://" in given:
        return given
    if given is None or given is True:
        from tierlog.catalog import sqlite_url  # noqa: PLC0415 -- 0.2 s, and only where it is used

        return sqlite_url(root)
    raise ConfigError("sink.catalog", f"{given!r} isn't a URL such as postgresql+psycopg://…, nor false for none")


class _Writer:
    """
    Opens the catalog with the first segments, and again after an error.
    """

    def __init__(self, given: CatalogOption, root: Path) -> None:
        self._given = given
        self._root = root
        self._catalog: Any = None

    def __call__(self, batch: Sequence[Shipped]) -> None:
        from tierlog.catalog import Catalog, Entry  # noqa: PLC0415 -- as above

        if self._catalog is None:
            self._catalog = Catalog(str(catalog_url(self._given, self._root)))
        entries = [entry for one in batch if (entry := _entry(Entry, one)) is not None]
        self._catalog.put(entries)


def _entry(make: Callable[..., Any], shipped: Shipped) -> Any:
    place = parse_remote(shipped.key)
    if place is None:
        return None
    sealed = shipped.sealed
    return make(
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
    if given is False:
        return None
    if not (given is None or given is True or (isinstance(given, str) and "://" in given)):
        catalog_url(given, root)
    return _Writer(given, root)


def opened(given: CatalogOption, root: Path) -> Any:
    """
    Return the catalog, open; None if there's none.

    Raises:
        CatalogError: It can't be opened.
    """
    url = catalog_url(given, root)
    if url is None:
        return None
    from tierlog.catalog import Catalog  # noqa: PLC0415 -- as above

    return Catalog(url)
