"""
Which builds there are, by the database: what is asked first, before a log is opened.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from tierlog.query._times import parse_time
from tierlog.typing import Clock


__all__ = ["builds", "builds_cursor"]

_MS_NS = 1_000_000


def builds(
    engine: Any,
    *,
    status: str | Iterable[str] | None = None,
    failure_stage: str | Iterable[str] | None = None,
    framework: str | Iterable[str] | None = None,
    project_id: str | Iterable[str] | None = None,
    build_id: str | Iterable[str] | None = None,
    since: Any = None,
    until: Any = None,
    limit: int = 100,
    before: Any = None,
    table: str = "project_build_metrics",
    clock: Clock = time.time_ns,
) -> list[Any]:
    """
    Return the builds that meet all that is given, newest ``created_at`` first: each a
    :class:`tierlog.lifecycle.Build`, whose ``log(store)`` opens its log.

    Args:
        engine: The database: an engine of SQLAlchemy, or a URL.

        status: This ``status``, or any of these, for example ``"failed"``.

        failure_stage: Likewise, for example ``"pre-install"``.

        framework: Likewise.

        project_id: Likewise.

        build_id: Likewise.

        since: Not before this, as for :meth:`LogStore.search`.

        until: Before this.

        limit: How many at most.

        before: Where to go on: the last build of a page, or :func:`builds_cursor` of it.

        table: The table's name, with its schema before a dot if need be.

        clock: Returns nanoseconds since the epoch.

    Raises:
        QueryError: It can't be asked for.

        ConfigError: There's no such table, or it lacks columns.

        tierlog.lifecycle.DatabaseError: The database didn't answer.

        MissingExtraError: ``tierlog[db]`` isn't installed.
    """
    from tierlog import lifecycle  # noqa: PLC0415 -- an extra: only on demand

    now_ms = clock() // _MS_NS
    return lifecycle.builds(
        engine,
        status=status,
        failure_stage=failure_stage,
        framework=framework,
        project_id=project_id,
        build_id=build_id,
        since=None if since is None else parse_time("since", since, now_ms),
        until=None if until is None else parse_time("until", until, now_ms),
        limit=limit,
        before=before,
        table=table,
    )


def builds_cursor(build: Any) -> str:
    """
    Return a text that stands for *build* as ``before`` of :func:`builds`.
    """
    cursor: str = build.cursor
    return cursor
