"""
Builds in SQLite: their transitions as events, and which there are.
"""

from __future__ import annotations

import errno
import os
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

import tierlog
from children import FOLDER, run, until
from conftest import ULID
from lifecycle_contract import FIRST, BuildsContract, MirrorContract, handler_on
from lifecycle_model import Base, Metrics, build_id, engine_to, row, told, told_keys
from queried import NOW, ship, write
from tierlog.errors import ConfigError
from tierlog.handler import TierHandler, all_handlers
from tierlog.lifecycle import DatabaseError, build_days, builds, builds_cursor, builds_ddl, mirror
from tierlog.query import open_store
from tierlog.segments import SegmentSink
from tierlog.testing import MemoryStore


CREATED = datetime(2026, 11, 22)


@pytest.fixture(name="url")
def _url(tmp_path):
    return f"sqlite:///{tmp_path}/app.db"


@pytest.fixture(name="engine")
def _engine(url):
    engine = engine_to(url)
    yield engine
    engine.dispose()


class TestMirror(MirrorContract):
    pass


class TestBuilds(BuildsContract):
    @pytest.mark.parametrize(
        "created",
        [
            pytest.param(1_700_000_000_000_000_000, id="nanoseconds"),
            pytest.param(-(1 << 62), id="long-ago"),
            pytest.param(float("inf"), id="never"),
            pytest.param("9999-12-31T23:59:59-12:00", id="no-time-in-utc"),
        ],
    )
    def test_times_that_are_none(self, tmp_path, created):
        """
        A row whose time no calendar has is shown without one, and hides no other; an id that
        no number can be is nobody's.
        """
        engine = sa.create_engine(f"sqlite:///{tmp_path}/other.db")
        with engine.begin() as connection:
            columns = "id INTEGER PRIMARY KEY, build_id, project_id INTEGER, status, created_at, total_duration_ms"
            connection.exec_driver_sql(f"CREATE TABLE project_build_metrics ({columns})")
            row = "INSERT INTO project_build_metrics VALUES (?, 'b', 7, 'failed', ?, 'long')"
            connection.exec_driver_sql(row, (1, 1_700_000_000_000))
            connection.exec_driver_sql(row, (2, created))

        found = builds(engine)
        days = build_days(engine)
        nobody = builds(engine, project_id="9" * 30)
        engine.dispose()

        assert {one.id: one.created_at for one in found} == {1: datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 2: None}
        assert [(day.day, day.p50_ms) for day in days] == [("2023-11-14", None)]
        assert nobody == []


def committed(engine, *rows):
    """
    Commit rows.
    """
    with Session(engine) as session:
        session.add_all(rows)
        session.commit()


def with_tests():
    """
    Return an environment whose programs find the tests' modules.
    """
    path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore::DeprecationWarning"}  # of a fork with threads


class FullSink(SegmentSink):
    """
    Segments on a disk that is full at times.
    """

    is_full = True

    def write_locked(self, event_line, route):
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write_locked(event_line, route)


class TestTrouble:
    def test_a_full_disk_is_waited_for(self, engine, tmp_path):
        """
        What the disk doesn't take is told when there's room again, once, and the
        application's commits go on.
        """
        sink = FullSink(tmp_path / "logs")
        with mirror(Metrics, engine=engine, handler=TierHandler(sink=sink)) as made:
            committed(engine, row(1), row(2))
            assert not made.flush(0.1)
            until(lambda: made.stats()["last_error"])
            sink.is_full = False

            assert made.flush()

        assert told_keys(tmp_path / "logs") == {f"{build_id(number)}:building:-": 1 for number in (1, 2)}
        assert made.stats()["last_error"] == "the log didn't keep all of them"

    def test_events_wait_for_a_handler(self, engine, tmp_path):
        """
        What is committed before logging is configured is told then.
        """
        all_handlers.clear()  # what a fixture of another module has configured

        with mirror(Metrics, engine=engine) as made:
            committed(engine, row(1))
            assert not made.flush()

            tierlog.configure(root=tmp_path / "logs", process_events=False)
            assert made.flush()

        assert len(told(tmp_path / "logs")) == 1

    def test_a_commit_does_not_fail_for_want_of_a_thread(self, engine, tmp_path, monkeypatch):
        """
        Where no thread can be started, as while the interpreter ends, commits go on, and a
        later one starts it.
        """
        start = threading.Thread.start

        def refuse(thread):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with mirror(Metrics, engine=engine, handler=handler_on(tmp_path / "logs"), interval=60):
            committed(engine, row(1))
            monkeypatch.setattr(threading.Thread, "start", start)
            committed(engine, row(2))

            expected = {f"{build_id(number)}:building:-": 1 for number in (1, 2)}
            assert until(lambda: told_keys(tmp_path / "logs") == expected)

    def test_odd_values_harm_nobody(self, engine, tmp_path):
        """
        Bytes, infinities and huge numbers, which SQLite keeps anywhere, neither fail the
        application nor stop what comes after; "OR REPLACE" tells nothing twice.
        """
        statement = "INSERT OR REPLACE INTO project_build_metrics (id, build_id, project_id, status, created_at, {}) VALUES ({})"
        with mirror(Metrics, engine=engine, handler=handler_on(tmp_path / "logs")) as made:
            with engine.begin() as connection:
                for n, value in enumerate(("x'00ff'", "9e999", "-9e999", "99999999999999999999", "char(0)", "'{'", "x''"), 1):
                    for column in ("framework", "total_duration_ms", "user_id", "attempt_number"):
                        values = f"{n}, '{build_id(n)}', '{ULID}', 'built', 'x', {value}"
                        connection.exec_driver_sql(statement.format(column, values))
            assert made.flush()

        assert set(told_keys(tmp_path / "logs").values()) == {1}

    @pytest.mark.parametrize(
        ("engine", "problem"),
        [
            pytest.param("nonsense", "engine: it isn't a URL such as", id="no-url"),
            pytest.param(
                "mysql://u:secret@h/d", "engine: mysql isn't supported; use SQLite or PostgreSQL", id="another-database"
            ),
            pytest.param(7, "engine: int isn't an engine of SQLAlchemy", id="no-engine"),
        ],
    )
    def test_wrong_engines(self, engine, problem):
        """
        What is no engine to a database that is known is told in one line, without secrets.
        """
        for call in (lambda: mirror(Metrics, engine=engine), lambda: builds(engine)):
            with pytest.raises(ConfigError, match=problem) as caught:
                call()
            assert "secret" not in str(caught.value)

    def test_a_database_that_does_not_open(self, tmp_path):
        """
        It is told in one line.
        """
        for call in (lambda url: mirror(Metrics, engine=url), builds):
            with pytest.raises(DatabaseError, match="unable to open database file; see that the database runs") as caught:
                call(f"sqlite:///{tmp_path}/nowhere/app.db")
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("begins_itself", [False, True])
def test_in_memory(tmp_path, begins_itself):
    """
    A database in memory, as tests have one, is dispatched when it is asked for; also one
    whose transactions are begun as SQLAlchemy advises for the sake of savepoints.
    """
    engine = sa.create_engine("sqlite://")
    if begins_itself:
        sa.event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    Base.metadata.create_all(engine)
    with mirror(Metrics, engine=engine, handler=handler_on(tmp_path)) as made:
        committed(engine, row(1))

        assert made.flush()

    assert told_keys(tmp_path) == {f"{FIRST}:building:-": 1}
    engine.dispose()


def test_at_the_end_of_a_process_and_in_its_children(url, engine, tmp_path):
    """
    A script that commits and ends, and a child that it forked, need not close anything:
    all is told, once.
    """
    program = """
    import os, sys, time
    import tierlog
    from sqlalchemy.orm import Session
    from lifecycle_model import Metrics, engine_to, row
    from tierlog.lifecycle import mirror
    url, root = sys.argv[1:]
    tierlog.configure(root=root, process_events=False)
    engine = engine_to(url)
    mirrored = mirror(Metrics, engine=engine, interval=600)
    def commit(number):
        with Session(engine) as session:
            session.add(row(number))
            session.commit()
    commit(1)
    mirrored.flush()
    engine.dispose()
    mirrored.fork_lock().acquire()  # so that it is the child that tells
    pid = os.fork()
    if not pid:
        commit(2)
        while mirrored.waiting():
            time.sleep(0.01)
        os._exit(0)
    os.waitpid(pid, 0)
    mirrored.fork_lock().release()
    commit(3)
    """

    done = run(program, url, tmp_path / "logs", env=with_tests())

    assert (done.returncode, done.err) == (0, "")
    assert told_keys(tmp_path / "logs") == {f"{build_id(number)}:building:-": 1 for number in (1, 2, 3)}
    assert len({one["instanceId"] for one in told(tmp_path / "logs")}) == 2


def test_without_the_extra():
    """
    Asking for builds without SQLAlchemy says what to install; the rest of reading works.
    """
    program = """
    import sys
    sys.modules["sqlalchemy"] = None
    from tierlog.query import builds
    try:
        builds("sqlite:///x.db")
    except ImportError as e:
        print(e)
    """

    assert run(program).out == "this needs an extra: pip install 'tierlog[db]'\n"


class CountingStore(MemoryStore):
    """
    A store that counts what it is asked.
    """

    calls = 0

    def list(self, prefix="", /, *, after=""):
        self.calls += 1
        return super().list(prefix, after=after)

    def open(self, key, /):
        self.calls += 1
        return super().open(key)

    def get(self, key, start=0, end=None, /):
        self.calls += 1
        return super().get(key, start, end)

    def head(self, key, /):
        self.calls += 1
        return super().head(key)


def test_a_log_in_two_look_ups(engine, tmp_path):
    """
    From a row to the lines of its log in a bucket, among those of many builds, the bucket
    is asked twice.
    """
    events = [(NOW + n, "build", "info", {"build_id": build_id(n), "project_id": ULID}, f"log {n}", None) for n in range(50)]
    write(tmp_path, events)
    store = CountingStore()
    ship(tmp_path, store)
    committed(engine, row(7, "failed"))
    store.calls = 0

    (build,) = builds(engine, status="failed")

    assert [one["msg"] for one in build.log(open_store(store))] == ["log 7"]
    assert store.calls == 2


def test_the_first_page_of_many(engine):
    """
    Whatever is asked of 100 000 rows, the page is found in an index, not by looking at all.
    """
    rows = [
        {"build_id": build_id(n), "project_id": ULID, "status": ["deployed", "failed"][n % 3 == 0], "created_at": CREATED}
        for n in range(2_000)
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(Metrics), rows)
        for statement in builds_ddl():
            connection.exec_driver_sql(statement)
    steps = []

    def note(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("SELECT") and "ORDER BY" in statement:
            plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.append(" ".join(one[3] for one in plan))

    sa.event.listen(engine, "before_cursor_execute", note)

    page = builds(engine, status="failed", limit=50)
    builds(engine, status="failed", failure_stage="deploy", before=builds_cursor(page[-1]))
    builds(engine, project_id=ULID)
    builds(engine)

    assert len(page) == 50
    assert all("USING INDEX project_build_metrics_" in step and "TEMP B-TREE" not in step for step in steps)
    assert len(steps) == 4
