"""
Which builds there are, newest first, each with the way to its log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Engine,
    Enum,
    Integer,
    Numeric,
    String,
    TableClause,
    Uuid,
    and_,
    column,
    inspect,
    or_,
    select,
)
from sqlalchemy import table as table_called
from sqlalchemy.dialects.postgresql import TIMESTAMP

from tierlog.errors import ConfigError, QueryError
from tierlog.lifecycle._engine import DatabaseError, engine_of, told


__all__ = ["TABLE", "Build", "Columns", "as_time", "asked", "bound", "builds", "builds_cursor", "conditions", "table_of"]

TABLE = "project_build_metrics"
_NEEDED = ("id", "build_id", "project_id", "status", "created_at")
_FLAGS = frozenset(["is_initial_build", "is_update", "is_retry"])
_TIMES = frozenset(["started_at", "completed_at", "created_at"])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LAST_SECOND = 100_000_000_000  # what is more is milliseconds
_INTEGERS = range(-(1 << 63), 1 << 63)  # of any database

Columns = Mapping[str, Any]
"""What a table has: types by the names of columns."""

_known: WeakKeyDictionary[Engine, dict[str, Columns]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """
    A row of ``project_build_metrics``. Columns that the table doesn't have are None;
    times are in UTC. ``cursor`` is no column: it is what :func:`builds_cursor` returns.
    """

    id: Any
    build_id: str
    project_id: str
    status: str
    created_at: datetime
    version_id: Any = None
    user_id: Any = None
    is_initial_build: bool | None = None
    is_update: bool | None = None
    is_retry: bool | None = None
    attempt_number: int | None = None
    parent_build_id: Any = None
    failure_stage: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    total_duration_ms: int | None = None
    framework: str | None = None
    detected_framework: str | None = None
    node_version: str | None = None
    package_manager: str | None = None
    total_duration_min: float | None = None
    cursor: str = field(default="", repr=False, compare=False)

    def log(self, store: Any, **more: Any) -> Any:
        """
        Return its log, as :meth:`tierlog.query.LogStore.build` does: one look for its
        segments, and one into each, as a rule one.

        Args:
            store: What :func:`tierlog.query.open_store` returned.

            more: As for :meth:`tierlog.query.LogStore.search`.
        """
        return store.build(self.build_id, **more)

    def deploy_log(self, store: Any, **more: Any) -> Any:
        """
        Return its deploy's log; see :meth:`log`.
        """
        return store.deploy(self.build_id, **more)

    def as_dict(self) -> dict[str, Any]:
        """
        Return the columns as JSON has them, times as texts in ISO 8601.
        """
        return {
            name: value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if name != "cursor"
        }


_FIELDS = tuple(one.name for one in fields(Build) if one.name != "cursor")


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
    before: str | Build | None = None,
    table: str = TABLE,
) -> list[Build]:
    """
    Return the builds that meet all that is given, newest ``created_at`` first.

    Args:
        engine: The database: an engine of SQLAlchemy, or a URL.

        status: This ``status``, or any of these, for example ``"failed"``.

        failure_stage: Likewise, for example ``"pre-install"``.

        framework: Likewise.

        project_id: Likewise.

        build_id: Likewise.

        since: Not before this: **milliseconds** since the epoch, or a datetime.

        until: Before this.

        limit: How many at most.

        before: Where to go on: the last build of a page, or :func:`builds_cursor` of it.

        table: The table's name, with its schema if need be.

    Raises:
        QueryError: It can't be asked for.

        ConfigError: There's no such table, or it lacks columns.

        DatabaseError: The database didn't answer.
    """
    found = engine_of(engine)
    if type(limit) is not int or limit < 0:
        raise QueryError("limit", f"{limit!r} isn't a whole number of at least 0")
    limit = min(limit, _INTEGERS[-1])
    with asked(found, table) as columns:
        wanted = {"status": status, "failure_stage": failure_stage, "framework": framework}
        where = conditions(columns, {**wanted, "project_id": project_id, "build_id": build_id}, since, until)
        if before is not None:
            where.append(_behind(before, columns))
        names = [name for name in _FIELDS if name in columns]
        chosen: Any = select(*(column(name) for name in names)).select_from(table_of(table)).where(*where)
        ordered = chosen.order_by(column("created_at").desc(), column("id").desc()).limit(limit)
        with found.connect() as connection:
            return [_build(names, row) for row in connection.execute(ordered)]


def builds_cursor(build: Build) -> str:
    """
    Return a text that stands for *build* as ``before`` of :func:`builds`.
    """
    return build.cursor


@contextmanager
def asked(engine: Engine, table: str) -> Iterator[Columns]:
    """
    Give the columns of *table* to a block that asks for its rows. What is known of them is
    forgotten if that fails: the table may have changed.

    Raises:
        ConfigError: There's no such table, or it lacks columns.

        DatabaseError: The database didn't answer.
    """
    try:
        with told(engine):
            yield _columns_of(engine, table)
    except (DatabaseError, QueryError):
        _known.get(engine, {}).pop(table, None)
        raise


def _columns_of(engine: Engine, name: str) -> Columns:
    """
    Return the columns of the table called *name*.

    Raises:
        ConfigError: There's no such table, or it lacks some that are needed.
    """
    known = _known.setdefault(engine, {})
    if name not in known:
        schema, _, plain = name.rpartition(".")
        inspector = inspect(engine)
        if not inspector.has_table(plain, schema=schema or None):
            raise ConfigError("table", f"there's no table {name!r}")
        columns = {one["name"]: one["type"] for one in inspector.get_columns(plain, schema=schema or None)}
        missing = [one for one in _NEEDED if one not in columns]
        if missing:
            raise ConfigError("table", f"{name} has no column {', '.join(missing)}; builds can't be listed without it, add it")
        known[name] = columns
    return known[name]


def conditions(
    columns: Columns, wanted: Mapping[str, str | Iterable[str] | None], since: Any, until: Any
) -> list[ColumnElement[bool]]:
    """
    Return what rows must be like.

    Raises:
        QueryError: It can't be asked for.
    """
    made: list[ColumnElement[bool]] = [column("created_at").is_not(None)]
    for name, value in wanted.items():
        if value is None:
            continue
        if name not in columns:
            raise QueryError(name, "the table has no such column")
        made.append(_is_one_of(name, value, columns[name]))
    if since is not None:
        made.append(column("created_at") >= bound(_moment("since", since), columns))
    if until is not None:
        made.append(column("created_at") < bound(_moment("until", until), columns))
    return made


def _is_one_of(name: str, wanted: Any, kind: Any) -> ColumnElement[bool]:
    """
    Return what a column must be: PostgreSQL compares a text with no id that is a UUID or
    a number, nor with the words of an enumeration.
    """
    texts: list[Any] = [wanted] if isinstance(wanted, str) else list(wanted) if isinstance(wanted, Iterable) else [None]
    if not all(isinstance(one, str) for one in texts):
        raise QueryError(name, f"{wanted!r} is neither a text nor several")
    values = [value for one in texts if (value := _as_kind(one, kind)) is not None]
    return _typed(name, kind).in_(values) if len(values) != 1 else _typed(name, kind) == values[0]


def _as_kind(value: str, kind: Any) -> Any:
    """
    Return *value* as a column of *kind* has it; None if it can't have it.
    """
    try:
        if isinstance(kind, Uuid):
            return UUID(value)
        if isinstance(kind, Integer):
            return int(value) if int(value) in _INTEGERS else None
    except ValueError:
        return None
    return None if not _is_text(value) or (isinstance(kind, Enum) and value not in kind.enums) else value


def _is_text(value: str) -> bool:
    """
    Tell whether a database can have *value*: text without NULs and lone surrogates.
    """
    return "\0" not in value and value == value.encode("utf-8", "ignore").decode()


def _typed(name: str, kind: Any) -> ColumnClause[Any]:
    return column(name, kind) if isinstance(kind, (Uuid, Enum)) else column(name)


def bound(moment: datetime, columns: Columns) -> Any:
    """
    Return *moment* as ``created_at`` has it, to be compared with.
    """
    kind = columns["created_at"]
    if isinstance(kind, (Integer, Numeric)):
        return (moment - _EPOCH) // _MS
    if isinstance(kind, TIMESTAMP):
        return moment if kind.timezone else moment.replace(tzinfo=None)
    # SQLite has no times, only texts, as SQLAlchemy writes them.
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds").removesuffix(".000000")


def as_time(value: Any) -> datetime | None:
    """
    Return a time as the database has it, in UTC; None if it is none.
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, (int, float)):
            return _EPOCH + (_MS * value if value > _LAST_SECOND else timedelta(seconds=value))
        return _in_utc(value) if isinstance(value, datetime) else None
    except (ValueError, OverflowError):  # no time, or none that a calendar has
        return None


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _build(names: list[str], row: Iterable[Any]) -> Build:
    values = dict(zip(names, row, strict=True))
    cursor = _cursor(values["created_at"], values["id"])
    for name, value in values.items():
        if name in _TIMES:
            values[name] = as_time(value)
        elif name in _FLAGS and value is not None:
            values[name] = bool(value)
        elif name.endswith("_id") and value is not None:
            values[name] = str(value)
    return Build(**values, cursor=cursor)


def table_of(name: str) -> TableClause:
    """
    Return the table called *name*, with its schema before a dot.
    """
    schema, _, plain = name.rpartition(".")
    return table_called(plain, schema=schema or None)


def _moment(parameter: str, value: Any) -> datetime:
    try:
        if isinstance(value, datetime):
            return _in_utc(value)
        if type(value) is int:
            return _EPOCH + _MS * value
    except OverflowError:
        pass
    raise QueryError(parameter, f"{value!r} isn't a time: milliseconds since the epoch, or a datetime")


def _cursor(created: Any, row: Any) -> str:
    """
    Return the text for a row: its time as the database has it, and its id.
    """
    place = [created.isoformat() if isinstance(created, datetime) else created, row if type(row) is int else str(row)]
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def _is_bindable(value: Any) -> bool:
    """
    Tell whether *value* is one that a database can be asked with.
    """
    if type(value) is str:
        return _is_text(value)
    return value in _INTEGERS if type(value) is int else type(value) is float


def _behind(before: str | Build, columns: Columns) -> ColumnElement[bool]:
    text = before.cursor if isinstance(before, Build) else before
    try:
        moment, row = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        is_place = all(map(_is_bindable, (moment, row))) and type(row) is not float
        is_place &= not isinstance(columns["id"], String if type(row) is int else Integer)
        row = UUID(row) if isinstance(columns["id"], Uuid) else row
        moment = datetime.fromisoformat(moment) if isinstance(columns["created_at"], TIMESTAMP) else moment
    except (ValueError, TypeError, AttributeError):
        is_place = False
    if not is_place:
        raise QueryError("before", "isn't a cursor of builds; take builds_cursor() of the last one of a page")
    created: ColumnClause[Any] = column("created_at")
    return and_(created <= moment, or_(created < moment, _typed("id", columns["id"]) < row))
