"""
The catalog's rows of segments that were packed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol


__all__ = ["CatalogLike", "Rows"]


class CatalogLike(Protocol):
    """
    What is needed of a ``tierlog.catalog.Catalog``.
    """

    def get(self, key: str) -> Any:
        """
        Return the entry of *key*, None if there's none.
        """

    def put(self, entries: Sequence[Any]) -> Any:
        """
        Enter *entries*, in the place of those that have their keys.
        """

    def delete(self, keys: Sequence[str]) -> Any:
        """
        Take the entries of *keys* away.
        """


class Rows:
    """
    The rows of a catalog, if there's one.

    Args:
        catalog: The catalog; None if there's none.
    """

    def __init__(self, catalog: CatalogLike | None) -> None:
        self._catalog = catalog

    def move(
        self,
        old: Iterable[str],
        key: str,
        packing: str,
        *,
        stored_bytes: int,
        etag: str | None,
        frames: Callable[[], tuple[int, ...]],
    ) -> None:
        """
        Put the row of a packed segment in the place of the plain one's. May be repeated.

        Args:
            old: Keys that the plain one may have had.

            key: The packed one's.

            packing: How it is packed.

            stored_bytes: Bytes of it.

            etag: The object's; None if it isn't one.

            frames: Returns the stored bytes of each frame.
        """
        if self._catalog is None:
            return
        for name in old:
            entry = self._catalog.get(name)
            if entry is None:
                continue
            sizes = frames()
            # A block without envelopes isn't among the facts: then frame n isn't block n.
            known = sizes if len(sizes) == len(entry.facts.blocks) else ()
            place = entry.place._replace(packing=packing)
            new = entry._replace(key=key, place=place, stored_bytes=stored_bytes, frames=known)
            self._catalog.put([new if etag is None else new._replace(etag=etag)])
            self._catalog.delete([name])
