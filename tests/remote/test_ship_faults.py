"""
Whatever the network and the store do, each segment is stored once, unchanged, in the end.
"""

from __future__ import annotations

import json
import logging
import random
from textwrap import dedent

import pytest

from bucket import events, objects, segments
from children import run, start, until
from conftest import ULID
from servers.faults import HttpFaults, TcpFaults
from tierlog.handler import TierHandler
from tierlog.r2 import R2Store
from tierlog.shipping._queue import Backoff
from tierlog.verify import verify


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


def made(root, r2, **options):
    """
    Return a handler that ships, without a catalog, and soon tries again what failed.
    """
    sink = {"type": "r2", "root": str(root), "catalog": False, "read_timeout": 60, **r2, **options}
    handler = TierHandler(sink=sink, instance_name="web")
    handler.pipeline.sink._shipping._shipper._queue._backoff = Backoff(0.02, 0.1, random.random)  # before anything can fail
    return handler


def log(handler, *messages, **extra):
    """
    Log *messages* to *handler*.
    """
    logger = logging.Logger("app")
    logger.addHandler(handler)
    for message in messages:
        logger.info(message, extra=extra)


def check(root, r2, messages):
    """
    Assert that just these *messages* are in the bucket, once each, and nothing is on the disk.
    """
    stored = objects(r2)
    assert sorted(event["msg"] for event in events(*stored.values())) == sorted(messages)
    assert segments(root) == {}
    assert verify(root, R2Store(**r2)).counts == {}


MESSAGES = [f"message {number}" for number in range(20)]


class TestConnections:
    """
    What happens to a connection.
    """

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param("refuse", id="refused"),
            pytest.param("reset:40", id="reset-in-the-headers"),
            pytest.param("reset:2000", id="reset-in-the-body"),
            pytest.param("hang:40", id="hangs-in-the-headers"),
            pytest.param("hang:2000", id="hangs-in-the-body"),
            pytest.param("mute", id="answer-lost"),
        ],
    )
    def test_a_fault_is_outlived(self, root, r2, simulator, fault):
        """
        The first connections fail; the segments are stored all the same.
        """
        with TcpFaults(simulator.address, lambda n: fault if n < 3 else "pass") as proxy:
            handler = made(root, {**r2, "endpoint_url": simulator.at(proxy.url)}, connections=2, read_timeout=0.5)
            log(handler, *MESSAGES)
            log(handler, "built", tier="build", build_id=ULID)
            handler.close()
            assert handler.pipeline.sink.drain(60.0)
            stats = handler.stats()

        check(root, r2, [*MESSAGES, "built"])
        assert stats["failed"] > 0
        assert stats["shipped"] == 2

    def test_an_answer_that_is_lost_is_no_second_object(self, root, r2, simulator):
        """
        The object was stored, its answer lost: the next attempt finds it, and that is success.
        """
        seen = []
        with TcpFaults(simulator.address, lambda n: "mute" if n == 0 else "pass") as proxy:
            handler = made(root, {**r2, "endpoint_url": simulator.at(proxy.url)}, connections=1)
            log(handler, "built", tier="build", build_id=ULID)
            handler.close()
            assert handler.pipeline.sink.drain(60.0)
            seen = handler.pipeline.sink.attempts

        assert [one.problem is None for one in seen] == [False, True]
        assert list(objects(r2)) == [f"builds/{ULID}.ndjson"]

    def test_a_slow_body_arrives(self, root, r2, simulator):
        """
        A connection that takes little at a time is no fault.
        """
        with TcpFaults(simulator.address, lambda _: "slow:512") as proxy:
            handler = made(root, {**r2, "endpoint_url": simulator.at(proxy.url)})
            log(handler, *MESSAGES)
            handler.close()
            assert handler.pipeline.sink.drain(60.0)

        check(root, r2, MESSAGES)
        assert handler.stats()["failed"] == 0


class TestAnswers:
    """
    What the store answers for a while.
    """

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (500, "InternalError"),
            (503, "SlowDown"),
            (520, ""),
            (522, ""),
            (429, "TooManyRequests"),
            (403, "AccessDenied"),
            (401, "Unauthorized"),
            (400, "IncompleteBody"),
            (400, "ClientDisconnect"),
            (404, "NoSuchBucket"),
        ],
    )
    def test_a_refusal_is_outlived(self, root, r2, simulator, status, code):
        """
        None of them makes it give up, or lose anything.
        """
        with HttpFaults(simulator.address, lambda method, path, number: (status, code) if number < 3 else None) as proxy:
            handler = made(root, {**r2, "endpoint_url": simulator.at(proxy.url)}, connections=1)
            log(handler, *MESSAGES)
            handler.close()
            assert handler.pipeline.sink.drain(60.0)

        check(root, r2, MESSAGES)
        assert handler.stats()["failed"] == 3

    def test_it_says_so_once_and_when_it_is_over(self, root, r2, simulator):
        """
        Trouble is one line, however many attempts fail, and its end is another.
        """
        program = """
        import json, logging, random, sys
        import tierlog
        from tierlog.shipping._queue import Backoff
        handler = tierlog.configure(root=sys.argv[1], catalog=False, connections=1, **json.loads(sys.argv[2]))
        handler.pipeline.sink._shipping._shipper._queue._backoff = Backoff(0.02, 0.1, random.random)
        logging.getLogger("app").info("kept")
        handler.close()
        assert handler.pipeline.sink.drain(60.0)
        """
        with HttpFaults(simulator.address, lambda method, path, number: (403, "AccessDenied") if number < 4 else None) as proxy:
            done = run(program, root, json.dumps({**r2, "endpoint_url": simulator.at(proxy.url)}))

        said = done.err.splitlines()
        assert len(said) == 2
        assert "may not do this with bucket" in said[0]
        assert "waits on the disk, and is tried again" in said[0]
        assert "works again" in said[1]

    def test_another_object_under_the_key(self, root, r2):
        """
        An object that isn't ours is never replaced: the segment stays on the disk, and it says so.
        """
        import hashlib

        from tierlog.layout import parse_local, remote_key
        from tierlog.stores import Put

        handler = made(root, r2)
        log(handler, *MESSAGES)
        (path,) = segments(root)
        key = remote_key(parse_local(path))
        R2Store(**r2).put(Put(key, b"foreign\n", 8, hashlib.md5(b"foreign\n").hexdigest(), {}))
        handler.close()
        until(lambda: handler.stats()["failed"] > 0)

        assert objects(r2) == {key: b"foreign\n"}
        assert list(segments(root)) == [path]
        assert "another segment is stored under this key; look at both" in handler.stats()["last_error"]


class TestAnEndpointThatHangs:
    """
    The application doesn't notice.
    """

    def test_log_calls_go_on(self, root, r2, simulator):
        """
        While nothing is answered, records are written, and what waits is told.
        """
        with TcpFaults(simulator.address, lambda _: "hang:10") as proxy:
            handler = made(root, {**r2, "endpoint_url": simulator.at(proxy.url)}, read_timeout=600, max_bytes=2_000)
            log(handler, *MESSAGES)
            until(lambda: proxy.connections)
            log(handler, *MESSAGES)
            handler.close()
            stats = handler.stats()

        assert (stats["written"], stats["shipped"]) == (40, 0)
        assert stats["pending"] == len(segments(root)) > 2
        assert stats["oldest_unshipped_age"] > 0
        assert stats["backlog_bytes"] == sum(map(len, segments(root).values()))

    @pytest.mark.parametrize("end", ["", "logging.shutdown()", "tierlog.shutdown(0.2)"])
    def test_a_process_ends_all_the_same(self, root, r2, simulator, end):
        """
        The end of a process waits no longer than it may, and what wasn't shipped is on the disk.
        """
        program = dedent("""
        import json, logging, sys, time
        import tierlog
        tierlog.configure(root=sys.argv[1], catalog=False, shutdown_timeout=0.5, process_events=False, **json.loads(sys.argv[2]))
        logging.getLogger("app").info("kept")
        """)
        with TcpFaults(simulator.address, lambda _: "hang:10") as proxy:
            options = {**r2, "endpoint_url": simulator.at(proxy.url), "read_timeout": 600}
            done = run(program + end, root, json.dumps(options))

        assert done.returncode == 0
        assert [event["msg"] for event in events(*segments(root).values())] == ["kept"]

    def test_a_signal_ends_it(self, root, r2, simulator):
        """
        SIGTERM ends a process whose shipping hangs.
        """
        program = """
        import json, logging, sys, time
        import tierlog
        tierlog.configure(root=sys.argv[1], catalog=False, process_events=False, **json.loads(sys.argv[2]))
        logging.getLogger("app").info("kept")
        logging.getLogger().handlers[0].pipeline.sink.close()
        print("ready", flush=True)
        time.sleep(60)
        """
        with TcpFaults(simulator.address, lambda _: "hang:10") as proxy:
            process = start(program, root, json.dumps({**r2, "endpoint_url": simulator.at(proxy.url), "read_timeout": 600}))
            process.stdout.readline()
            until(lambda: proxy.connections)
            process.terminate()
            process.communicate(timeout=20)

        assert process.returncode == -15
        assert [event["msg"] for event in events(*segments(root).values())] == ["kept"]


class TestCatalog:
    """
    The catalog is never waited for.
    """

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("postgresql+psycopg://nobody@127.0.0.1:1/none", id="unreachable"),
            pytest.param("sqlite:////proc/none/catalog.sqlite", id="no-place"),
            pytest.param("nosuch://host/db", id="no-such-driver"),
        ],
    )
    def test_a_broken_one_is_no_reason_not_to_ship(self, root, r2, url):
        """
        Segments are shipped without it, it is said why, and what it wasn't told stays in the ledger.
        """
        handler = made(root, r2, catalog=url)
        log(handler, *MESSAGES)
        handler.close()
        assert handler.pipeline.sink._shipping._shipper.drain(60.0)
        until(lambda: handler.stats().get("last_error"))

        assert len(events(*objects(r2).values())) == len(MESSAGES)
        assert segments(root) == {}
        assert len(list(handler.pipeline.sink._shipping.ledger.waiting())) == 1

    def test_a_corrupt_one(self, root, r2):
        """
        A file that is no database is left alone, and told of.
        """
        (root / ".tierlog").mkdir(parents=True)
        (root / ".tierlog" / "catalog.sqlite").write_bytes(b"no database at all" * 100)
        handler = made(root, r2, catalog=None)
        log(handler, *MESSAGES)
        handler.close()
        assert handler.pipeline.sink._shipping._shipper.drain(60.0)
        until(lambda: handler.stats().get("last_error"))

        assert "tierlog catalog rebuild" in handler.stats()["last_error"]
        assert len(events(*objects(r2).values())) == len(MESSAGES)

    def test_what_it_missed_it_is_told_later(self, root, r2):
        """
        After a restart with a catalog that works, it knows what was shipped meanwhile.
        """
        from tierlog.catalog import Catalog, sqlite_url

        handler = made(root, r2, catalog="postgresql+psycopg://nobody@127.0.0.1:1/none")
        log(handler, *MESSAGES)
        handler.close()
        assert handler.pipeline.sink._shipping._shipper.drain(60.0)

        again = made(root, r2, catalog=None)
        again.close()
        assert again.pipeline.sink.drain(60.0)

        entries = list(Catalog(sqlite_url(root)).find(states=["shipped"]))
        assert [one.key for one in entries] == list(objects(r2))
        assert list(again.pipeline.sink._shipping.ledger.waiting()) == []

    def test_a_locked_one(self, root, r2):
        """
        While somebody else has the catalog locked, segments are shipped.
        """
        import sqlite3

        from tierlog.catalog import Catalog, sqlite_url

        (root / ".tierlog").mkdir(parents=True)
        Catalog(sqlite_url(root)).close()
        lock = sqlite3.connect(root / ".tierlog" / "catalog.sqlite")
        lock.execute("begin exclusive")
        handler = made(root, r2, catalog=None)
        log(handler, *MESSAGES)
        handler.close()
        assert handler.pipeline.sink._shipping._shipper.drain(60.0)
        assert segments(root) == {}
        lock.rollback()
        lock.close()

        until(lambda: len(list(Catalog(sqlite_url(root)).find(states=["shipped"]))) == 1)


def test_the_queue_is_fair(root, r2):
    """
    A segment that can't be shipped doesn't keep the others.
    """
    import hashlib

    from tierlog.layout import parse_local, remote_key
    from tierlog.stores import Put

    handler = made(root, r2, connections=1)
    log(handler, "bad")
    (path,) = segments(root)
    R2Store(**r2).put(Put(remote_key(parse_local(path)), b"foreign\n", 8, hashlib.md5(b"foreign\n").hexdigest(), {}))
    log(handler, "good", tier="build", build_id=ULID)
    handler.close()

    until(lambda: f"builds/{ULID}.ndjson" in objects(r2))
    assert list(segments(root)) == [path]
