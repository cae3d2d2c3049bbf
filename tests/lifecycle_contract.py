"""
What is promised of builds in a database, whichever it is. A subclass has the fixture
``url``: that of an empty one.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from children import FOLDER, run, until
from conftest import ULID
from lifecycle_model import Metrics, build_id, engine_to, row, told, told_keys
from tierlog.context import EMPTY
from tierlog.errors import ConfigError, QueryError
from tierlog.handler import TierHandler
from tierlog.lifecycle import DatabaseError, build_days, builds, builds_ddl, ddl, mirror
from tierlog.query import builds as asked_builds
from tierlog.query import builds_cursor, open_store
from tierlog.segments import SegmentSink


__all__ = ["FIRST", "KILLS", "BuildsContract", "MirrorContract", "handler_on", "killed"]

FIRST = build_id(1)
KILLS = int(os.environ.get("PROOF_SIZE", "12"))
T0 = datetime(2026, 11, 22, 10, tzinfo=UTC)
BEFORE_ALL_TIMES = datetime.min.replace(tzinfo=timezone(timedelta(hours=12)))


def handler_on(root):
    """
    Return a handler that writes segments below a root.
    """
    return TierHandler(sink={"type": "segments", "root": str(root)}, instance_name="web")


def killed(url, root, count, *, first=0, seed=1):
    """
    Run processes that commit transitions and are killed, and return these transitions.
    """
    path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
    done = run(FOLDER / "lifecycle.py", url, root, count, first, seed, patience=600, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.err) == (0, "")
    engine = engine_to(url)
    with engine.connect() as connection:
        found = connection.execute(sa.select(Metrics.build_id, Metrics.status, Metrics.attempt_number)).all()
    engine.dispose()
    return Counter(f"{build}:{one}:{attempt or '-'}" for build, status, attempt in found for one in ("building", status))


class SlowSink(SegmentSink):
    """
    Segments on a slow disk.
    """

    def write_locked(self, event_line, route):
        time.sleep(0.005)
        return super().write_locked(event_line, route)


class MirrorContract:
    @pytest.fixture(name="engine")
    def _engine(self, url):
        engine = engine_to(url)
        yield engine
        engine.dispose()

    @pytest.fixture(name="root")
    def _root(self, tmp_path):
        return tmp_path / "logs"

    @pytest.fixture(name="mirrored")
    def _mirrored(self, engine, root):
        with mirror(Metrics, engine=engine, handler=handler_on(root), interval=600) as made:
            yield made

    def test_every_way_of_writing_is_seen(self, engine, root, mirrored):
        """
        Flushes of the ORM, its bulk statements, those of Core and plain SQL: each
        transition is one event, in order.
        """
        with Session(engine) as session:
            build = row(1, "queued")
            session.add(build)
            session.commit()
            build.status = "installing"
            session.commit()
            session.execute(sa.update(Metrics).where(Metrics.build_id == FIRST).values(status="building"))
            session.execute(sa.insert(Metrics), [{"build_id": build_id(2), "project_id": ULID, "status": "queued"}])
            session.commit()
        with engine.begin() as connection:
            connection.execute(sa.update(Metrics.__table__).values(status="deploying"))
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE project_build_metrics SET status = 'deployed' WHERE build_id = '{FIRST}'")

        assert mirrored.flush()

        steps = [(one["buildId"], one["data"]["previous"], one["data"]["status"]) for one in told(root)]
        assert [step[1:] for step in steps if step[0] == FIRST] == [
            (None, "queued"),
            ("queued", "installing"),
            ("installing", "building"),
            ("building", "deploying"),
            ("deploying", "deployed"),
        ]
        assert [step[1:] for step in steps if step[0] != FIRST] == [(None, "queued"), ("queued", "deploying")]
        assert mirrored.waiting() == 0

    def test_what_an_event_says(self, engine, root, mirrored):
        """
        A failure is an error with its stage; ids, attempt and what else the row has are there.
        """
        with Session(engine) as session:
            build = row(1, attempt_number=2, user_id="u1", is_retry=True, framework="next")
            session.add(build)
            session.flush()
            build.status, build.failure_stage, build.total_duration_ms = "failed", "pre-install", 4200
            session.commit()

        mirrored.flush()

        _, event = told(root)
        del event["data"]["createdAt"], event["data"]["table"]
        assert [event[name] for name in ("kind", "lvl", "src", "projectId", "buildId", "userId")] == [
            "build", "error", "lifecycle", ULID, FIRST, "u1",
        ]  # fmt: skip
        assert event["msg"] == f"build {FIRST}: building -> failed (pre-install)"
        assert event["data"] == {
            "status": "failed",
            "previous": "building",
            "attempt": 2,
            "failureStage": "pre-install",
            "isRetry": True,
            "durationMs": 4200,
            "framework": "next",
            "key": f"{FIRST}:failed:2",
        }

    def test_what_is_rolled_back_never_was(self, engine, root, mirrored):
        """
        Neither a transaction nor a savepoint that is rolled back leaves an event.
        """
        with Session(engine) as session:
            build = row(1)
            session.add(build)
            with session.begin_nested() as savepoint:
                build.status = "failed"
                session.flush()
                savepoint.rollback()
            session.commit()
            session.execute(sa.update(Metrics).values(status="failed"))
            session.rollback()

        mirrored.flush()

        assert told_keys(root) == {f"{FIRST}:building:-": 1}

    def test_a_transition_is_told_once(self, engine, root, mirrored):
        """
        What has the same build, status and attempt as what was told, none being one
        attempt, too, is no transition; another attempt is.
        """
        for attempt in (None, None, 2, None, 2):
            with engine.begin() as connection:
                connection.execute(sa.delete(Metrics))
                columns = {"build_id": FIRST, "project_id": ULID, "attempt_number": attempt, "created_at": T0}
                connection.execute(sa.insert(Metrics), [{**columns, "status": "failed"}, {**columns, "status": "failed"}])
            mirrored.flush()
        with engine.begin() as connection:
            connection.execute(sa.update(Metrics).values(attempt_number=3))
        mirrored.flush()

        assert told_keys(root) == {f"{FIRST}:failed:{attempt}": 1 for attempt in ("-", 2, 3)}
        assert mirrored.waiting() == 0

    def test_a_commit_is_dispatched_by_itself(self, engine, root, mirrored):
        """
        Nobody needs to ask: soon after the commit, the event is there.
        """
        with Session(engine) as session:
            session.add(row(1))
            session.commit()

        until(lambda: told_keys(root) == {f"{FIRST}:building:-": 1})

    def test_other_programs_are_seen(self, url, engine, root):
        """
        What another program commits, which knows nothing of this, is found by looking; and
        what was committed while nobody mirrored, at the start.
        """
        mirror(Metrics, engine=engine).close()
        other = engine_to(url)
        with Session(other) as session:
            session.add(row(1))
            session.commit()
            with mirror(Metrics, engine=engine, handler=handler_on(root), interval=0.05):
                until(lambda: len(told(root)) == 1)
                session.add(row(2))
                session.commit()

                until(lambda: len(told(root)) == 2)
        other.dispose()

    def test_killed_anywhere_each_is_told_once(self, url, engine, root):
        """
        Processes are killed between commit and claim, claim and write, in a line, between
        two events and before the outbox knows; after a restart, a reader sees each
        committed transition exactly once, and nothing else.
        """
        expected = killed(url, root, KILLS)

        with mirror(Metrics, engine=engine, handler=handler_on(root)) as restarted:
            assert restarted.flush(30)

        assert told_keys(root) == expected
        assert set(expected.values()) == {1}
        assert len(expected) >= KILLS  # some are killed by what others have left, before their own commit

    def test_workers_race(self, engine, tmp_path):
        """
        Three workers that write to one log, slowly, and one that writes to another:
        each transition is told by one of them.
        """
        roots = [tmp_path / "a", tmp_path / "a", tmp_path / "a", tmp_path / "b"]
        handlers = [TierHandler(sink=SlowSink(root)) for root in roots]
        workers = [mirror(Metrics, engine=engine, handler=handler, interval=0.01) for handler in handlers]

        def commit(first):
            for number in range(first, first + 40):
                with Session(engine) as session:
                    build = row(number)
                    session.add(build)
                    session.commit()
                    build.status = "deployed"
                    session.commit()

        threads = [threading.Thread(target=commit, args=(first,)) for first in (0, 1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: workers[0].waiting() == 0)
        for worker in workers:
            worker.close()

        builds = [build_id(number) for first in (0, 1000) for number in range(first, first + 40)]
        expected = Counter(f"{build}:{status}:-" for build in builds for status in ("building", "deployed"))
        assert told_keys(roots[0]) + told_keys(roots[3]) == expected
        assert sum(worker.stats()["failures"] for worker in workers) == 0

    def test_each_table_has_its_own_log(self, engine, tmp_path):
        """
        Of two tables that are mirrored to two logs, each log has its own, whoever looks first.
        """
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE previews AS SELECT * FROM project_build_metrics")
        first = mirror(Metrics, engine=engine, handler=handler_on(tmp_path / "builds"))
        second = mirror("previews", engine=engine, handler=handler_on(tmp_path / "previews"))
        with engine.begin() as connection:
            for table, number in (("project_build_metrics", 1), ("previews", 2)):
                columns = f"{number}, '{build_id(number)}', '{ULID}', 'failed', '2026-11-22'"
                connection.exec_driver_sql(
                    f"INSERT INTO {table} (id, build_id, project_id, status, created_at) VALUES ({columns})"
                )

        for one in (second, first):
            one.close()

        assert told_keys(tmp_path / "builds") == {f"{FIRST}:failed:-": 1}
        assert told_keys(tmp_path / "previews") == {f"{build_id(2)}:failed:-": 1}

    def test_a_look_that_takes_long_holds_nobody_up(self, mirrored):
        """
        While another thread looks, who waits for a database that doesn't answer, one gives
        up in time.
        """
        taken, over = threading.Event(), threading.Event()

        def look():
            with mirrored.fork_lock():
                taken.set()
                over.wait()

        thread = threading.Thread(target=look)
        thread.start()
        taken.wait()
        is_done = mirrored.flush(0.1)
        over.set()
        thread.join()

        assert not is_done
        assert mirrored.flush()

    def test_a_host_that_is_gone_is_given_up(self, url, engine, tmp_path):
        """
        What a host had claimed that never comes back, another one tells after the lease.
        """
        killed(url, tmp_path / "gone", 1, first=1)  # when it is claimed
        in_two_hours = 2 * 3600 * 10**9

        with mirror(Metrics, engine=engine, handler=handler_on(tmp_path / "here")) as early:
            early.flush()
            assert told_keys(tmp_path / "here") == {}
        later = mirror(Metrics, engine=engine, handler=handler_on(tmp_path / "here"), clock=lambda: time.time_ns() + in_two_hours)
        later.close()

        assert told_keys(tmp_path / "here") == {f"{FIRST}:building:1": 1, f"{FIRST}:failed:1": 1}

    def test_statements_for_migrations(self, engine, root):
        """
        Where somebody has run the statements, nothing needs to be made; where nobody has,
        one line says so.
        """
        with pytest.raises(ConfigError, match=r"^install: .* run the statements of tierlog.lifecycle.ddl\(\)$"):
            mirror(Metrics, engine=engine, install=False)
        with engine.begin() as connection:
            for statement in ddl(Metrics, dialect=engine.dialect.name):
                connection.exec_driver_sql(statement)

        with mirror(Metrics, engine=engine, handler=handler_on(root), install=False) as made, Session(engine) as session:
            session.add(row(1))
            session.commit()
            made.flush()

        assert len(told(root)) == 1

    def test_a_table_that_has_changed_is_watched_anew(self, engine, root):
        """
        A column that the table has got since is told, and each transition still once.
        """
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE project_build_metrics DROP COLUMN framework")
        mirror(Metrics, engine=engine).close()
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE project_build_metrics ADD COLUMN framework TEXT")

        with mirror(Metrics, engine=engine, handler=handler_on(root)) as made, Session(engine) as session:
            session.add(row(1, framework="astro"))
            session.commit()
            made.flush()

        assert [one["data"]["framework"] for one in told(root)] == ["astro"]

    @pytest.mark.parametrize(
        ("statement", "problem"),
        [
            pytest.param(None, "target: there's no table 'builds' in the database; make it before", id="no-table"),
            pytest.param(
                "CREATE TABLE builds (build_id TEXT, project_id TEXT)", "no column status, attempt_number", id="columns"
            ),
        ],
    )
    def test_a_table_that_cannot_be_mirrored(self, engine, statement, problem):
        """
        A missing table, or one without the columns, is told in one line, and nothing is made.
        """
        if statement:
            with engine.begin() as connection:
                connection.exec_driver_sql(statement)

        with pytest.raises(ConfigError, match=problem) as caught:
            mirror("builds", engine=engine)

        assert "\n" not in str(caught.value)
        assert not sa.inspect(engine).has_table("tierlog_outbox")


class BuildsContract:
    @pytest.fixture(name="engine")
    def _engine(self, url):
        engine = engine_to(url)
        statuses = ["deployed", "failed", "failed", "cancelled"]
        with Session(engine) as session:
            for number in range(40):
                created = (T0 + timedelta(minutes=number // 2, microseconds=7)).replace(tzinfo=None)  # two of each time
                columns = {"framework": ["next", "astro"][number % 2], "total_duration_ms": number * 100, "created_at": created}
                stage = {1: "build", 2: "deploy"}.get(number % 4)
                session.add(row(number, statuses[number % 4], failure_stage=stage, is_retry=number % 2 == 0, **columns))
            session.commit()
        with engine.begin() as connection:
            for statement in builds_ddl():
                connection.exec_driver_sql(statement)
        yield engine
        engine.dispose()

    def test_filters(self, engine):
        """
        Status, stage, framework, project and time choose, newest first.
        """
        found = builds(engine, status="failed", failure_stage=["build", "none"], framework="astro", project_id=ULID)
        recent = asked_builds(engine, since=T0 + timedelta(minutes=18), until="2026-11-22T10:19:00Z")

        assert [one.build_id for one in found] == [build_id(number) for number in range(37, 0, -4)]
        assert {(one.status, one.failure_stage, one.is_retry, one.version_id) for one in found} == {
            ("failed", "build", False, None)
        }
        assert found[0].created_at == T0 + timedelta(minutes=18, microseconds=7)
        assert [one.build_id for one in recent] == [build_id(37), build_id(36)]
        assert builds(engine, project_id="another") == []

    def test_what_no_row_can_have_finds_none(self, engine):
        """
        What isn't text, and more builds than there can be, are no reason to fail; a time
        that is none in UTC can't be asked for.
        """
        assert builds(engine, status="\ud800") == builds(engine, build_id="a\0b") == []
        assert len(builds(engine, limit=10**30)) == 40
        with pytest.raises(QueryError, match="until: .* isn't a time"):
            builds(engine, until=BEFORE_ALL_TIMES)

    def test_pages(self, engine):
        """
        Page by page, each build comes once, although some are of one time and others come
        in between.
        """
        pages = [builds(engine, limit=7)]
        with Session(engine) as session:
            session.add(row(99, created_at=(T0 + timedelta(days=1)).replace(tzinfo=None)))
            session.commit()
        while pages[-1]:
            pages.append(asked_builds(engine, limit=7, before=builds_cursor(pages[-1][-1])))

        assert [one.build_id for page in pages for one in page] == [build_id(number) for number in range(39, -1, -1)]

    def test_a_table_that_has_changed(self, engine):
        """
        A column that is dropped or added while the program runs is noticed by the first
        question that fails for it.
        """
        for change in ("DROP COLUMN node_version", "ADD COLUMN node_version TEXT DEFAULT '22'"):
            builds(engine)
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE project_build_metrics {change}")
            with contextlib.suppress(DatabaseError):
                builds(engine)

        with pytest.raises(QueryError):
            builds(engine, before="x")
        assert builds(engine, limit=1)[0].node_version == "22"

    def test_days(self, engine):
        """
        Of each day there are the numbers by status, and how long builds took.
        """
        (day,) = build_days(engine, since=T0)

        assert day == ("2026-11-22", {"deployed": 10, "failed": 20, "cancelled": 10}, 2000, 3800)

    def test_a_log_is_opened_by_its_row(self, engine, tmp_path):
        """
        A row opens its build's log and its deploy's.
        """
        handler = handler_on(tmp_path)
        for tier in ("build", "deploy"):
            handler.pipeline.event(0, EMPTY, "info", "app", f"the {tier}", tier=tier, fields={"build_id": FIRST})
        handler.close()
        (build,) = builds(engine, build_id=FIRST)

        store = open_store(tmp_path)

        assert [one["msg"] for one in build.log(store)] == ["the build"]
        assert [one["msg"] for one in build.deploy_log(store)] == ["the deploy"]

    @pytest.mark.parametrize(
        ("asked", "error", "problem"),
        [
            pytest.param({"before": "x"}, QueryError, "before: isn't a cursor of builds", id="cursor"),
            pytest.param({"before": "WzEsMl0"}, QueryError, None, id="cursor-of-another-kind"),
            pytest.param(
                {"before": "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAsMV0"}, QueryError, None, id="cursor-beyond-numbers"
            ),
            pytest.param({"before": "WyIyMDI2LTExLTIyVDEwOjAwOjAwIiwiXHVkODAwIl0"}, QueryError, None, id="cursor-of-no-text"),
            pytest.param({"limit": -1}, QueryError, "limit: -1 isn't a whole number", id="limit"),
            pytest.param({"since": "soon"}, QueryError, "since: 'soon' isn't a time", id="time"),
            pytest.param({"table": "nowhere"}, ConfigError, "table: there's no table 'nowhere'", id="table"),
        ],
    )
    def test_what_cannot_be_asked(self, engine, asked, error, problem):
        """
        A wrong question names its argument; a cursor of another kind finds nothing or is
        refused, and never fails in the database.
        """
        if problem is None:
            try:
                assert asked_builds(engine, **asked) == []
            except error as e:
                assert e.parameter == "before"
            return
        with pytest.raises(error, match=problem):
            asked_builds(engine, **asked)
