"""
Questions that are asked often, made once and written for either database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tierlog.analytics._dialects import DUCKDB, Dialect, identifier
from tierlog.errors import QueryError


__all__ = ["Question", "counts", "percentiles", "rates"]

_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_COLUMNS = {
    **{name: name for name in ("tier", "kind", "lvl", "src", "instanceId", "projectId", "buildId", "userId", "reqId")},
    "instance": "instanceId",
    "project_id": "projectId",
    "build_id": "buildId",
    "user_id": "userId",
    "req_id": "reqId",
}
_DATA = "data."
_SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Question:
    """
    A question to the events, which :func:`tierlog.analytics.sql` asks and
    :func:`tierlog.analytics.clickhouse` writes down.

    Attributes:
        by: What the events are grouped by.

        per: The step of time that rates are of; None if it isn't about rates.

        field: The number in ``data`` that percentiles are of; None if it isn't about them.

        shares: Which percentiles, from 0 to 1.

        approximate: Whether they may be a little wrong, and take no memory.
    """

    by: tuple[str, ...] = ()
    per: str | None = None
    field: str | None = None
    shares: tuple[float, ...] = ()
    approximate: bool = False

    def sql(self, dialect: Dialect = DUCKDB) -> str:
        """
        Return it as SQL over ``events``.

        >>> print(counts(["tier", "lvl"]).sql())
        SELECT tier, lvl, count(*) AS count FROM events GROUP BY 1, 2 ORDER BY 1, 2
        """
        groups = [_group(name, dialect) for name in self.by]
        names = [identifier(name) for name in self.by]
        if self.field is not None:
            number = dialect.number_in(_path("field", self.field))
            inner = ", ".join([*groups, f"{number} AS value"])
            columns = [*names, "count(*) AS count", *(self._percentile(share, dialect) for share in self.shares)]
            asked = f"SELECT {', '.join(columns)} FROM (SELECT {inner} FROM events) AS numbers WHERE value IS NOT NULL"
        else:
            columns = [*groups, "count(*) AS count"]
            if self.per is not None:
                columns.append(f"count(*) / {_SECONDS[self.per]:.1f} AS per_second")
            asked = f"SELECT {', '.join(columns)} FROM events"
        if not groups:
            return asked
        places = ", ".join(str(number) for number in range(1, len(groups) + 1))
        return f"{asked} GROUP BY {places} ORDER BY {places}"

    def _percentile(self, share: float, dialect: Dialect) -> str:
        name = f"p{share * 100:.6g}".replace(".", "_")
        return f"{dialect.quantile('value', share, approximate=self.approximate)} AS {name}"


def counts(by: str | Iterable[str] = ("tier", "lvl")) -> Question:
    """
    Ask how many events there are, by their values of some fields.

    Args:
        by: Any of ``tier``, ``kind``, ``lvl``, ``src``, ``instance``, the ids such as
            ``project_id``, ``minute``, ``hour`` and ``day`` (their beginnings, UTC), and
            what is in data, such as ``data.region``.

    Raises:
        QueryError: There's no such field.
    """
    return Question(_fields(by))


def rates(per: str = "hour", by: str | Iterable[str] = ()) -> Question:
    """
    Ask how many events there are in each step of time, and in each **second** of it.

    Args:
        per: ``minute``, ``hour`` or ``day``. Steps without events are left out.

        by: As for :func:`counts`.

    Raises:
        QueryError: There's no such step or field.
    """
    if per not in _SECONDS:
        raise QueryError("per", f"{per!r} is no step of time; there are {', '.join(_SECONDS)}")
    return Question((per, *(name for name in _fields(by) if name != per)), per=per)


def percentiles(
    field: str, by: str | Iterable[str] = (), *, at: Iterable[float] = _SHARES, approximate: bool = False
) -> Question:
    """
    Ask for percentiles of a number in ``data``, and how many numbers there are.

    Args:
        field: Where it is, such as ``data.durationMs``. What isn't a number is left out.

        by: As for :func:`counts`.

        at: Which ones, from 0 to 1. Between two numbers, it is what lies on the line.

        approximate: About right, in the same memory however many there are. Exact ones
            keep all the numbers, eight **bytes** each.

    Raises:
        QueryError: There's no such field or percentile.
    """
    _path("field", field)
    shares = tuple(at)
    for share in shares:
        if type(share) not in {int, float} or not 0 <= share <= 1:
            raise QueryError("at", f"{share!r} isn't a share from 0 to 1, such as 0.95")
    if not shares:
        raise QueryError("at", "is empty; name a share such as 0.95")
    return Question(_fields(by), field=field, shares=tuple(map(float, shares)), approximate=approximate)


def _fields(by: object) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Iterable) else (by,)
    for name in names:
        if isinstance(name, str) and name.startswith(_DATA):
            _path("by", name)
        elif name not in _COLUMNS and name not in _SECONDS:
            known = ", ".join([*_COLUMNS, *_SECONDS])
            raise QueryError("by", f"events can't be grouped by {name!r}; there are {known} and paths such as data.region")
    return tuple(dict.fromkeys(map(str, names)))


def _path(parameter: str, name: object) -> list[str]:
    parts = name.split(".")[1:] if isinstance(name, str) and name.startswith(_DATA) else []
    if not parts or not all(parts):
        raise QueryError(parameter, f"{name!r} is no path in data, such as data.durationMs")
    return parts


def _group(name: str, dialect: Dialect) -> str:
    if name in _SECONDS:
        return f"date_trunc('{name}', ts) AS {name}"
    if name.startswith(_DATA):
        return f"{dialect.text_in(_path('by', name))} AS {identifier(name)}"
    column = _COLUMNS[name]
    return column if column == name else f"{column} AS {name}"
