"""
What every catalog promises, whichever database it is in.

Inherit from :class:`CatalogContract`, and give it the fixture ``url``: of an empty
database for each test.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strategies  # noqa: F401 -- its profile: nothing here is timed
from catalog_entries import START, entry, facts, keys, line
from children import finish, start
from conftest import OTHER_ULID, ULID
from tierlog.catalog import Catalog
from tierlog.errors import CatalogError
from tierlog.layout import Place, remote_key
from tierlog.testing import FakeClock


HOUR = 3_600_000
GOLDEN = Path(__file__).parent / "golden" / "catalog"


_names = st.sampled_from([ULID, OTHER_ULID, "p1", "", "naïve \U0001f600", "nul\0nul", "x" * 3000, "quote\"'%s\\", "*"])
_lines = st.builds(
    line,
    seq=st.integers(0, 10**19 - 1),
    ms=st.integers(-START + 10**12, 3 * 10**12),
    instance=st.sampled_from(["web-1", "web-2", "é\0"]),
    lvl=st.sampled_from(["debug", "info", "warn", "error", "other\0", "ü" * 100]),
    project=st.none() | _names,
    build=st.none() | _names,
    user=st.none() | _names,
    msg=st.sampled_from(["short", "x" * 100_000]),
)
_segments = st.lists(_lines | st.sampled_from([b"\n", b"foreign\n", b"x" * 300_000 + b"\n"]), max_size=12)

_PUTTING = """
import sys
from catalog_entries import entry
from tierlog.catalog import Catalog

catalog, first = Catalog(sys.argv[1], patience=60), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + 20):
    catalog.put([entry(number), entry(999), entry(998)] if number % 2 else [entry(998), entry(999), entry(number)])
"""

_LEASING = """
import sys
from tierlog.catalog import Catalog

catalog = Catalog(sys.argv[1], clock=lambda: 10**18, patience=60)
print("ready", flush=True)
for name in sys.stdin:
    print(int(catalog.lease(name.strip(), sys.argv[2], 60)), flush=True)
"""

_OPENING = """
import sys
from tierlog.catalog import Catalog

print("ready", flush=True)
sys.stdin.readline()
print(len(list(Catalog(sys.argv[1], patience=60).find(states=("local", "shipped", "expired")))))
"""


def started(program, *args):
    """
    Start a program that waits for a line, and return it when it does.
    """
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    child = start(program, *args, stdin=-1, env={**os.environ, "PYTHONPATH": path})
    assert child.stdout.readline() == b"ready\n", child.stderr.read().decode()
    return child


class CatalogContract:
    """
    The promises.
    """

    @pytest.fixture(name="clock")
    def _clock(self):
        return FakeClock()

    @pytest.fixture(name="catalog")
    def _catalog(self, url, clock):
        catalog = Catalog(url, clock=clock.time_ns)
        yield catalog
        catalog.close()

    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
        max_examples=60,
    )
    @given(
        content=_segments,
        frames=st.lists(st.integers(0, 2**40), max_size=5).map(tuple),
        state=st.sampled_from(["local", "shipped"]),
    )
    def test_what_is_put_comes_back(self, catalog, content, frames, state):
        """
        An entry is read as it was put, whatever stands in its segment.
        """
        held = facts(*content)
        one = entry(7, state=state)._replace(facts=held, frames=frames)

        catalog.put([one])

        assert catalog.get(one.key) == one
        assert list(catalog.find(states=(state,))) == [one]
        catalog.clear()

    def test_blocks_come_back_with_what_stands_between(self, catalog):
        """
        The offsets of blocks are right, also behind foreign lines that fill some.
        """
        foreign = b"x" * 300_000 + b"\n"
        one = entry(
            1, lines=[foreign, line(1, msg="x" * 300_000), foreign, foreign, *(line(n, msg="x" * 300_000) for n in (2, 3))]
        )

        catalog.put([one])

        assert catalog.get(one.key).facts.blocks == one.facts.blocks
        assert len(one.facts.blocks) == 3

    @pytest.mark.parametrize(
        "place",
        [
            pytest.param(Place("build", "2026-11-22", ULID), id="one-file-of-a-build"),
            pytest.param(Place("deploy", "2026-11-22", "slug", "web", ULID, "zst"), id="packed-part"),
            pytest.param(Place("system", "2026-11-22", None, "web", ULID, "gz"), id="without-id"),
            pytest.param(Place("build", None, ULID), id="without-day"),
        ],
    )
    def test_places_come_back(self, catalog, place):
        """
        So is what names the segment, with the day that no key of a build has.
        """
        one = entry()._replace(key=remote_key(place), place=place)

        catalog.put([one])

        assert catalog.get(one.key).place == place

    def test_nothing_is_there_at_first(self, catalog):
        """
        An unknown key has no entry, and an empty batch is none.
        """
        catalog.put([])

        assert catalog.get("no/such/key") is None
        assert list(catalog.find()) == []
        assert (catalog.build_days(ULID), catalog.last_day(ULID), catalog.count_levels()) == ([], None, {})

    def test_putting_again_replaces(self, catalog):
        """
        There's one entry of a key, the last one; nothing of the others is found.
        """
        catalog.put([entry(1, project=ULID)])
        changed = entry(1, project=OTHER_ULID, lvl="error")
        catalog.put([entry(1, project=ULID), changed])
        catalog.put([changed])

        assert list(catalog.find()) == [changed]
        assert list(catalog.find(project_id=ULID)) == []
        assert catalog.count_levels() == {("system", START // HOUR * HOUR, "error"): 3}
        assert catalog.last_day(ULID) is None

    def test_all_are_put_or_none(self, catalog):
        """
        If one can't be entered, none of a batch is.
        """
        with pytest.raises(CatalogError):
            catalog.put([entry(1), entry(2)._replace(etag=None)])

        assert list(catalog.find()) == []

    def test_order(self, catalog):
        """
        They come by their first time and then by the bytes of their keys, also if they
        are many, and many of the same time.
        """
        ones = [entry(n, ms=n % 3) for n in range(400)]
        ones[5] = ones[5]._replace(key="a-b")
        ones[8] = ones[8]._replace(key="aB")
        ones[11] = ones[11]._replace(key="a/b")
        catalog.put(ones[::-1])

        found = list(catalog.find())

        assert found == sorted(ones, key=lambda one: (one.facts.first_ts, one.key.encode()))

    def test_finding_takes_some_at_a_time(self, catalog):
        """
        Not all are read before the first one is there, and in between nothing is open:
        what is put behind where a search stands is found by it.
        """
        catalog.put([entry(n) for n in range(1000)])
        search = catalog.find()

        first = next(search)
        catalog.put([entry(2000)])
        catalog.delete([entry(999).key])
        rest = list(search)

        assert keys([first, *rest]) == keys(entry(n) for n in [*range(999), 2000])

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            pytest.param({}, [1, 2, 3, 4], id="local-and-shipped"),
            pytest.param({"states": ["shipped"]}, [2, 3, 4], id="state"),
            pytest.param({"states": ("expired",)}, [5], id="expired"),
            pytest.param({"tiers": ["action"]}, [2], id="tier"),
            pytest.param({"tiers": ("action", "build")}, [2, 3], id="tiers"),
            pytest.param({"since_ms": START + 2002}, [2, 3, 4], id="since-the-last-line-of-one"),
            pytest.param({"since_ms": START + 2003}, [3, 4], id="since-behind-it"),
            pytest.param({"until_ms": START + 2000}, [1, 2], id="until-the-first-line-of-one"),
            pytest.param({"until_ms": START + 1999}, [1], id="until-before-it"),
            pytest.param({"since_ms": START + 2001, "until_ms": START + 3001}, [2, 3], id="range"),
            pytest.param({"days": ("2026-11-02", "2026-11-03")}, [2, 3], id="days"),
            pytest.param({"project_id": "p"}, [2, 3], id="project"),
            pytest.param({"build_id": "b"}, [3, 4], id="build"),
            pytest.param({"user_id": "u"}, [4], id="user"),
            pytest.param({"project_id": "p", "build_id": "b"}, [3], id="two-ids"),
            pytest.param({"project_id": "p", "tiers": ["action"], "days": ("2026-11-01", "2026-11-30")}, [2], id="all-together"),
            pytest.param({"project_id": "none"}, [], id="unknown-id"),
            pytest.param({"project_id": "nul\0"}, [], id="hostile-id"),
            pytest.param({"project_id": "b"}, [], id="id-of-another-name"),
            pytest.param({"states": ("expired",), "project_id": "old"}, [5], id="expired-of-a-project"),
        ],
    )
    def test_filters(self, catalog, wanted, expected):
        """
        What can't hold what is asked for isn't yielded; ids are the place's, or stand in
        the lines.
        """
        ones = [
            entry(1, day="2026-11-01", state="local"),
            entry(2, day="2026-11-02", tier="action", id="p"),
            entry(3, day="2026-11-03", tier="build", id="b", project="p"),
            entry(4, day="2026-11-04", build="b", user="u"),
            entry(5, day="2026-11-05", tier="lifecycle", id="old"),
        ]
        catalog.put(ones)
        catalog.expire([ones[4].key])

        assert keys(catalog.find(**wanted)) == [ones[n - 1].key for n in expected]

    def test_what_has_too_many_ids_has_any(self, catalog):
        """
        If it isn't known which ids stand in a segment, it may be any.
        """
        many = entry(1, lines=[line(n, n, user=f"user-{n}", project="p") for n in range(5000)])
        catalog.put([many, entry(2, user="u"), entry(3)])

        assert "userId" not in many.facts.ids
        assert keys(catalog.find(user_id="u")) == keys([many, entry(2)])
        assert list(catalog.find(project_id="other")) == []

    def test_deleted_ones_are_gone(self, catalog):
        """
        What is deleted isn't found, nor counted; deleting what isn't there is no error.
        """
        catalog.put([entry(n, project=ULID) for n in range(500)])

        catalog.delete(entry(n).key for n in range(450))
        catalog.delete(["no/such/key", entry(0).key])

        assert keys(catalog.find(project_id=ULID)) == keys(entry(n) for n in range(450, 500))
        assert sum(catalog.count_levels().values()) == 150

    def test_expired_ones_keep_their_numbers(self, catalog):
        """
        Of what was deleted by age stay numbers, times and hashes, for verification.
        """
        one = entry(1, project=ULID)._replace(frames=(5,))
        catalog.put([one, entry(2)])

        catalog.expire([one.key, "no/such/key"])

        kept = one._replace(state="expired", facts=one.facts._replace(ids={}, blocks=()), frames=())
        assert catalog.get(one.key) == kept
        assert list(catalog.find(states=("local", "shipped", "expired"))) == [kept, entry(2)]
        assert keys(catalog.find()) == [entry(2).key]
        catalog.expire([one.key])
        assert catalog.get(one.key) == kept

    def test_listing(self, catalog):
        """
        Keys, states and instances come in the order of keys, without everything else.
        """
        ones = [*(entry(n, ms=1000 - n) for n in range(300)), entry(300, state="local")]
        catalog.put(ones)
        catalog.expire([ones[0].key])

        found = list(catalog.listing())

        assert found == sorted((one.key, one.state, "web-00000000") for one in ones[1:])

    def test_days_of_a_build(self, catalog):
        """
        A build's days are those of its and its deploy's segments that are still there.
        """
        ones = [
            entry(1, tier="build", id=ULID, day="2026-11-23"),
            entry(2, tier="build", id=ULID, day="2026-11-22"),
            entry(3, tier="deploy", id=ULID, day="2026-11-24"),
            entry(4, tier="deploy", id=ULID, day="2026-11-24", state="local"),
            entry(5, tier="build", id=OTHER_ULID, day="2026-11-25"),
            entry(6, tier="action", id=ULID, day="2026-11-26"),
        ]
        catalog.put(ones)

        assert catalog.build_days(ULID) == ["2026-11-22", "2026-11-23", "2026-11-24"]

        catalog.expire([ones[1].key])
        catalog.delete([ones[0].key])

        assert catalog.build_days(ULID) == ["2026-11-24"]

    def test_last_day_of_a_project(self, catalog):
        """
        It is the last one of a segment of the project, or in which the project stands.
        """
        ones = [
            entry(1, tier="action", id=ULID, day="2026-11-22"),
            entry(2, tier="build", id=OTHER_ULID, project=ULID, day="2026-11-24"),
            entry(3, tier="lifecycle", id=ULID, day="2026-11-23"),
            entry(4, tier="action", id=OTHER_ULID, day="2026-11-25"),
        ]
        days = []
        for one in ones:
            catalog.put([one])
            days.append(catalog.last_day(ULID))

        assert days == ["2026-11-22", "2026-11-24", "2026-11-24", "2026-11-24"]

        catalog.expire([ones[1].key])

        assert catalog.last_day(ULID) == "2026-11-23"

    def test_levels_are_counted(self, catalog):
        """
        Lines are counted by tier, hour and level, of the segments that are asked for.
        """
        hour = START // HOUR * HOUR
        later = hour - START + HOUR
        catalog.put(
            [
                entry(1, lines=[line(1, 1), line(2, 2, lvl="error"), line(3, later)]),
                entry(2, tier="action", id=ULID, lines=[line(4, later + 1), line(5, later + 2)], day="2026-11-23"),
                entry(3, lines=[line(6, 3)], state="local"),
            ]
        )

        assert catalog.count_levels() == {
            ("system", hour, "info"): 2,
            ("system", hour, "error"): 1,
            ("system", hour + HOUR, "info"): 1,
            ("action", hour + HOUR, "info"): 2,
        }
        assert catalog.count_levels(tiers=["action"]) == {("action", hour + HOUR, "info"): 2}
        assert catalog.count_levels(states=["local"]) == {("system", hour, "info"): 1}
        assert catalog.count_levels(since_ms=START + later + 1) == {("action", hour + HOUR, "info"): 2}
        assert catalog.count_levels(days=("2026-11-23", "2026-11-23")) == {("action", hour + HOUR, "info"): 2}

    def test_a_lease_has_one_owner(self, catalog, clock):
        """
        It is renewed by its owner, and taken over when its time is over.
        """
        assert catalog.lease("retention", "a", 60)
        assert not catalog.lease("retention", "b", 60)
        assert catalog.lease("other", "b", 60)

        clock.advance(40)

        assert catalog.lease("retention", "a", 60)

        clock.advance(59.999)

        assert not catalog.lease("retention", "b", 60)

        clock.advance(0.001)

        assert catalog.lease("retention", "b", 60)
        assert not catalog.lease("retention", "a", 60)

    def test_a_lease_is_given_back(self, catalog):
        """
        The owner gives it back, and nobody else can.
        """
        catalog.lease("retention", "a", 60)

        catalog.release("retention", "b")
        catalog.release("unknown", "b")

        assert not catalog.lease("retention", "b", 60)

        catalog.release("retention", "a")

        assert catalog.lease("retention", "b", 60)

    def test_when_a_job_was_done(self, catalog):
        """
        The latest time is noted, for everybody, whoever has the lease.
        """
        assert catalog.done("retention") is None

        catalog.lease("retention", "a", 60)
        catalog.note_done("retention", START)
        catalog.note_done("retention", START - 1)
        catalog.note_done("other", 1)

        assert (catalog.done("retention"), catalog.done("other")) == (START, 1)
        assert not catalog.lease("retention", "b", 60)

    def test_clearing_leaves_jobs(self, catalog):
        """
        Segments and days are gone then; leases and what was done are not.
        """
        catalog.put([entry(1, tier="build", id=ULID, project=OTHER_ULID)])
        catalog.lease("retention", "a", 60)
        catalog.note_done("retention", START)

        catalog.clear()

        assert list(catalog.find()) == []
        assert (catalog.build_days(ULID), catalog.last_day(OTHER_ULID), catalog.count_levels()) == ([], None, {})
        assert (catalog.done("retention"), catalog.lease("retention", "b", 60)) == (START, False)

    def test_it_works_after_closing(self, catalog):
        """
        Closing twice is no error, and what comes later opens it again.
        """
        catalog.put([entry(1)])
        catalog.close()
        catalog.close()

        assert keys(catalog.find()) == [entry(1).key]

    def test_another_one_sees_it(self, catalog, url):
        """
        What is put is there for whoever opens it next.
        """
        catalog.put([entry(1)])

        other = Catalog(url)

        assert other.get(entry(1).key) == entry(1)
        other.close()

    def test_damaged_details_are_told_and_overwritten(self, catalog):
        """
        A row whose details can't be read is told in one line, and putting it again mends it.
        """
        catalog.put([entry(1)])
        catalog._database.write(_damage)

        with pytest.raises(CatalogError, match="no usable catalog .*rebuild"):
            catalog.get(entry(1).key)

        catalog.put([entry(1)])

        assert catalog.get(entry(1).key) == entry(1)

    def test_threads_share_it(self, catalog):
        """
        Threads put and find with the same object at once.
        """
        problems = []

        def work(first):
            try:
                for number in range(first, first + 10):
                    catalog.put([entry(number), entry(999)])
                    assert catalog.get(entry(number).key) == entry(number)
                    assert entry(number).key in keys(catalog.find())
            except BaseException as e:
                problems.append(e)

        threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 60, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert problems == []
        assert keys(catalog.find()) == keys(entry(n) for n in [*range(60), 999])

    def test_processes_put_at_once(self, catalog, url):
        """
        Several processes put different and the same entries at once: all are there, once.
        """
        children = [started(_PUTTING, url, first) for first in (0, 100, 200, 300)]

        for child in children:
            child.stdin.write(b"go\n")
            child.stdin.flush()
        ended = [finish(child) for child in children]

        assert [(one.returncode, one.err) for one in ended] == [(0, "")] * 4
        numbers = [*(first + n for first in (0, 100, 200, 300) for n in range(20)), 998, 999]
        assert list(catalog.find()) == [entry(n) for n in numbers]

    def test_one_process_wins_a_lease(self, catalog, url):
        """
        Of processes that want a job at the same moment, exactly one gets it, each time.
        """
        children = [started(_LEASING, url, owner) for owner in "abc"]
        winners = []

        for number in range(20):
            for child in children:
                child.stdin.write(b"job-%d\n" % number)
                child.stdin.flush()
            winners.append(sum(int(child.stdout.readline()) for child in children))
        ended = [finish(child) for child in children]

        assert winners == [1] * 20
        assert [(one.returncode, one.err) for one in ended] == [(0, "")] * 3

    @pytest.mark.parametrize("is_busy", [False, True])
    def test_a_forked_child_has_its_own_connections(self, catalog, is_busy):
        """
        Parent and child go on after a fork, also one in the midst of other threads' work.
        """
        catalog.put([entry(0)])
        search = catalog.find()
        is_over = threading.Event()

        def put_on():
            catalog.put([entry(500)])
            while not is_over.is_set():
                catalog.put([entry(500)])

        busy = threading.Thread(target=put_on)
        if is_busy:
            busy.start()

        # Threads and forks don't go together, and real programs have both.
        warnings.simplefilter("ignore", DeprecationWarning)
        children = [multiprocessing.get_context("fork").Process(target=_puts, args=(catalog, n)) for n in range(1, 6)]
        for child in children:
            child.start()
            catalog.put([entry(100)])
        for child in children:
            child.join()
        is_over.set()
        if is_busy:
            busy.join()

        assert [child.exitcode for child in children] == [0] * 5
        expected = [0, 1, 2, 3, 4, 5, 100, *([500] if is_busy else [])]
        assert keys(catalog.find()) == keys(search) == keys(entry(n) for n in expected)

    def test_an_older_schema_is_migrated(self, url, database, clock):
        """
        What an older version has written is read by this one, and its rows are as they
        were; of what it didn't know, the safe side is taken.
        """
        database.run_script("v1")

        catalog = Catalog(url, clock=clock.time_ns)

        first, second, third = catalog.find(states=("local", "shipped", "expired"))
        assert first == _golden(1)
        assert second == _golden(2)
        assert third == _golden(3)
        assert keys(catalog.find(project_id=ULID)) == [_golden(1).key]
        assert sum(catalog.count_levels().values()) == 5
        assert catalog.lease("retention", "a", 60)
        catalog.put([entry(4)])
        assert len(list(catalog.find())) == 3
        catalog.close()

    def test_processes_migrate_at_once(self, url, database):
        """
        Two processes that open an old catalog at the same moment both can use it.
        """
        database.run_script("v1")
        children = [started(_OPENING, url) for _ in range(3)]

        for child in children:
            child.stdin.write(b"go\n")
            child.stdin.flush()
        ended = [finish(child) for child in children]

        assert [(one.returncode, one.out, one.err) for one in ended] == [(0, "3\n", "")] * 3

    def test_processes_make_it_at_once(self, url):
        """
        Nor does it matter who of several makes the tables.
        """
        children = [started(_OPENING, url) for _ in range(4)]

        for child in children:
            child.stdin.write(b"go\n")
            child.stdin.flush()
        ended = [finish(child) for child in children]

        assert [(one.returncode, one.out, one.err) for one in ended] == [(0, "0\n", "")] * 4

    def test_a_newer_schema_is_left_alone(self, url, database):
        """
        What a newer version has made isn't touched, and the message says to upgrade.
        """
        Catalog(url).close()
        database.execute("UPDATE tierlog_meta SET value = '3' WHERE name = 'version'")

        with pytest.raises(CatalogError, match="newer tierlog .schema 3.*: upgrade tierlog"):
            Catalog(url)

        assert database.execute("SELECT value FROM tierlog_meta") == [("3",)]


def _damage(connection):
    value = {"postgresql": "'\\x0278'::bytea", "sqlite": "x'0278'"}[connection.dialect.name]
    connection.exec_driver_sql(f"UPDATE tierlog_segments SET details = {value}")


def _puts(catalog, number):
    catalog.put([entry(number)])
    assert catalog.get(entry(number).key) == entry(number)
    assert catalog.get(entry(0).key) == entry(0)


def _golden(number):
    """
    Return the entries of the golden files, as they are after the migration.
    """
    one = {
        1: lambda: entry(1, tier="action", id=ULID, user="u1"),
        2: lambda: entry(2, state="local", lines=[line(5, 2000, lvl="error"), line(6, 2500)]),
        3: lambda: entry(3, tier="build", id=OTHER_ULID, state="expired"),
    }[number]()
    held = one.facts._replace(step_back=one.facts.last_ts - one.facts.first_ts)
    if one.state == "expired":
        held = held._replace(ids={}, blocks=())
    return one._replace(facts=held, frames=())
