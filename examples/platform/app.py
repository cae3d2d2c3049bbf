"""
The web application: it makes projects, and builds them after it has answered.
"""

from __future__ import annotations

from pathlib import Path

from builder import build
from models import Project, ProjectBuildMetrics
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from ulid import ULID

import tierlog
from tierlog.asgi import TierlogMiddleware


def create_app(engine: Engine) -> Starlette:
    """
    Return the application.
    """

    async def create_project(request: Request) -> JSONResponse:
        asked = await request.json()
        project = Project(id=str(ULID()), name=asked["name"], user_id=asked["user"])
        with tierlog.action("project.create", project_id=project.id, user_id=project.user_id), Session(engine) as session:
            session.add(project)
            session.commit()
            return JSONResponse({"id": project.id}, 201)

    async def create_build(request: Request) -> JSONResponse:
        asked, project_id, build_id = await request.json(), request.path_params["project_id"], str(ULID())
        with Session(engine) as session:
            session.add(ProjectBuildMetrics(build_id=build_id, project_id=project_id, status="queued", framework="python"))
            session.commit()
        task = BackgroundTask(build, engine, build_id, project_id, Path(asked["source"]))
        return JSONResponse({"id": build_id}, 202, background=task)

    routes = [
        Route("/projects", create_project, methods=["POST"]),
        Route("/projects/{project_id}/builds", create_build, methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TierlogMiddleware, project_id=_project_id)])


def _project_id(scope: dict) -> str | None:
    return scope.get("path_params", {}).get("project_id")
