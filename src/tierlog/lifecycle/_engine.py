"""
The way to a database: engines from what is given, and its errors in one line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from tierlog.errors import ConfigError, MissingExtraError, TierlogError


__all__ = ["DatabaseError", "application_engine", "engine_of", "is_in_memory", "own_engine", "problem_of", "shown", "told"]

_DRIVERS = {
    "sqlite+aiosqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+asyncpg": "postgresql+psycopg",
    "postgresql+psycopg_async": "postgresql+psycopg",
}
"""Drivers for a thread, instead of those for asyncio and of what only names the database."""

_DIALECTS = ("sqlite", "postgresql")
_MOST_CHARS = 300
_CONNECT_TIMEOUT = 5  # seconds


class DatabaseError(TierlogError):
    """
    The database of builds didn't do what was asked.

    Attributes:
        database: Its URL, without the password.

        problem: What is wrong, in one line.
    """

    database: str
    problem: str

    def __init__(self, database: str, problem: str) -> None:
        super().__init__(f"{database}: {problem}")
        self.database = database
        self.problem = problem

    def __reduce__(self) -> tuple[type[DatabaseError], tuple[str, str]]:
        return type(self), (self.database, self.problem)


def application_engine(given: Any) -> Engine:
    """
    Return the engine that *given* is, or that an ``AsyncEngine`` has; of a URL, the same
    one each time.

    Raises:
        ConfigError: It is none, or not of a database that is known.

        MissingExtraError: The database's driver isn't installed.
    """
    found = getattr(given, "sync_engine", given)
    if isinstance(found, (str, URL)):
        found = _of_url(_parsed(found), os.getpid())
    if not isinstance(found, Engine):
        raise ConfigError("engine", f"{type(given).__name__} isn't an engine of SQLAlchemy, nor a URL such as sqlite:///app.db")
    if found.dialect.name not in _DIALECTS:
        raise ConfigError("engine", f"{found.dialect.name} isn't supported; use SQLite or PostgreSQL")
    return found


def engine_of(given: Any) -> Engine:
    """
    Return an engine for threads to what *given* is one to; see :func:`application_engine`.
    """
    found = application_engine(given)
    return _of_url(found.url, os.getpid()) if found.dialect.is_async else found


def own_engine(engine: Engine) -> Engine:
    """
    Return an engine to the same database for a thread of ours.

    SQLite has no connection while it isn't used: that must not be carried over a fork.

    Raises:
        MissingExtraError: The database's driver isn't installed.
    """
    if engine.dialect.name == "sqlite":
        return _made(engine.url, poolclass=NullPool)
    return _made(engine.url, pool_size=1, max_overflow=1, pool_pre_ping=True)


def is_in_memory(engine: Engine) -> bool:
    """
    Tell whether the database is its connection's own.
    """
    if engine.dialect.name != "sqlite":
        return False
    name = engine.url.database or ""
    return name in {"", ":memory:", "file::memory:"} or "mode=memory" in str(engine.url)


def shown(engine: Engine) -> str:
    """
    Return what the database is called in messages.
    """
    return engine.url.set(query={}).render_as_string(hide_password=True)


def problem_of(error: BaseException, engine: Engine) -> str:
    """
    Return the error in one line, without the password.
    """
    text = " ".join(str(getattr(error, "orig", None) or error).partition("(Background on")[0].split())[:_MOST_CHARS]
    secrets = [engine.url.password, *(value for name, value in engine.url.query.items() if "password" in name)]
    for secret in secrets:
        text = text.replace(str(secret), "***") if secret else text
    return text


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """
    Turn the database's errors into :class:`DatabaseError`.
    """
    try:
        yield
    except SQLAlchemyError as e:
        raise DatabaseError(shown(engine), f"{problem_of(e, engine)}; see that the database runs and lets you in") from e


def _parsed(given: str | URL) -> URL:
    try:
        return make_url(given)
    except ArgumentError:
        # Without what it came from, which may show the whole URL.
        raise ConfigError("engine", "it isn't a URL such as sqlite:///app.db or postgresql://user@host/app") from None


@lru_cache(maxsize=16)
def _of_url(url: URL, _process: int) -> Engine:
    return _made(url)  # its connections aren't for a forked child


def _made(url: URL, **options: Any) -> Engine:
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() not in _DIALECTS:
        raise ConfigError("engine", f"{url.get_backend_name()} isn't supported; use SQLite or PostgreSQL")
    if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
        options["connect_args"] = {"connect_timeout": _CONNECT_TIMEOUT}
    try:
        return create_engine(url, **options)
    except NoSuchModuleError:
        raise ConfigError("engine", f"{url.drivername} isn't installed") from None
    except ImportError as e:
        raise MissingExtraError("db") from e
