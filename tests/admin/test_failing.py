"""
What is left when something else fails: the database, the keys, what counts, or the client.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager

import anyio
import httpx
import jwt
import pytest
from limits.errors import StorageError
from limits.storage import MemoryStorage
from sqlalchemy import create_engine, event

from admin.conftest import fill_builds
from admin.inside import ask, client
from admin.serving import SECRET
from conftest import ULID
from queried import some, write
from tierlog.admin import create_app, token
from tierlog.admin._health import Health
from tierlog.admin._rates import _network
from tierlog.admin._streaming import ClientGoneError, in_thread, unless_gone


TOKEN = token(SECRET, subject="t", scopes=["logs:admin"])
AHEAD = {"authorization": f"Bearer {TOKEN}"}


class _Failing(MemoryStorage):
    """
    A storage that the ``limits`` library finds by its scheme, and that is never there.
    """

    STORAGE_SCHEME = ["failing"]
    asked = 0

    def acquire_entry(self, *_, **__):
        type(self).asked += 1
        raise StorageError(OSError("nobody is there"))


class TestDatabase:
    @pytest.fixture(name="hanging")
    def _hanging(self, tmp_path):
        """
        A database that hangs until it is told to go on.
        """
        fill_builds(tmp_path / "builds.db", 1_790_000_000_000)
        engine = create_engine(f"sqlite:///{tmp_path / 'builds.db'}")
        goes_on = threading.Event()
        event.listen(engine, "do_connect", lambda *_: goes_on.wait(20) and None)

        yield engine, goes_on

        goes_on.set()
        engine.dispose()

    def test_hangs(self, tmp_path, hanging):
        """
        However many wait for the database, logs are read meanwhile; when it goes on, they are answered.
        """
        engine, goes_on = hanging
        write(tmp_path / "logs", some(20))
        app = create_app(tmp_path / "logs", jwt_secret=SECRET, builds=engine)

        async def asked():
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test", headers=AHEAD, timeout=20
            ) as session:
                waiting = [asyncio.create_task(session.get("/v1/admin/builds")) for _ in range(12)]
                await asyncio.sleep(0)
                found = await session.get("/v1/admin/logs/search?limit=3")
                is_done = [one.done() for one in waiting]
                goes_on.set()
                return found, is_done, await asyncio.gather(*waiting)

        found, is_done, builds = asyncio.run(asked())

        assert len(found.text.splitlines()) == 3
        assert not any(is_done)
        assert [len(one.json()["items"]) for one in builds] == [4] * 12

    def test_figures_without_it(self, tmp_path):
        """
        Figures of logs are there without those of builds, and say whether there's no database, or a broken one.
        """
        write(tmp_path, some(20))
        broken = create_app(tmp_path, jwt_secret=SECRET, builds=f"sqlite:///{tmp_path}/none/builds.db")

        none = ask(create_app(tmp_path, jwt_secret=SECRET), "/v1/admin/stats?since=2026-01-01", TOKEN).json()
        failed = ask(broken, "/v1/admin/stats?since=2026-01-01", TOKEN).json()

        assert none["builds"] is None
        assert failed["builds"] == {"days": [], "problem": "the database of builds can't be read at present"}
        assert sum(one["count"] for one in failed["volume"] if one["tier"] == "build") == 4

    def test_health(self):
        """
        What doesn't answer is named, and asked once, however many want to know.
        """
        goes_on, looks = threading.Event(), []
        health = Health([("a thing", lambda: (looks.append(1), goes_on.wait(20)))], patience=0.05)

        async def told():
            first = [await health.problem() for _ in range(3)]
            goes_on.set()
            while health.is_looking:
                await asyncio.sleep(0.01)
            return first, await health.problem()

        assert asyncio.run(told()) == (["a thing doesn't answer"] * 3, None)
        assert len(looks) == 1


class TestKeys:
    ANSWERS = {
        "no-http": b"\x00garbage\r\n\r\n",
        "cut-off": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"keys"',
        "nothing": b"",
        "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        "no-keys": b'HTTP/1.1 200 OK\r\n\r\n{"keys": []}',
        "odd-keys": b'HTTP/1.1 200 OK\r\n\r\n{"keys": [{"kty": ["RSA"]}, {"kty": "EC", "crv": {}}, {"kty": "RSA", "n": 5}, 7]}',
    }

    @contextmanager
    def _answering(self, answer):
        def answered():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=answered)
            thread.start()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/keys"
            thread.join()

    @pytest.mark.parametrize("name", ANSWERS)
    def test_no_keys(self, tmp_path, name):
        """
        Whatever is in the place of keys, who asks is told to come again.
        """
        given = jwt.encode({"sub": "u"}, SECRET, "HS256", {"alg": "HS256"}).partition(".")[2]
        head = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ"  # {"alg":"ES256","kid":"e"}

        with self._answering(self.ANSWERS[name]) as url:
            answer = ask(create_app(tmp_path, jwks_url=url), "/v1/admin/me", f"{head}.{given}")

        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


class TestRates:
    def test_nothing_counts(self, tmp_path):
        """
        Where requests can't be counted, logs can be read, and what counts isn't asked each time.
        """
        _Failing.asked = 0
        with client(create_app(tmp_path, jwt_secret=SECRET, rate_limit="1/minute", rate_storage="failing://")) as get:
            statuses = [get("/v1/admin/logs/search", TOKEN).status_code for _ in range(5)]

        assert statuses == [200] * 5
        assert _Failing.asked == 1

    @pytest.mark.parametrize(
        ("trusted", "last"),
        [pytest.param((), 429, id="nobody"), pytest.param(("--trusted-proxies", "127.0.0.0/8"), 401, id="proxy")],
    )
    def test_who_says_where_from(self, tmp_path, start, trusted, last):
        """
        Where a request comes from is what the connection says; another word is taken from proxies alone that are named.
        """
        server = start(tmp_path, *trusted)

        statuses = [
            server.get("v1/admin/me", token="guess", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in range(31)
        ]

        assert statuses == [401] * 30 + [last]

    @pytest.mark.parametrize(
        ("one", "other", "is_same"),
        [
            pytest.param("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True, id="one-network"),
            pytest.param("2001:db8:1:2::1", "2001:db8:1:3::1", False, id="two-networks"),
            pytest.param("192.0.2.1", "192.0.2.2", False, id="two-addresses"),
            pytest.param("192.0.2.1", "::ffff:192.0.2.1", True, id="mapped"),
        ],
    )
    def test_networks(self, one, other, is_same):
        """
        Who has a network of IPv6 addresses has no more requests by that.
        """
        assert (_network(one) == _network(other)) is is_same


class TestClients:
    def test_gone_before_the_answer(self):
        """
        Nobody waits for an answer any more: what is read for it ends, and who cleans up after it may.
        """
        told, order = threading.Event(), []

        def reading():
            told.wait(20)
            order.append("read")

        async def receive():
            return {"type": "http.disconnect"}

        async def working():
            try:
                await in_thread(reading, anyio.CapacityLimiter(1), stop=told.set)
            finally:
                order.append("closed")

        async def asked():
            with pytest.raises(ClientGoneError):
                await unless_gone(receive, working())

        asyncio.run(asked())

        assert order == ["read", "closed"]

    def test_gone_is_noted(self, tmp_path):
        """
        A search whose client went away isn't answered, and counted as such.
        """
        write(tmp_path, some(20))
        app = create_app(tmp_path, jwt_secret=SECRET)
        sent = []
        scope = {
            "type": "http", "method": "GET", "path": "/v1/admin/logs/search", "root_path": "", "query_string": b"", "client": None,
            "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
        }  # fmt: skip

        async def gone():
            async def receive():
                return {"type": "http.disconnect"}

            async def send(message):
                sent.append(message)

            await app(scope, receive, send)

        asyncio.run(gone())

        assert sent == []
        assert 'endpoint="search",status="499"} 1' in ask(app, "/metrics", TOKEN).text

    def test_gone_within_a_body(self, tmp_path, start, capfd):
        """
        A client that goes away within what it sends isn't an error of the server.
        """
        server = start(tmp_path)
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                f"POST /v1/admin/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nAuthorization: Bearer {server.token}\r\n\r\n{{".encode()
            )
        deadline = time.monotonic() + 60
        while 'endpoint="tickets",status="499"' not in server.get("metrics").text and time.monotonic() < deadline:
            time.sleep(0.02)

        server.stop()

        assert "Traceback" not in capfd.readouterr().err


def test_refusals_are_noted_but_not_each(tmp_path, start):
    """
    What is refused is an event wherever it was asked; who asks on and on doesn't fill the log.
    """
    server = start(tmp_path, "--rate-limit", "1000/minute")
    for _ in range(60):
        server.get("v1/admin/me", token="guess")

    noted = [json.loads(line) for line in server.get("v1/admin/logs/search?kind=auth").text.splitlines()]

    statuses = [one["data"]["status"] for one in noted]
    assert (statuses.count(401), statuses.count(429)) == (30, 1)
    assert {(one["msg"], one["data"]["from"]) for one in noted} == {("refused: GET /v1/admin/me", "127.0.0.1")}


def test_asking_for_a_project_does_not_make_it(served):
    """
    A project that there isn't isn't there after it was asked for, in whichever way.
    """
    none = "01ARZ3NDEKTSV4RRFFQ69G5FZY"
    for path in ("logs/search?meta=1&", "stats?", "logs/segments?", "builds?"):
        assert served.get(f"v1/admin/{path}projectId={none}").status_code == 200

    assert served.get(f"v1/admin/logs/search?projectId={none}&tier=action").text == ""
    assert served.get(f"v1/admin/logs/projects/{ULID}").status_code == 200
    assert list(served.root.rglob(f"*{none}*")) == []
