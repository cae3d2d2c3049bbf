"""
A database that several threads and processes work on, some of which fork or are killed.

SQLite must not be carried over a fork: the child would believe to have locks that are
its parent's alone, and could damage the file. So its one connection is used by one
thread at a time, and is closed before the process forks. Those to PostgreSQL are only
left alone by the child.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from tierlog import _fork
from tierlog.catalog._schema import VERSION, migrate, version
from tierlog.catalog._url import Target
from tierlog.errors import CatalogError, MissingExtraError


__all__ = ["Database"]

_T = TypeVar("_T")

_SLICE = 0.1  # seconds that SQLite waits for a lock before others may use the connection, or fork
_PAUSE = 0.01  # seconds
_CONNECTIONS = 15  # to PostgreSQL, at most; one stays open
_CONNECT_ARGS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds; a server that vanished is noticed
}
_DAMAGED = frozenset([sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])
_BUSY = frozenset([sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED])
_TRY_AGAIN = frozenset(["40001", "40P01"])  # serialization failure, deadlock
_MOST_CHARS = 300


class Database:
    """
    Runs transactions. Safe to share between threads, and with children that fork.

    Args:
        where: Which database.

        patience: For how many **seconds** to wait for other processes' locks.

    Raises:
        CatalogError: It can't be opened.

        MissingExtraError: ``tierlog[db]`` isn't installed.
    """

    fork_order = 6

    def __init__(self, where: Target, *, patience: float) -> None:
        self.where = where
        self._patience = patience
        self._was_busy = False
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None
        self.read(lambda _: None)
        _fork.watch(self)

    @property
    def is_sqlite(self) -> bool:
        """
        Whether it is a file.
        """
        return self.where.path is not None

    def read(self, work: Callable[[Connection], _T]) -> _T:
        """
        Return what *work* returns, which only reads.

        Raises:
            CatalogError: It couldn't be done.
        """
        return self._run(work, is_write=False)

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """
        Return what *work* returns; all that it writes is there then, or nothing. It may
        be called more than once.

        Raises:
            CatalogError: It couldn't be done.
        """
        return self._run(work, is_write=True)

    def close(self) -> None:
        """
        Close the connections. What comes after this opens new ones.
        """
        with self._lock:
            engine, self._engine = self._engine, None
            if engine is not None:
                engine.dispose()

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork; whoever takes it closes SQLite's connection.
        """
        return _ForkLock(self._lock, self)

    def after_fork_in_child(self) -> None:
        """
        Begin anew.
        """
        self._was_busy = self._was_busy or (self.is_sqlite and self._engine is not None)
        _inherited.append(self._engine)
        self._lock = threading.RLock()
        self._engine = None
        self._file = None

    def _run(self, work: Callable[[Connection], _T], *, is_write: bool) -> _T:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._once(work, is_write=is_write)
            except (SQLAlchemyError, OSError, ValueError, OverflowError) as e:
                if not _may_pass(e) or time.monotonic() > deadline:
                    raise self._told(e) from e
            time.sleep(_PAUSE)

    def _once(self, work: Callable[[Connection], _T], *, is_write: bool) -> _T:
        guard: AbstractContextManager[Any] = self._lock if self.is_sqlite else nullcontext()
        with guard, self._ready().connect() as connection:
            return self._in_transaction(connection, work, is_write=is_write)

    def _in_transaction(self, connection: Connection, work: Callable[[Connection], _T], *, is_write: bool) -> _T:
        with connection.begin():
            if is_write and self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif is_write:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(self._patience * 1000)}")
            return work(connection)

    def _ready(self) -> Engine:
        """
        Return the engine, whose database has the tables.
        """
        with self._lock:
            if self._was_busy:
                raise CatalogError(self.where.shown, "was in use while this process was forked; it works in a new process")
            if self._engine is not None and self._file != self._file_now():
                self.close()  # somebody took the file away, to make it anew
            if self._engine is None:
                engine = self._made()
                try:
                    self._prepare(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine, self._file = engine, self._file_now()
            return self._engine

    def _prepare(self, engine: Engine) -> None:
        with engine.connect() as connection:
            there = version(connection)
            connection.rollback()
            if there < VERSION:
                self._in_transaction(connection, migrate, is_write=True)
        if there > VERSION:
            raise CatalogError(
                self.where.shown, f"was made by a newer tierlog (schema {there}, and this one knows {VERSION}): upgrade tierlog"
            )

    def _made(self) -> Engine:
        if self.where.path is not None:
            self.where.path.parent.mkdir(exist_ok=True)
            options = {"timeout": _SLICE, "check_same_thread": False}
            engine = create_engine(self.where.url, poolclass=QueuePool, pool_size=1, max_overflow=0, connect_args=options)
            event.listen(engine, "connect", _set_up)
            return engine
        given = {name: value for name, value in _CONNECT_ARGS.items() if name not in self.where.url.query}
        try:
            return create_engine(
                self.where.url, pool_pre_ping=True, pool_size=1, max_overflow=_CONNECTIONS - 1, connect_args=given
            )
        except ImportError as e:
            raise MissingExtraError("db") from e

    def _file_now(self) -> tuple[int, int] | None:
        if self.where.path is None:
            return None
        try:
            status = self.where.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _told(self, error: Exception) -> CatalogError:
        cause = getattr(error, "orig", None) or error
        text = " ".join(str(cause).partition("(Background on")[0].split())[:_MOST_CHARS]
        for secret in self.where.secrets:
            text = text.replace(secret, "***")
        if isinstance(error, (ValueError, OverflowError)) or self._is_damage(cause, text):
            problem = f"is no usable catalog ({text}); logs are safe: run 'tierlog catalog rebuild'"
            return CatalogError(self.where.shown, problem, is_damaged=True)
        if _code(cause) in _BUSY or getattr(cause, "sqlstate", "") == "55P03":
            problem = f"is locked by another process for more than {self._patience:g} s; try again, or end what holds it"
            return CatalogError(self.where.shown, problem)
        what = "its folder is there and can be written" if self.is_sqlite else "the database runs and lets you in"
        return CatalogError(self.where.shown, f"can't be used ({text}); logs are safe, see that {what}")

    def _is_damage(self, cause: object, text: str) -> bool:
        return self.is_sqlite and (_code(cause) in _DAMAGED or text.startswith(("no such table", "no such column")))


_inherited: list[Engine | None] = []
"""Engines of the parent, which a child must not close."""


class _ForkLock:
    """
    A database's lock; while it is held, no connection to SQLite is open.
    """

    def __init__(self, lock: threading.RLock, database: Database) -> None:
        self._lock = lock
        self._database = database

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 -- the stdlib's
        if not self._lock.acquire(blocking, timeout):
            return False
        if self._database.is_sqlite:
            self._database.close()
        return True

    def release(self) -> None:
        self._lock.release()


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    """
    Prepare a connection to SQLite. Transactions are begun by who needs one.
    """
    connection.isolation_level = None
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    except sqlite3.OperationalError:  # it is locked, or can only be read
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")


def _may_pass(error: Exception) -> bool:
    cause = getattr(error, "orig", None)
    return _code(cause) in _BUSY or getattr(cause, "sqlstate", None) in _TRY_AGAIN


def _code(cause: object) -> int:
    return int(getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
