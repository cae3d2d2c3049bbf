"""
What differs between the SQL of DuckDB and that of ClickHouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


__all__ = ["CLICKHOUSE", "DUCKDB", "Dialect", "identifier"]


class Dialect(Protocol):
    """
    How a database writes what questions are made of.
    """

    def text(self, value: str, /) -> str:
        """
        Return a text.
        """

    def number_in(self, path: Sequence[str], /) -> str:
        """
        Return the number at a path in ``data``; null if there's none.
        """

    def text_in(self, path: Sequence[str], /) -> str:
        """
        Return what is at a path in ``data`` as a text; null if there's nothing.
        """

    def quantile(self, column: str, share: float, /, *, approximate: bool) -> str:
        """
        Return the value of *column* below which a share of the values are.
        """


def identifier(name: str) -> str:
    """
    Return a column's name, as both write it.

    >>> identifier("lvl"), identifier("data.a b")
    ('lvl', '"data.a b"')
    """
    return name if name.isidentifier() and name.isascii() else '"{}"'.format(name.replace("\\", "_").replace('"', "_"))


class _DuckDb:
    def text(self, value: str) -> str:
        return "'{}'".format(value.replace("'", "''"))

    def number_in(self, path: Sequence[str]) -> str:
        return f"TRY_CAST(CAST(json_extract(data, {self._pointer(path)}) AS VARCHAR) AS DOUBLE)"  # texts keep their quotes

    def text_in(self, path: Sequence[str]) -> str:
        return f"json_extract_string(data, {self._pointer(path)})"

    def quantile(self, column: str, share: float, *, approximate: bool) -> str:
        return f"{'approx_quantile' if approximate else 'quantile_cont'}({column}, {share})"

    def _pointer(self, path: Sequence[str]) -> str:
        return self.text("".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path))


class _ClickHouse:
    def text(self, value: str) -> str:
        return "'{}'".format(value.replace("\\", "\\\\").replace("'", "\\'"))

    def number_in(self, path: Sequence[str]) -> str:
        return f"toFloat64OrNull(JSONExtractRaw(data, {self._keys(path)}))"

    def text_in(self, path: Sequence[str]) -> str:
        keys = self._keys(path)
        kind = f"JSONType(data, {keys})"
        return f"multiIf({kind} = 'String', JSONExtractString(data, {keys}), {kind} = 'Null', NULL, JSONExtractRaw(data, {keys}))"

    def quantile(self, column: str, share: float, *, approximate: bool) -> str:
        return f"{'quantileTDigest' if approximate else 'quantileExactInclusive'}({share})({column})"

    def _keys(self, path: Sequence[str]) -> str:
        return ", ".join(map(self.text, path))


DUCKDB: Dialect = _DuckDb()
CLICKHOUSE: Dialect = _ClickHouse()
