"""
The application: what it says of itself, where it stands, and how it is run.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from admin.inside import ask
from admin.serving import SECRET, serve
from conftest import ULID
from queried import some, write
from tierlog.admin import create_app, token
from tierlog.query import open_store


ADMIN = token(SECRET, subject="a", scopes=["logs:admin"])
READER = token(SECRET, subject="r")


def serving(*arguments, **environment):
    """
    Run ``tierlog serve``, which can't start, and return what it says.
    """
    command = [sys.executable, "-c", "from tierlog.cli import main; main()", "serve", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    return done.returncode, done.stderr


class TestItself:
    """
    What the service tells of itself.
    """

    def test_healthy(self, served):
        """
        It is ready when logs and builds can be read; anybody may ask.
        """
        answer = served.get("healthz", token="")

        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    @pytest.mark.parametrize("what", ["logs", "builds"])
    def test_unhealthy(self, tmp_path, what):
        """
        It isn't when one of them can't, and doesn't tell more than which.
        """
        root, other = tmp_path / "logs", tmp_path / "other"
        root.mkdir()
        other.mkdir()
        store = open_store([root, other])
        app = create_app(store, jwt_secret=SECRET, builds=f"sqlite:///{tmp_path / 'builds.db'}" if what == "builds" else None)
        if what == "logs":
            shutil.rmtree(root)

        answer = ask(app, "/healthz")

        assert answer.status_code == 503
        assert what in answer.json()["detail"]
        assert str(tmp_path) not in answer.text

    def test_lacks_a_column(self, tmp_path):
        """
        A table of builds that lacks a column is told as that, as the database can be reached.
        """
        (tmp_path / "logs").mkdir()
        with closing(sqlite3.connect(tmp_path / "builds.db")) as connection:
            connection.execute("CREATE TABLE project_build_metrics (id INTEGER PRIMARY KEY, build_id, project_id, status)")
        app = create_app(tmp_path / "logs", jwt_secret=SECRET, builds=f"sqlite:///{tmp_path / 'builds.db'}")

        answer = ask(app, "/healthz")

        assert answer.status_code == 503
        assert "no column created_at" in answer.json()["detail"]

    def test_metrics(self, served):
        """
        Its counters are there for who may see them.
        """
        answer = served.get("metrics")

        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "tierlog_records_written_total" in answer.text
        assert 'tierlog_admin_requests_total{endpoint="metrics"' in served.get("metrics").text
        assert served.get("metrics", token=READER).status_code == 403


class TestBrowsers:
    """
    What browsers are told.
    """

    @pytest.mark.parametrize("path", ["", "v1/admin/me", "v1/admin/logs/search", "healthz", "nonesuch"])
    def test_headers(self, served, path):
        """
        Every answer forbids sniffing, framing, and anything that isn't the service's own.
        """
        headers = served.get(path).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers

    def test_panel(self, served):
        """
        In the panel, no text becomes HTML or a script, whatever its code does.
        """
        policy = served.get("").headers["content-security-policy"]

        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy

    def test_origins(self, tmp_path):
        """
        Only the exact origins that are configured may ask.
        """
        app = create_app(tmp_path, jwt_secret=SECRET, allow_origins=["https://admin.example.com"])
        origins = ["https://admin.example.com", "https://admin.example.com.evil.example", "null"]

        answers = [ask(app, "/v1/admin/me", READER, headers=[("origin", origin)]) for origin in origins]

        allowed = [answer.headers.get("access-control-allow-origin") for answer in answers]
        assert allowed == ["https://admin.example.com", None, None]
        assert all("access-control-allow-credentials" not in answer.headers for answer in answers)

    @pytest.mark.parametrize("path", ["v1/admin/logs/search/", "panel"])
    def test_nobody_is_sent_elsewhere(self, served, path):
        """
        Where a request goes on isn't taken from what it says of its host.
        """
        answer = served.get(path, headers={"Host": "evil.example"})

        assert answer.status_code == 404
        assert "location" not in answer.headers

    def test_methods(self, served):
        """
        Nothing is changed by anything but what is there for it.
        """
        answer = httpx.delete(f"{served.url}v1/admin/logs/search", headers={"Authorization": f"Bearer {served.token}"})

        assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert answer.json()["detail"] == "this path is asked with GET or HEAD"


def test_mounted(tmp_path):
    """
    In another application, below a prefix, it answers likewise; tickets, too.
    """
    write(tmp_path, some(20))
    app = Starlette(routes=[Mount("/ops/logs", create_app(tmp_path, jwt_secret=SECRET, id_format="slug"))])
    body = {"path": "/v1/admin/logs/search", "query": "limit=3"}

    log = ask(app, f"/ops/logs/v1/admin/logs/builds/{ULID}", READER)
    ticket = ask(app, "/ops/logs/v1/admin/tickets", READER, method="POST", json=body).json()["ticket"]
    found = ask(app, f"/ops/logs/v1/admin/logs/search?limit=3&ticket={ticket}")
    page = ask(app, "/ops/logs/")

    assert (log.status_code, page.status_code) == (200, 200)
    assert len(found.text.splitlines()) == 3


class TestServe:
    """
    ``tierlog serve``.
    """

    def test_embedded(self, tmp_path):
        """
        Without a secret it makes one, and prints a link with a token that opens it; it ends
        cleanly.
        """
        server = serve(tmp_path / "new", secret=None)

        answer = server.get("v1/admin/me")
        server.stop()

        assert (answer.json()["sub"], answer.json()["projects"]) == ("local", None)
        assert server.url.startswith("http://127.0.0.1:")
        assert server.process.returncode == 0

    def test_not_open_to_all(self, tmp_path):
        """
        Without a secret it listens on this machine alone.
        """
        code, said = serving("--root", tmp_path, "--host", "0.0.0.0")

        assert code == 2
        assert "--jwt-secret-file" in said
        assert said.count("\n") == 1

    def test_secret_of_a_file(self, tmp_path, start):
        """
        The secret may be in a file.
        """
        (tmp_path / "secret").write_text(SECRET + "\n")

        server = start(tmp_path / "logs", "--jwt-secret-file", tmp_path / "secret", secret=None)

        assert httpx.get(f"{server.url}v1/admin/me", headers={"Authorization": f"Bearer {READER}"}).status_code == 200

    @pytest.mark.parametrize("builds", ["builds.db", "mysql://db/app", "sqlite:///{root}/none.db"])
    def test_builds_that_cannot_be(self, tmp_path, builds):
        """
        What can't be a database of builds is told at once, in one line, and none is made.
        """
        code, said = serving("--root", tmp_path, "--builds", builds.format(root=tmp_path))

        assert code == 2
        assert said.startswith("tierlog: --builds: ")
        assert said.count("\n") == 1
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("proxies", ["*", "nginx", "10.0.0.1,", "0.0.0.0/0"])
    def test_proxies_that_cannot_be(self, tmp_path, proxies):
        """
        Who is believed is named by addresses, and isn't everybody.
        """
        code, said = serving("--root", tmp_path, "--trusted-proxies", proxies)

        assert code == 2
        assert said.startswith("tierlog: --trusted-proxies: ")
        assert said.count("\n") == 1

    def test_what_may_come_later(self, tmp_path, capfd):
        """
        It serves without the root and the table that it was given, and says so.
        """
        (tmp_path / "builds.db").touch()

        server = serve(tmp_path / "new", "--builds", f"sqlite:///{tmp_path / 'builds.db'}")
        code = server.get("v1/admin/me").status_code
        server.stop()

        said = capfd.readouterr().err
        assert code == 200
        assert "there was no folder" in said
        assert "there's no table 'project_build_metrics'" in said

    def test_port_in_use(self, tmp_path, served):
        """
        A port that is taken is told in one line.
        """
        code, said = serving("--root", tmp_path, "--port", served.url.rpartition(":")[2].strip("/"))

        assert code == 2
        assert "port" in said
        assert said.count("\n") == 1
