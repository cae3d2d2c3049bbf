"""
The table that is watched, and which of its columns an event has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Engine, Table, inspect

from tierlog.errors import ConfigError


__all__ = ["Target", "declared", "there"]

_NEEDED = ("build_id", "project_id", "status", "attempt_number")
_MORE = (
    "failure_stage",
    "version_id",
    "user_id",
    "is_initial_build",
    "is_update",
    "is_retry",
    "parent_build_id",
    "started_at",
    "completed_at",
    "total_duration_ms",
    "framework",
    "detected_framework",
    "node_version",
    "package_manager",
    "created_at",
)


class Target(NamedTuple):
    """
    A table.

    Attributes:
        table: Its name.

        schema: Its schema; None in SQLite, and for the one that is the connection's own.

        columns: Those of its columns that an event's data has.
    """

    table: str
    schema: str | None
    columns: tuple[str, ...]

    @property
    def shown(self) -> str:
        """
        What it is called in messages and in the outbox.
        """
        return f"{self.schema}.{self.table}" if self.schema else self.table


def declared(given: Any) -> Target:
    """
    Return the table that *given* is, as the program declares it.

    Args:
        given: A class mapped by SQLAlchemy, or a Core table.

    Raises:
        ConfigError: It is neither, or lacks columns.
    """
    table = _table(given)
    if not isinstance(table, Table):
        raise ConfigError("target", f"{given!r} is neither a class that SQLAlchemy has mapped nor a table")
    return _checked(table.name, table.schema, (column.name for column in table.columns))


def there(given: Any, engine: Engine) -> Target:
    """
    Return the table that *given* names, as the database has it.

    Args:
        given: As for :func:`declared`, or the table's name.

        engine: The database.

    Raises:
        ConfigError: There's no such table, or it lacks columns.
    """
    table = _table(given)
    if isinstance(table, Table):
        name, schema = table.name, table.schema
    elif isinstance(table, str):
        before, _, name = table.rpartition(".")
        schema = before or None
    else:
        raise ConfigError("target", f"{given!r} is neither a class that SQLAlchemy has mapped nor a table nor the name of one")
    if schema is not None and engine.dialect.name == "sqlite":
        raise ConfigError(
            "target", f"{schema}.{name} is in an attached database, whose commits aren't this one's; mirror it there"
        )
    inspector = inspect(engine)
    if not inspector.has_table(name, schema=schema):
        raise ConfigError("target", f"there's no table {name!r} in the database; make it before it is mirrored")
    if schema is None and engine.dialect.name == "postgresql":
        schema = inspector.default_schema_name
    return _checked(name, schema, (column["name"] for column in inspector.get_columns(name, schema=schema)))


def _table(given: Any) -> Any:
    return getattr(given, "__table__", given)


def _checked(name: str, schema: str | None, columns: Iterable[str]) -> Target:
    have = set(columns)
    missing = [one for one in _NEEDED if one not in have]
    if missing:
        raise ConfigError("target", f"table {name!r} has no column {', '.join(missing)}, which a transition is known by")
    return Target(name, schema, tuple(one for one in _MORE if one in have))
