"""
How many builds of each day became what, and how long they took.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import column, null, select

from tierlog.lifecycle._builds import TABLE, as_time, asked, conditions, table_of
from tierlog.lifecycle._engine import engine_of


__all__ = ["BuildDay", "build_days"]


class BuildDay(NamedTuple):
    """
    The builds of one day.

    Attributes:
        day: UTC date ``YYYY-MM-DD`` of their ``created_at``.

        statuses: How many there are by ``status``.

        p50_ms: The median of ``total_duration_ms``, **milliseconds**; None if none has one.

        p95_ms: What 95 of 100 didn't exceed, likewise.
    """

    day: str
    statuses: dict[str, int]
    p50_ms: int | None
    p95_ms: int | None


def build_days(
    engine: Any,
    *,
    project_id: str | Iterable[str] | None = None,
    since: Any = None,
    until: Any = None,
    table: str = TABLE,
) -> list[BuildDay]:
    """
    Return the days on which there were builds, the oldest first.

    The arguments are those of :func:`builds`, and so is what is raised.
    """
    found = engine_of(engine)
    with asked(found, table) as columns:
        duration = column("total_duration_ms") if "total_duration_ms" in columns else null()
        chosen: Any = select(column("created_at"), column("status"), duration).select_from(table_of(table))
        chosen = chosen.where(*conditions(columns, {"project_id": project_id}, since, until))
        statuses: dict[str, Counter[str]] = {}
        durations: dict[str, list[int]] = {}
        with found.connect() as connection:
            for created, status, took in connection.execute(chosen):
                moment = as_time(created)
                if moment is not None:
                    day = moment.date().isoformat()
                    statuses.setdefault(day, Counter())[str(status)] += 1
                    if isinstance(took, (int, float, Decimal)):
                        durations.setdefault(day, []).append(round(took))
    return [
        BuildDay(day, dict(statuses[day]), *(_quantile(sorted(durations.get(day, ())), part) for part in (0.5, 0.95)))
        for day in sorted(statuses)
    ]


def _quantile(values: Sequence[int], part: float) -> int | None:
    return values[min(len(values) - 1, int(len(values) * part))] if values else None
