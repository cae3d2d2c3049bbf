"""
What of the events is asked for beside the question itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tierlog.analytics._dialects import Dialect
from tierlog.errors import QueryError
from tierlog.kinds import TIERS
from tierlog.query._filters import Filters


__all__ = ["check", "conditions"]

_FILTERS = ("tiers", "kinds", "levels", "project_id", "build_id", "user_id", "req_id", "since", "until")


def check(asked: Mapping[str, Any]) -> None:
    """
    See that there are no other filters, and that what they ask for can be said in SQL.

    Raises:
        QueryError: There's one, or it can't.
    """
    for name, value in asked.items():
        if name not in _FILTERS:
            raise QueryError(name, f"isn't a filter here, say it in SQL; there are {', '.join(_FILTERS)}")
        try:
            str(value).encode()
        except UnicodeEncodeError as e:
            raise QueryError(name, f"{value!r} isn't text; write it in UTF-8") from e


def conditions(filters: Filters, dialect: Dialect) -> str:
    """
    Return the filters as SQL over the columns of ``events``.
    """
    found = [f"ts_ms >= {filters.since}", f"ts_ms < {filters.until}"] if filters.has_times else []
    for column, values in (("tier", filters.tiers), ("kind", filters.kinds), ("lvl", filters.levels)):
        if values is not None and values != TIERS:
            found.append(f"{column} IN ({', '.join(map(dialect.text, values))})")
    found += [f"{name} = {dialect.text(value)}" for name, value in filters.ids.items()]
    return " AND ".join(found) or "true"
