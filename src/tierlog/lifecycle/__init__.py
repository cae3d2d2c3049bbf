"""
Builds as the database has them: what became of them as events, and which there are.
Needs ``tierlog[db]``.

:func:`mirror` writes one ``lifecycle`` event for each committed transition. Who notes
a transition is the database itself, by triggers that put a row into an outbox, the
table ``tierlog_outbox``, in the transaction that makes it. Nothing else sees all of
them: the ORM's flushes and bulk statements, Core's, those of other processes and other
languages; and a rollback, of a savepoint too, takes the row away with the change. What
SQLAlchemy tells of commits only wakes the thread that turns rows into events; what it
doesn't tell, or a killed process has left, is found by looking at intervals.

An event is written before its row is marked as done, so a process that is killed in
between leaves a row of which nobody knows. Each row is therefore claimed before its
event is written, with the log's root and the writer's ``instanceId``. A claim that is
found when nobody of that root is at work, which a lock tells, is a dead process's: the
log itself is asked whether the line is there, and only if it isn't, it is written.

``_target`` is the table that is watched, ``_ddl`` what is made in its database,
``_outbox`` reads and claims rows, ``_event`` makes an event of one (pure), ``_log``
is the log they go to and are looked for in, ``_dispatch`` goes from claim to done,
``_mirror`` does so after each commit; ``_engine`` is the way to databases. ``_builds``
and ``_days`` answer which builds there are.
"""

from __future__ import annotations

from tierlog.errors import MissingExtraError


try:
    import sqlalchemy as _  # noqa: F401 -- only whether it is there
except ImportError as e:
    raise MissingExtraError("db") from e

from tierlog.lifecycle._builds import Build, builds, builds_cursor
from tierlog.lifecycle._days import BuildDay, build_days
from tierlog.lifecycle._ddl import builds_ddl, ddl
from tierlog.lifecycle._engine import DatabaseError
from tierlog.lifecycle._mirror import Mirror, mirror


__all__ = [
    "Build",
    "BuildDay",
    "DatabaseError",
    "Mirror",
    "build_days",
    "builds",
    "builds_cursor",
    "builds_ddl",
    "ddl",
    "mirror",
]
