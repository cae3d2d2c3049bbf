"""
The catalog in SQLite, and what every catalog says when it can't be used.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import warnings

import pytest

from catalog_contract import GOLDEN, CatalogContract
from catalog_entries import entry, keys
from tierlog.catalog import Catalog, sqlite_url
from tierlog.errors import CatalogError


class _File:
    """
    The database, for the tests' own statements.
    """

    def __init__(self, path):
        self.path = path

    def run_script(self, name):
        self.path.parent.mkdir(exist_ok=True)
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.executescript((GOLDEN / f"{name}.sqlite.sql").read_text())

    def execute(self, *statements):
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
        return rows


@pytest.fixture(name="url")
def _url(tmp_path):
    return sqlite_url(tmp_path)


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / ".tierlog" / "catalog.sqlite"


@pytest.fixture(name="database")
def _database(path):
    return _File(path)


class TestSQLite(CatalogContract):
    pass


@pytest.fixture(name="catalog")
def _catalog(url):
    catalog = Catalog(url, patience=0.2)
    yield catalog
    catalog.close()


@pytest.mark.parametrize("name", ["plain", "with space", "a?b#c%41", "naïve", "quote's"])
def test_it_lies_in_the_root(tmp_path, name):
    """
    The URL of a root's catalog names a file in it, whatever the root is called.
    """
    root = tmp_path / name
    root.mkdir()

    Catalog(sqlite_url(root)).close()

    assert (root / ".tierlog" / "catalog.sqlite").is_file()
    assert os.listdir(tmp_path) == [name]


def test_a_root_that_is_not_there_is_not_made(tmp_path):
    """
    A slip of the finger leaves no folder behind.
    """
    with pytest.raises(CatalogError, match=r"catalog.sqlite can't be used \(.*No such file"):
        Catalog(sqlite_url(tmp_path / "no" / "root"))

    assert os.listdir(tmp_path) == []


def test_readers_and_writers_do_not_wait_for_each_other(catalog, path):
    """
    It is read while somebody is in the midst of writing.
    """
    catalog.put([entry(1)])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM tierlog_segments")

        found = keys(catalog.find())

    assert found == [entry(1).key]


def test_what_is_locked_for_long_is_told(catalog, path):
    """
    It waits a while for a process that has the file locked, says so in one line, and
    works when that is over.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError) as caught:
            catalog.put([entry(1)])

    assert str(caught.value) == f"{path} is locked by another process for more than 0.2 s; try again, or end what holds it"
    assert not caught.value.is_damaged
    catalog.put([entry(1)])
    assert catalog.get(entry(1).key) == entry(1)


def test_a_short_lock_is_waited_for(url, path):
    """
    Who writes while another one does comes after it.
    """
    catalog = Catalog(url, patience=60)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    writer = threading.Thread(target=lambda: catalog.put([entry(1)]))
    writer.start()

    assert catalog.get(entry(1).key) is None
    other.execute("COMMIT")
    other.close()
    writer.join()

    assert catalog.get(entry(1).key) == entry(1)
    catalog.close()


_NONSENSE = b"no database at all\n" * 200


def _tear(path):
    """
    Write nonsense over all pages but the first.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(lambda path: path.write_bytes(_NONSENSE), "file is not a database", id="nonsense"),
        pytest.param(_tear, "database disk image is malformed", id="torn"),
        pytest.param(
            lambda path: _File(path).execute("DROP TABLE tierlog_segments"), "no such table: tierlog_segments", id="no-table"
        ),
    ],
)
def test_a_damaged_file_is_told(url, path, damage, problem):
    """
    A file that is no catalog is told in one line, which says how it is made again.
    """
    catalog = Catalog(url)
    catalog.put([entry(n) for n in range(50)])
    catalog.close()
    damage(path)

    with pytest.raises(CatalogError) as caught:
        list(Catalog(url).find())

    assert str(caught.value) == f"{path} is no usable catalog ({problem}); logs are safe: run 'tierlog catalog rebuild'"
    assert caught.value.is_damaged


def test_a_file_that_was_taken_away_is_made_again(catalog, path):
    """
    Who has it open while it is renamed or deleted goes on in a new file.
    """
    catalog.put([entry(1)])
    os.rename(path, f"{path}.old")
    catalog.put([entry(2)])

    assert keys(catalog.find()) == [entry(2).key]
    assert _File(path).execute("SELECT key FROM tierlog_segments") == [(entry(2).key,)]


def test_a_full_disk_is_told(catalog, path):
    """
    What can't be written isn't there, the message is one line, and it goes on when it can.
    """
    catalog._database.read(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1").all())

    with pytest.raises(CatalogError, match=r"can't be used \(database or disk is full\); logs are safe"):
        catalog.put([entry(n) for n in range(500)])

    catalog.close()
    assert list(catalog.find()) == []
    catalog.put([entry(1)])
    assert keys(catalog.find()) == [entry(1).key]


def test_no_connection_is_open_during_a_fork(catalog):
    """
    SQLite must not be carried over a fork: the child inherits no open database.
    """
    catalog.put([entry(1)])
    queue = multiprocessing.get_context("fork").SimpleQueue()

    child = multiprocessing.get_context("fork").Process(target=lambda: queue.put(_open_files()))
    child.start()
    inherited = queue.get()
    child.join()

    assert [name for name in inherited if "catalog.sqlite" in name] == []
    catalog.put([entry(2)])
    assert any("catalog.sqlite" in name for name in _open_files())


def _open_files():
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found


def test_a_child_that_was_forked_during_a_long_write_does_not_use_it(catalog):
    """
    If a fork didn't wait for the end of a write, the child refuses to touch the file,
    which it could damage; the parent goes on.
    """
    is_writing, is_over = threading.Event(), threading.Event()

    def write(connection):
        is_writing.set()
        is_over.wait(60)

    writer = threading.Thread(target=lambda: catalog._database.write(write))
    writer.start()
    is_writing.wait()
    queue = multiprocessing.get_context("fork").SimpleQueue()

    # Threads and forks don't go together, and real programs have both.
    warnings.simplefilter("ignore", DeprecationWarning)
    child = multiprocessing.get_context("fork").Process(target=lambda: queue.put(_problem(catalog)))
    child.start()
    is_over.set()
    problem = queue.get()
    child.join()
    writer.join()

    assert "was in use while this process was forked" in problem
    catalog.put([entry(1)])


def _problem(catalog):
    try:
        catalog.put([entry(1)])
    except CatalogError as e:
        return str(e)
    return ""


SECRET = "p@ss-" + "w0rd"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("mysql://u:{}@h/db", "the database 'mysql' isn't supported", id="other-database"),
        pytest.param("postgresql+asyncpg://u:{}@h/db", "the database 'postgresql+asyncpg' isn't supported", id="other-driver"),
        pytest.param("u:{}@h/db", "it isn't a URL", id="no-url"),
        pytest.param("u:{}@h://db", "it isn't a URL", id="no-scheme"),
        pytest.param("sqlite://", "use sqlite:///<path>", id="no-file"),
        pytest.param("postgresql://u:{}@h:port/db", "its URL can't be read", id="bad-port"),
        pytest.param("postgresql://u:{}@127.0.0.1:1/db", "Connection refused", id="nobody-there"),
        pytest.param("postgresql://u@127.0.0.1:1/db?password={}", "Connection refused", id="password-behind"),
        pytest.param("postgres://u:{}@127.0.0.1:1/db?nonsense=1", "nonsense", id="bad-option"),
    ],
)
def test_what_cannot_be_opened_is_told_without_the_password(url, problem):
    """
    A URL that can't work, and a server that isn't there, are told in one line that
    never shows the password.
    """
    with pytest.raises(CatalogError) as caught:
        Catalog(url.format(SECRET.replace("@", "%40")))

    error, chain = caught.value, caught.value
    assert problem in str(error)
    assert "\n" not in str(error)
    while chain is not None:
        assert SECRET not in str(chain)
        assert SECRET.replace("@", "%40") not in str(chain)
        chain = chain.__cause__


def test_the_error_can_be_sent_to_another_process():
    """
    It is the same when it was pickled.
    """
    error = CatalogError("logs/catalog.sqlite", "is no usable catalog", is_damaged=True)

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.catalog, again.problem, again.is_damaged) == (str(error), error.catalog, error.problem, True)


_WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from tierlog.errors import MissingExtraError
try:
    from tierlog.catalog import Catalog
    Catalog("postgresql://u@127.0.0.1:1/db")
except MissingExtraError as e:
    print(e.extra)
"""


@pytest.mark.parametrize(("module", "extra"), [("sqlalchemy", "r2"), ("psycopg", "db")])
def test_a_missing_extra_is_named(module, extra):
    """
    Without SQLAlchemy, or the driver of PostgreSQL, it says what to install.
    """
    done = subprocess.run([sys.executable, "-c", _WITHOUT, module], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == (f"{extra}\n", "")
