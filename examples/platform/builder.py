"""
Building and deploying: each command's lines are the build's log, each step a row's status.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from models import ProjectBuildMetrics, now
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

import tierlog
from tierlog import capture


def build(engine: Engine, build_id: str, project_id: str, source: Path) -> None:
    """
    Build what is in *source*, and deploy it.
    """
    with tierlog.build(build_id, project_id=project_id):
        change(engine, build_id, status="building", started_at=now())
        stage = None if compiled(source) else "build"
        if stage is None:
            change(engine, build_id, status="deploying")
            stage = None if deployed(source) else "deploy"
        change(engine, build_id, status="failed" if stage else "deployed", failure_stage=stage, completed_at=now())


def compiled(source: Path) -> bool:
    """
    Compile the program, and put it into one file.
    """
    for command in (["compileall", "-f", "."], ["zipapp", ".", "-m", "app:main", "-o", "../site.pyz"]):
        if capture.run([sys.executable, "-m", *command], cwd=source, console=False).returncode:
            return False
    return True


def deployed(source: Path) -> bool:
    """
    Deploy as far as that goes without an account.
    """
    with tierlog.bound(tier="deploy", kind=None):
        wrangler = shutil.which("wrangler")
        if wrangler is None:
            tierlog.get_logger("deployer").warning("wrangler isn't installed: there's nothing to deploy with")
            return True
        command = [wrangler, "deploy", "worker.js", "--dry-run", "--name", "hello", "--compatibility-date", "2026-01-01"]
        return capture.run(command, cwd=source, src="wrangler", console=False).returncode == 0


def change(engine: Engine, build_id: str, **columns: object) -> None:
    """
    Change a build's row: what is committed here is what the lifecycle tells.
    """
    with Session(engine) as session:
        row = session.scalars(select(ProjectBuildMetrics).where(ProjectBuildMetrics.build_id == build_id)).one()
        for name, value in columns.items():
            setattr(row, name, value)
        if row.started_at and row.completed_at:
            row.total_duration_ms = round((row.completed_at - row.started_at).total_seconds() * 1000)
        session.commit()
