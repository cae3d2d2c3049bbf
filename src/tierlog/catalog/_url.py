"""
Which database a URL names, and how that is shown: never with a password.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tierlog.errors import CatalogError


__all__ = ["Target", "sqlite_url", "target"]

_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(?P<path>[^?]+)\Z")
_POSTGRESQL = frozenset(["postgres", "postgresql", "postgresql+psycopg"])
_SHOWN = ("host", "port", "dbname", "user")  # of what may stand behind the "?"
_USE = "use sqlite:///<path> or postgresql://<user>@<host>/<database>"


class Target(NamedTuple):
    """
    A database.

    Attributes:
        url: Its URL, as SQLAlchemy takes it.

        shown: What it is called in messages.

        path: Its file; None if it is PostgreSQL.

        secrets: Passwords, which no message may have.
    """

    url: URL
    shown: str
    path: Path | None
    secrets: tuple[str, ...]


def sqlite_url(root: Path) -> str:
    """
    Return the URL of the catalog that lies in *root*.

    >>> sqlite_url(Path("/var/log/app"))
    'sqlite:////var/log/app/.tierlog/catalog.sqlite'
    """
    return f"sqlite:///{quote(str(root.absolute() / '.tierlog' / 'catalog.sqlite'))}"


def target(url: str) -> Target:
    """
    Return the database that *url* names.

    Raises:
        CatalogError: It names none.
    """
    if match := _SQLITE.match(url):
        path = Path(unquote(match["path"])).absolute()
        return Target(URL.create("sqlite", database=str(path)), str(path), path, ())
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme not in _POSTGRESQL:
        kind = f"the database {scheme!r} isn't supported" if re.fullmatch(r"[a-z0-9+_.]+", scheme) else "it isn't a URL"
        raise CatalogError("the catalog can't be opened:", f"{kind}; {_USE}")
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        # Without what it came from, which may show the whole URL.
        raise CatalogError("the catalog can't be opened:", f"its URL can't be read; {_USE}") from None
    secrets = [parsed.password, *(value for name, value in parsed.query.items() if "password" in name)]
    known = {name: value for name, value in parsed.query.items() if name in _SHOWN}
    shown = parsed.set(drivername="postgresql", query=known).render_as_string(hide_password=True)
    return Target(parsed, shown, None, tuple(str(secret) for secret in secrets if secret))
