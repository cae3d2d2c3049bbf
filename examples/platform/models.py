"""
The tables.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime:
    """
    Return the time, in UTC, as SQLite keeps it.
    """
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """
    All tables.
    """


class Project(Base):
    """
    What a customer builds.
    """

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    user_id: Mapped[str]


class ProjectBuildMetrics(Base):
    """
    What became of each build; this is the table that is mirrored.
    """

    __tablename__ = "project_build_metrics"

    id: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[str]
    project_id: Mapped[str]
    user_id: Mapped[str | None]
    attempt_number: Mapped[int] = mapped_column(default=1)
    status: Mapped[str]
    failure_stage: Mapped[str | None]
    framework: Mapped[str | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    total_duration_ms: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
