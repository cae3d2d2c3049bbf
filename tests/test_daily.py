"""
Retention by itself: at two, by one process of all, and without disturbing anybody.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from conftest import ULID
from tierlog._platform import lock_exclusive
from tierlog.catalog import Catalog, sqlite_url
from tierlog.errors import ConfigError, StoreError
from tierlog.facts import facts_of
from tierlog.layout import Place, parse_remote, remote_key
from tierlog.r2._daily import daily_task, last_due_ms, seconds_until
from tierlog.shipping import Destination, note_destination, object_metadata
from tierlog.stores import Put
from tierlog.testing import FakeClock, MemoryStore, event_line


HOUR_NS = 3_600 * 10**9
MORNING = datetime(2026, 3, 1, 10, tzinfo=UTC)
OLD = remote_key(Place("system", "2026-01-05", None, "web", "0" * 26))
MIDDLE = remote_key(Place("system", "2026-02-10", None, "web", "0" * 26))
YOUNG = remote_key(Place("system", "2026-02-28", None, "web", "0" * 26))


class Store(MemoryStore):
    """
    A store that counts who looks at it, and may be away.
    """

    looks = 0
    is_away = False

    def list(self, prefix="", *, after=""):
        self.looks += prefix == "system/" and after == ""
        if self.is_away:
            raise StoreError("not now", code="SlowDown", status=503)
        return super().list(prefix, after=after)


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(int(MORNING.timestamp()) * 10**9)


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    (root / ".tierlog").mkdir(parents=True)
    note_destination(root, Destination("bucket"))
    return root


@pytest.fixture(name="store")
def _store(clock):
    store = Store(clock=clock.time_ns)
    fill(store)
    return store


@pytest.fixture(name="reports")
def _reports():
    """
    Return what is said.
    """
    return []


def fill(store):
    for key in (OLD, YOUNG):
        store.put(Put(key, b"x", 1, hashlib.md5(b"x").hexdigest(), {"projects": ULID}))


def task(root, store, clock, reports=None, *, catalog=None, retention="30d", hold=(), **more):
    said = [] if reports is None else reports
    say = lambda kind, message: said.append(message)
    return daily_task(root, store, catalog, retention=retention, hold=hold, clock=clock.time_ns, say=say, **more)


def metadata(key, line):
    """
    Return what an object is put with.
    """
    return object_metadata(parse_remote(key), facts_of(io.BytesIO(line)), "")


def keys(store):
    return {one.key for one in store.list()}


def sleep(clock, task):
    """
    Let the time pass until *task* is due, and return how long that was.
    """
    pause = task.pause()
    clock.advance(pause)
    return pause


class TestWhen:
    """
    When it is due.
    """

    @pytest.mark.parametrize(
        ("now", "seconds"),
        [((2026, 3, 1, 0), 7_200), ((2026, 3, 1, 1, 59, 59), 1), ((2026, 3, 1, 2), 86_400), ((2026, 3, 1, 23), 10_800)],
    )
    def test_seconds_until(self, now, seconds):
        """
        It is two o'clock UTC next within a day, and never now.
        """
        assert seconds_until(2, int(datetime(*now, tzinfo=UTC).timestamp()) * 10**9) == seconds

    @pytest.mark.parametrize(
        ("now", "day"), [((2026, 3, 1, 1, 59, 59), 28), ((2026, 3, 1, 2), 1), ((2026, 3, 1, 23), 1), ((2026, 3, 2, 1), 1)]
    )
    def test_last_due(self, now, day):
        """
        It was two o'clock last today, or yesterday.
        """
        due = datetime.fromtimestamp(last_due_ms(2, int(datetime(*now, tzinfo=UTC).timestamp()) * 10**9) / 1000, UTC)

        assert (due.day, due.hour, due.minute, due.second) == (day, 2, 0, 0)

    def test_a_minute_after_the_start_and_then_at_two(self, root, store, clock):
        """
        A process that wasn't there at two does what wasn't done, and the next is at two.
        """
        daily = task(root, store, clock)

        first = sleep(clock, daily)
        daily.run()
        second = sleep(clock, daily)

        assert (first, second) == (60.0, 16 * 3_600 - 60.0)
        assert datetime.fromtimestamp(clock.time_ns() / 1e9, UTC).hour == 2

    @pytest.mark.parametrize(
        ("options", "setting"), [({"retention": {"biuld": "1d"}}, "biuld"), ({"hold": ["a/b"]}, "sink.hold")]
    )
    def test_what_cannot_work_is_told_at_once(self, root, store, clock, options, setting):
        """
        A wrong setting is an error when the process begins, and not at night.
        """
        with pytest.raises(ConfigError, match=setting):
            task(root, store, clock, **options)


@pytest.mark.parametrize("catalog", [None, False])
class TestOnce:
    """
    Of all processes, one does it, once a day.
    """

    def test_it_deletes_what_is_old(self, root, store, clock, catalog, reports):
        """
        What is old is gone, what is young is not, and it is said in one line.
        """
        task(root, store, clock, reports, catalog=catalog).run()

        assert keys(store) == {YOUNG}
        assert reports == ["retention: deleted 1 segment, 1 bytes"]

    def test_nothing_is_said_if_nothing_is_deleted(self, root, store, clock, catalog, reports):
        """
        A day without work is no news.
        """
        store.delete(OLD)

        task(root, store, clock, reports, catalog=catalog).run()

        assert reports == []

    def test_only_one_process_looks(self, root, store, clock, catalog):
        """
        The others see that it was done, whenever they begin.
        """
        ones = [task(root, store, clock, catalog=catalog) for _ in range(3)]
        for one in ones:
            one.run()
        clock.advance(3_600 * 15.5)
        task(root, store, clock, catalog=catalog).run()

        assert store.looks == 2  # for the newest, and for the old

    def test_the_next_day_it_is_done_again(self, root, store, clock, catalog):
        """
        Two o'clock makes it due again, for one of them.
        """
        ones = [task(root, store, clock, catalog=catalog) for _ in range(2)]
        ones[0].run()
        fill_again = Put(OLD, b"x", 1, hashlib.md5(b"x").hexdigest(), {})
        store.put(fill_again)
        looks = store.looks
        clock.advance(seconds_until(2, clock.time_ns()))

        for one in ones:
            one.run()

        assert keys(store) == {YOUNG}
        assert store.looks - looks == 2

    def test_a_store_that_is_away_is_tried_again_in_an_hour(self, root, store, clock, catalog, reports):
        """
        It isn't done until it is done, by whichever process.
        """
        daily = task(root, store, clock, reports, catalog=catalog)
        daily.pause()
        store.is_away = True
        daily.run()
        pause = daily.pause()
        store.is_away = False

        task(root, store, clock, reports, catalog=catalog).run()

        assert pause == 3_600.0
        assert keys(store) == {YOUNG}
        assert "not now" in reports[0]

    def test_holds_are_kept(self, root, store, clock, catalog):
        """
        Nothing of a held project goes.
        """
        task(root, store, clock, catalog=catalog, hold=[ULID]).run()

        assert keys(store) == {OLD, YOUNG}

    def test_what_was_done_in_the_future_was_not_done(self, root, store, clock, catalog):
        """
        A machine whose clock was a year ahead doesn't stop retention for a year.
        """
        ahead = FakeClock(clock.time_ns() + 365 * 24 * HOUR_NS)
        task(root, Store(clock=ahead.time_ns), ahead, catalog=catalog).run()

        task(root, store, clock, catalog=catalog).run()

        assert keys(store) == {YOUNG}


class TestCatalog:
    """
    The lease in the catalog.
    """

    def test_whoever_has_the_lease_does_it(self, root, store, clock):
        """
        As long as another process is at it, this one looks again in an hour; if that one
        was killed, it does it then.
        """
        catalog = Catalog(sqlite_url(root))
        catalog.lease("retention", "somebody", 900.0)
        daily = task(root, store, clock)
        daily.pause()
        daily.run()
        before, pause = keys(store), daily.pause()

        catalog.release("retention", "somebody")
        daily.run()
        after = keys(store)
        catalog.close()

        assert (before, pause, after) == ({OLD, YOUNG}, 3_600.0, {YOUNG})

    def test_the_lease_is_given_back(self, root, store, clock):
        """
        Nobody waits for the time to be over.
        """
        task(root, store, clock).run()
        catalog = Catalog(sqlite_url(root))

        assert catalog.lease("retention", "somebody", 1.0)
        catalog.close()

    def test_a_catalog_that_cannot_be_opened_is_told_once(self, root, store, clock, reports):
        """
        Nothing is deleted by who can't ask, every hour; and then it goes on.
        """
        path = root / ".tierlog" / "catalog.sqlite"
        path.write_bytes(b"no database" * 1_000)
        daily = task(root, store, clock, reports)
        daily.pause()
        daily.run()
        daily.run()
        told, before, pause = list(reports), keys(store), daily.pause()

        path.unlink()
        daily.run()

        assert len(told) == 1
        assert "hourly" in told[0]
        assert (before, pause, keys(store)) == ({OLD, YOUNG}, 3_600.0, {YOUNG})

    def test_the_lease_is_renewed(self, root, store, clock):
        """
        Whoever looks through a large bucket keeps the lease all the time.
        """
        path = root / ".tierlog" / "catalog.sqlite"
        owners = []

        class Slow(Store):
            def list(self, prefix="", *, after=""):
                with closing(sqlite3.connect(path)) as database, database:
                    owners.append(database.execute("SELECT owner FROM tierlog_jobs").fetchone()[0])
                    database.execute("UPDATE tierlog_jobs SET owner = NULL")
                clock.advance(121.0)
                return super().list(prefix, after=after)

        slow = Slow(clock=clock.time_ns)
        fill(slow)
        task(root, slow, clock).run()

        assert owners[0] is not None
        assert owners[0] in owners[2:]

    def test_what_is_wrong_is_said(self, root, store, clock, reports):
        """
        The first problem, how many more there are, and what the clock has spared.
        """

        class Stubborn(Store):
            def delete(self, key):
                raise StoreError("no", code="AccessDenied", status=403)

        stubborn = Stubborn(clock=clock.time_ns)
        fill(stubborn)
        for day in ("2026-01-06", "2026-02-01"):
            other = remote_key(Place("system", day, None, "web", "0" * 26))
            stubborn.put(Put(other, b"x", 1, hashlib.md5(b"x").hexdigest(), {}))
        clock.advance(7 * 86_400)

        task(root, stubborn, clock, reports).run()

        assert reports[0] == f"retention: {OLD}: no (1 more)"
        assert "this machine's clock may be ahead" in reports[1]


class TestRoot:
    """
    The lock in the root.
    """

    @pytest.mark.parametrize(("catalog", "left"), [(False, {OLD, YOUNG}), (None, {YOUNG})])
    def test_somebody_else_has_it(self, root, store, clock, catalog, left):
        """
        What goes by the root's lock is left to whoever has it.
        """
        fd = os.open(root / ".tierlog" / "retention.lock", os.O_RDWR | os.O_CREAT)
        assert lock_exclusive(fd)

        task(root, store, clock, catalog=catalog).run()
        os.close(fd)

        assert keys(store) == left

    def test_a_damaged_note_is_no_note(self, root, store, clock):
        """
        Whatever stands in the lock's file, it is done.
        """
        (root / ".tierlog" / "retention.lock").write_bytes(b"\xff\x00nonsense")

        task(root, store, clock, catalog=False).run()

        assert keys(store) == {YOUNG}

    def test_empty_folders_of_the_root_go(self, root, store, clock):
        """
        The local side is cleaned up with it.
        """
        (root / "system" / "2026-01-05").mkdir(parents=True)

        task(root, store, clock).run()

        assert not (root / "system" / "2026-01-05").exists()


class TestCompaction:
    """
    What is old enough is compressed on the same occasion, where that is asked for.
    """

    @pytest.mark.parametrize("catalog", [None, False], ids=["catalog", "no-catalog"])
    def test_what_is_left_and_old_is_compressed(self, root, clock, catalog):
        """
        After the retention, objects that are old enough have the form of Zstandard; younger ones stay.
        """
        store = MemoryStore(clock=clock.time_ns)
        line, _ = event_line()
        for key in (OLD, MIDDLE, YOUNG):
            store.put(Put(key, line, len(line), hashlib.md5(line).hexdigest(), metadata(key, line)))
        daily = task(root, store, clock, catalog=catalog, compact_after=7 * 86_400.0)

        sleep(clock, daily)
        daily.run()

        assert keys(store) == {f"{MIDDLE}.zst", YOUNG}

    def test_it_is_not_by_itself(self, root, store, clock):
        """
        Unless it is asked for nothing is compressed.
        """
        daily = task(root, store, clock)

        sleep(clock, daily)
        daily.run()

        assert keys(store) == {YOUNG}
