"""
Builds in PostgreSQL: the same promises, asyncio, other users, a server that comes and
goes; and a log that was shipped meanwhile.
"""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import tierlog
from children import run, until
from lifecycle_contract import FIRST, BuildsContract, MirrorContract, handler_on, killed
from lifecycle_model import Metrics, engine_to, row, told_keys
from tierlog.errors import ConfigError, QueryError
from tierlog.handler import TierHandler
from tierlog.lifecycle import DatabaseError, builds, mirror
from tierlog.query import open_store
from tierlog.r2 import R2Store


_numbers = count()


@pytest.fixture(name="url")
def _url(server):
    name = f"lifecycle_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(name="engine")
def _engine(url):
    engine = engine_to(url)
    yield engine
    engine.dispose()


class TestMirror(MirrorContract):
    pass


class TestBuilds(BuildsContract):
    pass


def test_async_sessions(url, engine, tmp_path):
    """
    What asyncio's sessions commit is told by itself, what they roll back isn't.
    """

    async def work():
        async_engine = create_async_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        made = mirror(Metrics, engine=async_engine, handler=handler_on(tmp_path), interval=600)
        async with AsyncSession(async_engine) as session:
            session.add(row(1))
            await session.commit()
            async with session.begin_nested() as savepoint:
                await session.execute(sa.update(Metrics).values(status="never"))
                await savepoint.rollback()
            await session.execute(sa.update(Metrics).values(status="deployed"))
            await session.commit()
        await asyncio.to_thread(until, lambda: not made.waiting())
        made.close()
        found = await asyncio.to_thread(builds, async_engine)
        await async_engine.dispose()
        return [build.status for build in found]

    assert asyncio.run(work()) == ["deployed"]
    assert told_keys(tmp_path) == {f"{FIRST}:building:-": 1, f"{FIRST}:deployed:-": 1}


def test_a_server_that_comes_and_goes(server, engine, tmp_path):
    """
    While the server is dead, nothing is lost and nobody is disturbed; when it is back,
    what was committed is told once.
    """
    with mirror(Metrics, engine=engine, handler=handler_on(tmp_path), interval=600) as made:
        made.flush()
        made.fork_lock().acquire()  # so that nothing is told at once
        with Session(engine) as session:
            session.add(row(1))
            session.commit()
        server.kill()

        assert not made.flush(0.1)
        with pytest.raises(DatabaseError, match="see that the database runs"):
            made.waiting()

        made.fork_lock().release()
        server.start()
        assert made.flush(60)

    assert told_keys(tmp_path) == {f"{FIRST}:building:-": 1}
    assert made.stats()["failures"] > 0


def test_another_user_needs_no_rights(url, engine, tmp_path):
    """
    A user who may only write the table is mirrored all the same, and can't set mirroring
    up; once the outbox is gone, its own work goes on.
    """
    made = mirror(Metrics, engine=engine, handler=handler_on(tmp_path))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE app LOGIN")
        connection.exec_driver_sql("GRANT SELECT, INSERT, UPDATE ON project_build_metrics TO app")
        connection.exec_driver_sql("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app")
    other = sa.create_engine(url.replace("postgresql://postgres@", "postgresql+psycopg://app@"))
    with Session(other) as session:
        session.add(row(1))
        session.commit()
        made.flush()
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE tierlog_outbox")
        session.execute(sa.update(Metrics).values(status="deployed"))
        session.commit()
    made.close(0.1)

    assert told_keys(tmp_path) == {f"{FIRST}:building:-": 1}
    with pytest.raises(ConfigError, match=r"permission denied .* let a user who may run the statements"):
        mirror(Metrics, engine=other)
    other.dispose()


@pytest.fixture(name="typed")
def _typed(engine):
    """
    A table whose ids are UUIDs and numbers, and whose status is an enumeration.
    """
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA app")
        connection.exec_driver_sql("CREATE TYPE app.build_status AS ENUM ('failed', 'deployed')")
        connection.exec_driver_sql(
            "CREATE TABLE app.builds (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), build_id uuid, project_id int,"
            " status app.build_status, attempt_number int, created_at timestamptz DEFAULT now())"
        )
    return "app.builds"


def test_columns_that_are_no_texts(engine, typed):
    """
    Builds are found by ids that are UUIDs or numbers and by words of an enumeration, page
    by page; what a column can't have, none has.
    """
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO {typed} (build_id, project_id, status) SELECT gen_random_uuid(), 7, 'failed' FROM generate_series(1, 5)"
        )
    found = builds(engine, table=typed, status="failed", project_id="7", limit=3)
    more = builds(engine, table=typed, status=["failed", "deployed"], before=found[-1])

    assert len({build.id for build in found + more}) == 5
    assert builds(engine, table=typed, build_id=found[0].build_id) == found[:1]
    for nothing in ({"status": "nonsense"}, {"build_id": FIRST}, {"project_id": "x"}, {"status": []}):
        assert builds(engine, table=typed, **nothing) == []
    with pytest.raises(QueryError, match="status: 7 is neither a text nor several"):
        builds(engine, table=typed, status=7)


def test_asking_before_and_after_a_fork(url, engine):
    """
    A process that has asked by URL and forks, as a server with workers does, shares no
    connection with its children.
    """
    program = """
    import os, sys
    from tierlog.lifecycle import builds
    def ask():
        for _ in range(50):
            builds(sys.argv[1])
    ask()
    pid = os.fork()
    ask()
    if not pid:
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """

    done = run(program, url)

    assert (done.out, done.err) == ("0\n", "")


def test_what_a_trigger_changes(engine, typed, tmp_path):
    """
    A status that a trigger of the application's own sets, and no statement names, is a
    transition.
    """
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO {typed} (build_id, project_id, status) VALUES (gen_random_uuid(), 7, 'failed')")
        connection.exec_driver_sql(
            "CREATE FUNCTION app.heal() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.status := 'deployed'; RETURN NEW; END$$"
        )
        connection.exec_driver_sql(f"CREATE TRIGGER heal BEFORE UPDATE ON {typed} FOR EACH ROW EXECUTE FUNCTION app.heal()")

    with mirror(typed, engine=engine, handler=handler_on(tmp_path)) as made:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {typed} SET project_id = 8")
        made.flush()

    (event,) = open_store(tmp_path).search(kinds="deploy")
    assert (event["data"]["previous"], event["data"]["status"], event["data"]["table"]) == ("failed", "deployed", typed)


def test_a_line_that_was_shipped_meanwhile(tmp_path, r2):
    """
    A process is killed when its lines are written and the outbox doesn't know; they are
    shipped, and are gone from the disk, before it is mirrored again: they are found where
    they are, and not told twice.
    """
    url, root = f"sqlite:///{tmp_path}/app.db", tmp_path / "logs"
    expected = killed(url, root, 1, first=4)  # when all is written
    tierlog.recover(root, **r2)
    assert told_keys(root) == {}
    engine = engine_to(url)

    handler = TierHandler(sink={"type": "r2", "root": str(root), **r2})
    with mirror(Metrics, engine=engine, handler=handler) as made:
        assert made.flush(60)
    handler.close()
    tierlog.recover(root, **r2)

    events = open_store(R2Store(**r2)).search(tiers="lifecycle")
    assert sorted(one["data"]["key"] for one in events) == sorted(expected)
    assert made.stats()["found"] == 2
    engine.dispose()
