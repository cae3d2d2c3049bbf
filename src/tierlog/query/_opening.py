"""
Opening what is to be searched, by its name.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tierlog.catalog_config import checked, opened
from tierlog.errors import ConfigError, MissingExtraError, QueryError
from tierlog.options import check_names
from tierlog.query._index import CatalogIndex, Index, SqliteIndex
from tierlog.query._sources import Sources
from tierlog.query._store import LogStore
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["ENTRY_POINTS", "open_store"]

ENTRY_POINTS = "tierlog.stores"
"""The entry-point group in which stores are found by the scheme of a URL. What it names
is called with what stands in the place of the host, ``prefix=``, and the URL's query."""

_SECRETS = ("access_key_id", "secret_access_key")
_METHODS = ("list", "get", "open", "head")
_CATALOG = Path(".tierlog", "catalog.sqlite")
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(?P<path>[^?]+)\Z")


def open_store(
    where: Any,
    *,
    catalog: str | bool | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    clock: Clock = time.time_ns,
) -> LogStore:
    """
    Return the store at *where*, to be searched.

    Nothing is ever written, and nothing is read before it is asked for.

    Args:
        where: A folder; a URL such as ``r2://bucket/prefix?endpoint_url=https://…``; a
            :class:`tierlog.stores.Store`; or several of these in a list.

        catalog: What makes answers fast: an SQLAlchemy URL; None for the SQLite files in
            the folders, where there are some; False for none.

        access_key_id: For stores that are opened by their URL, with
            *secret_access_key*; boto3's own chain if None.

        secret_access_key: See *access_key_id*.

        clock: Returns nanoseconds since the epoch.

    Raises:
        QueryError: There's no such folder, or no such store.

        ConfigError: The URL's options can't work.

        MissingExtraError: The store, or the catalog, needs an extra.
    """
    keys = {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
    options = {name: value for name, value in keys.items() if value is not None}
    roots: list[Path] = []
    stores: list[Store] = []
    for one in where if isinstance(where, (list, tuple)) else [where]:
        found = _opened(one, options)
        if isinstance(found, Path):
            roots.append(found)
        else:
            stores.append(found)
    if not roots and not stores:
        raise QueryError("where", "is empty; name a folder or a store")
    return LogStore(Sources(roots, stores, _indices(catalog, roots)), clock=clock)


def _opened(one: Any, options: dict[str, str]) -> Path | Store:
    if isinstance(one, str) and "://" in one:
        return _store_of(one, options)
    if isinstance(one, (str, os.PathLike)):
        root = Path(one).absolute()
        if not root.is_dir():
            raise QueryError("where", f"there's no folder '{one}'; name the root that segments are written to")
        return root
    if all(callable(getattr(one, name, None)) for name in _METHODS):
        store: Store = one
        return store
    raise QueryError("where", f"{one!r} is neither a folder nor a URL nor a store")


def _store_of(url: str, options: dict[str, str]) -> Store:
    from importlib.metadata import entry_points  # noqa: PLC0415 -- 20 ms, and only for URLs
    from urllib.parse import parse_qsl, unquote, urlsplit  # noqa: PLC0415

    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname or ''}"
    if "@" in parts.netloc:
        raise QueryError("where", f"{shown} has credentials in its URL; give access_key_id= and secret_access_key= instead")
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if parts.scheme not in found:
        raise QueryError("where", f"no store has the scheme {parts.scheme!r}; there are {', '.join(sorted(found))}")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in given:
        if name in _SECRETS:
            raise QueryError("where", f"{shown} has {name} in its URL, where logs and histories keep it; give {name}= instead")
    try:
        factory = found[parts.scheme].load()
    except MissingExtraError:
        raise
    except Exception as e:
        raise QueryError("where", f"{found[parts.scheme].value} can't be loaded: {e}") from e
    _check_options(shown, given, factory)
    made: Store = factory(parts.netloc, prefix=unquote(parts.path).strip("/"), **given, **options)
    return made


def _check_options(shown: str, given: dict[str, str], factory: Any) -> None:
    try:
        check_names("", {name: None for name in given if name != "prefix"}, factory)
    except ConfigError as e:
        raise QueryError("where", f"{shown}: {e.setting}: {e.problem}") from e
    if "prefix" in given:
        raise QueryError("where", f"{shown}: the prefix stands in the path, not behind the '?'")


def _indices(catalog: Any, roots: Sequence[Path]) -> list[Index]:
    try:
        given = checked(catalog)
    except ConfigError as e:
        raise QueryError("catalog", e.problem) from e
    if given is False:
        return []
    if not isinstance(given, str):
        return [SqliteIndex(root / _CATALOG) for root in roots]
    from urllib.parse import unquote  # noqa: PLC0415 -- only for URLs

    if match := _SQLITE.match(given):
        return [SqliteIndex(Path(unquote(match["path"])).absolute())]
    return [CatalogIndex(lambda: opened(given, Path()))]
