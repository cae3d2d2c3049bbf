"""
The relation ``events`` in DuckDB: the lines of some files, typed.
"""

from __future__ import annotations

from collections.abc import Sequence

from tierlog.analytics._dialects import DUCKDB
from tierlog.envelope import KEYS, LINE_MAX_BYTES


__all__ = ["COLUMNS", "SKIPPED", "events"]

SKIPPED = "_skipped"
"""The sequence that counts lines which are torn or foreign."""

COLUMNS = {name: {"ts": "BIGINT", "seq": "BIGINT", "data": "JSON"}.get(name, "VARCHAR") for name in KEYS}
"""The keys of the envelope, and their types."""

_LAST_MS = 253_402_300_799_999

# A line that isn't JSON is a row of nulls. What tells a whole line is little, since what isn't asked for needn't be made.
_IS_OURS = f"ts BETWEEN 0 AND {_LAST_MS} AND instanceId IS NOT NULL AND tier IS NOT NULL AND lvl IS NOT NULL AND seq IS NOT NULL"
_IS_COUNTED = f"CASE WHEN {_IS_OURS} THEN true ELSE nextval('{SKIPPED}') < 0 END"
_SELECTED = f"make_timestamptz(ts * 1000) AS ts, ts AS ts_ms, {', '.join(KEYS[1:])}"


def events(alone: Sequence[str], shared: Sequence[str], condition: str) -> str:
    """
    Return what selects the events, in DuckDB's SQL.

    Args:
        alone: Paths of files each of whose lines is in one of them only.

        shared: Paths of files whose lines may be in several of them.

        condition: What must be true of an event, in SQL.
    """
    parts = []
    if alone:
        parts.append(_read(alone))
    if shared:
        parts.append(f"SELECT DISTINCT ON (ts_ms, instanceId, seq) * FROM ({_read(shared)})")
    if not parts:
        parts.append(_nothing())
    return f"SELECT * FROM ({' UNION ALL '.join(f'({part})' for part in parts)}) WHERE {condition}"


def _read(paths: Sequence[str]) -> str:
    files = ", ".join(map(DUCKDB.text, paths))
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    return (
        f"SELECT {_SELECTED} FROM read_ndjson([{files}], columns = {{{columns}}}, ignore_errors = true, "
        f"maximum_object_size = {LINE_MAX_BYTES}, hive_partitioning = false) WHERE {_IS_COUNTED}"
    )


def _nothing() -> str:
    columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items())
    return f"SELECT {_SELECTED} FROM (SELECT {columns}) WHERE false"
