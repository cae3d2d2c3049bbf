"""
Questions in SQL: to DuckDB over folders and stores, to ClickHouse over the bucket.

``_questions`` has the questions that are asked often, ``_dialects`` what differs
between the two; ``_events`` is the relation that they are asked of. ``_sql`` asks DuckDB,
which ``_engine`` keeps within bounds and ``_files`` hands what is in stores;
``_clickhouse`` only writes the question down.

:func:`sql` needs ``tierlog[sql]``; everything else needs nothing.
"""

from __future__ import annotations

from tierlog.analytics._clickhouse import clickhouse
from tierlog.analytics._questions import Question, counts, percentiles, rates
from tierlog.analytics._sql import Result, sql


__all__ = ["Question", "Result", "clickhouse", "counts", "percentiles", "rates", "sql"]
