"""
Retention: what is old goes, and everything else stays, whatever lies in the way.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from children import finish, run, start
from conftest import OTHER_ULID, ULID
from tierlog.catalog import Catalog, Entry, sqlite_url
from tierlog.errors import ConfigError, StoreError
from tierlog.facts import facts_of
from tierlog.kinds import TIERS
from tierlog.layout import Place, local_path, parse_remote, remote_key
from tierlog.retention import Amount, cleanup, gone_before, parse_hold, parse_retention
from tierlog.retention._limits import Limits
from tierlog.segments import Journal, recover_segments
from tierlog.shipping import Destination, note_destination, object_metadata
from tierlog.stores import Put
from tierlog.testing import FakeClock, MemoryStore, event_line


DAY = 86_400.0
OLD, LAST_OLD, FIRST_YOUNG, YOUNG = "2026-01-05", "2026-01-29", "2026-01-30", "2026-02-28"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = ("web-00000000", f"01J{'0' * 23}")
IDS = {"system": {}, "build": {"build_id": ULID}, "deploy": {"build_id": ULID}, "action": {}, "lifecycle": {}}


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(int(NOW.timestamp()) * 10**9)


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    (root / ".tierlog" / "open").mkdir(parents=True)
    return root


@pytest.fixture(name="store")
def _store(clock):
    store = MemoryStore(clock=clock.time_ns)
    add(store, place("system", YOUNG, "9"))  # logging goes on
    return store


@pytest.fixture(name="catalog")
def _catalog(root):
    catalog = Catalog(sqlite_url(root))
    yield catalog
    catalog.close()


def place(tier="system", day=OLD, number="0", *, of=ULID, **options):
    """
    Return the place of a segment.
    """
    return Place(tier, day, None if tier == "system" else of, NAME[0], f"01J{number:0>23}", **options)


def ms_of(day):
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000 + 1


def lines(one, *projects):
    """
    Return the content of a segment, a line for each of the projects.
    """
    ids = {"build_id": one.id} if one.tier in {"build", "deploy"} else {}
    return b"".join(
        event_line(seq=n, ms=ms_of(one.day or OLD), tier=one.tier, project_id=project or one.id, **ids)[0]
        for n, project in enumerate(projects or [None])
    )


def write(root, one, *projects, content=None):
    """
    Make a finished segment, and return its path.
    """
    path = root / local_path(one)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if content is not None else lines(one, *projects))
    return path


def add(store, one, *projects, catalog=None, metadata=None, prev=""):
    """
    Store a segment, and return its key.
    """
    body = lines(one, *projects)
    facts = facts_of(io.BytesIO(body))
    key = remote_key(one)
    given = object_metadata(one, facts, prev) if metadata is None else metadata
    etag = store.put(Put(key, body, len(body), hashlib.md5(body).hexdigest(), given))
    if catalog is not None:
        catalog.put([Entry(key, one, "shipped", len(body), etag, prev, facts)])
    return key


def keys(store):
    return {one.key for one in store.list()}


def files(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and ".tierlog" not in path.parts}


def clean(root, store, clock, *, retention="30d", **options):
    return cleanup(root, store, retention=retention, clock=clock.time_ns, **options)


class TestParse:
    """
    What may be said, and how errors tell what may.
    """

    def test_one_time_is_for_all_tiers(self):
        """
        A text or a number of seconds goes for every tier.
        """
        assert parse_retention("r", "2d") == parse_retention("r", 172_800) == dict.fromkeys(TIERS, 172_800.0)

    @pytest.mark.parametrize("forever", [None, "forever", "none", " Forever "])
    def test_for_ever(self, forever):
        """
        None, and the word in a text, keep everything.
        """
        assert parse_retention("r", forever) == dict.fromkeys(TIERS)

    @pytest.mark.parametrize(
        "given", [{"build": "14d", "system": None, "default": "90d"}, "build=14d, system=forever,default=90d"]
    )
    def test_each_tier_has_its_own(self, given):
        """
        A mapping names tiers, and what the others have; a text may stand for it.
        """
        rest = dict.fromkeys(("deploy", "action", "lifecycle"), 90 * DAY)

        assert parse_retention("r", given) == {"build": 14 * DAY, "system": None, **rest}

    def test_tiers_that_are_not_named_have_the_ordinary_time(self):
        """
        To say something of one tier changes none of the others.
        """
        assert parse_retention("r", {"build": "14d"})["system"] == 30 * DAY

    def test_what_was_parsed_may_be_parsed_again(self):
        """
        The result is a retention, too.
        """
        once = parse_retention("r", {"build": "14d", "system": None})

        assert parse_retention("r", once) == once

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"biuld": "14d"}, ["sink.retention.biuld", "'build'"]),
            ({"default": 5}, ["sink.retention.default", "3600"]),
            ({"build": "soon"}, ["sink.retention.build", "soon"]),
            ("59m", ["sink.retention", "3600"]),
            (-1, ["sink.retention"]),
            (True, ["sink.retention"]),
            (["30d"], ["sink.retention"]),
            ({7: "30d"}, ["sink.retention.7"]),
        ],
    )
    def test_what_cannot_work_is_named(self, given, words):
        """
        An error says which setting it is, and the nearest tier or the least time.
        """
        with pytest.raises(ConfigError) as e:
            parse_retention("sink.retention", given)

        assert all(word in str(e.value) for word in words)

    def test_a_hold_is_a_list_of_ids(self):
        """
        It may be written as one text.
        """
        assert parse_hold("h", f"{ULID}, shop") == parse_hold("h", [ULID, "shop"]) == {ULID, "shop"}
        assert parse_hold("h", ()) == parse_hold("h", "") == set()

    @pytest.mark.parametrize("given", [["a/b"], [""], [7], {"a": 1}, 7, None, "a;b"])
    def test_a_hold_that_can_hold_nothing_is_refused(self, given):
        """
        A typing error must not delete what a court wants to see.
        """
        with pytest.raises(ConfigError, match=r"sink\.hold"):
            parse_hold("sink.hold", given)


class TestLimits:
    """
    What is old.
    """

    def test_the_whole_day_must_be_old(self):
        """
        A day is old from the time on at which its last millisecond is.
        """
        end = ms_of("2026-01-31") - 1 + int(DAY) * 1000
        kept = dict.fromkeys(TIERS, 30 * DAY)

        assert Limits(kept, end + 30 * 86_400_000).is_old("system", "2026-01-31")
        assert not Limits(kept, end + 30 * 86_400_000 - 1).is_old("system", "2026-01-31")

    @pytest.mark.parametrize("day", [None, "2026-02-31"])
    def test_what_has_no_date_is_never_old(self, day):
        """
        A day that isn't known, or isn't one, never goes.
        """
        assert not Limits(dict.fromkeys(TIERS, 3600.0), 10**14).is_old("system", day)

    @given(st.dates(datetime(1971, 1, 1).date(), datetime(2100, 1, 1).date()), st.integers(0, 10**13), st.integers(3600, 10**9))
    def test_nothing_goes_before_its_time(self, day, now, kept):
        """
        Whatever is old was logged at least so long ago.
        """
        logged_last = ms_of(day.isoformat()) - 2 + 86_400_000

        if Limits(dict.fromkeys(TIERS, float(kept)), now).is_old("build", day.isoformat()):
            assert now - logged_last > kept * 1000


class TestLocal:
    """
    A root that doesn't ship.
    """

    @pytest.mark.parametrize("packing", [None, "gz", "zst"])
    @pytest.mark.parametrize("tier", TIERS)
    def test_old_goes_and_young_stays(self, root, clock, tier, packing):
        """
        In every tier and packing, what is older than thirty days goes, by its path.
        """
        old = write(root, place(tier, LAST_OLD, packing=packing))
        young = write(root, place(tier, FIRST_YOUNG, packing=packing))

        cleaned = clean(root, None, clock)

        assert files(root) == {local_path(place(tier, FIRST_YOUNG, packing=packing))}
        assert not old.exists()
        assert cleaned.amount("deleted", side="local", tier=tier) == (1, young.stat().st_size)
        assert cleaned.amount("kept", side="local", tier=tier) == (1, young.stat().st_size)

    def test_a_root_without_a_journal(self, root, clock):
        """
        A root whose folder of open segments isn't there is cleaned up as well.
        """
        (root / ".tierlog" / "open").rmdir()
        write(root, place())

        assert clean(root, None, clock).amount("deleted").segments == 1

    def test_the_one_file_of_a_build_goes_too(self, root, clock):
        """
        A build's file that nobody claimed is a finished segment.
        """
        write(root, Place("build", OLD, ULID))

        clean(root, None, clock)

        assert files(root) == set()

    def test_each_tier_has_its_own_time(self, root, clock):
        """
        Some go, some stay longer, some for ever.
        """
        for tier in TIERS:
            write(root, place(tier, OLD))

        clean(root, None, clock, retention={"build": "14d", "deploy": "90d", "default": None})

        assert {path.partition("/")[0] for path in files(root)} == {"deploys", "system", "projects", "lifecycle"}

    def test_a_dry_run_counts_and_deletes_nothing(self, root, clock):
        """
        It says the same as the real run after it, and leaves everything as it was.
        """
        write(root, place())
        write(root, place(day=YOUNG))
        before = files(root)

        dry = clean(root, None, clock, dry_run=True)

        assert files(root) == before
        assert gone_before(root) is None
        assert dry.as_dict() == clean(root, None, clock).as_dict()
        assert dry.amount("deleted") == Amount(1, len(lines(place())))

    def test_empty_folders_go_with_their_day(self, root, clock):
        """
        Folders of days and ids that became empty go; those of tiers, young days and
        with something else in them stay.
        """
        write(root, place("action"))
        write(root, place("build"))
        (root / "builds" / OLD / "notes.txt").write_text("mine")
        (root / "system" / LAST_OLD).mkdir(parents=True)
        (root / "system" / YOUNG).mkdir()
        (root / "system" / "mine").mkdir()

        clean(root, None, clock)

        folders = {
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir() and ".tierlog" not in path.parts
        }
        assert folders == {"projects", "builds", f"builds/{OLD}", "system", f"system/{YOUNG}", "system/mine"}

    def test_what_is_not_ours_stays(self, root, clock):
        """
        Other names, other folders, days that aren't, and quarantine are left alone.
        """
        strange = [
            f"system/{OLD}/notes.txt",
            f"system/{OLD}/web.ndjson",
            f"system/{OLD}/{NAME[0]}-{NAME[1]}.ndjson.bak",
            f"system/{OLD}/deep/{NAME[0]}-{NAME[1]}.ndjson",
            f"system/2026-02-31/{NAME[0]}-{NAME[1]}.ndjson",
            f"builds/{OLD}/{ULID}/deep/{NAME[0]}-{NAME[1]}.ndjson",
            f"other/{OLD}/{NAME[0]}-{NAME[1]}.ndjson",
            f"quarantine/system~{OLD}~{NAME[0]}-{NAME[1]}.ndjson.0.00000000.torn",
            f"{NAME[0]}-{NAME[1]}.ndjson",
        ]
        for path in strange:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"x")

        clean(root, None, clock)

        assert files(root) == set(strange)

    def test_what_is_no_file_stays(self, root, clock):
        """
        A folder or a pipe under the name of a segment isn't one.
        """
        folder = root / local_path(place())
        folder.mkdir(parents=True)
        pipe = root / local_path(place(number="1"))
        os.mkfifo(pipe)

        cleaned = clean(root, None, clock)

        assert folder.is_dir()
        assert pipe.is_fifo()
        assert cleaned.amount("deleted") == (0, 0)

    def test_no_link_is_followed(self, root, clock, tmp_path):
        """
        Links in the place of tiers, days, ids and files lead nowhere, and stay.
        """
        outside = tmp_path / "outside"
        theirs = [
            write(outside, place()),
            write(outside, place("build")),
            write(outside, place("action")),
            write(outside, place("lifecycle")),
        ]
        (root / "system").symlink_to(outside / "system")
        (root / "builds").mkdir()
        (root / "builds" / OLD).symlink_to(outside / "builds" / OLD)
        (root / "projects" / OLD).mkdir(parents=True)
        (root / "projects" / OLD / ULID).symlink_to(outside / "projects" / OLD / ULID)
        (root / "lifecycle" / OLD / ULID).mkdir(parents=True)
        (root / local_path(place("lifecycle"))).symlink_to(theirs[3])

        cleaned = clean(root, None, clock)

        assert all(path.exists() for path in theirs)
        assert [
            path.is_symlink() for path in (root / "system", root / "builds" / OLD, root / local_path(place("lifecycle")))
        ] == [True] * 3
        assert (cleaned.amount("deleted"), cleaned.problems) == ((0, 0), [])

    def test_the_root_itself_may_be_a_link(self, root, clock, tmp_path):
        """
        Where the root is, is its owner's choice.
        """
        write(root, place())
        (tmp_path / "link").symlink_to(root)

        assert clean(tmp_path / "link", None, clock).amount("deleted").segments == 1
        assert files(root) == set()

    def test_open_segments_stay(self, root, clock):
        """
        What isn't finished is nobody's to delete, whoever has left it.
        """
        write(root, place())
        Journal(root).note(place())

        cleaned = clean(root, None, clock)

        assert files(root) == {local_path(place())}
        assert cleaned.amount("kept").segments == 1

    def test_a_segment_that_is_opened_meanwhile_stays(self, root, clock):
        """
        A build's file that a process goes on with, while this one is at another, is open.
        """
        write(root, place())
        build = Place("build", OLD, ULID)
        write(root, build)

        cleaned = clean(root, None, clock, progress=lambda _: Journal(root).note(build))

        assert files(root) == {local_path(build)}
        assert cleaned.amount("deleted").segments == 1

    def test_a_live_process_keeps_its_segments(self, root, clock):
        """
        What a process writes stays, as it does when that is killed, until it is recovered.
        """
        program = """
            import logging, sys, time
            from tierlog.handler import TierHandler
            ms = 1_767_600_000_000  # in January
            handler = TierHandler(sink={"type": "segments", "root": sys.argv[1]}, instance_name="web", clock=lambda: ms * 10**6)
            record = logging.LogRecord("app", logging.INFO, "app.py", 1, "hello", (), None)
            record.created = ms / 1000
            handler.handle(record)
            handler.flush()
            print("ready", flush=True)
            time.sleep(60)
        """
        child = start(program, root)
        child.stdout.readline()
        before = files(root)

        while_it_lives = clean(root, None, clock).amount("deleted").segments
        child.kill()
        finish(child)
        when_it_is_dead = clean(root, None, clock).amount("deleted").segments
        recover_segments(root)
        at_last = clean(root, None, clock).amount("deleted").segments

        assert len(before) == 1
        assert (while_it_lives, when_it_is_dead, at_last) == (0, 0, 1)
        assert files(root) == set()

    def test_a_locked_segment_stays(self, root, clock):
        """
        A finished file that somebody has locked is being packed, claimed or read.
        """
        with open(write(root, place()), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)

            assert clean(root, None, clock).amount("kept").segments == 1
        assert clean(root, None, clock).amount("deleted").segments == 1

    def test_until_when_things_are_gone_is_noted(self, root, clock):
        """
        Whoever misses a number can tell that it may have gone by age.
        """
        write(root, place(day=LAST_OLD))
        write(root, place("build", OLD))

        clean(root, None, clock)

        assert gone_before(root) == ms_of(FIRST_YOUNG) - 1

    def test_a_folder_that_is_no_root_is_refused(self, tmp_path, clock):
        """
        Nothing is deleted where nobody ever logged to.
        """
        path = write(tmp_path, place())

        with pytest.raises(ConfigError, match="no folder .tierlog"):
            clean(tmp_path, None, clock)

        assert path.exists()

    @pytest.mark.parametrize(
        ("folder", "mode", "problem"),
        [
            (".", 0o311, ".: Permission denied"),
            ("system", 0o000, "system: Permission denied"),
            (".tierlog", 0o555, f"{local_path(place())}: Permission denied"),
            (f"system/{OLD}", 0o555, f"{local_path(place())}: Permission denied"),
        ],
    )
    def test_what_cannot_be_deleted_is_told(self, root, clock, folder, mode, problem):
        """
        Each folder and file that we aren't let is a problem, and no reason to stop.
        """
        write(root, place())
        (root / "lifecycle").mkdir()
        for path in (root, *root.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        (root / folder).chmod(mode)
        program = """
            import os, sys
            from pathlib import Path
            from tierlog.retention import cleanup
            if os.geteuid() == 0:
                os.setuid(65534)  # root is let do anything
            cleaned = cleanup(Path("."), None, retention="30d", clock=lambda: int(sys.argv[1]))
            print(cleaned.problem_count, *cleaned.problems)
        """

        ended = run(program, clock.time_ns(), cwd=root)
        (root / folder).chmod(0o777)

        assert ended.out == f"1 {problem}\n"
        assert files(root) == {local_path(place())}

    def test_killed_and_run_again(self, root, clock):
        """
        Killed between any two segments, the next run does the rest.
        """
        for number in range(20):
            write(root, place(day=OLD if number % 2 else LAST_OLD, number=str(number)))
        write(root, place(day=YOUNG))
        program = """
            import os, signal, sys
            from pathlib import Path
            from tierlog.retention import cleanup
            def die(looked):
                if looked == 7:
                    os.kill(os.getpid(), signal.SIGKILL)
            cleanup(Path(sys.argv[1]), None, retention="30d", clock=lambda: int(sys.argv[2]), progress=die)
        """

        ended = run(program, root, clock.time_ns())
        left = len(files(root))
        clean(root, None, clock)

        assert ended.returncode == -signal.SIGKILL
        assert left == 14
        assert files(root) == {local_path(place(day=YOUNG))}

    def test_the_catalog_is_told_of_local_segments(self, root, clock, catalog):
        """
        A row of a segment that stays on the disk becomes one of a segment that went.
        """
        path = write(root, place())
        facts = facts_of(io.BytesIO(path.read_bytes()))
        catalog.put([Entry(local_path(place()), place(), "local", facts.size, "", "", facts)])

        clean(root, None, clock, catalog=catalog)

        assert catalog.get(local_path(place())).state == "expired"


class TestRootThatShips:
    """
    A root whose segments wait to be shipped.
    """

    @pytest.mark.parametrize("packing", [None, "gz"])
    def test_nothing_is_deleted(self, root, clock, packing):
        """
        What isn't shipped stays, however old it is.
        """
        note_destination(root, Destination("bucket"))
        write(root, place(packing=packing))
        write(root, place(number="1"))
        Journal(root).note(place(number="1"))

        cleaned = clean(root, None, clock)

        assert len(files(root)) == 2
        assert (cleaned.amount("waiting").segments, cleaned.amount("kept").segments) == (1, 1)

    def test_nothing_is_deleted_if_the_note_is_damaged(self, root, clock):
        """
        A root that ships to nobody knows where keeps everything.
        """
        note_destination(root, Destination("bucket"))
        (root / ".tierlog" / "ships").write_bytes(b"{")
        write(root, place())

        assert clean(root, None, clock).amount("waiting").segments == 1

    def test_empty_folders_go(self, root, clock):
        """
        The folders of old days, whose segments were shipped long ago, don't pile up.
        """
        note_destination(root, Destination("bucket"))
        (root / "builds" / OLD / ULID).mkdir(parents=True)
        (root / "system" / YOUNG).mkdir(parents=True)

        clean(root, None, clock)

        assert sorted(path.name for path in root.glob("*/*") if path.parent.name != ".tierlog") == [YOUNG]


class TestRemote:
    """
    A store.
    """

    @pytest.mark.parametrize("tier", ["system", "action", "lifecycle"])
    def test_old_goes_by_the_date_in_the_key(self, store, clock, tier):
        """
        What was stored today goes if its day is old, and what is young stays.
        """
        add(store, place(tier, LAST_OLD))
        young = add(store, place(tier, FIRST_YOUNG))

        cleaned = clean(None, store, clock)

        assert keys(store) == {young, remote_key(place(day=YOUNG, number="9"))}
        assert cleaned.amount("deleted", side="remote", tier=tier).segments == 1

    @pytest.mark.parametrize("tier", ["build", "deploy"])
    def test_builds_go_by_the_objects_own_date(self, store, clock, tier):
        """
        Without a catalog, a build's object goes when the day of its upload is old.
        """
        clock.advance(-40 * DAY)
        old = add(store, place(tier, None))
        clock.advance(40 * DAY)
        young = add(store, place(tier, None, "1"))

        clean(None, store, clock)

        assert old not in keys(store)
        assert young in keys(store)

    def test_builds_go_by_the_day_in_the_catalog(self, store, clock, catalog):
        """
        What waited for weeks to be shipped goes when what it says is old.
        """
        late = add(store, place("build", OLD), catalog=catalog)
        young = add(store, place("build", YOUNG, "1"), catalog=catalog)

        clean(None, store, clock, catalog=catalog)

        assert late not in keys(store)
        assert young in keys(store)
        assert (catalog.get(late).state, catalog.get(young).state) == ("expired", "shipped")

    def test_foreign_keys_stay(self, store, clock):
        """
        An object that isn't a segment's is never touched.
        """
        strange = [
            "system/2020/01/01/notes.txt",
            "builds/notes",
            "other/2020",
            f"{remote_key(place())}.bak",
            "system/2020/02/31/a",
        ]
        for key in strange:
            store.put(Put(key, b"x", 1, hashlib.md5(b"x").hexdigest(), {}))

        clean(None, store, clock)

        assert keys(store) >= set(strange)

    def test_checkpoints_go_by_their_date_too(self, store, clock):
        """
        The beginning of a segment that never came to its end is as old as its day.
        """
        body = lines(place())
        facts = facts_of(io.BytesIO(body))
        metadata = object_metadata(place(), facts, "", is_open=True)
        store.put(Put(remote_key(place()), body, len(body), facts.md5, metadata))

        assert clean(None, store, clock).amount("deleted").segments == 1

    def test_a_dry_run_deletes_nothing(self, store, clock, catalog):
        """
        It counts what would go, and tells the catalog nothing.
        """
        key = add(store, place(), catalog=catalog)
        gone = add(store, place(number="1"), catalog=catalog)
        store.delete(gone)

        cleaned = clean(None, store, clock, catalog=catalog, dry_run=True)

        assert key in keys(store)
        assert cleaned.amount("deleted").segments == 1
        assert {catalog.get(one).state for one in (key, gone)} == {"shipped"}

    @pytest.mark.parametrize("connections", [1, 8])
    def test_many_go(self, store, clock, catalog, connections):
        """
        More than are deleted at a time, and the catalog knows of each.
        """
        old = [add(store, place(number=str(n)), catalog=catalog) for n in range(300)]

        cleaned = clean(None, store, clock, catalog=catalog, connections=connections)

        assert cleaned.amount("deleted").segments == 300
        assert keys(store) == {remote_key(place(day=YOUNG, number="9"))}
        assert {catalog.get(key).state for key in old} == {"expired"}

    def test_killed_before_the_catalog_was_told(self, store, clock, catalog):
        """
        The next run tells it of what the killed one deleted, and of nothing else.
        """

        class Killed(BaseException):
            pass

        class Dying:
            find = catalog.find

            def expire(self, keys):
                raise Killed

        old = add(store, place(), catalog=catalog)
        young = add(store, place(day=YOUNG), catalog=catalog)
        with pytest.raises(Killed):
            clean(None, store, clock, catalog=Dying())
        between = catalog.get(old).state

        clean(None, store, clock, catalog=catalog)

        assert old not in keys(store)
        assert (between, catalog.get(old).state, catalog.get(young).state) == ("shipped", "expired", "shipped")

    def test_what_the_bucket_deleted_by_itself_is_told(self, store, clock, catalog):
        """
        Old rows without an object expire; a young one is a loss, and nobody hides it.
        """
        old = add(store, place(), catalog=catalog)
        young = add(store, place(day=FIRST_YOUNG), catalog=catalog)
        store.delete(old)
        store.delete(young)

        clean(None, store, clock, catalog=catalog)

        assert (catalog.get(old).state, catalog.get(young).state) == ("expired", "shipped")

    def test_a_broken_catalog_stops_nothing(self, store, clock, catalog, root):
        """
        Everything goes without it, and it is one problem.
        """
        add(store, place(), catalog=catalog)
        add(store, place("action"), catalog=catalog)
        with sqlite3.connect(root / ".tierlog" / "catalog.sqlite") as broken:
            broken.execute("DROP TABLE tierlog_segments")
        broken.close()

        cleaned = clean(None, store, clock, catalog=catalog)

        assert cleaned.amount("deleted").segments == 2
        assert cleaned.problem_count == 1
        assert cleaned.problems[0].startswith("the catalog: ")


class Faulty(MemoryStore):
    """
    A store that fails when it is told to.
    """

    def __init__(self, *args, delete=(), listing=False, **options):
        super().__init__(*args, **options)
        self.fails, self.is_unlistable, self.asked = delete, listing, 0

    def delete(self, key):
        self.asked += 1
        if self.fails == "all" or key in self.fails:
            raise StoreError("not now", code="SlowDown", status=503)
        super().delete(key)

    def list(self, prefix="", *, after=""):
        if self.is_unlistable:
            raise StoreError("not now", code="SlowDown", status=503)
        return super().list(prefix, after=after)


class TestStoreThatFails:
    """
    What can't be deleted now is deleted by the next run.
    """

    def test_one_object_is_one_problem(self, clock):
        """
        The others go, and the next run does it.
        """
        store = Faulty(clock=clock.time_ns)
        for number in range(5):
            add(store, place(number=str(number)))
        store.fails = {remote_key(place(number="2"))}

        cleaned = clean(None, store, clock)
        store.fails = ()

        assert (cleaned.problem_count, cleaned.is_complete, len(keys(store))) == (1, True, 1)
        assert cleaned.amount("deleted", side="remote") == (4, 4 * len(lines(place())))
        assert clean(None, store, clock).problem_count == 0
        assert keys(store) == set()

    def test_a_store_that_deletes_nothing_is_left_alone(self, clock):
        """
        After a few failures in a row it isn't asked any more.
        """
        store = Faulty(clock=clock.time_ns)
        for number in range(300):
            add(store, place(number=str(number)))
        store.fails = "all"

        cleaned = clean(None, store, clock)

        assert not cleaned.is_complete
        assert store.asked < 10
        assert "not now" in cleaned.problems[-1]

    def test_a_store_that_is_away_keeps_nobody_from_the_disk(self, clock, root):
        """
        The local side is cleaned up all the same.
        """
        write(root, place())

        cleaned = clean(root, Faulty(clock=clock.time_ns, listing=True), clock)

        assert not cleaned.is_complete
        assert (cleaned.problem_count, files(root)) == (1, set())


class TestHold:
    """
    Projects of which nothing is deleted.
    """

    @pytest.mark.parametrize("tier", ["action", "lifecycle"])
    def test_by_the_project_in_the_path(self, root, store, clock, tier):
        """
        The folder says whose it is, here and there.
        """
        for of in (ULID, OTHER_ULID):
            write(root, place(tier, of=of))
            add(store, place(tier, of=of))

        cleaned = clean(root, store, clock, hold=[ULID])

        assert files(root) == {local_path(place(tier))}
        assert keys(store) >= {remote_key(place(tier))}
        assert [cleaned.amount("held", side=side).segments for side in ("local", "remote")] == [1, 1]
        assert cleaned.amount("deleted").segments == 2

    @pytest.mark.parametrize("packing", [None, "gz"])
    @pytest.mark.parametrize("tier", ["system", "build"])
    def test_by_what_is_in_the_file(self, root, clock, tier, packing):
        """
        A segment in which one line is of the project stays, and those without go.
        """
        named = [place(tier, number=str(n), packing=packing) for n in range(3)]
        for one, projects in zip(named, [(None, ULID), (OTHER_ULID,), (None,)], strict=True):
            content = (
                lines(one._replace(id=None), *projects)
                if tier == "system"
                else lines(one._replace(tier="system", id=None), *projects)
            )
            write(root, one, content=gzip.compress(content) if packing else content)

        cleaned = clean(root, None, clock, hold=[ULID])

        assert files(root) == {local_path(named[0])}
        assert (cleaned.amount("held").segments, cleaned.amount("deleted").segments) == (1, 2)

    def test_a_file_that_cannot_be_read_is_held(self, root, clock):
        """
        Nobody can tell whose a damaged file is.
        """
        write(root, place(packing="gz"), content=gzip.compress(lines(place(), OTHER_ULID))[:40])

        assert clean(root, None, clock, hold=[ULID]).amount("held").segments == 1
        assert clean(root, None, clock).amount("deleted").segments == 1

    @pytest.mark.parametrize(
        ("metadata", "is_held"),
        [
            ({"projects": ULID}, True),
            ({"projects": f"{OTHER_ULID},{ULID}"}, True),
            ({"projects": "*"}, True),
            ({}, True),
            ({"projects": OTHER_ULID}, False),
            ({"projects": ""}, False),
        ],
    )
    def test_by_the_objects_metadata(self, store, clock, metadata, is_held):
        """
        An object that names the project, or that doesn't say, is held.
        """
        key = add(store, place(), metadata=metadata)

        cleaned = clean(None, store, clock, hold=[ULID])

        assert (key in keys(store)) == is_held
        assert cleaned.amount("held").segments == is_held

    @pytest.mark.parametrize(("project", "is_held"), [(ULID, True), (OTHER_ULID, False), (None, False)])
    def test_by_the_catalog(self, store, clock, catalog, project, is_held):
        """
        Where the catalog knows whose lines they are, the object isn't asked.
        """
        key = add(store, place(), project, catalog=catalog, metadata={})

        clean(None, store, clock, catalog=catalog, hold=[ULID])

        assert (key in keys(store)) == is_held
        assert (catalog.get(key).state == "shipped") == is_held

    def test_what_the_catalog_cannot_know_is_held(self, store, clock, catalog):
        """
        A segment with too many projects to be listed may have any.
        """
        key = add(store, place())
        facts = facts_of(io.BytesIO(lines(place())))
        unlisted = facts._replace(ids={name: masks for name, masks in facts.ids.items() if name != "projectId"})
        catalog.put([Entry(key, place(), "shipped", facts.size, facts.md5, "", unlisted)])

        assert clean(None, store, clock, catalog=catalog, hold=[ULID]).amount("held").segments == 1

    def test_capitals_make_no_difference(self, store, clock):
        """
        An id that somebody typed in small letters holds, too.
        """
        add(store, place("action"))

        assert clean(None, store, clock, hold=[ULID.lower()]).amount("held").segments == 1

    def test_a_held_row_without_an_object_expires(self, store, clock, catalog):
        """
        A hold keeps objects, and no rows of those that are gone.
        """
        key = add(store, place(), ULID, catalog=catalog)
        store.delete(key)

        clean(None, store, clock, catalog=catalog, hold=[ULID])

        assert catalog.get(key).state == "expired"


class TestClock:
    """
    A clock that is wrong deletes nothing too early.
    """

    def test_a_clock_ahead_deletes_nothing_young_below_a_root(self, root, clock):
        """
        Two days ahead, what is a day too young stays, and the report says why.
        """
        told = write(root, place(day=YOUNG))
        write(root, place(day="2026-01-31"))
        write(root, place(day=OLD))
        for path in (told, root / ".tierlog" / "open"):
            os.utime(path, (NOW.timestamp(), NOW.timestamp()))
        for path in root.glob("system/2026-01-*/*"):
            os.utime(path, (0, 0))
        clock.advance(2 * DAY)

        doubted = clean(root, None, clock)

        assert files(root) == {local_path(place(day=YOUNG)), local_path(place(day="2026-01-31"))}
        assert "--trust-clock" in doubted.notes[0]
        assert clean(root, None, clock, trust_clock=True).amount("deleted").segments == 1

    def test_a_clock_ahead_deletes_nothing_young_in_a_store(self, store, clock):
        """
        The newest object says what the time is at least, and a day later at most.
        """
        young = add(store, place(day="2026-01-31"))
        old = add(store, place(day=OLD))
        clock.advance(365 * DAY)

        doubted = clean(None, store, clock)

        assert young in keys(store)
        assert old not in keys(store)
        assert "--trust-clock" in doubted.notes[0]
        assert clean(None, store, clock, trust_clock=True).amount("deleted").segments == 2

    def test_a_clock_behind_keeps_more(self, store, clock):
        """
        It deletes nothing that isn't old by its own reckoning, and there's no note.
        """
        key = add(store, place(day=LAST_OLD))
        clock.advance(-10 * DAY)

        cleaned = clean(None, store, clock)

        assert key in keys(store)
        assert cleaned.notes == []

    def test_nothing_is_said_where_nothing_is_spared(self, store, clock):
        """
        A store in which it makes no difference isn't worth a note.
        """
        clock.advance(2 * DAY)

        assert clean(None, store, clock).notes == []


def test_progress_is_told(root, store, clock):
    """
    Each segment that is looked at counts, on both sides.
    """
    write(root, place())
    add(store, place())
    told = []

    clean(root, store, clock, progress=told.append)

    assert told == [1, 2, 3]


def test_problems_are_listed_up_to_a_hundred(clock):
    """
    A report stays readable, and the count is right.
    """
    store = Faulty(clock=clock.time_ns)
    ones = [add(store, place(number=str(n))) for n in range(240)]
    store.fails = set(ones[::2])

    cleaned = clean(None, store, clock)

    assert (len(cleaned.problems), cleaned.problem_count) == (100, 120)
    assert all(parse_remote(key) is not None for key in keys(store))
    assert sys.getsizeof(cleaned.as_dict()["problems"]) < 2_000
