"""
The catalog in PostgreSQL: the same promises, and a server that comes and goes.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from pathlib import Path

import psycopg
import pytest

from catalog_contract import GOLDEN, CatalogContract
from catalog_entries import entry, keys
from children import start, until
from tierlog.catalog import Catalog
from tierlog.errors import CatalogError


_numbers = count()


class _Database:
    """
    A database, for the tests' own statements.
    """

    def __init__(self, server, name):
        self.server = server
        self.name = name

    def run_script(self, name):
        self.server.execute((GOLDEN / f"{name}.postgresql.sql").read_text(), database=self.name)

    def execute(self, *statements):
        return self.server.execute(*statements, database=self.name)


@pytest.fixture(name="database")
def _database(server):
    name = f"test_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name}")
    yield _Database(server, name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(name="url")
def _url(server, database):
    return server.url(database.name)


class TestPostgreSQL(CatalogContract):
    pass


@pytest.fixture(name="catalog")
def _catalog(url):
    catalog = Catalog(url, patience=0.2)
    yield catalog
    catalog.close()


def test_a_killed_server_is_told_and_used_again(server, catalog, url):
    """
    While the server is dead every call says so, in one line; when it is back, the same
    object works, and what was put is there.
    """
    catalog.put([entry(1)])
    server.kill()

    for call in (lambda: catalog.get("x"), lambda: catalog.put([entry(2)]), lambda: list(catalog.find()), lambda: Catalog(url)):
        with pytest.raises(CatalogError, match="can't be used .*logs are safe") as caught:
            call()
        assert "\n" not in str(caught.value)

    server.start()

    catalog.put([entry(2)])
    assert keys(catalog.find()) == keys([entry(1), entry(2)])


def test_a_server_that_was_restarted_is_not_noticed(server, catalog):
    """
    Connections that died while nobody used them are replaced.
    """
    catalog.put([entry(1)])
    server.kill()
    server.start()

    assert keys(catalog.find()) == [entry(1).key]


def test_a_server_that_dies_in_between_enters_all_or_none(server, catalog):
    """
    Of a batch whose end the server doesn't live to see, nothing is there; the same
    batch is entered afterwards.
    """
    batch = [entry(n) for n in range(5)]

    def work(connection):
        from tierlog.catalog import _catalog

        _catalog._put(connection, batch)
        server.kill()

    with pytest.raises(CatalogError):
        catalog._database.write(work)
    server.start()

    assert list(catalog.find()) == []
    catalog.put(batch)
    assert keys(catalog.find()) == keys(batch)


def test_a_connection_that_was_ended_is_told_once(server, catalog, database):
    """
    If the server ends a connection in the midst of work, that work fails, and the next doesn't.
    """

    def work(connection):
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(CatalogError, match="can't be used"):
        catalog._database.write(work)

    catalog.put([entry(1)])
    assert keys(catalog.find()) == [entry(1).key]


def test_what_is_locked_for_long_is_told(catalog, database, server):
    """
    It waits a while for a lock, and says so in one line that names the database.
    """
    with psycopg.connect(server.url(database.name)) as other:
        other.execute("LOCK TABLE tierlog_segments")
        with pytest.raises(CatalogError, match=f"/{database.name}.* is locked by another process for more than 0.2 s; try again"):
            catalog.put([entry(1)])

    catalog.put([entry(1)])


def test_a_wrong_password_is_told_and_not_shown(server):
    """
    A password that is wrong stands in no message, and one that is right opens it.
    """
    right, wrong = "right" + "-one", "wrong" + "-one"
    server.execute(f"CREATE ROLE logger LOGIN PASSWORD '{right}'", "CREATE DATABASE guarded OWNER logger")

    with pytest.raises(CatalogError, match=r"logger:\*\*\*@.*password authentication failed") as caught:
        Catalog(f"postgresql://logger:{wrong}@/guarded?host={server.folder}")

    assert wrong not in str(caught.value) + str(caught.value.__cause__)
    assert "\n" not in str(caught.value)
    for url in (f"postgresql://logger:{right}@/guarded", f"postgres://logger@/guarded?password={right}"):
        catalog = Catalog(f"{url}{'&' if '?' in url else '?'}host={server.folder}")
        assert right not in repr(catalog)
        with pytest.raises(CatalogError, match="invalid input") as caught:
            catalog._database.read(lambda connection: connection.exec_driver_sql(f"SELECT '{right}'::int"))
        assert right not in str(caught.value)
        assert catalog.get("x") is None
        catalog.close()


def test_the_url_may_name_the_driver(server, database):
    """
    SQLAlchemy's form of the URL is as good as the plain one.
    """
    url = server.url(database.name).replace("postgresql://", "postgresql+psycopg://")

    catalog = Catalog(url)

    assert catalog.path is None
    catalog.close()


def test_keys_sort_by_their_bytes_in_every_language(catalog, database):
    """
    The order of keys doesn't depend on the language of the database.
    """
    found = database.execute(
        "SELECT collation_name FROM information_schema.columns WHERE table_name = 'tierlog_segments' AND column_name = 'key'"
    )

    assert found == [("C",)]


def test_deadlocks_do_not_happen_or_are_overcome(catalog, url):
    """
    Processes that put, expire and delete the same entries at once all come to an end.
    """
    program = """
import sys
from catalog_entries import entry
from tierlog.catalog import Catalog

catalog = Catalog(sys.argv[1], patience=30)
entries = [entry(n, project="p") for n in range(30)]
for turn in range(6):
    part = entries[:: -1 if (turn + int(sys.argv[2])) % 2 else 1]
    catalog.put(part)
    (catalog.expire if turn % 2 else catalog.delete)(one.key for one in part[:20])
catalog.put(entries)
"""
    environment = {"PYTHONPATH": str(GOLDEN.parent.parent)}
    children = [
        subprocess.Popen([sys.executable, "-c", program, url, str(n)], stderr=subprocess.PIPE, env=environment) for n in range(4)
    ]
    problems = [child.communicate()[1] for child in children]

    assert problems == [b""] * 4
    assert len(list(catalog.find())) == 30


def test_the_server_is_gone_when_the_tests_are_killed():
    """
    A server never stays behind: not even when who started it is killed.
    """
    program = """
import sys
from servers.postgres import Postgres

server = Postgres()
print(server.folder, flush=True)
sys.stdin.read()
"""
    child = start(program, stdin=subprocess.PIPE, env={"PYTHONPATH": str(GOLDEN.parent.parent)})
    folder = Path(child.stdout.readline().decode().strip())
    assert (folder / "data" / "postmaster.pid").exists()

    child.kill()
    child.communicate()

    until(lambda: not folder.exists())
