"""
Turning what options say into a catalog.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tierlog.errors import ConfigError


__all__ = ["CatalogOption", "checked", "opened"]

CatalogOption = str | bool | None
"""A URL; None or true: the SQLite file in the root; false: none."""


def checked(given: CatalogOption) -> CatalogOption:
    """
    Return *given*; false for ``"none"`` and ``"false"``, as variables say it.

    Raises:
        ConfigError: It is none of what :data:`CatalogOption` says.
    """
    if isinstance(given, str) and given.strip().lower() in {"none", "false"}:
        return False
    if given is None or isinstance(given, bool) or (isinstance(given, str) and "://" in given):
        return given
    # Without what was given, which may have a password in it.
    raise ConfigError("sink.catalog", "it isn't a URL such as postgresql+psycopg://…, nor false for none")


def opened(given: CatalogOption, root: Path) -> Any:
    """
    Return the :class:`tierlog.catalog.Catalog`, open; None if there's to be none.

    Args:
        given: See :data:`CatalogOption`.

        root: The folder of the segments.

    Raises:
        ConfigError: *given* is no catalog.

        CatalogError: It can't be opened.

        MissingExtraError: What it needs isn't installed.
    """
    given = checked(given)
    if given is False:
        return None
    from tierlog.catalog import Catalog, sqlite_url  # noqa: PLC0415 -- 0.2 s, and only where it is used

    return Catalog(given if isinstance(given, str) else sqlite_url(root))
