"""
DuckDB, within bounds: it reads the files that it is given, writes nothing but what doesn't
fit into its memory, loads nothing, and speaks to nobody.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import Any

import duckdb

from tierlog.analytics._dialects import DUCKDB
from tierlog.analytics._events import SKIPPED
from tierlog.analytics._files import Files
from tierlog.errors import QueryError


__all__ = ["Engine"]

_ANSWER = "_answer"
_ROWS = 1_000
_LOOK = 0.2  # in s
_PATIENCE = 0.05  # in s
_TABLE = re.compile(r"(Table with name .* does not exist!).*")
_OPTIONS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
}


class Engine:
    """
    A database in memory that answers one question.

    Args:
        memory_limit: How much memory it may take, such as ``1GB``.

        threads: How many threads it may use; each takes about 40 MB.

        folder: Where it puts what doesn't fit.

    Raises:
        QueryError: An option can't work.
    """

    def __init__(self, memory_limit: str, threads: int, folder: str) -> None:
        self._files: Files | None = None
        options = {**_OPTIONS, "memory_limit": memory_limit, "temp_directory": folder, "threads": threads}
        try:
            self._connection = duckdb.connect(":memory:", config=options)
        except duckdb.Error as e:
            raise QueryError("memory_limit" if "emory" in str(e) else "threads", _one_line(e)) from e

    def lock(self, files: Files, paths: Sequence[str], events: str) -> None:
        """
        Let it read *paths* and nothing else, as the relation ``events``.

        Raises:
            OSError: A file couldn't be read.
        """
        self._files = files
        self._connection.register_filesystem(files)
        try:
            for statement in (
                "SET TimeZone = 'UTC'",
                f"SET allowed_paths = [{', '.join(map(DUCKDB.text, paths))}]",
                "SET enable_external_access = false",
                f"CREATE SEQUENCE {SKIPPED}",
                f"CREATE VIEW events AS {events}",
                "SET lock_configuration = true",
            ):
                self._run(statement)
        except duckdb.PermissionException as e:  # a file is gone, and it looks for a folder instead
            raise FileNotFoundError(_one_line(e)) from e

    def check(self, query: str) -> str:
        """
        Return a question without what stands behind its end.

        Raises:
            QueryError: It isn't one question.
        """
        try:
            query.encode()
        except UnicodeEncodeError as e:
            raise QueryError("sql", "isn't text; write it in UTF-8") from e
        try:
            statements = self._connection.extract_statements(query)
        except duckdb.Error as e:
            raise QueryError("sql", _one_line(e)) from e
        if len(statements) != 1:
            raise QueryError("sql", f"holds {len(statements)} statements; ask one question at a time")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError("sql", "isn't a question; nothing but SELECT and its kin can be asked")
        return _without_end(str(statements[0].query))

    def answer(self, query: str) -> None:
        """
        Find the answer, whole, and keep it; what doesn't fit into memory is on the disk.

        Raises:
            OSError: A file couldn't be read.

            QueryError: The question is wrong, or takes too much.
        """
        try:
            self._run_until_stopped(f"CREATE TEMP TABLE {_ANSWER} AS FROM (\n{query}\n)")
        except duckdb.OutOfMemoryException as e:
            raise QueryError("memory_limit", "is too low for this question; raise it, or use fewer threads") from e
        except duckdb.Error as e:
            raise QueryError("sql", _TABLE.sub(r"\1 the one relation is events", _one_line(e))) from e

    def columns(self) -> list[tuple[str, str]]:
        """
        Return the names and the types of the answer's columns.
        """
        return [(str(row[0]), str(row[1])) for row in self._run(f"DESCRIBE {_ANSWER}")]

    def number(self) -> int:
        """
        Return how many rows the answer has.
        """
        return int(self._run(f"SELECT count(*) FROM {_ANSWER}")[0][0])

    def skipped(self) -> int:
        """
        Return how many lines were torn or foreign.
        """
        return int(self._run(f"SELECT coalesce(last_value, 0) FROM duckdb_sequences() WHERE sequence_name = '{SKIPPED}'")[0][0])

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """
        Yield the rows of the answer.
        """
        with _stopped():
            cursor = self._connection.execute(f"FROM {_ANSWER}")
        while rows := _some(cursor):
            yield from rows

    def close(self) -> None:
        """
        Let go of everything.
        """
        self._connection.close()

    def _run_until_stopped(self, statement: str) -> None:
        """
        Run it in another thread: DuckDB doesn't look whether the user wants it to stop. It
        isn't a pool's, which loses sight of a thread if Ctrl-C comes while it starts.
        """
        running: Future[None] = Future()

        def run() -> None:
            if running.set_running_or_notify_cancel():
                try:
                    self._run(statement)
                except BaseException as e:  # noqa: BLE001 -- it is raised again, by result()
                    running.set_exception(e)
                else:
                    running.set_result(None)

        try:
            Thread(target=run).start()
            while not running.done():
                wait([running], timeout=_LOOK)  # Ctrl-C that comes just before a wait doesn't end it
            running.result()
        except KeyboardInterrupt:
            while not running.cancel() and not running.done():
                self._connection.interrupt()  # again and again, since the statement may not have begun yet
                wait([running], timeout=_PATIENCE)
            raise

    def _run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            with _stopped():
                found: list[tuple[Any, ...]] = self._connection.execute(statement).fetchall()
        except duckdb.Error as e:
            if isinstance(e, duckdb.IOException) or (self._files is not None and self._files.failed):
                raise OSError(_one_line(e)) from e
            raise
        return found


def _some(cursor: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """
    Return the next rows of an answer, none at its end.
    """
    with _stopped():
        return cursor.fetchmany(_ROWS)


@contextmanager
def _stopped() -> Generator[None]:
    """
    Give Ctrl-C back, of which DuckDB makes an error when it comes in a short statement.
    """
    try:
        yield
    except RuntimeError as e:
        if str(e) != "Query interrupted":
            raise
        raise KeyboardInterrupt from e


def _without_end(query: str) -> str:
    """
    Return a statement without the semicolons and comments behind it.
    """
    text = query.encode()  # tokens stand at bytes
    end = len(text)
    for offset, kind in reversed(duckdb.tokenize(query)):
        if kind != duckdb.token_type.comment and text[offset : offset + 1] != b";":
            break
        end = offset
    return text[:end].decode()


def _one_line(error: Exception) -> str:
    """
    Return what DuckDB says in one line, without where it stands in its own statement.
    """
    text = str(error).partition("\n\nLINE ")[0].partition("\nPossible solutions")[0]
    return " ".join(text.split())
