"""
Finished segments come into the bucket, once and unchanged, and then leave the disk.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os

import pytest
import zstandard

import tierlog
from bucket import events, objects, segments
from children import run, start, until
from conftest import OTHER_ULID, ULID
from servers.faults import HttpFaults
from tierlog.catalog import Catalog, sqlite_url
from tierlog.compaction import compact
from tierlog.handler import TierHandler
from tierlog.layout import parse_remote
from tierlog.packing import unpack_frame
from tierlog.r2 import R2Store
from tierlog.shipping import sealed
from tierlog.verify import verify


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


def made(root, r2, **options):
    """
    Return a handler that ships, without a catalog unless there's one in *options*.
    """
    sink = {"type": "r2", "root": str(root), "catalog": False, **r2, **options}
    return TierHandler(sink=sink, instance_name="web")


def log(handler, *messages, **extra):
    """
    Log *messages* to *handler*.
    """
    logger = logging.Logger("app")
    logger.addHandler(handler)
    for message in messages:
        logger.info(message, extra=extra)


def drained(handler):
    """
    Finish all segments, and wait until they are shipped.
    """
    handler.close()
    assert handler.pipeline.sink.drain(60.0)


class TestEachSegment:
    """
    What becomes of a finished segment.
    """

    def test_is_stored_as_it_was(self, root, r2):
        """
        Every tier's segment is stored under its key, byte for byte, and gone from the disk.
        """
        handler = made(root, r2)
        log(handler, "a", "b")
        log(handler, "c", tier="action", project_id=ULID)
        log(handler, "d", tier="build", build_id=ULID)
        log(handler, "e", tier="deploy", build_id=ULID)
        log(handler, "f", tier="lifecycle", project_id=ULID)
        handler.flush()
        before = segments(root)
        drained(handler)

        stored = objects(r2)
        assert sorted(stored.values()) == sorted(before.values())
        assert segments(root) == {}
        assert sorted(parse_remote(key).tier for key in stored) == ["action", "build", "deploy", "lifecycle", "system"]
        assert {f"builds/{ULID}.ndjson", f"deploys/{ULID}.ndjson"} <= stored.keys()

    def test_costs_one_request(self, root, r2, simulator):
        """
        In the steady state there's one PUT for each segment, and nothing else.
        """
        with HttpFaults(simulator.address) as proxy:
            handler = made(root, {**r2, "endpoint_url": simulator.at(proxy.url)}, max_bytes=2_000)
            log(handler, *map(str, range(100)))
            log(handler, "built", tier="build", build_id=ULID)
            drained(handler)

        stored = objects(r2)
        assert [method for method, _ in proxy.requests] == ["PUT"] * len(stored)
        assert len(stored) > 5

    def test_is_described_by_its_metadata(self, root, r2):
        """
        One HEAD says what is in it.
        """
        handler = made(root, r2)
        log(handler, "a", "b", "c", project_id=ULID)
        drained(handler)

        ((key, body),) = objects(r2).items()
        meta = R2Store(**r2).head(key).metadata
        found = events(body)
        assert {name: meta[name] for name in ("lines", "first-seq", "last-seq", "size", "state", "projects")} == {
            "lines": "3",
            "first-seq": "0",
            "last-seq": "2",
            "size": str(len(body)),
            "state": "done",
            "projects": ULID,
        }
        assert (int(meta["first-ts"]), int(meta["last-ts"])) == (found[0]["ts"], found[-1]["ts"])
        assert meta["sha256"] == hashlib.sha256(body).hexdigest()

    def test_names_the_one_before(self, root, r2):
        """
        Each segment of an instance names the hash of the one before it; one is the first.
        """
        handler = made(root, r2, max_bytes=2_000, connections=1)
        log(handler, *map(str, range(60)))
        drained(handler)

        store = R2Store(**r2)
        metas = [store.head(one.key).metadata for one in list(store.list())]
        links = {meta["sha256"]: meta["prev-sha256"] for meta in metas}
        first = [name for name, before in links.items() if not before]
        assert len(links) > 3
        assert len(first) == 1
        assert set(links.values()) - {""} == set(links) - {name for name in links if name not in links.values()}
        assert list(sealed(root)) == []

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_may_be_compressed(self, root, r2, compression):
        """
        At upload, where that is asked for; it is stored without Content-Encoding, and reads back the same.
        """
        handler = made(root, r2, compression=compression)
        log(handler, *map(str, range(3_000)))
        handler.flush()
        (before,) = segments(root).values()
        drained(handler)

        ((key, body),) = objects(r2).items()
        plain = gzip.decompress(body) if compression == "gzip" else _unpacked(body)
        answer = R2Store(**r2)._client().head_object(Bucket=r2["bucket"], Key=f"{r2['prefix']}/{key}")
        assert plain == before
        assert len(body) < len(before) / 3
        assert key.endswith({"gzip": ".ndjson.gz", "zstd": ".ndjson.zst"}[compression])
        assert "ContentEncoding" not in answer

    def test_its_blocks_are_found_by_the_catalog(self, root, r2):
        """
        Of a segment in zstd, the catalog's row says which bytes of the object hold a block.
        """
        handler = made(root, r2, compression="zstd", catalog=None)
        log(handler, *("x" * 500 for _ in range(2_000)))
        handler.flush()
        (before,) = segments(root).values()
        drained(handler)

        (entry,) = Catalog(sqlite_url(root)).find(states=["shipped"])
        second = entry.facts.blocks[1]
        stored = R2Store(**r2).get(entry.key, entry.frames[0], entry.frames[0] + entry.frames[1])
        assert (len(entry.frames), sum(entry.frames)) == (len(entry.facts.blocks), entry.stored_bytes)
        assert unpack_frame(stored) == before[second.offset : second.offset + second.size]

    def test_may_have_been_compressed_before(self, root, r2):
        """
        A root that was compacted and ships from now on is shipped whole, as it is.
        """
        handler = TierHandler(sink={"type": "segments", "root": str(root)}, instance_name="web")
        log(handler, *map(str, range(100)))
        log(handler, "built", tier="build", build_id=ULID)
        handler.close()
        (before,) = (content for path, content in segments(root).items() if path.startswith("system"))
        compact(root, None, older_than=0)
        packed = segments(root)
        handler = made(root, r2)
        drained(handler)

        stored = objects(r2)
        (key,) = (key for key in stored if key.startswith("system"))
        meta = R2Store(**r2).head(key).metadata
        assert sorted(stored.values()) == sorted(packed.values())
        assert (key.endswith(".ndjson.zst"), _unpacked(stored[key])) == (True, before)
        assert meta["sha256"] == hashlib.sha256(before).hexdigest()
        assert f"builds/{ULID}.ndjson.zst" in stored
        assert (segments(root), handler.stats()["failed"]) == ({}, 0)


def _unpacked(body):
    with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
        return reader.read()


class TestBuilds:
    """
    A build has one object; what comes later stands beside it.
    """

    def test_what_comes_later_is_a_part(self, root, r2):
        """
        Once a build's object is stored, further lines are stored beside it, and nothing is replaced.
        """
        handler = made(root, r2)
        for message in ("first", "second", "third"):
            log(handler, message, tier="build", build_id=ULID)
            handler.pipeline.sink.end_build(ULID)
            assert handler.pipeline.sink.drain(60.0)
        handler.close()

        stored = objects(r2)
        assert [event["msg"] for event in events(stored.pop(f"builds/{ULID}.ndjson"))] == ["first"]
        assert sorted(event["msg"] for event in events(*stored.values())) == ["second", "third"]
        assert all(parse_remote(key).is_part for key in stored)

    def test_of_two_hosts(self, tmp_path, r2):
        """
        Two hosts that write to one build leave one object and one part.
        """
        handlers = [made(tmp_path / host, r2) for host in ("one", "two")]
        for handler in handlers:
            log(handler, "line", tier="build", build_id=ULID)
        for handler in handlers:
            drained(handler)

        assert len(objects(r2)) == 2
        assert len(events(*objects(r2).values())) == 2


class TestProcesses:
    """
    Several processes, forks, and the end of each.
    """

    PROGRAM = """
    import json, logging, os, sys
    import tierlog
    tierlog.configure(root=sys.argv[1], instance_name="web", catalog=False, level="DEBUG", process_events=False, shutdown_timeout=60, **json.loads(sys.argv[2]))
    log = logging.getLogger("app")
    """

    def _program(self, text):
        from textwrap import dedent

        return dedent(self.PROGRAM) + dedent(text)

    @pytest.mark.parametrize(
        "end",
        ["", "logging.shutdown()", "tierlog.shutdown(60)", "sys.exit(0)", "logging.getLogger().handlers.clear()"],
        ids=["by-itself", "logging-shutdown", "tierlog-shutdown", "sys-exit", "without-handlers"],
    )
    def test_all_is_shipped_at_the_end(self, root, r2, end):
        """
        A short program's records are in the bucket when it has ended.
        """
        done = run(self._program(f"log.info('hello')\n{end}\n"), root, json.dumps(r2))

        assert (done.returncode, done.err) == (0, "")
        assert [event["msg"] for event in events(*objects(r2).values())] == ["hello"]
        assert segments(root) == {}

    def test_an_upload_makes_no_records(self, root, r2):
        """
        With the root logger at DEBUG, what boto3 says on our own threads is in no log.
        """
        text = """
        log.info("one")
        handler = logging.getLogger().handlers[0]
        for _ in range(3):
            log.info("more", extra={"tier": "build", "build_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})
            handler.pipeline.sink.end_build("01ARZ3NDEKTSV4RRFFQ69G5FAV")
            handler.pipeline.sink.drain(60.0)
        """
        done = run(self._program(text), root, json.dumps(r2))

        assert (done.returncode, done.err) == (0, "")
        assert sorted(event["msg"] for event in events(*objects(r2).values())) == ["more", "more", "more", "one"]

    def test_forked_children(self, root, r2):
        """
        Children that are forked while their parent ships do so, too, each for itself.
        """
        text = """
        log.info("parent")
        handler = logging.getLogger().handlers[0]
        children = []
        for number in range(3):
            child = os.fork()
            if child == 0:
                log.info("child %d", number)
                logging.shutdown()
                handler.pipeline.sink.drain(60.0)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        log.info("parent again")
        """
        done = run(self._program(text), root, json.dumps(r2))

        found = [event["msg"] for event in events(*objects(r2).values())]
        assert (done.returncode, done.err) == (0, "")
        assert sorted(found) == ["child 0", "child 1", "child 2", "parent", "parent again"]

    def test_what_was_left_is_shipped_by_the_next(self, root, r2):
        """
        A killed process's segments are mended and shipped at the next start.
        """
        run(self._program("log.info('killed')\nos.kill(os.getpid(), 9)\n"), root, json.dumps(r2))
        assert objects(r2) == {}

        run(self._program("log.info('next')\n"), root, json.dumps(r2))

        assert sorted(event["msg"] for event in events(*objects(r2).values())) == ["killed", "next"]
        assert segments(root) == {}

    def test_recover_ships(self, root, r2):
        """
        tierlog.recover() with a bucket does what a start does.
        """
        run(self._program("log.info('killed')\nos.kill(os.getpid(), 9)\n"), root, json.dumps(r2))

        recovered = tierlog.recover(root, catalog=False, **r2)

        assert (recovered.segments, recovered.shipped, recovered.pending, recovered.problem) == (1, 1, 0, None)
        assert [event["msg"] for event in events(*objects(r2).values())] == ["killed"]

    def test_a_live_neighbour_is_left_alone(self, root, r2):
        """
        Recovery beside a process that writes takes nothing of it.
        """
        text = """
        log.info("live")
        print("ready", flush=True)
        sys.stdin.readline()
        log.info("still live")
        """
        neighbour = start(self._program(text), root, json.dumps(r2), stdin=-1)
        neighbour.stdout.readline()

        recovered = tierlog.recover(root, catalog=False, **r2)

        assert (recovered.live, recovered.shipped, objects(r2)) == (1, 0, {})
        neighbour.communicate(b"\n", timeout=120)
        assert [event["msg"] for event in events(*objects(r2).values())] == ["live", "still live"]

    def test_many_at_once_ship_each_segment_once(self, root, r2):
        """
        Four processes that share a root ship what all of them and a dead one left, each segment once.
        """
        text = "for n in range(60):\n    log.info('left %d', n)\nos.kill(os.getpid(), 9)\n"
        run(self._program(text), root, json.dumps({**r2, "max_bytes": 1_000}))
        processes = [start(self._program("log.info('mine')\n"), root, json.dumps(r2)) for _ in range(4)]
        for process in processes:
            process.communicate(timeout=120)

        found = sorted(event["msg"] for event in events(*objects(r2).values()))
        assert found == sorted([f"left {n}" for n in range(60)] + ["mine"] * 4)
        assert verify(root, R2Store(**r2)).counts == {}


class TestSpool:
    """
    What waits on the disk.
    """

    def test_a_full_spool_keeps_what_is_there(self, root, r2, capfd):
        """
        At the limit new lines go to the emergency path and are counted; nothing that waits is lost.
        """
        dead = {**r2, "endpoint_url": "http://127.0.0.1:1"}
        handler = made(root, dead, max_spool_bytes=4_000)
        log(handler, *["x" * 200] * 60)
        stats = handler.stats()
        handler.close()

        kept = sorted(event["seq"] for event in events(*segments(root).values()))
        assert stats["written"] == len(kept)
        assert stats["accepted"] == 60
        assert stats["dropped"] == {"edquot": 60 - len(kept)}
        assert kept == list(range(len(kept)))
        assert sum(map(len, segments(root).values())) <= 4_000
        assert "max_spool_bytes" in capfd.readouterr().err

    def test_a_full_spool_may_drop_the_oldest(self, root, r2, capfd):
        """
        Where that is chosen, the oldest finished segments go, and are counted.
        """
        dead = {**r2, "endpoint_url": "http://127.0.0.1:1"}
        handler = made(root, dead, max_spool_bytes=4_000, spool_full="drop_oldest")
        log(handler, *["x" * 200] * 60)
        said = []
        until(lambda: said.append(capfd.readouterr().err) or "deleted unshipped" in "".join(said))
        handler.close()

        kept = sorted(event["seq"] for event in events(*segments(root).values()))
        assert handler.stats()["dropped_segments"] > 0
        assert kept[-1] == 59
        assert len(kept) < 60

    def test_what_is_foreign_stays(self, root, r2):
        """
        Files that aren't segments are neither shipped nor deleted, and links aren't followed.
        """
        handler = made(root, r2)
        log(handler, "ours")
        folder = root / "system" / "2026-01-01"
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("mine")
        (folder / "web.ndjson").write_text("{}\n")
        (root.parent / "outside").write_text("outside\n")
        (folder / f"web-00000000-{ULID}.ndjson").symlink_to(root.parent / "outside")
        drained(handler)

        assert len(objects(r2)) == 1
        assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", f"web-00000000-{ULID}.ndjson", "web.ndjson"]
        assert (root.parent / "outside").read_text() == "outside\n"

    def test_a_root_that_cannot_be_written(self, tmp_path, r2):
        """
        It is refused at configuration, by name.
        """
        (tmp_path / "file").write_text("")
        with pytest.raises(tierlog.ConfigError, match=r"sink.root: .*can't be written .*make it writable or choose another"):
            made(tmp_path / "file" / "logs", r2)


class TestCheckpoints:
    """
    Open segments are stored as they grow, where that is asked for.
    """

    def test_what_is_open_is_stored(self, root, r2):
        """
        While a segment is open its lines so far are under its key, and in the end all are.
        """
        handler = made(root, r2, checkpoint_interval=0.05)
        log(handler, "one", "two")
        until(lambda: len(events(*objects(r2).values())) == 2)
        store = R2Store(**r2)
        (first,) = store.list()
        was = store.head(first.key).metadata["state"]
        log(handler, "three")
        until(lambda: len(events(*objects(r2).values())) == 3)
        log(handler, "four")
        drained(handler)

        ((key, body),) = objects(r2).items()
        assert (was, store.head(key).metadata["state"]) == ("open", "done")
        assert (key, [event["msg"] for event in events(body)]) == (first.key, ["one", "two", "three", "four"])
        assert segments(root) == {}

    def test_the_machine_is_lost(self, root, r2):
        """
        What was stored of a build before the machine went away is a valid part of it.
        """
        handler = made(root, r2, checkpoint_interval=0.05)
        log(handler, "one", "two", tier="build", build_id=OTHER_ULID)

        until(lambda: len(events(*objects(r2).values())) == 2)

        ((key, body),) = objects(r2).items()
        assert parse_remote(key).id == OTHER_ULID
        assert [event["msg"] for event in events(body)] == ["one", "two"]
        drained(handler)
        assert len(events(*objects(r2).values())) == 2


def test_stats_add_up(root, r2):
    """
    The counters of shipping say what was shipped, and each upload is told by itself.
    """
    handler = made(root, r2, max_bytes=2_000)
    log(handler, *map(str, range(50)))
    drained(handler)

    stored = objects(r2)
    stats = handler.stats()
    attempts = handler.pipeline.sink.attempts
    assert (stats["shipped"], stats["pending"], stats["failed"], stats["backlog_bytes"]) == (len(stored), 0, 0, 0)
    assert stats["shipped_bytes"] == sum(map(len, stored.values()))
    assert {one.key: one.stored_bytes for one in attempts} == {key: len(body) for key, body in stored.items()}
    assert all(one.problem is None and one.seconds > 0 for one in attempts)


def test_no_catalog_by_variable(root, r2, monkeypatch):
    """
    A variable switches the catalog off, as false does.
    """
    monkeypatch.setenv("TIERLOG_CATALOG", "none")
    handler = tierlog.configure(root=root, **r2)
    logging.getLogger("app").info("without")
    drained(handler)

    assert len(objects(r2)) == 1
    assert not (root / ".tierlog" / "catalog.sqlite").exists()
    assert handler.stats()["last_error"] is None


def test_it_is_configured_by_dict_alone(root, r2):
    """
    dictConfig is all it takes.
    """
    import logging.config

    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "tiers": {"class": "tierlog.TierHandler", "sink": {"type": "r2", "root": str(root), "catalog": False, **r2}}
        },
        "root": {"level": "INFO", "handlers": ["tiers"]},
    }
    logging.config.dictConfig(config)
    logging.getLogger("app").info("by dict")
    logging.config.dictConfig(config)
    logging.getLogger("app").info("once more")
    tierlog.shutdown(60)

    # What the first handler ships, it ships in the background: it was closed by the second dictConfig.
    until(lambda: sorted(event["msg"] for event in events(*objects(r2).values())) == ["by dict", "once more"])
    assert os.listdir(root / ".tierlog" / "open") == []
