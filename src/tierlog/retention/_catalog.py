"""
What retention needs of a catalog. It works without one, and goes on if it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from tierlog.facts import Facts
from tierlog.layout import Place
from tierlog.retention._cleaned import Cleaned


__all__ = ["CatalogLike", "EntryLike", "Forgiving"]


class EntryLike(Protocol):
    """
    A row of the catalog.
    """

    @property
    def key(self) -> str:
        """
        Its key in the store.
        """

    @property
    def place(self) -> Place:
        """
        What names it, its day included.
        """

    @property
    def facts(self) -> Facts:
        """
        What it holds.
        """


class CatalogLike(Protocol):
    """
    What is needed of a ``tierlog.catalog.Catalog``.
    """

    def find(self, *, states: Sequence[str], tiers: Sequence[str], until_ms: int | None) -> Iterator[EntryLike]:
        """
        Yield the entries in one of *states*, of *tiers*, that begin before *until_ms*.
        """

    def expire(self, keys: Sequence[str]) -> object:
        """
        Say that the objects of *keys* were deleted.
        """


class Forgiving:
    """
    A catalog that isn't asked any more once it failed, which is counted as a problem.

    Args:
        catalog: The catalog; None if there's none.

        cleaned: Where the problem goes.
    """

    def __init__(self, catalog: CatalogLike | None, cleaned: Cleaned) -> None:
        self._catalog = catalog
        self._cleaned = cleaned

    def shipped(self, tier: str, until_ms: int) -> Iterator[EntryLike]:
        """
        Yield what it knows of the stored segments of *tier* that begin before *until_ms*.
        """
        if self._catalog is None:
            return
        try:
            yield from self._catalog.find(states=("shipped",), tiers=(tier,), until_ms=until_ms)
        except Exception as e:  # noqa: BLE001 -- it is an accelerator, and no reason to stop
            self._failed(e)

    def expire(self, keys: Sequence[str]) -> None:
        """
        Say that the segments of *keys* are gone.
        """
        if self._catalog is None or not keys:
            return
        try:
            self._catalog.expire(keys)
        except Exception as e:  # noqa: BLE001 -- as above; the next cleanup says it again
            self._failed(e)

    def _failed(self, error: Exception) -> None:
        self._catalog = None
        self._cleaned.fail(f"the catalog: {error}; segments are deleted without it, and the next cleanup tells it")
