"""
What there is, from when to when, in SQL: SQLite or PostgreSQL. Needs ``tierlog[r2]``.

It makes answers fast and is never the truth: it can be made again of the segments
at any time. ``_schema`` are its tables and how they came to be, ``_database`` speaks
to them, ``_rows`` turns an entry into rows and back, ``_select`` says
which are asked for, ``_catalog`` joins them, and ``_rebuild`` makes it again.
"""

from __future__ import annotations

from tierlog.errors import MissingExtraError


try:
    import sqlalchemy as _  # noqa: F401 -- only whether it is there
except ImportError as e:
    raise MissingExtraError("r2") from e

from tierlog.catalog._catalog import Catalog
from tierlog.catalog._rebuild import Rebuilt, rebuild
from tierlog.catalog._rows import Entry
from tierlog.catalog._url import sqlite_url


__all__ = ["Catalog", "Entry", "Rebuilt", "rebuild", "sqlite_url"]
