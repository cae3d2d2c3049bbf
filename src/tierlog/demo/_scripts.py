"""
What each process of the demo does: three servers of a platform that builds and deploys.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from itertools import cycle
from typing import Any

import tierlog
from tierlog.demo._input import job_log, transcript
from tierlog.demo._text import level_of
from tierlog.demo._work import Worker


__all__ = ["SCRIPTS"]

_REQUESTS = 120
_USERS = ("user-ada", "user-bo", "user-cy")
_PROJECTS = ("shop", "docs")

_ACTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("action", "POST /v1/projects/builds", {"status": 202}),
    ("env", "environment variables changed", {"added": ["DATABASE_URL"], "removed": ["LEGACY_URL"]}),
    ("domain", "domain added: shop.example.com", {"status": 201}),
    ("team", "member invited", {"role": "developer"}),
    ("integration", "integration connected", {"provider": "github"}),
    ("advisor", "advice shown: image is larger than it has to be", {"status": 200}),
)
_SYSTEM: tuple[tuple[str, int, str, dict[str, Any]], ...] = (
    ("health", logging.INFO, "healthy", {"queue": 3}),
    ("auth", logging.WARNING, "sign-in refused: wrong second factor", {"attempts": 2}),
    ("rate_limit", logging.WARNING, "rate limit reached", {"limit": 100, "retry_after": 12}),
    ("job", logging.INFO, "nightly cleanup done", {"removed": 41}),
)

Script = Callable[[Worker], None]


def _build(worker: Worker, name: str, project: str, *commands: str) -> None:
    """
    Run *commands* as one build, with its events.
    """
    logger = logging.getLogger("builder")
    ids = {"project_id": worker.ids[project], "build_id": worker.ids[name]}
    steps = [transcript(command) for command in commands]
    worker.event("lifecycle", "build", "info", "build started", {"status": "building", "attempt_number": 1}, **ids)
    with tierlog.build(ids["build_id"], project_id=ids["project_id"]):
        for step in steps:
            worker.replay(logger, step)
    failed = any(step.exit_code for step in steps)
    outcome: dict[str, Any] = {"status": "failed", "failure_stage": "build"} if failed else {"status": "built"}
    outcome |= {"total_duration_ms": sum(step.duration_ms for step in steps)}
    worker.event("lifecycle", "build", "error" if failed else "info", f"build {outcome['status']}", outcome, **ids)


def _shared_build(worker: Worker, log_name: str, shard: int) -> None:
    """
    Write one of the shards of a build that two processes write, until told to finish.
    """
    logger = logging.getLogger("builder.shard")
    with tierlog.build(worker.ids["shared"], project_id=worker.ids["shop"]):
        worker.plant(logger)
        for line in cycle(job_log(log_name)):
            if worker.finish.is_set():
                break
            worker.log(logger, level_of(line), line, src="stdout", data={"shard": shard})
        worker.replay(logger, transcript("vite-build-failure"))


def _builder_a(worker: Worker) -> None:
    def others(worker: Worker) -> None:
        _build(worker, "site", "shop", "vite-build-ok-color", "vercel-build-ok")
        _build(worker, "broken", "docs", "npm-install-etarget", "vercel-build-failure")

    worker.together(lambda worker: _shared_build(worker, "lint_lintrunner", 1), others)


def _builder_b(worker: Worker) -> None:
    def again_and_again(worker: Worker) -> None:
        logger = logging.getLogger("builder")
        with tierlog.build(worker.ids["cut"], project_id=worker.ids["docs"]):
            while not worker.finish.is_set():
                worker.replay(logger, transcript("pip-build-failure"))

    worker.together(lambda worker: _shared_build(worker, "pytest_failure", 2), again_and_again)


def _deploy(worker: Worker, name: str, project: str, command: str, *, plants: bool) -> None:
    logger = logging.getLogger("deployer")
    ids = {"project_id": worker.ids[project], "build_id": worker.ids[name]}
    with tierlog.bound(tier="deploy", kind="line", **ids):
        if plants:
            worker.plant(logger)
        told = transcript(command)
        worker.log(logger, logging.INFO, "deploy started", kind="deploy", data={"target": "edge"})
        worker.replay(logger, told, src="wrangler")
        if not told.exit_code:
            worker.event("deploy", "dns", "info", "DNS record propagated", {"ttl": 60})
            worker.event("deploy", "domain", "info", "certificate issued", {"domain": "shop.example.com"})
    status = "failed" if told.exit_code else "deployed"
    worker.event("lifecycle", "deploy", "error" if told.exit_code else "info", f"deploy {status}", {"status": status}, **ids)


def _deployer(worker: Worker) -> None:
    worker.together(
        lambda worker: _deploy(worker, "site", "shop", "wrangler-dry-run-ok-color", plants=True),
        lambda worker: _deploy(worker, "broken", "docs", "wrangler-dry-run-unresolved-import", plants=False),
    )


def _requests(worker: Worker) -> None:
    """
    Answer requests: an action of a user each, and what the server says of itself.
    """
    logger = logging.getLogger("api")
    for number in range(_REQUESTS):
        project, user = worker.ids[_PROJECTS[number % 2]], _USERS[number % 3]
        kind, msg, data = _ACTIONS[number % len(_ACTIONS)]
        with tierlog.bound(project_id=project, user_id=user, req_id=uuid.uuid4().hex, src="api"):
            worker.log(logger, logging.INFO, msg, tier="action", kind=kind, data={**data, "duration_ms": 4 + number % 9})
            if number % 10 == 0:
                kind, level, msg, data = _SYSTEM[number // 10 % len(_SYSTEM)]
                worker.log(logger, level, msg, tier="system", kind=kind, data=data)


def _service(worker: Worker) -> None:
    """
    Write what a service prints, and an error with its traceback.
    """
    logger = logging.getLogger("service")
    worker.plant(logger)
    worker.replay(logger, transcript("python-app"))
    try:
        int("forty-two")
    except ValueError as e:
        worker.log(logger, logging.ERROR, "quota could not be read", exc_info=e)


def _web(worker: Worker) -> None:
    worker.together(_requests, _requests, _service)


SCRIPTS: dict[str, Script] = {
    "web": _web,
    "builder-a": _builder_a,
    "builder-b": _builder_b,
    "deployer": _deployer,
}
"""What a process does, by the process's name."""
