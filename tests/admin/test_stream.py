"""
The live tail.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from admin.listening import Listening
from admin.serving import SECRET
from children import until
from conftest import OTHER_ULID, ULID
from tierlog.admin import token
from tierlog.admin._follow import Follower
from tierlog.admin._live import Listener, Live
from tierlog.admin._sealer import Sealer
from tierlog.context import EMPTY
from tierlog.handler import TierHandler
from tierlog.layout import Place, local_path
from tierlog.query import open_store
from tierlog.segments import Journal


WRITER = """
import sys, time
from conftest import OTHER_ULID, ULID
from tierlog.context import EMPTY
from tierlog.handler import TierHandler

root, count, pause, size = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
handler = TierHandler(sink={"type": "segments", "root": root, "max_bytes": size}, instance_name="writer")
tiers = ["system", "action", "lifecycle", "build"]
for n in range(count):
    ids = {"project_id": [ULID, OTHER_ULID][n % 2], "build_id": ULID}
    handler.pipeline.event(time.time_ns() // 1_000_000, EMPTY, "info", "app", f"n {n} " + "x" * 60, data=None, tier=tiers[n % 4], fields=ids)
    if n % 20 == 19:
        time.sleep(pause)
handler.close()
"""


def writing(root, count, *, pause=0.01, size=20_000):
    """
    Start a process that logs.
    """
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(count), str(pause), str(size)],
        env={"PYTHONPATH": "tests", "PATH": "/usr/bin"},
    )


def numbers(messages):
    return [int(said.data["msg"].split()[1]) for said in messages if said.data["src"] == "app"]


@pytest.fixture(name="handler")
def _handler(tmp_path):
    handler = TierHandler(sink={"type": "segments", "root": str(tmp_path)}, instance_name="near")
    yield handler
    handler.close()


def log(handler, number, *, project=ULID, text=""):
    """
    Log an action.
    """
    ms = time.time_ns() // 1_000_000
    handler.pipeline.event(
        ms, EMPTY, "info", "app", f"n {number} {text}", data=None, tier="action", fields={"project_id": project}
    )


def taken(listening, count):
    """
    Return the numbers of the next events, but for what the server itself notes.
    """
    found = []
    while len(found) < count:
        found += numbers([next(listening.messages())])
    return found


class TestListening:
    """
    What a client of the live tail sees.
    """

    def test_head(self, tmp_path, start):
        """
        It is an event stream that no proxy holds up, begins with how soon to come again, and
        says first that nothing older follows.
        """
        with Listening(start(tmp_path)) as listening:
            first = next(listening)

            assert listening.headers["content-type"].startswith("text/event-stream")
            assert (listening.headers["cache-control"], listening.headers["x-accel-buffering"]) == ("no-store", "no")
            assert (first.name, bool(first.id), listening.retry) == ("caught-up", True, "2000")

    def test_everything_once(self, tmp_path, start):
        """
        All that a process logs comes once and in its order, through many rotations.
        """
        with Listening(start(tmp_path)) as listening:
            writer = writing(tmp_path, 1_000)
            found = taken(listening, 1_000)
        writer.wait()

        assert found == list(range(1_000))

    def test_resumes(self, tmp_path, start):
        """
        A client that is cut off anywhere goes on where it was, without loss or double: within
        one poll, through rotations, and through a restart of the server.
        """
        servers = [start(tmp_path)]
        chance = random.Random(7)
        found, last_id = [], None
        with Listening(servers[0]) as listening:
            last_id = next(listening).id
        writer = writing(tmp_path, 2_000)
        while len(found) < 2_000:
            if len(found) > 900 and len(servers) < 2:
                servers[0].stop()
                servers.append(start(tmp_path))
            with Listening(servers[-1], last_id=last_id) as listening:
                for said, _ in zip(listening.messages(), range(min(chance.randint(1, 400), 2_000 - len(found))), strict=False):
                    found += numbers([said])
                    last_id = said.id
        writer.wait()

        assert Counter(found) == Counter(range(2_000))
        assert found == sorted(found)

    def test_filters_and_projects(self, tmp_path, start, handler):
        """
        A client gets what it asks for, of the projects that its token is for.
        """
        server = start(tmp_path)
        mine = token(SECRET, subject="m", projects=[OTHER_ULID])

        with Listening(server, "text=yes") as asking, Listening(server, token=mine) as limited:
            assert (next(asking).name, next(limited).name) == ("caught-up", "caught-up")
            for number in range(8):
                log(handler, number, project=[ULID, OTHER_ULID][number % 2], text=["no", "yes"][number // 4])

            assert taken(asking, 4) == [4, 5, 6, 7]
            assert taken(limited, 4) == [1, 3, 5, 7]

    def test_since(self, tmp_path, start, handler):
        """
        It may begin earlier: then it says when it has caught up.
        """
        for number in range(5):
            log(handler, number)

        with Listening(start(tmp_path), "since=1h&tier=action") as listening:
            told = [next(listening) for _ in range(6)]
            log(handler, 5)

            assert [said.name for said in told] == ["message"] * 5 + ["caught-up"]
            assert taken(listening, 1) == [5]

    def test_ticket(self, tmp_path, start):
        """
        A ticket opens the stream that it was made for.
        """
        server = start(tmp_path)
        ticket = server.ticket("/v1/admin/logs/stream", "tier=build")

        with Listening(server, f"tier=build&ticket={ticket}") as listening:
            assert listening.status == 200
        assert httpx.get(f"{server.url}v1/admin/logs/stream?tier=system&ticket={ticket}").status_code == 401


class TestLimits:
    """
    Listening takes only so much, whoever listens.
    """

    def test_a_long_cursor(self, served):
        """
        A cursor that names thousands of segments reaches the stream, also in several packets.
        """
        where = urlsplit(served.url)
        with socket.create_connection((where.hostname, where.port), timeout=120) as connection:
            head = "GET /v1/admin/logs/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            head += f"Authorization: Bearer {served.token}\r\nLast-Event-ID: "
            for part in (head, *["A" * 10_000] * 6, "\r\n\r\n"):
                connection.sendall(part.encode())
                time.sleep(0.01)  # else they are one
            answer = connection.makefile("rb").read()

        assert b"application/problem+json" in answer
        assert b"isn't one that a live tail has given" in answer

    def test_ping_and_idle(self, tmp_path, start):
        """
        A quiet stream pings, ends after its idle limit, and makes room for another one.
        """
        server = start(tmp_path, max_listeners=1, idle_limit=1, ping=1)

        with Listening(server) as listening:
            told = [said.name for said in listening]
        with Listening(server) as again:
            status = again.status

        assert told[0] == "caught-up"
        assert set(told[1:]) == {"ping"}
        assert status == 200

    def test_cap_at_once(self, tmp_path, start):
        """
        There are only so many, also if they come at the same time and have to catch up.
        """
        server = start(tmp_path, max_listeners=3)

        with ThreadPoolExecutor(12) as pool:
            listening = list(pool.map(lambda _: Listening(server, "since=1h"), range(12)))

        assert Counter((one.status, one.headers.get("retry-after")) for one in listening) == {(200, None): 3, (503, "10"): 9}
        for one in listening:
            one.close()

    def test_gap(self, tmp_path, start, handler):
        """
        A client that doesn't keep up is told how many events it missed, and can fetch them.
        """
        server = start(tmp_path, write_timeout=600)

        with Listening(server, "tier=action", buffer=4_096) as listening:
            next(listening)
            for number in range(9_000):
                log(handler, number, text="x" * 900)
            until(lambda: "missed_total 0\n" not in server.get("metrics").text)
            found, gaps = [], []
            while len(found) + sum(gap["count"] for gap in gaps) < 9_000:
                said = next(listening)
                gaps += [said.data] if said.name == "gap" else []
                found += numbers([said]) if said.name == "message" else []
        for gap in gaps:
            with Listening(server, f"tier=action&cursor={gap['from']}") as fetching:
                found += taken(fetching, gap["count"])

        assert gaps
        assert sorted(found) == list(range(9_000))

    def test_stalled(self, tmp_path, start, handler):
        """
        A client that takes nothing is cut off, and holds nobody up.
        """
        server = start(tmp_path, write_timeout=1)

        # Few events for the healthy one, which the kernel takes: it mustn't depend on how soon they are read here.
        with Listening(server, buffer=4_096), Listening(server, "tier=action&text=yes") as healthy:
            next(healthy)
            for number in range(4_000):
                log(handler, number, text=("yes " if number % 100 == 0 else "") + "x" * 900)
            until(lambda: "listeners 1\n" in server.get("metrics").text)
            log(handler, 4_000, text="yes")
            found = taken(healthy, 41)

        assert found == list(range(0, 4_001, 100))

    def test_stop(self, tmp_path, start, handler):
        """
        The server ends soon, whoever listens, and whoever takes nothing.
        """
        server = start(tmp_path)

        with Listening(server) as listening, Listening(server, buffer=4_096):
            next(listening)
            for number in range(4_000):  # more than the kernel takes, less than is kept for who is slow
                log(handler, number, text="x" * 900)
            taken(listening, 4_000)
            server.stop(patience=20)  # less than it waits for who takes nothing

        assert server.process.returncode == 0

    def test_stop_while_catching_up(self, tmp_path):
        """
        Who comes to listen when it has ended isn't kept waiting.
        """

        async def joined():
            live = Live(open_store(tmp_path), Sealer(b"k"))
            live.stop()
            listener = Listener("all", lambda _: True)
            await live.join(listener)
            return listener.is_ended, len(live)

        assert asyncio.run(joined()) == (True, 0)

    def test_nobody_listens(self, tmp_path):
        """
        When the last one has gone, nothing is followed any more.
        """

        async def listened():
            live = Live(open_store(tmp_path), Sealer(b"k"))
            listener = Listener("all", lambda _: True)
            await live.join(listener)
            following = live.is_following
            live.leave(listener)
            async with asyncio.timeout(60):
                while live.is_following:
                    await asyncio.sleep(0.01)
            return following

        assert asyncio.run(listened()) is True


class TestFollower:
    """
    Records of an instance are told in their order, though they stand in several files.
    """

    ONE = Place("action", "2026-09-21", ULID, "w-ABCDEFGH", "01ARZ3NDEKTSV4RRFFQ69G5FA1")
    TWO = Place("action", "2026-09-21", OTHER_ULID, "w-ABCDEFGH", "01ARZ3NDEKTSV4RRFFQ69G5FA2")

    @pytest.fixture(name="append")
    def _append(self, tmp_path):
        for place in (self.ONE, self.TWO):
            Journal(tmp_path).note(place)
            (tmp_path / local_path(place)).parent.mkdir(parents=True)
            (tmp_path / local_path(place)).touch()

        def append(place, *seqs):
            with (tmp_path / local_path(place)).open("a") as file:
                for seq in seqs:
                    event = {
                        "ts": 1_790_000_000_000 + seq, "instanceId": "w-ABCDEFGH", "tier": "action", "kind": "action", "lvl": "info",
                        "projectId": place.id, "buildId": None, "userId": None, "reqId": None, "seq": seq, "src": "s", "msg": "m", "data": {},
                    }  # fmt: skip
                    file.write(json.dumps(event, separators=(",", ":")) + "\n")

        return append

    def _followed(self, root, cursor=None):
        sealer = Sealer(b"k")
        store = open_store(root)
        opened = None if cursor is None else sealer.open(cursor.decode())
        return Follower(lambda start: store.tail(cursor=start, since=None if start else 0), sealer.seal, opened)

    def _told(self, follower, count):
        told = []
        deadline = time.monotonic() + 60
        while len(told) < count and time.monotonic() < deadline:
            told += follower.poll().events
        return told

    def test_held_back(self, tmp_path, append):
        """
        What follows on a missing number waits until that has been looked for.
        """
        follower = self._followed(tmp_path)
        append(self.ONE, 0, 1, 3, 5)
        first = [one.event["seq"] for one in follower.poll().events]
        append(self.TWO, 2, 4)

        assert first + [one.event["seq"] for one in self._told(follower, 4)] == [0, 1, 2, 3, 4, 5]

    @pytest.mark.parametrize("cut", range(7))
    def test_resumes_anywhere(self, tmp_path, append, cut):
        """
        Wherever a reader was among records that came out of order, it goes on there.
        """
        follower = self._followed(tmp_path)
        start = follower.cursor
        append(self.ONE, 0, 1, 3, 5)
        told = follower.poll().events
        append(self.TWO, 2, 4)
        told += self._told(follower, 6 - len(told))
        cursor = told[cut - 1].cursor if cut else start

        again = self._told(self._followed(tmp_path, cursor), 6 - cut)

        assert [one.event["seq"] for one in again] == list(range(cut, 6))

    def test_two_are_missing(self):
        """
        What was held back waits for all that is missing before it, as long as there is more to be read.
        """
        follower = Follower(lambda _: _Scripted([0, 2, 4], [1], [3]), Sealer(b"k").seal)

        told = [[one.event["seq"] for one in follower.poll().events] for _ in range(3)]

        assert told == [[0], [], [1, 2, 3, 4]]

    def test_many_are_held_back(self):
        """
        However many come out of order, they are told in it, and a cursor among them is short, and goes on behind it.
        """
        evens, odds = list(range(0, 3_000, 2)), list(range(1, 3_000, 2))
        sealer = Sealer(b"k")
        follower = Follower(lambda _: _Scripted(evens, odds), sealer.seal)
        told = follower.poll().events + follower.poll().events
        middle = sealer.open(told[1_000].cursor.decode())

        again = Follower(lambda start: _Scripted(evens, odds, start=start), sealer.seal, middle)
        first = again.poll()
        rest = first.events + again.poll().events

        assert [one.event["seq"] for one in told] == list(range(3_000))
        assert max(len(one.cursor) for one in told) < 100
        assert sorted(one.event["seq"] for one in rest) == list(range(1_001, 3_000))

    def test_lost_number(self, tmp_path, append):
        """
        A number that never comes holds nothing up for long.
        """
        follower = self._followed(tmp_path)
        append(self.ONE, 0, 2)

        assert [one.event["seq"] for one in self._told(follower, 2)] == [0, 2]


class _Scripted:
    """
    A tail whose polls find the events with these numbers, and which has more to read until the last one.
    """

    def __init__(self, *polls, start=None):
        self.problems = []
        self._polls = list(polls)
        self._poll, self._from = (int(part) for part in (start or "0-0").split("-"))
        self._next = self._poll
        self._skipped = self._from

    @property
    def caught_up(self):
        return self._next >= len(self._polls)

    @property
    def cursor(self):
        return self.cursor_behind(10**6)

    def poll_lines(self):
        self._poll, self._skipped, self._from = self._next, self._from, 0
        self._next += 1
        seqs = self._polls[self._poll][self._skipped :] if self._poll < len(self._polls) else []
        events = ({"ts": 1_790_000_000_000 + seq, "instanceId": "w-ABCDEFGH", "seq": seq} for seq in seqs)
        return [json.dumps(event).encode() for event in events]

    def cursor_behind(self, count):
        if self._poll >= len(self._polls) or count + self._skipped >= len(self._polls[self._poll]):
            return f"{self._next}-0"
        return f"{self._poll}-{count + self._skipped}"

    def close(self):
        pass


def test_sealed_cursors_tell_nothing():
    """
    A cursor comes back as it was; another key's, or a changed one, doesn't open.
    """
    sealer = Sealer(b"one")
    sealed = sealer.seal("where it stands").decode()

    assert sealer.open(sealed) == "where it stands"
    assert Sealer(b"two").open(sealed) is None
    assert sealer.open(("B" if sealed[0] == "A" else "A") + sealed[1:]) is None
    assert len(sealer.seal("short")) == len(sealer.seal("a little longer"))
