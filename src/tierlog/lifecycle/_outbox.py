"""
What waits in the outbox, who is at it, and what was told.

A transition that is in the outbox twice has one row in what is told: whose that is, may
write its event.

Each transaction begins with a change, for SQLite's sake: there, one that has read and
then wants to write fails if another one was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tierlog.lifecycle._ddl import OUTBOX, TOLD
from tierlog.lifecycle._event import Transition
from tierlog.lifecycle._target import Target


__all__ = ["Outbox"]

_BATCH = 200
_KEY = ("source", "build_id", "status", "attempt")
_INSERT: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Outbox:
    """
    What the outbox has of one table: other tables' rows may be for other logs.

    Args:
        engine: The database.

        target: The table.

        now_ms: Returns **milliseconds** since the epoch.
    """

    def __init__(self, engine: Engine, target: Target, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        number = BigInteger().with_variant(Integer(), "sqlite")
        texts = (*_KEY, "project_id", "previous", "data")
        row: list[Any] = [
            Column("id", number, primary_key=True),
            *(Column(name, Text) for name in texts),
            Column("at_ms", BigInteger),
        ]
        claim: list[Any] = [Column(name, Text, primary_key=name in _KEY) for name in (*_KEY, "claim_root", "claim_instance")]
        numbers: list[Any] = [Column(name, BigInteger) for name in ("outbox_id", "claimed_ms", "done_ms")]
        self._rows = Table(OUTBOX, MetaData(), *row, schema=target.schema)
        self._told = Table(TOLD, MetaData(), *claim, *numbers, schema=target.schema)
        self._is_here = self._rows.c.source == target.shown
        self._was_here = self._told.c.source == target.shown
        self._is_alike = and_(*(self._rows.c[name] == self._told.c[name] for name in _KEY))
        self._is_claim = and_(self._is_alike, self._rows.c.id == self._told.c.outbox_id, self._told.c.done_ms.is_(None))

    def waiting(self) -> int:
        """
        Return how many rows there are.
        """
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(self._rows).where(self._is_here)).scalar_one()

    def left(self, root: str, lease_ms: int | None) -> list[Transition]:
        """
        Return rows that were claimed and aren't done: for *root*, or longer ago than
        *lease_ms*.
        """
        told = self._told.c
        whose: ColumnElement[bool] = told.claim_root == root
        if lease_ms is not None:
            whose = or_(whose, told.claimed_ms < self._now_ms() - lease_ms)
        with self._engine.connect() as connection:
            return self._claimed(connection, and_(self._was_here, whose))

    def free(self, transition: Transition) -> None:
        """
        Let anybody claim a row again, unless somebody has meanwhile.
        """
        told = self._told.c
        key = (told[name] == getattr(transition, name) for name in (*_KEY, "claim_root", "claimed_ms"))
        with self._engine.begin() as connection:
            connection.execute(delete(self._told).where(*key, told.done_ms.is_(None)))

    def next(self, done: Sequence[Transition], root: str, instance: str) -> list[Transition]:
        """
        Take rows that are done out of the outbox, and claim the next ones, in one
        transaction.
        """
        new, again = self._unclaimed()
        if not (new or again or done):
            return []
        with self._engine.begin() as connection:
            if done:
                self._finish(connection, done)
            gone = [one.id for one in done] + again
            if gone:
                connection.execute(delete(self._rows).where(self._rows.c.id.in_(gone)))
            return self._claim(connection, new, root, instance) if new else []

    def prune(self, keep_ms: int) -> None:
        """
        Forget what was told longer than *keep_ms* ago.
        """
        with self._engine.begin() as connection:
            connection.execute(delete(self._told).where(self._was_here, self._told.c.done_ms < self._now_ms() - keep_ms))

    def _unclaimed(self) -> tuple[list[Any], list[int]]:
        """
        Return the next rows that nobody has claimed, and those that repeat another one.
        """
        rows, told = self._rows.c, self._told.c
        chosen = select(rows.id, *(rows[name] for name in _KEY), told.claim_root)
        chosen = chosen.select_from(self._rows.outerjoin(self._told, self._is_alike))
        is_free = or_(told.claim_root.is_(None), told.done_ms.is_not(None), told.outbox_id != rows.id)
        with self._engine.connect() as connection:
            found = connection.execute(chosen.where(self._is_here, is_free).order_by(rows.id).limit(_BATCH)).all()
        return [one for one in found if one.claim_root is None], [one.id for one in found if one.claim_root is not None]

    def _finish(self, connection: Connection, done: Sequence[Transition]) -> None:
        finished = update(self._told).where(*(self._told.c[name] == bindparam(f"key_{name}") for name in _KEY))
        keys = [{f"key_{name}": getattr(one, name) for name in _KEY} for one in done]
        connection.execute(finished.values(done_ms=self._now_ms()), keys)

    def _claim(self, connection: Connection, new: Sequence[Any], root: str, instance: str) -> list[Transition]:
        claim = {"claim_root": root, "claim_instance": instance, "claimed_ms": self._now_ms()}
        keys = [{"outbox_id": one.id, **{name: getattr(one, name) for name in _KEY}, **claim} for one in new]
        connection.execute(_INSERT[connection.dialect.name](self._told).on_conflict_do_nothing(), keys)
        told = self._told.c
        is_mine = and_(told.claim_root == root, told.claim_instance == instance, self._rows.c.id.in_([one.id for one in new]))
        return self._claimed(connection, is_mine)

    def _claimed(self, connection: Connection, condition: ColumnElement[bool]) -> list[Transition]:
        """
        Return the rows with claims that meet *condition*.
        """
        columns = [self._rows.c[name] if name in self._rows.c else self._told.c[name] for name in Transition._fields]
        chosen = select(*columns).select_from(self._rows.join(self._told, self._is_claim)).where(condition)
        found = connection.execute(chosen.order_by(self._rows.c.id))
        return [Transition(*one) for one in found]
