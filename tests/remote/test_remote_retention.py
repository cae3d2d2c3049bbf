"""
Retention in a real bucket, by real processes that are killed, and by many at once.
"""

from __future__ import annotations

import hashlib
import io
import json
import signal

import pytest

from bucket import objects
from children import finish, run, start
from conftest import ULID
from tierlog.catalog import Catalog, Entry, sqlite_url
from tierlog.errors import ConfigError
from tierlog.facts import facts_of
from tierlog.handler import TierHandler
from tierlog.layout import Place, remote_key
from tierlog.r2 import R2Store
from tierlog.retention import cleanup
from tierlog.shipping import Destination, note_destination, object_metadata
from tierlog.stores import Put
from tierlog.testing import event_line


OLD, YOUNG = "2026-01-05", "2026-02-28"
NOW = 1_772_366_400_000_000_000  # 2026-03-01 12:00 UTC


def place(day, number):
    return Place("action", day, ULID, "web", f"01J{number:023d}")


@pytest.fixture(name="root")
def _root(tmp_path):
    (tmp_path / ".tierlog").mkdir()
    note_destination(tmp_path, Destination("bucket"))
    return tmp_path


@pytest.fixture(name="filled")
def _filled(r2, root):
    """
    Return the catalog of a bucket with twelve old objects and a young one.
    """
    store, catalog = R2Store(**r2), Catalog(sqlite_url(root))
    for number in range(13):
        one = place(OLD if number else YOUNG, number)
        body = event_line(seq=number, tier="action", project_id=ULID)[0]
        facts = facts_of(io.BytesIO(body))
        md5 = hashlib.md5(body).hexdigest()
        etag = store.put(Put(remote_key(one), body, len(body), md5, object_metadata(one, facts, "")))
        catalog.put([Entry(remote_key(one), one, "shipped", len(body), etag, "", facts)])
    yield catalog
    catalog.close()


def states(catalog):
    return [catalog.get(remote_key(place(OLD, number))).state for number in range(1, 13)]


class TestKilled:
    """
    A process that is killed in the middle.
    """

    @pytest.mark.parametrize("moment", ["delete", "expire"])
    def test_the_next_one_does_the_rest(self, filled, r2, root, moment):
        """
        Killed after some deletions, or before the catalog is told of them: all that is
        old goes, the catalog knows of each, and what is young is as it was.
        """
        program = """
            import json, os, signal, sys
            from tierlog.catalog import Catalog
            from tierlog.r2 import R2Store
            from tierlog.retention import cleanup

            calls = 0

            def dying(function, when):
                def call(*args):
                    global calls
                    calls += 1
                    if calls == when:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return function(*args)
                return call

            store, catalog = R2Store(**json.loads(sys.argv[1])), Catalog(sys.argv[2])
            if sys.argv[4] == "delete":
                store.delete = dying(store.delete, 6)
            else:
                catalog.expire = dying(catalog.expire, 1)
            cleanup(None, store, retention="30d", catalog=catalog, clock=lambda: int(sys.argv[3]))
        """
        young = remote_key(place(YOUNG, 0))

        ended = run(program, json.dumps(r2), sqlite_url(root), NOW, moment)
        left, known = len(objects(r2)), states(filled)
        cleaned = cleanup(None, R2Store(**r2), retention="30d", catalog=filled, clock=lambda: NOW)

        assert ended.returncode == -signal.SIGKILL
        assert (left, set(known)) == ({"delete": 8, "expire": 1}[moment], {"shipped"})
        assert (set(objects(r2)), cleaned.problems) == ({young}, [])
        assert (set(states(filled)), filled.get(young).state) == ({"expired"}, "shipped")


def test_of_many_processes_one_does_it(filled, r2, root):
    """
    Whoever of those that share the catalog is first deletes everything, and nobody else
    as much as looks.
    """
    program = """
        import json, sys
        from pathlib import Path
        from tierlog.r2 import R2Store
        from tierlog.r2._daily import daily_task

        class Store(R2Store):
            deleted = 0
            def delete(self, key):
                super().delete(key)
                self.deleted += 1

        store = Store(**json.loads(sys.argv[1]))
        clock = lambda: int(sys.argv[3])
        task = daily_task(Path(sys.argv[2]), store, None, retention="30d", hold=(), clock=clock)
        print("ready", flush=True)
        sys.stdin.readline()
        task.run()
        print(store.deleted)
    """
    ones = [start(program, json.dumps(r2), root, NOW, stdin=-1) for _ in range(4)]
    for one in ones:
        one.stdout.readline()
    for one in ones:
        one.stdin.write(b"\n")
        one.stdin.flush()

    ended = [finish(one) for one in ones]

    assert sorted(int(one.out) for one in ended) == [0, 0, 0, 12]
    assert set(objects(r2)) == {remote_key(place(YOUNG, 0))}
    assert set(states(filled)) == {"expired"}


class TestSink:
    """
    The sink that has its retention from its options.
    """

    def test_it_deletes_what_is_old(self, filled, r2, root):
        """
        The task that it runs daily cleans up its bucket, and tells its catalog.
        """
        handler = TierHandler(sink={"type": "r2", "root": str(root), "clock": lambda: NOW, **r2}, instance_name="web")
        daily = next(task for task in handler.pipeline.sink._upkeep._tasks if task.name == "retention")

        daily.run()
        handler.close()

        assert remote_key(place(YOUNG, 0)) in objects(r2)
        assert set(states(filled)) == {"expired"}

    def test_none_is_no_retention(self, r2, root):
        """
        Without one, there's nothing to be done daily.
        """
        handler = TierHandler(sink={"type": "r2", "root": str(root), "retention": None, **r2}, instance_name="web")
        handler.close()

        assert [task.name for task in handler.pipeline.sink._upkeep._tasks] == []

    @pytest.mark.parametrize(
        ("option", "setting"), [({"retention": {"biuld": "1d"}}, "sink.retention.biuld"), ({"hold": "a/b"}, "sink.hold")]
    )
    def test_what_cannot_work_is_told_at_once(self, r2, root, option, setting):
        """
        A wrong option is an error where it is given.
        """
        with pytest.raises(ConfigError) as e:
            TierHandler(sink={"type": "r2", "root": str(root), **r2, **option}, instance_name="web")

        assert e.value.setting == setting
