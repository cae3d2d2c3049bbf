"""
The catalog made again of the segments, and ``tierlog catalog rebuild``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from catalog_entries import entry, facts, keys, line
from tierlog.catalog import Catalog, Entry, rebuild, sqlite_url
from tierlog.context import EMPTY
from tierlog.errors import StoreError
from tierlog.handler import TierHandler
from tierlog.layout import local_path, parse_remote
from tierlog.segments import finished
from tierlog.shipping import Ledger, Shipping
from tierlog.stores import Put
from tierlog.testing import MemoryStore


IDS = {"project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"}
STATES = ("local", "shipped", "expired")
NOW = 1_790_000_000_000


def write(root, name="web", records=60):
    """
    Log to several tiers, in many segments.
    """
    handler = TierHandler(sink={"type": "segments", "root": str(root), "max_bytes": 2_000}, instance_name=name)
    for n in range(records):
        tier = ["system", "action", "build"][n % 3]
        handler.pipeline.event(NOW + n, EMPTY, "info", "app", f"record {n}", data={"n": n}, tier=tier, fields=IDS)
    handler.close()


def ship(root, store, catalog, packing=None):
    """
    Ship what is finished, and enter it, as a process that ships does.
    """

    def enter(batch):
        entries = []
        for one in batch:
            place = parse_remote(one.key)._replace(day=one.sealed.place.day)
            about = (one.stored_bytes, one.etag, one.sealed.prev_sha256, one.sealed.facts, one.frames)
            entries.append(Entry(one.key, place, "shipped", *about))
        catalog.put(entries)

    shipping = Shipping(root, store, write=enter, packing=packing)
    shipping.start()
    assert shipping.drain(60)
    shipping.close()


def put(store, key, body, **metadata):
    """
    Put an object.
    """
    store.put(
        Put(
            key,
            body,
            len(body),
            hashlib.md5(body).hexdigest(),
            {name.replace("_", "-"): value for name, value in metadata.items()},
        )
    )


def rows(catalog):
    """
    Return all that a catalog has.
    """
    return list(catalog.find(states=STATES))


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    root.mkdir()
    return root


@pytest.fixture(name="store")
def _store():
    return MemoryStore()


@pytest.fixture(name="catalog")
def _catalog(root):
    catalog = Catalog(sqlite_url(root))
    yield catalog
    catalog.close()


class TestRebuild:
    @pytest.mark.parametrize("packing", [None, "gz", "zst"])
    def test_it_is_what_was_put(self, root, store, catalog, packing):
        """
        What was shipped is found again as it was entered, in every field.
        """
        write(root)
        ship(root, store, catalog, packing)
        before = rows(catalog)
        catalog.clear()

        done = rebuild(catalog, root, store)

        assert rows(catalog) == before
        assert len(before) > 6
        assert done == (0, len(before), sum(one.stored_bytes for one in before), 0, 0, 0, {})
        assert {one.place.tier for one in before} == {"system", "action", "build"}
        assert all(one.frames for one in before) == (packing == "zst")

    def test_again_changes_nothing(self, root, store, catalog):
        """
        A catalog that is right is the same afterwards.
        """
        write(root)
        ship(root, store, catalog)
        write(root, "api")
        rebuild(catalog, root, store)
        before = rows(catalog)

        done = rebuild(catalog, root, store)

        assert rows(catalog) == before
        assert done.removed == 0

    def test_local_segments_are_entered(self, root, catalog):
        """
        Finished segments in the root are ``local``, each with its path, size and facts.
        """
        write(root)

        done = rebuild(catalog, root, None)

        found = {one.key: one for one in catalog.find()}
        assert found.keys() == {path.relative_to(root).as_posix() for path in root.rglob("*.ndjson")}
        assert {one.place: one.stored_bytes for one in found.values()} == {one.place: one.size for one in finished(root)}
        assert {one.state for one in found.values()} == {"local"}
        assert done.local == len(found)
        assert sum(one.facts.lines for one in found.values()) == 60
        assert catalog.build_days(IDS["build_id"]) == [next(one.place.day for one in found.values() if one.place.tier == "build")]

    def test_the_chain_of_what_waits_is_known(self, root, store, catalog):
        """
        A local segment that was sealed has the hash of the one before it.
        """
        write(root)
        ledger = Ledger(root)
        links = {}
        for one in finished(root):
            if one.place.instance:
                sealed = ledger.seal(one.place, facts((root / local_path(one.place)).read_bytes()))
                links[sealed.path] = sealed.prev_sha256

        rebuild(catalog, root, store)

        assert {one.key: one.prev_sha256 for one in catalog.find(tiers=["system", "action"])} == links
        assert len(set(links.values())) == len(links) > 4

    def test_what_is_gone_is_removed(self, root, store, catalog):
        """
        Entries whose segments are nowhere go; what went by age stays noted.
        """
        write(root)
        ship(root, store, catalog)
        write(root, "api")
        rebuild(catalog, root, store)
        ones = rows(catalog)
        local = [one for one in ones if one.state == "local"]
        shipped = [one for one in ones if one.state == "shipped"]
        catalog.expire([shipped[0].key])
        for one in shipped[:2]:
            store.delete(one.key)
        (root / local[0].key).unlink()

        done = rebuild(catalog, root, store)

        assert done.removed == 2
        assert catalog.get(shipped[0].key).state == "expired"
        assert (catalog.get(shipped[1].key), catalog.get(local[0].key)) == (None, None)
        assert len(rows(catalog)) == len(ones) - 2

    @pytest.mark.parametrize("looks_at", ["root", "store"])
    def test_what_is_not_looked_at_stays(self, root, store, catalog, looks_at):
        """
        Without a store, or a root, what is entered of it is left alone.
        """
        catalog.put([entry(1), entry(2, state="local")])

        done = rebuild(catalog, root if looks_at == "root" else None, store if looks_at == "store" else None)

        assert done.removed == 1
        assert keys(catalog.find()) == [entry(1).key if looks_at == "root" else entry(2, state="local").key]

    def test_other_hosts_local_segments_stay(self, root, tmp_path):
        """
        In a catalog that several hosts share, only what was in this root is removed.
        """
        shared = Catalog(f"sqlite:///{tmp_path}/shared.sqlite")
        write(root)
        rebuild(shared, root, None)
        shared.put([entry(1, state="local")])
        gone = next(shared.find(tiers=["action"]))
        (root / gone.key).unlink()

        done = rebuild(shared, root, None)

        assert done.removed == 1
        assert (shared.get(gone.key), shared.get(entry(1, state="local").key)) == (None, entry(1, state="local"))
        shared.close()

    def test_what_is_no_finished_segment_is_left_out(self, store, catalog):
        """
        Objects of others are skipped and counted, and so are checkpoints of open segments.
        """
        put(store, "other/thing.txt", b"x")
        put(store, "system/2026/11/22/notes.ndjson", b"x")
        put(store, entry(1).key, line(), state="open")

        done = rebuild(catalog, None, store)

        assert rows(catalog) == []
        assert (done.shipped, done.foreign, done.open, done.unreadable) == (0, 2, 1, {})

    def test_an_object_without_metadata_is_entered(self, store, catalog):
        """
        A segment that was copied without its metadata has its day from its lines.
        """
        key = "builds/01BX5ZZKBKACTAV9WEVGEMMVS0.ndjson"
        put(store, key, line(3) + line(4))

        rebuild(catalog, None, store)

        found = catalog.get(key)
        assert (found.place.day, found.prev_sha256, found.facts.seqs) == ("2023-11-14", "", {"web-00000000": (3, 4, 2)})

    @pytest.mark.parametrize(
        ("suffix", "body", "metadata", "problem"),
        [
            pytest.param(".gz", b"no gzip", {}, "", id="no-gzip"),
            pytest.param(".zst", b"no zstd", {}, "", id="no-zstd"),
            pytest.param("", line(), {"sha256": "ab" * 32}, "its bytes aren't those that were noted", id="changed"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, store, catalog, suffix, body, metadata, problem):
        """
        It is told with its reason, what was entered of it stays, and all others are entered.
        """
        bad = entry(1)._replace(key=entry(1).key + suffix)
        catalog.put([bad])
        put(store, bad.key, body, **metadata)
        put(store, entry(2).key, line())

        done = rebuild(catalog, None, store)

        assert list(done.unreadable) == [bad.key]
        assert problem in done.unreadable[bad.key]
        assert catalog.get(bad.key) == bad
        assert catalog.get(entry(2).key) is not None
        assert (done.shipped, done.removed) == (1, 0)

    def test_a_local_segment_that_cannot_be_read_is_told(self, root, catalog):
        """
        So it is for a file, and a link is never followed.
        """
        write(root)
        paths = sorted((root / "system").rglob("*.ndjson"))
        shutil.copy(paths[0], f"{paths[0]}.gz")
        paths[1].unlink()
        paths[1].symlink_to(paths[0])

        done = rebuild(catalog, root, None)

        assert list(done.unreadable) == [f"{paths[0].relative_to(root).as_posix()}.gz"]
        assert catalog.get(paths[1].relative_to(root).as_posix()) is None

    def test_a_store_that_fails_removes_nothing(self, catalog):
        """
        If the store doesn't tell what it has, nothing is removed; if it doesn't tell of
        one object whether it is there, that one stays.
        """

        class Broken(MemoryStore):
            def list(self, prefix="", /, *, after=""):
                raise StoreError("slow down", code="SlowDown", status=503)

        class HalfBroken(MemoryStore):
            def head(self, key, /):
                raise StoreError("slow down", code="SlowDown", status=503)

        catalog.put([entry(1)])

        with pytest.raises(StoreError):
            rebuild(catalog, None, Broken())
        done = rebuild(catalog, None, HalfBroken())

        assert done.unreadable == {entry(1).key: "slow down"}
        assert rows(catalog) == [entry(1)]

    def test_it_is_safe_while_others_ship(self, root, catalog):
        """
        What is shipped and entered while it reads is there afterwards; what moves from the
        disk into the store at that moment is not lost, and no error.
        """

        class Busy(MemoryStore):
            """
            Has all shipped by somebody else as soon as it was asked what there is.
            """

            def list(self, prefix="", /, *, after=""):
                found = list(super().list(prefix, after=after))
                ship(root, self, Catalog(sqlite_url(root)))
                return iter(found)

        store = Busy()
        write(root)

        done = rebuild(catalog, root, store)

        assert (done.unreadable, done.shipped) == ({}, 0)
        assert len(list(catalog.find(states=["shipped"]))) == done.local
        assert {one.key for one in catalog.find(states=["shipped"])} == {one.key for one in MemoryStore.list(store)}

    def test_objects_that_go_meanwhile_are_no_error(self, catalog):
        """
        An object that is deleted between being listed and being read isn't there.
        """

        class Fading(MemoryStore):
            def head(self, key, /):
                found = super().head(key)
                self.delete(key)
                return found if key == entry(1).key else None

        store = Fading()
        put(store, entry(1).key, line())
        put(store, entry(2).key, line())
        catalog.put([entry(1)])

        done = rebuild(catalog, None, store)

        assert (done.shipped, done.unreadable, done.removed, rows(catalog)) == (0, {}, 1, [])

    def test_progress_is_told(self, root, catalog):
        """
        It says how many are done.
        """
        write(root)
        told = []

        done = rebuild(catalog, root, None, progress=lambda count, total: told.append((count, total)))

        assert told == [(n + 1, None) for n in range(done.local)]


def tierlog(*arguments):
    """
    Run the command.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TIERLOG_", "AWS_"))}
    command = [sys.executable, "-m", "tierlog.cli", "catalog", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


class TestCommand:
    def test_it_is_made_again(self, root, catalog):
        """
        The segments of a root are entered, and the report says how many.
        """
        write(root)
        catalog.put([entry(1, state="local")])

        done = tierlog("rebuild", "--root", root)

        count = len(list(catalog.find()))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{count} local segments and 0 shipped segments entered (")
        assert "; 1 row removed" in done.stdout
        assert count == len(list(root.rglob("*.ndjson")))

    def test_json(self, root):
        """
        With --json it is one object.
        """
        write(root)

        done = tierlog("rebuild", "--root", root, "--json")

        report = json.loads(done.stdout)
        assert report == {
            "root": str(root),
            "local": len(list(root.rglob("*.ndjson"))),
            "shipped": 0,
            "stored_bytes": sum(path.stat().st_size for path in root.rglob("*.ndjson")),
            "open": 0,
            "foreign": 0,
            "removed": 0,
            "unreadable": {},
            "set_aside": None,
        }

    @pytest.mark.parametrize("damage", ["nonsense", "torn"])
    def test_a_damaged_file_is_set_aside(self, root, catalog, damage):
        """
        A damaged catalog gets another name, with all that belongs to it, and a new one is made.
        """
        write(root)
        rebuild(catalog, root, None)
        before = rows(catalog)
        catalog.close()
        path = catalog.path
        content = path.read_bytes()
        path.write_bytes(b"nonsense" * 4096 if damage == "nonsense" else content[:4096] + os.urandom(len(content) - 4096))
        (path.parent / "catalog.sqlite-wal").write_bytes(b"what is left of it")

        done = tierlog("rebuild", "--root", root)

        aside = sorted(one.name for one in path.parent.glob("catalog.sqlite.corrupt-*"))
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0] == f"the damaged catalog is {path.parent / aside[0]} now"
        assert rows(catalog) == before

    def test_what_cannot_be_read_is_told(self, root):
        """
        The exit code is 1 then, and each is named.
        """
        write(root)
        path = next((root / "system").rglob("*.ndjson"))
        path.rename(f"{path}.gz")

        done = tierlog("rebuild", "--root", root)

        assert done.returncode == 1
        assert "1 segment unreadable" in done.stdout
        assert done.stderr.startswith(f"tierlog: {path.relative_to(root).as_posix()}.gz: ")
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            pytest.param(["--root", "nowhere"], "isn't a root of tierlog", id="no-root"),
            pytest.param(["--catalog", "none"], "--catalog: there is none", id="no-catalog"),
            pytest.param(["--colour"], "no such option", id="no-option"),
        ],
    )
    def test_wrong_usage(self, arguments, said, tmp_path):
        """
        The exit code is 2, and one line says what is wrong.
        """
        done = tierlog("rebuild", *arguments)

        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_catalog_that_cannot_be_opened(self, root):
        """
        The exit code is 1, and one line says why.
        """
        write(root)

        done = tierlog("rebuild", "--root", root, "--catalog", "postgresql://u:pass@127.0.0.1:1/db")

        assert (done.returncode, done.stdout) == (1, "")
        assert "can't be used" in done.stderr
        assert "pass" not in done.stderr.replace("password", "")
        assert done.stderr.count("\n") == 1
