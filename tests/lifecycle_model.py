"""
The table that the tests of lifecycle mirror, and what a reader sees of it.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from conftest import ULID
from tierlog.query import open_store


__all__ = ["Base", "Metrics", "build_id", "engine_to", "row", "told", "told_keys"]


class Base(DeclarativeBase):
    """
    The tests' own tables.
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
    is_initial_build: Mapped[bool | None]
    is_update: Mapped[bool | None]
    is_retry: Mapped[bool | None]
    attempt_number: Mapped[int | None]
    parent_build_id: Mapped[str | None]
    status: Mapped[str]
    failure_stage: Mapped[str | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    total_duration_ms: Mapped[int | None]
    framework: Mapped[str | None]
    detected_framework: Mapped[str | None]
    node_version: Mapped[str | None]
    package_manager: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC).replace(tzinfo=None))
    total_duration_min: Mapped[float | None]


def engine_to(url, **options):
    """
    Return an engine to a database that has the table.
    """
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), **options)
    Base.metadata.create_all(engine)
    return engine


def build_id(number):
    """
    Return the id of a build.
    """
    return f"01BX5ZZKBKACTAV9WE{number:08d}"


def row(number, status="building", **columns):
    """
    Return a new row.
    """
    return Metrics(**{"build_id": build_id(number), "project_id": ULID, "status": status, **columns})


def told(root):
    """
    Return the lifecycle events that a reader sees.
    """
    return list(open_store(root).search(tiers="lifecycle"))


def told_keys(root):
    """
    Return how often a reader sees each transition.
    """
    return Counter(one["data"]["key"] for one in told(root))
