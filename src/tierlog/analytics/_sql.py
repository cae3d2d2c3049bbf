"""
Asking DuckDB, over folders and stores as one.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from tierlog.analytics._questions import Question
from tierlog.errors import MissingExtraError
from tierlog.query import LogStore, Problem


__all__ = ["Result", "sql"]


class Result(Iterator[tuple[Any, ...]]):
    """
    An answer: rows, read as they are asked for. It may be left at any time.

    Attributes:
        columns: The names of the columns.

        types: Their types, as DuckDB calls them.

        row_count: How many rows there are.

        skipped: Torn and foreign lines that were met: at least those of what was asked
            for, and each time again where the question reads the events several times.

        problems: Segments and stores that couldn't be read, or not to their end;
            everything else was.
    """

    def __init__(self, engine: Any, problems: list[Problem], closing: ExitStack) -> None:
        found = engine.columns()
        self.columns = tuple(name for name, _ in found)
        self.types = tuple(kind for _, kind in found)
        self.row_count = engine.number()
        self.skipped = engine.skipped()
        self.problems = problems
        self._rows: Iterator[tuple[Any, ...]] = engine.rows()
        self._close = weakref.finalize(self, closing.close)

    def __next__(self) -> tuple[Any, ...]:
        try:
            return next(self._rows)
        except StopIteration:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Result of {self.row_count} rows: {', '.join(self.columns)}>"

    def dicts(self) -> Iterator[dict[str, Any]]:
        """
        Yield the same by the names of the columns.
        """
        for row in self:
            yield dict(zip(self.columns, row, strict=True))

    def close(self) -> None:
        """
        Let go of everything.
        """
        self._rows = iter(())
        self._close()


def sql(store: LogStore, question: Question | str, *, memory_limit: str = "1GB", threads: int = 4, **asked: Any) -> Result:
    """
    Ask a question in SQL, of the relation ``events``.

    Its columns are those of the envelope, and ``ts_ms``: ``ts`` is a time with its zone,
    ``data`` is JSON, the others are texts and numbers. Open, finished and shipped segments
    are one, and each record is there once. The segments are read, and nothing else can
    be; what isn't a question is refused.

    Args:
        store: Where to look.

        question: SQL as DuckDB speaks it, or one of this package's questions.

        memory_limit: How much memory DuckDB may take; what doesn't fit is in a temporary
            folder meanwhile.

        threads: How many threads it may use; each needs about 40 MB of the memory.

        asked: ``tiers``, ``kinds``, ``levels``, ``project_id``, ``build_id``, ``user_id``,
            ``req_id``, ``since`` and ``until``, as for :meth:`tierlog.query.LogStore.search`.
            They also tell which segments needn't be read.

    Raises:
        QueryError: It can't be asked, or takes too much memory.

        TierlogError: Segments couldn't be read again and again.

        MissingExtraError: ``tierlog[sql]`` isn't installed.
    """
    try:
        from tierlog.analytics._asking import answered  # noqa: PLC0415 -- an extra: only on demand
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in {"duckdb", "fsspec"}:
            raise
        raise MissingExtraError("sql") from e

    text = question.sql() if isinstance(question, Question) else question
    return Result(*answered(store, text, asked, memory_limit=memory_limit, threads=threads))
