"""
Queries over folders and stores, packed and catalogued, while segments are written and move.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import threading
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from children import finish, start, until
from conftest import OTHER_ULID, ULID
from queried import HOUR, NOW, THIRD_ULID, catalogued, everything, files, lines_of, ship, some, write
from strategies import ulids  # noqa: F401 -- its profile: nothing here is timed
from tierlog.catalog import Catalog, sqlite_url
from tierlog.compaction import compact
from tierlog.errors import StoreError
from tierlog.layout import local_path, parse_local
from tierlog.query import LogStore, _merge, _scan, open_store
from tierlog.query._index import CatalogIndex
from tierlog.query._sources import Sources
from tierlog.segments import claim, part_of
from tierlog.testing import MemoryStore


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="little_memory")
def _little_memory(monkeypatch):
    """
    Let nothing be kept in the memory, so that everything is read a second time.
    """
    monkeypatch.setattr(_scan, "_CACHED_BYTES", 0)
    monkeypatch.setattr(_scan, "_MOST_OPEN", 2)


class Recording(MemoryStore):
    """
    A store that notes which bytes are read, and does something before.
    """

    def __init__(self, before=lambda method, key: None):
        super().__init__()
        self.read = []
        self.listed = []
        self.before = before

    def get(self, key, start=0, end=None, /):
        self.before("get", key)
        body = super().get(key, start, end)
        self.read.append((key, len(body)))
        return body

    def open(self, key, /):
        self.before("open", key)
        self.read.append((key, self._found(key).stored.size))
        return super().open(key)

    def list(self, prefix="", /, *, after=""):
        self.before("list", prefix)
        self.listed.append(prefix)
        return super().list(prefix, after=after)


class Broken(MemoryStore):
    """
    A store that doesn't answer.
    """

    def list(self, prefix="", /, *, after=""):
        raise StoreError("the network is down; try again", code="EndpointConnectionError")


class TestStores:
    @pytest.mark.parametrize("packing", [None, "gz", "zst"])
    @pytest.mark.parametrize("is_catalogued", [False, True], ids=["scan", "catalog"])
    @pytest.mark.usefixtures("little_memory")
    def test_folder_and_store_are_one(self, root, packing, is_catalogued):
        """
        What is shipped, packed or not, and what is still here are one stream.
        """
        write(root, some(120), max_bytes=3_000)
        events, store = everything(root), MemoryStore()
        ship(root, store, packing=packing, only=lambda place: place.tier != "action")
        if is_catalogued:
            catalogued(root, store)

        logs = open_store([root, store])

        assert list(logs.search()) == events
        assert list(logs.search(order="desc", limit=31)) == events[::-1][:31]
        assert b"".join(logs.search().lines()) == lines_of(events)
        assert list(logs.timeline(ULID)) == [event for event in events if event["projectId"] == ULID]
        assert list(logs.build(THIRD_ULID)) == [e for e in events if e["buildId"] == THIRD_ULID and e["tier"] == "build"]
        assert list(logs.search(levels="error", since=NOW + 30_000)) == [
            e for e in events if e["lvl"] == "error" and e["ts"] >= NOW + 30_000
        ]

    def test_a_store_alone(self, root):
        """
        A store needs no folder.
        """
        write(root, some(60))
        events, store = everything(root), MemoryStore()
        ship(root, store)

        assert list(open_store(store).search()) == events
        assert files(root) == []

    @pytest.mark.parametrize("packing", ["gz", "zst"])
    @pytest.mark.usefixtures("little_memory")
    def test_packed_files(self, root, packing):
        """
        Files that were packed on the disk are read like others.
        """
        write(root, some(60))
        events = everything(root)
        compact(root, None, packing=packing, older_than=0, clock=lambda: (NOW + 10 * 86_400_000) * 10**6)

        assert not list(root.rglob("*.ndjson"))
        assert list(open_store(root).search()) == events
        catalogued(root)
        assert list(open_store(root).search(user_id="u3")) == [event for event in events if event["userId"] == "u3"]

    def test_a_segment_in_both_is_read_once(self, root):
        """
        A segment that is here and in the store is read here.
        """
        write(root, some(40))
        events, store = everything(root), Recording()
        before = {path: path.read_bytes() for path in files(root)}
        ship(root, store)
        for path, body in before.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

        found = list(open_store([root, store]).search())

        assert found == events
        assert not [key for key, _ in store.read if key.startswith(("system/", "projects/", "lifecycle/"))]

    def test_a_build_that_goes_on_after_it_was_packed(self, root):
        """
        Two objects of a build that differ in how they are packed are two parts of its log.
        """
        store = MemoryStore()
        write(root, [(NOW, "build", "info", {"build_id": ULID}, "first", {})])
        ship(root, store, packing="zst")
        write(root, [(NOW + 1, "build", "info", {"build_id": ULID}, "second", {})], name="api")
        ship(root, store)

        assert [one.key for one in store.list()] == [f"builds/{ULID}.ndjson", f"builds/{ULID}.ndjson.zst"]
        assert [event["msg"] for event in open_store(store).build(ULID)] == ["first", "second"]
        assert open_store(store).count("tier") == {("build",): 2}

    def test_paths_prune(self, root):
        """
        Of a store, only what may be asked for is listed and read.
        """
        write(root, some(40))
        store = Recording()
        ship(root, store)

        list(open_store(store).build(ULID))
        list(open_store(store).project(OTHER_ULID, NOW, NOW + HOUR))

        assert store.listed == [
            f"builds/{ULID}",
            f"projects/{OTHER_ULID}/2026/09/21/",
            f"lifecycle/{OTHER_ULID}/2026/09/21/",
        ]
        assert all(ULID in key or OTHER_ULID in key for key, _ in store.read)

    def test_days_prune(self, root):
        """
        A day's segments are found by that day's keys.
        """
        write(root, some(40, step=HOUR))
        events, store = everything(root), Recording()
        ship(root, store)

        found = list(open_store(store).search(tiers=["system", "action"], since="2026-09-22", until="2026-09-22T12:00Z"))

        assert found == [
            e for e in events if e["tier"] in {"system", "action"} and 1_790_035_200_000 <= e["ts"] < 1_790_078_400_000
        ]
        assert store.listed == ["system/2026/09/22/", "projects/"]

    @pytest.mark.parametrize("packing", [None, "zst"])
    def test_the_catalog_leads_to_few_bytes(self, root, packing):
        """
        With a catalog, of a large segment in the store only the blocks are read that an id is in.
        """
        noise = random.Random(7).randbytes(400).hex()
        events = [
            (NOW + n, "system", "info", {"project_id": ULID, "user_id": "rare" if n == 7_000 else "u"}, f"{noise}{n}", {})
            for n in range(9_000)
        ]
        write(root, events, max_bytes=20_000_000)
        store = Recording()
        shipped = ship(root, store, packing=packing)
        catalogued(root, store)
        store.read.clear()

        found = list(open_store([root, store]).search(user_id="rare"))

        assert [event["seq"] for event in found] == [7_000]
        assert sum(size for _, size in store.read) < shipped[0].stored_bytes / 20

    @pytest.mark.parametrize("packing", [None, "zst"])
    def test_blocks_are_fetched_ahead(self, root, packing):
        """
        While one block of an object is waited for, the next ones are on their way, and come in order.
        """
        write(root, [(NOW + n, "system", "info", {}, f"{n:x}" * 150, {}) for n in range(9_000)], max_bytes=20_000_000)
        events, together = everything(root), threading.Barrier(2)
        reads = []

        def meet(method, _key):
            if method == "get":
                reads.append(method)
                if 1 < len(reads) < 6:  # the first is alone
                    together.wait(10)

        store = Recording(meet)
        ship(root, store, packing=packing)
        catalogued(root, store)
        reads.clear()

        assert list(open_store([root, store]).search()) == events
        assert len(reads) > 5

    def test_a_store_that_does_not_answer(self, root):
        """
        An unreachable store is told, and what is here is delivered.
        """
        write(root, some(20))

        search = open_store([root, Broken("r2://there")]).search()

        assert list(search) == everything(root)
        assert {(problem.name, problem.problem) for problem in search.problems} == {
            ("r2://there", "the network is down; try again")
        }

    def test_segments(self, root):
        """
        The segments there are can be listed, with where they are.
        """
        write(root, some(40))
        store = MemoryStore()
        ship(root, store, only=lambda place: place.tier == "system")

        found = list(open_store([root, store]).segments(tiers=["system", "build"], build_id=ULID))

        assert {(one.tier, one.is_remote, one.where) for one in found} == {
            ("system", True, "memory://"),
            ("build", False, str(root)),
        }
        assert all(one.id == ULID for one in found if one.tier == "build")


def damaged(root, details, where=""):
    """
    Put something else in the place of segments' details in the catalog.
    """
    with closing(sqlite3.connect(root / ".tierlog" / "catalog.sqlite")) as connection, connection:
        assert connection.execute(f"UPDATE tierlog_segments SET details = ?{where}", (details,)).rowcount


class TestCatalog:
    def test_it_is_never_the_truth(self, root):
        """
        What the catalog doesn't know, or knows wrongly, is found all the same.
        """
        write(root, some(30))
        catalogued(root)
        write(root, some(30, start=NOW + HOUR), name="api")
        part = next(path for path in files(root) if "projects" in path.parts)
        line = part.read_bytes().splitlines(keepends=True)[0].replace(b'"seq":', b'"seq":9')
        with open(part, "ab") as file:
            file.write(line)

        store = open_store(root)

        assert list(store.search()) == everything(root)
        assert list(store.search(user_id="u3")) == [event for event in everything(root) if event["userId"] == "u3"]

    def test_a_damaged_one_is_a_problem_and_no_more(self, root):
        """
        A catalog that can't be read is told, and every record is found.
        """
        write(root, some(30))
        catalogued(root)
        (root / ".tierlog" / "catalog.sqlite").write_bytes(b"damaged" * 1_000)
        for other in (root / ".tierlog").glob("catalog.sqlite-*"):
            other.unlink()

        search = open_store(root).search()

        assert list(search) == everything(root)
        assert [problem.name for problem in search.problems] == [str(root / ".tierlog" / "catalog.sqlite")]

    @pytest.mark.parametrize(
        ("asked", "ok", "is_needed"),
        [
            pytest.param({}, lambda e: True, True, id="everything"),
            pytest.param({"text": "record 4"}, lambda e: "record 4" in e["msg"], False, id="text"),
            pytest.param({"text": "a"}, lambda e: "a" in e["msg"], False, id="short-text"),
            pytest.param(
                {"text": "record 4", "limit": 99, "order": "desc"}, lambda e: "record 4" in e["msg"], False, id="newest"
            ),
            pytest.param({"where": {"deep.even": True}}, lambda e: e["data"]["deep"]["even"], False, id="where"),
            pytest.param({"levels": "error"}, lambda e: e["lvl"] == "error", True, id="level"),
            pytest.param({"user_id": "u3"}, lambda e: e["userId"] == "u3", True, id="id"),
            pytest.param({"text": "record", "since": NOW + 9_500}, lambda e: e["ts"] >= NOW + 9_500, True, id="time"),
            pytest.param({"text": "record", "until": NOW + 9_500}, lambda e: e["ts"] < NOW + 9_500, True, id="end"),
        ],
    )
    @pytest.mark.parametrize("damage", [b"", b"\x02{}", b"\x01damaged", b"\x01" + zlib.compress(b'{"ids":[]}')])
    def test_damaged_details(self, root, asked, ok, is_needed, damage):
        """
        Where details of a segment are needed and can't be read, that is told once, and all is found.
        """
        write(root, some(60))
        catalogued(root)
        damaged(root, damage)

        search = open_store(root).search(**asked)
        found = list(search)

        expected = [event for event in everything(root) if ok(event)]
        assert found == (expected[::-1] if asked.get("order") == "desc" else expected)
        assert [one.name for one in search.problems] == [str(root / ".tierlog" / "catalog.sqlite")] * is_needed
        assert all("can't be used" in one.problem and "catalog rebuild" in one.problem for one in search.problems)

    @pytest.mark.parametrize("packing", [None, "gz", "zst"])
    def test_damaged_details_of_objects(self, root, packing):
        """
        So it is for objects, whose parts are fetched one by one if they are known.
        """
        write(root, some(60))
        events, store = everything(root), MemoryStore()
        ship(root, store, packing=packing)
        catalogued(root, store)
        damaged(root, b"\x01damaged")

        search = open_store([root, store]).search(text="record")

        assert list(search) == events
        assert [one.name for one in search.problems] == [str(root / ".tierlog" / "catalog.sqlite")]

    def test_damaged_details_of_a_large_segment(self, root, monkeypatch):
        """
        So it is for a segment that is too large to be read at once; of others they are still used.
        """
        monkeypatch.setattr(_scan, "_AT_ONCE_BYTES", 0)
        write(root, some(60))
        catalogued(root)
        damaged(root, b"\x01damaged", " WHERE tier = 'system'")

        search = open_store(root).search(text="record")

        assert list(search) == everything(root)
        assert len(search.problems) == 1

    def test_blocks_that_cannot_hold_an_id_are_not_read(self, root):
        """
        In a segment of several blocks, only those are looked into in which the catalog knows an id.
        """
        events = [(NOW + n, "system", "info", {"user_id": f"u{n // 6}"}, "record", {"more": "x" * 60_000}) for n in range(12)]
        write(root, events, max_bytes=9_000_000)
        catalogued(root)
        expected = [event for event in everything(root) if event["userId"] == "u1"]
        (path,) = files(root)
        body = path.read_bytes()
        path.write_bytes(body[:200_000].replace(b'"userId":"u0"', b'"userId":"u1"') + body[200_000:])

        assert list(open_store(root).search(user_id="u1", text="record")) == expected
        assert len(list(open_store(root, catalog=False).search(user_id="u1", text="record"))) > len(expected)

    @pytest.mark.usefixtures("little_memory")
    def test_lines_that_are_read_twice_are_counted_once(self, root):
        """
        What isn't kept in the memory is read again, and its torn lines count once.
        """
        write(root, some(30))
        events, part = everything(root), files(root)[0]
        part.write_bytes(b'no "record" line\n' + part.read_bytes())
        catalogued(root)

        search = open_store(root).search(text="record")

        assert list(search) == events
        assert search.skipped == 1

    def test_reading_makes_none(self, root):
        """
        Reading writes nothing: no catalog, nor anything else.
        """
        write(root, some(30))
        before = sorted(path for path in root.rglob("*"))

        list(open_store(root).search())
        list(open_store(root, catalog=sqlite_url(root)).search())

        assert sorted(path for path in root.rglob("*")) == before

    def test_of_any_kind(self, root):
        """
        A catalog that isn't a file beside the segments is asked by its own interface.
        """
        write(root, some(60))
        events, store = everything(root), MemoryStore()
        ship(root, store, only=lambda place: place.tier in {"system", "build"})
        catalogued(root, store)
        index = CatalogIndex(lambda: Catalog(sqlite_url(root)))
        logs = LogStore(Sources([root], [store], [index]))

        assert list(logs.search()) == events
        assert list(logs.search(user_id="u3", levels="error")) == [
            e for e in events if e["userId"] == "u3" and e["lvl"] == "error"
        ]
        assert list(logs.search(tiers="system", project_id="../no")) == []

    def test_by_its_url(self, root, tmp_path):
        """
        A catalog may lie elsewhere, and may be left out.
        """
        write(root, some(30))
        catalogued(root)
        (root / ".tierlog" / "catalog.sqlite").rename(tmp_path / "other.sqlite")

        for catalog in (f"sqlite:///{tmp_path / 'other.sqlite'}", False, None):
            assert list(open_store(root, catalog=catalog).search(levels="warn")) == [
                e for e in everything(root) if e["lvl"] == "warn"
            ]


class TestMoves:
    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("packing", [None, "zst"])
    @pytest.mark.usefixtures("little_memory")
    def test_shipped_during_a_query(self, root, order, packing, monkeypatch):
        """
        Segments that go to the store after some events were delivered are neither missed nor doubled.
        """
        monkeypatch.setattr(_merge, "_MOST_BYTES", 1)
        write(root, some(150), max_bytes=2_500)
        events, store = everything(root), MemoryStore()

        search = open_store([root, store]).search(order=order)
        found = [next(search) for _ in range(20)]
        ship(root, store, packing=packing)
        found += list(search)

        assert files(root) == []
        assert found == (events if order == "asc" else events[::-1])
        assert search.problems == []

    def test_shipped_between_both_listings(self, root):
        """
        What is shipped after the folder was listed, and before the store is, is in both lists.
        """
        write(root, some(60))
        events = everything(root)
        store = Recording(before=lambda method, key: method == "list" and files(root) and ship(root, store))

        assert list(open_store([root, store]).search()) == events

    def test_shipped_after_both_listings(self, root, monkeypatch):
        """
        What is shipped after both were listed, and before it is opened, is found in the store.
        """
        write(root, some(60))
        events, store = everything(root), MemoryStore()
        opened = _scan.opened

        def late(listed):
            if files(root):
                ship(root, store)
            return opened(listed)

        monkeypatch.setattr(_scan, "opened", late)

        search = open_store([root, store]).search()

        assert list(search) == events
        assert search.problems == []

    @pytest.mark.parametrize("is_remote", [False, True])
    @pytest.mark.usefixtures("little_memory")
    def test_packed_during_a_query(self, root, is_remote, monkeypatch):
        """
        Segments that are packed after some events were delivered are found under their new names.
        """
        monkeypatch.setattr(_merge, "_MOST_BYTES", 1)
        write(root, some(100))
        events, store = everything(root), MemoryStore(clock=lambda: NOW * 10**6)
        if is_remote:
            ship(root, store)

        search = open_store([root, store]).search()
        found = [next(search) for _ in range(10)]
        compact(root, store, older_than=0, clock=lambda: (NOW + 10 * 86_400_000) * 10**6)
        found += list(search)

        assert found == events
        assert search.problems == []

    def test_a_build_that_gets_a_name_of_its_own(self, root, monkeypatch):
        """
        A build's file that is renamed between the listing and the opening is found.
        """
        write(root, some(60), max_bytes=100_000)
        events = everything(root)
        opened = _scan.opened

        def late(listed):
            for path in files(root):
                place = parse_local(path.relative_to(root).as_posix())
                if place.instance is None:
                    claim(root, place)
            return opened(listed)

        monkeypatch.setattr(_scan, "opened", late)

        assert list(open_store(root).search()) == events

    @pytest.mark.parametrize("is_shipped", [False, True])
    @pytest.mark.parametrize("is_listed", [False, True], ids=["while-it-is-read", "after-the-listing"])
    @pytest.mark.usefixtures("little_memory")
    def test_a_build_that_goes_on_in_a_new_file(self, root, is_shipped, is_listed, monkeypatch):
        """
        A build's file that was taken away, and begun anew under its name, is not taken for the new one.
        """
        monkeypatch.setattr(_merge, "_MOST_BYTES", 1)
        write(root, some(60), max_bytes=100_000)
        events, store, opened, moves = everything(root), MemoryStore(), _scan.opened, []

        def move():
            for path in files(root):
                place = parse_local(path.relative_to(root).as_posix())
                if place.instance is None:
                    claim(root, place)
            if is_shipped:
                ship(root, store, only=lambda place: place.tier in {"build", "deploy"})
            write(root, some(60, start=NOW + HOUR), max_bytes=100_000, name="api")
            moves.append(True)

        def late(listed):
            if not moves and is_listed:
                move()
            return opened(listed)

        monkeypatch.setattr(_scan, "opened", late)
        search = open_store([root, store]).search(tiers=["build", "deploy"], until=NOW + HOUR)
        found = [next(search) for _ in range(4)]
        if not moves:
            move()
        found += list(search)

        assert found == [event for event in events if event["tier"] in {"build", "deploy"}]
        assert search.problems == []

    def test_a_new_file_that_has_the_inode_of_the_old_one(self, root, monkeypatch):
        """
        That a build's file went and another one came is noticed where the system gives it the same inode, too.
        """
        write(root, some(60), max_bytes=100_000)
        events, opened, moves = everything(root), _scan.opened, []

        def late(listed):
            for path in files(root) if not moves else ():
                place = parse_local(path.relative_to(root).as_posix())
                if place.instance is None:
                    body = path.read_bytes()
                    part = root / local_path(part_of(place, body.partition(b"\n")[0]))
                    part.parent.mkdir(parents=True, exist_ok=True)
                    part.write_bytes(body)
                    path.write_bytes(body.splitlines(keepends=True)[0])
            moves.append(True)
            return opened(listed)

        monkeypatch.setattr(_scan, "opened", late)

        assert list(open_store(root).search()) == events

    def test_what_is_gone_is_told(self, root):
        """
        A segment that was deleted meanwhile is a problem that names it.
        """
        write(root, some(60))
        events = everything(root)
        search = open_store(root).search(order="desc")
        first = next(search)
        gone = [path for path in files(root) if "system" in path.parts]
        for path in gone:
            path.unlink()

        found = [first, *search]

        assert first == events[-1]
        assert [event for event in found if event["tier"] != "system"] == [e for e in events[::-1] if e["tier"] != "system"]
        assert all("taken away" in problem.problem for problem in search.problems)


PROGRAM = """
import sys, time
from pathlib import Path
from tierlog.handler import TierHandler
from tierlog.context import EMPTY
from tierlog.shipping import Ledger
from tierlog.shipping._upload import Uploader

root, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
handler = TierHandler(sink={"type": "segments", "root": str(root), "max_bytes": 20_000}, instance_name=name)
ids = {"project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVRZ"}
tiers = ["system", "build", "action"]
for n in range(count):
    handler.pipeline.event(time.time_ns() // 1_000_000, EMPTY, "info", "app", f"{name} {n}", data={"n": n}, tier=tiers[n % 3], fields=ids)
handler.close()
print("done")
"""


class TestConcurrency:
    def test_while_processes_write(self, root):
        """
        While two processes write, each answer is in order, has nothing twice, and has all that was there when it was asked for.
        """
        writers = [start(PROGRAM, root, name, 6_000) for name in ("a", "b")]
        until(lambda: root.is_dir() and files(root))
        store = open_store(root)

        known = set()
        while any(writer.poll() is None for writer in writers):
            search = store.search()
            found = [(event["ts"], event["instanceId"], event["seq"]) for event in search]
            assert found == sorted(set(found))
            assert search.skipped == 0
            assert known <= set(found)
            known = set(found)

        for writer in writers:
            finish(writer)
        assert len(list(store.search())) == 12_000

    def test_while_a_shipper_moves(self, root):
        """
        While segments go to a store one by one, each answer has all records, once.
        """
        write(root, some(400), max_bytes=2_000)
        events, store = everything(root), MemoryStore()
        logs = open_store([root, store])

        while files(root):
            search = logs.search()
            head = [next(search) for _ in range(5)]
            some_path = files(root)[len(files(root)) // 2].relative_to(root).as_posix()
            ship(root, store, only=lambda place: local_path(place) == some_path)  # noqa: B023
            assert head + list(search) == events
            assert search.problems == []


class TestOracle:
    @given(data=st.data())
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    def test_any_question_of_any_store(self, data):
        """
        Whatever is logged, shipped, packed and catalogued: the answer is that of parsing every line.
        """
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(_scan, "_CACHED_BYTES", data.draw(st.sampled_from([0, 2_000, 10**8])))
            patch.setattr(_scan, "_MOST_OPEN", data.draw(st.sampled_from([1, 64])))
            patch.setattr(_merge, "_MOST_BYTES", data.draw(st.sampled_from([1, 5_000, 10**7])))
            root, store = Path(folder), MemoryStore(clock=lambda: NOW * 10**6)
            for name in data.draw(st.sampled_from([["web"], ["web", "api"]])):
                events = data.draw(st.lists(records, max_size=40))
                write(root, events, name=name, max_bytes=data.draw(st.sampled_from([500, 3_000, 10**6])))
            expected = everything(root)
            moved = data.draw(st.sets(st.sampled_from(["system", "build", "deploy", "action", "lifecycle"])))
            ship(root, store, packing=data.draw(st.sampled_from([None, "gz", "zst"])), only=lambda place: place.tier in moved)
            if data.draw(st.booleans()):
                packing = data.draw(st.sampled_from(["gz", "zst"]))
                compact(root, store, packing=packing, older_than=0, clock=lambda: (NOW + 10 * 86_400_000) * 10**6)
            if data.draw(st.booleans()):
                catalogued(root, store)

            asked = data.draw(questions)
            search = open_store([root, store]).search(**asked)

            assert list(search) == answer(expected, asked)
            assert (search.skipped, search.problems) == (0, [])


def answer(events, asked):
    """
    Return what a search must deliver.
    """
    found = [event for event in events if meets(event, asked)]
    found = found[::-1] if asked.get("order") == "desc" else found
    return found[: asked.get("limit")]


def meets(event, asked):
    """
    Tell whether an event is asked for.
    """
    checks = {
        "tiers": lambda value: event["tier"] in value,
        "kinds": lambda value: event["kind"] in value,
        "levels": lambda value: event["lvl"] in value,
        "project_id": lambda value: event["projectId"] == value,
        "build_id": lambda value: event["buildId"] == value,
        "user_id": lambda value: event["userId"] == value,
        "since": lambda value: event["ts"] >= value,
        "until": lambda value: event["ts"] < value,
        "text": lambda value: value in event["msg"],
        "where": lambda value: all(event["data"].get(name) == one for name, one in value.items()),
    }
    return all(check(asked[name]) for name, check in checks.items() if name in asked)


_texts = st.sampled_from(["hello", 'a "b"', "\\", "é\n", "lvl", '"lvl":"error",', ULID]) | st.text(max_size=5)
_times = st.integers(0, 3).map(lambda n: NOW + n * 20_000_000) | st.integers(NOW, NOW + 2 * 86_400_000)
_ids = st.sampled_from([ULID, OTHER_ULID, THIRD_ULID])
records = st.tuples(
    _times,
    st.sampled_from(["system", "build", "deploy", "action", "lifecycle"]),
    st.sampled_from(["debug", "info", "warn", "error"]),
    st.fixed_dictionaries({}, optional={"project_id": _ids, "build_id": _ids, "user_id": st.sampled_from(["u1", 'u"2', "ü"])}),
    _texts,
    st.dictionaries(st.sampled_from(["a", "b", "projectId", "lvl"]), _texts | st.integers(0, 3), max_size=2),
)
questions = st.fixed_dictionaries(
    {},
    optional={
        "tiers": st.lists(st.sampled_from(["system", "build", "deploy", "action", "lifecycle"]), min_size=1, unique=True),
        "kinds": st.lists(st.sampled_from(["log", "line", "deploy", "action", "build"]), min_size=1, unique=True),
        "levels": st.lists(st.sampled_from(["debug", "info", "warn", "error"]), min_size=1, unique=True),
        "project_id": _ids,
        "build_id": _ids,
        "user_id": st.sampled_from(["u1", 'u"2', "ü", "nobody"]),
        "since": st.integers(NOW - 10, NOW + 86_400_000),
        "until": st.integers(NOW + 86_400_000, NOW + 3 * 86_400_000),
        "text": _texts,
        "where": st.dictionaries(st.sampled_from(["a", "b", "lvl"]), _texts | st.integers(0, 3), max_size=2),
        "limit": st.integers(0, 20),
        "order": st.sampled_from(["asc", "desc"]),
    },
)
