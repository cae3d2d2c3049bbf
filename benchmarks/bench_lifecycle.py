"""
What mirroring a table costs the transaction that commits: against the same transaction
without it, by turns, on SQLite.

The mirror is at work meanwhile: its thread tells what was committed. ``BENCH_ROUNDS`` sets
the rounds.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tierlog.handler import TierHandler
from tierlog.lifecycle import mirror


ROUNDS = int(os.environ.get("BENCH_ROUNDS", "31"))
SLICE = 20
PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ALLOWED = 1.2

# Mode of the journal, what a commit waits for, and who commits.
ROWS = [
    ("delete", "full", "orm"),
    ("delete", "full", "core"),
    ("wal", "full", "orm"),
    ("wal", "full", "core"),
    ("wal", "normal", "orm"),
    ("wal", "normal", "core"),
]


class Base(DeclarativeBase):
    """
    The tables.
    """


class Metrics(Base):
    """
    What builds did.
    """

    __tablename__ = "project_build_metrics"

    id: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[str]
    version_id: Mapped[str | None]
    project_id: Mapped[str]
    user_id: Mapped[str | None]
    attempt_number: Mapped[int | None]
    status: Mapped[str]
    failure_stage: Mapped[str | None]
    started_at: Mapped[str | None]
    completed_at: Mapped[str | None]
    total_duration_ms: Mapped[int | None]
    framework: Mapped[str | None]
    detected_framework: Mapped[str | None]
    node_version: Mapped[str | None]
    package_manager: Mapped[str | None]
    created_at: Mapped[str | None]


COLUMNS = {
    "version_id": "v1", "project_id": PROJECT, "user_id": "u1", "status": "building", "framework": "next",
    "started_at": "2026-11-22 10:00:00.000000", "created_at": "2026-11-22 10:00:00.000000",
}  # fmt: skip


def engine_to(path: Path, journal: str, synchronous: str):
    """
    Return an engine to a new file.
    """
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def set_up(connection, _record):
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")

    Base.metadata.create_all(engine)
    return engine


def commit(engine, who: str, first: int) -> float:
    """
    Commit one new build after another, and return the **seconds** that it took.
    """
    began = time.perf_counter()
    for number in range(first, first + SLICE):
        row = {**COLUMNS, "build_id": f"01BX5ZZKBKACTAV9WE{number:08d}"}
        if who == "orm":
            with Session(engine) as session:
                session.add(Metrics(**row))
                session.commit()
        else:
            with engine.begin() as connection:
                connection.execute(insert(Metrics.__table__), row)
    return time.perf_counter() - began


@pytest.mark.parametrize(("journal", "synchronous", "who"), ROWS)
def bench_commit(journal, synchronous, who, verdicts):
    """
    A commit of one new build, mirrored, against a bare one.
    """
    ratios = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        bare, mirrored = (engine_to(Path(folder, name), journal, synchronous) for name in ("bare.db", "mirrored.db"))
        handler = TierHandler(sink={"type": "segments", "root": f"{folder}/logs"})
        with mirror(Metrics, engine=mirrored, handler=handler) as made:
            for number in range(ROUNDS + 1):
                pair = [bare, mirrored] if number % 2 else [mirrored, bare]
                taken = {engine: commit(engine, who, number * SLICE) for engine in pair}
                made.flush()
                if number:  # the first one fills caches
                    ratios.append(taken[mirrored] / taken[bare])
        handler.close()
    verdicts.add(f"commit {journal} {synchronous} {who} / bare", statistics.median(ratios), ALLOWED)
