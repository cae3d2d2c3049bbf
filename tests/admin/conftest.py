"""
Servers that several modules ask.
"""

from __future__ import annotations

import sqlite3
import time

import pytest

from admin.serving import serve
from conftest import OTHER_ULID, ULID
from queried import THIRD_ULID, some, write


HOUR = 3_600_000


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """
    A server over a root with events of all tiers, of the last hour, and a database with
    the builds of two projects.
    """
    folder = tmp_path_factory.mktemp("served")
    now = int(time.time() * 1_000)
    write(folder / "logs", some(600, start=now - HOUR), max_bytes=200_000)
    url = f"sqlite:///{folder / 'builds.db'}"
    fill_builds(folder / "builds.db", now)
    server = serve(folder / "logs", "--rate-limit", "100000/minute", "--builds", url)

    yield server

    server.stop()


@pytest.fixture
def start():
    """
    Start servers that end with the test: ``start(root, *arguments)``.
    """
    started = []

    def start(root, *arguments, **more):
        server = serve(root, *arguments, **more)
        started.append(server)
        return server

    yield start

    for server in started:
        if server.process.poll() is None:
            server.stop()


def fill_builds(path, now):
    """
    Make a table of builds: two that were deployed and a failed one in one project, one in
    another.
    """
    rows = [
        (1, "01ARZ3NDEKTSV4RRFFQ69G5FB1", ULID, "deployed", None, now - 3 * HOUR, "next", "20", 40_000),
        (2, "01ARZ3NDEKTSV4RRFFQ69G5FB2", ULID, "deployed", None, now - 2 * HOUR, "next", "20", 50_000),
        (3, ULID, ULID, "failed", "pre-install", now - HOUR, "next", "22", 1_000),
        (4, THIRD_ULID, OTHER_ULID, "failed", "build", now - HOUR // 2, "astro", "20", 2_000),
    ]
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE project_build_metrics (id INTEGER PRIMARY KEY, build_id TEXT, project_id TEXT, status TEXT, "
            "failure_stage TEXT, created_at BIGINT, framework TEXT, node_version TEXT, total_duration_ms INTEGER)"
        )
        connection.executemany("INSERT INTO project_build_metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
