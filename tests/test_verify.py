"""
Verification: what is damaged is found, what isn't is not, and nothing moves too fast for it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from children import start
from strategies import ulids  # noqa: F401 -- its profile: nothing here is timed
from tierlog._platform import lock_exclusive
from tierlog.context import EMPTY
from tierlog.errors import ObjectNotFoundError, StoreError
from tierlog.facts import facts_of
from tierlog.handler import TierHandler
from tierlog.layout import local_path, parse_local, parse_remote, remote_key
from tierlog.segments import Journal, claim, finished
from tierlog.stores import Stored
from tierlog.verify import Finding, verify
from tierlog.verify._findings import MOST_OF_A_KIND, Report
from tierlog.verify._numbers import Numbers
from tierlog.verify._read import settled_end


PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
BUILD = "01BX5ZZKBKACTAV9WEVGEMMVS0"
IDS = {"project_id": PROJECT, "build_id": BUILD}
TIERS = ["system", "action", "build"]
NOW = 1_790_000_000_000
DAY = 86_400_000


class Bucket:
    """
    A store in a dict.
    """

    name = "memory"

    def __init__(self):
        self.objects = {}

    def add(self, key, body, **metadata):
        self.objects[key] = (
            body,
            hashlib.md5(body).hexdigest(),
            {name.replace("_", "-"): str(value) for name, value in metadata.items()},
        )

    def damage(self, key, body):
        self.objects[key] = (body, *self.objects[key][1:])

    def head(self, key):
        if key not in self.objects:
            return None
        body, etag, metadata = self.objects[key]
        return Stored(key, len(body), etag, NOW, metadata)

    def open(self, key):
        if key not in self.objects:
            raise ObjectNotFoundError("none", code="NoSuchKey")
        return io.BytesIO(self.objects[key][0])

    def list(self, prefix="", *, after=""):
        for key in sorted(self.objects):
            if key in self.objects and key.startswith(prefix) and key > after:
                yield self.head(key)._replace(metadata={})


def write(root, records=60, *, tiers=TIERS, name="web", drop=(), is_closed=True, **options):
    """
    Log to some tiers in turn, and return the handler.
    """
    sink = {"type": "segments", "root": str(root), "max_bytes": 2_000, **options}
    clock = iter(range(NOW * 10**6, (NOW + DAY) * 10**6, 10**7))
    handler = TierHandler(sink=sink, instance_name=name, process_events=True, clock=lambda: next(clock))
    pipeline = handler.pipeline
    for n in range(records):
        if n in drop:
            pipeline._sink_write, kept = fail, pipeline._sink_write
        pipeline.event(NOW + n, EMPTY, "info", "app", f"record {n}", data={"n": n}, tier=tiers[n % len(tiers)], fields=IDS)
        if n in drop:
            pipeline._sink_write = kept
    if is_closed:
        handler.close()
    return handler


def fail(line, route):
    """
    Be a sink that is broken.
    """
    raise OSError(28, "No space left on device")


def segments(root, folder="system"):
    """
    Return the paths of a tier's segments, in the order in which they were written.
    """
    return sorted((root / folder).rglob("*.ndjson"), key=lambda path: numbers(path)[0])


def numbers(path):
    """
    Return the ``seq`` of each line.
    """
    return [int(line.split(b',"seq":')[1].split(b",")[0]) for line in path.read_bytes().splitlines()]


def ship(root, bucket, *, is_moved=True, prev=None, packing=None):
    """
    Put every segment into *bucket*, as shipping does, and return what was sealed.
    """
    prev, sealed = {} if prev is None else prev, []
    for path in sorted(root.rglob("*.ndjson"), key=lambda path: numbers(path)[0]):
        relative = path.relative_to(root).as_posix()
        place, body = parse_local(relative), path.read_bytes()
        facts = facts_of(io.BytesIO(body))
        instance = place.instance or facts.instance
        first, last, _ = facts.seqs[instance]
        found = {"first_ts": facts.first_ts, "last_ts": facts.last_ts, "first_seq": first, "last_seq": last}
        found |= {"tierlog": 1, "instance": instance, "lines": facts.lines, "size": facts.size, "sha256": facts.sha256}
        key = remote_key(place._replace(packing=packing))
        stored = gzip.compress(body) if packing else body
        bucket.add(key, stored, **found, prev_sha256=prev.get(instance, ""), day=place.day, state="done")
        sealed.append(SimpleNamespace(key=relative, instance=instance, sha256=facts.sha256, prev_sha256=prev.get(instance, "")))
        prev[instance] = facts.sha256
        if is_moved:
            path.unlink()
    return sealed


class Rows:
    """
    A catalog of what *bucket* has, and of what it is told.
    """

    def __init__(self, bucket):
        self.rows = {}
        for key, (body, etag, metadata) in bucket.objects.items():
            facts = facts_of(io.BytesIO(gzip.decompress(body) if key.endswith("gz") else body))
            entry = {"key": key, "place": parse_remote(key), "state": "shipped", "etag": etag}
            self.rows[key] = SimpleNamespace(**entry, prev_sha256=metadata["prev-sha256"], facts=facts)

    def find(self, *, states):
        return iter([row for row in self.rows.values() if row.state in states])

    def get(self, key):
        return self.rows.get(key)


def look(root, store=None, **options):
    """
    Verify, long after everything was written, without waiting.
    """
    return verify(root, store, **{"clock": lambda: (NOW + DAY) * 10**6, "sleep": lambda _: None, **options})


def kinds(verified):
    """
    Return the findings by kind, and the numbers they are about.
    """
    return [(one.kind, one.first_seq, one.last_seq) for one in verified.findings]


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="bucket")
def _bucket():
    return Bucket()


class TestWhatIsWhole:
    @pytest.mark.parametrize("writer", ["append", "mmap"])
    def test_a_clean_tree_has_no_finding(self, root, writer):
        """
        Segments of several tiers, in many files, are found whole: the numbers say so.
        """
        write(root, writer=writer)

        verified = look(root)

        assert (verified.findings, verified.is_clean, verified.information) == ([], True, [])
        assert (verified.records, verified.instances, verified.remote) == (62, 1, 0)
        assert verified.local == len(list(root.rglob("*.ndjson"))) > 6
        assert verified.size == verified.stored_bytes == sum(path.stat().st_size for path in root.rglob("*.ndjson"))

    @pytest.mark.parametrize("packing", [None, "gz"])
    def test_what_was_shipped_is_whole(self, root, bucket, packing):
        """
        The store alone is enough, packed or not: numbers, hashes and the chain hold.
        """
        write(root)
        ship(root, bucket, packing=packing)

        verified = look(None, bucket)

        assert (verified.findings, verified.records, verified.local) == ([], 62, 0)
        assert verified.remote == len(bucket.objects)

    def test_parts_here_and_there_make_a_whole(self, root, bucket):
        """
        Some segments on the disk, the others in the store, and some in both: a copy is
        no double.
        """
        write(root)
        ship(root, bucket, is_moved=False)
        paths = segments(root)
        for path in paths[::2]:
            path.unlink()

        verified = look(root, bucket)

        assert (verified.findings, verified.records) == ([], 62)
        assert verified.information_counts == {"copy": len(list(root.rglob("*.ndjson")))}

    def test_packed_and_plain_are_copies(self, root, bucket):
        """
        While a segment is packed, both are there for a moment.
        """
        write(root)
        ship(root, bucket, is_moved=False)
        ship(root, bucket, packing="gz")

        verified = look(None, bucket)

        assert (verified.findings, verified.information_counts) == ([], {"copy": verified.remote // 2})

    def test_a_build_is_known_by_its_first_line(self, root, bucket):
        """
        A build's file has other names when it is claimed and shipped, and is the same.
        """
        write(root, tiers=["build"])
        (path,) = segments(root, "builds")
        ship(root, bucket, is_moved=False)
        part = path.with_suffix("") / "web-01J00000000000000000000000.ndjson"
        part.parent.mkdir()
        shutil.copy(path, part)

        verified = look(root, bucket)

        assert (verified.findings, verified.information_counts["copy"]) == ([], 3)

    def test_a_checkpoint_is_the_beginning_of_its_segment(self, root, bucket):
        """
        What was stored of a segment while it grew is no double of it, and not held to its hash.
        """
        write(root)
        path = segments(root)[0]
        body = path.read_bytes()
        key = remote_key(parse_local(path.relative_to(root).as_posix()))
        bucket.add(key, body[: body.index(b"\n") + 1], state="open", sha256="", prev_sha256="")

        verified = look(root, bucket)

        assert (verified.findings, verified.information_counts) == ([], {"copy": 1})

    def test_blanks_are_legal(self, root):
        """
        Blanks before a line and empty lines are what mending leaves.
        """
        write(root)
        path = segments(root)[1]
        first, rest = path.read_bytes().split(b"\n", 1)
        path.write_bytes(b"   " + first + b"\n\n\n" + rest)

        assert look(root).findings == []

    def test_what_is_not_ours_is_counted(self, root, bucket):
        """
        Other files and objects are no findings, and aren't read.
        """
        write(root)
        (root / "system" / "notes.txt").write_text("hello")
        (root / "system" / "link.ndjson").symlink_to("notes.txt")
        bucket.add("backup.tar", b"x")

        verified = look(root, bucket)

        assert (verified.findings, verified.foreign) == ([], 3)

    def test_a_dropped_record_is_known(self, root, capsys):
        """
        Loss is loss, also when the process counted it: the finding says so.
        """
        write(root, drop=[7])

        (finding,) = look(root).findings

        assert (finding.kind, finding.first_seq, finding.last_seq) == ("missing", 8, 8)
        assert "dropped, known" in finding.detail

    def test_a_killed_process_is_told(self, root):
        """
        A stream without its end was cut; that is no finding.
        """
        path = write(root) and segments(root)[-1]
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]))

        verified = look(root)

        assert (verified.findings, verified.information_counts) == ([], {"cut": 1})

    def test_an_open_segment_may_end_in_the_middle(self, root):
        """
        The last line of an open segment is being written, and the stream goes on.
        """
        handler = write(root, max_bytes="1MiB", is_closed=False)
        with segments(root)[-1].open("ab") as file:
            file.write(b'{"ts":1700000000000,"instanceId":"we')

        verified = look(root)
        handler.close()

        assert (verified.findings, verified.information_counts) == ([], {"open": 1})


class TestWhatIsDamaged:
    def test_a_line_that_is_gone(self, root):
        """
        A number that is nowhere is missing.
        """
        write(root)
        path = segments(root)[1]
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:1] + lines[2:]))
        gone = int(lines[1].split(b',"seq":')[1].split(b",")[0])

        assert kinds(look(root)) == [("missing", gone, gone)]

    def test_a_line_that_is_there_twice(self, root):
        """
        A line that stands twice in a file is a double, with its place.
        """
        write(root)
        path = segments(root)[1]
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:2], lines[1], *lines[2:]]))
        again = numbers(path)[1]

        (finding,) = look(root).findings

        place = path.relative_to(root).as_posix()
        assert (finding.kind, finding.first_seq, finding.last_seq, finding.segment) == ("doubled", again, again, place)

    def test_a_segment_that_is_there_twice_under_another_name(self, root):
        """
        Numbers in two segments are doubles; both are named.
        """
        write(root)
        path = segments(root)[1]
        other = path.with_name(path.name[: -len("01J00000000000000000000000.ndjson")] + "01J00000000000000000000000.ndjson")
        shutil.copy(path, other)

        (finding,) = look(root).findings

        assert (finding.kind, finding.first_seq, finding.last_seq) == ("doubled", numbers(path)[0], numbers(path)[-1])
        assert path.name in finding.detail
        assert other.name in finding.detail

    def test_lines_that_were_swapped(self, root):
        """
        Two lines in the wrong order are disorder, and nothing else.
        """
        write(root)
        path = segments(root)[1]
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
        behind = numbers(path)[1]

        assert kinds(look(root)) == [("disorder", behind, behind)]

    def test_a_flipped_byte(self, root):
        """
        A line that is none any more is named with its place, and its number is missing.
        """
        write(root)
        path = segments(root)[1]
        seqs = numbers(path)
        content = bytearray(path.read_bytes())
        start = content.index(b"\n") + 1
        content[content.index(b'"lvl"', start)] ^= 1
        path.write_bytes(content)

        torn, missing = look(root).findings

        assert (torn.kind, torn.segment, torn.offset) == ("torn", path.relative_to(root).as_posix(), start)
        assert (missing.kind, missing.first_seq, missing.last_seq) == ("missing", seqs[1], seqs[1])

    def test_a_segment_that_is_gone(self, root):
        """
        All numbers of a segment are missing, run by run.
        """
        write(root, tiers=["system"])
        path = segments(root)[1]
        seqs = numbers(path)
        path.unlink()

        assert kinds(look(root)) == [("missing", seqs[0], seqs[-1])]

    def test_a_segment_that_is_cut_off(self, root):
        """
        A finished segment that ends in the middle of a line has a torn line, and the
        number of that is missing.
        """
        write(root)
        path = segments(root)[1]
        last = numbers(path)[-1]
        os.truncate(path, path.stat().st_size - 20)

        torn, missing = look(root).findings

        assert (torn.kind, missing.kind, missing.first_seq, missing.last_seq) == ("torn", "missing", last, last)

    @pytest.mark.parametrize(
        ("line", "kind"),
        [
            pytest.param(b"hello\n", "foreign_line", id="text"),
            pytest.param(b"\0\0\0\0\n", "foreign_line", id="nul"),
            pytest.param(b'{"seq":1}\n', "foreign_line", id="other-json"),
            pytest.param(b'{"ts":1700000000000,"instanceId":"a\n', "torn", id="part"),
        ],
    )
    def test_a_line_of_others(self, root, line, kind):
        """
        A line that isn't an envelope is named with its place, and costs nothing else.
        """
        write(root)
        path = segments(root)[1]
        content = path.read_bytes()
        path.write_bytes(content + line)

        (finding,) = look(root).findings

        assert (finding.kind, finding.offset) == (kind, len(content))

    def test_a_part_of_a_line_before_a_line(self, root):
        """
        The line behind a torn one counts.
        """
        write(root)
        path = segments(root)[1]
        path.write_bytes(b'{"ts":17000' + path.read_bytes())

        assert [(one.kind, one.offset) for one in look(root).findings] == [("torn", 0)]

    def test_lines_in_the_wrong_place(self, root):
        """
        Lines of another instance in an instance's own file don't belong there.
        """
        write(root, name="one")
        write(root, name="two")
        one = next(path for path in segments(root) if path.name.startswith("one"))
        two = next(path for path in segments(root) if path.name.startswith("two"))
        one.write_bytes(one.read_bytes() + two.read_bytes())
        two.unlink()

        assert [finding.kind for finding in look(root).findings] == ["misplaced"]

    def test_a_file_that_can_not_be_read(self, root, monkeypatch):
        """
        What can't be read is said, and what is missing for it.
        """
        write(root, tiers=["system"])
        path, real = segments(root)[1], os.open
        seqs = numbers(path)

        def guarded(name, *rest):
            if str(name) == str(path):  # permissions don't stop the superuser
                raise PermissionError(13, "Permission denied")
            return real(name, *rest)

        monkeypatch.setattr(os, "open", guarded)

        assert kinds(look(root)) == [("unreadable", None, None), ("missing", seqs[0], seqs[-1])]

    def test_a_folder_that_can_not_be_read(self, root, monkeypatch):
        """
        A folder that can't be listed is said.
        """
        write(root, tiers=["system"])
        real = os.scandir

        def guarded(path):
            if str(path).endswith("system"):
                raise PermissionError(13, "Permission denied")
            return real(path)

        monkeypatch.setattr(os, "scandir", guarded)

        assert kinds(look(root)) == [("unreadable", None, None)]

    def test_a_carriage_return_is_no_end_of_a_line(self, root):
        """
        A file that was saved with other line ends has whole lines still.
        """
        write(root)
        path = segments(root)[1]
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"x\ry\n")

        assert [one.kind for one in look(root).findings] == ["foreign_line"]

    def test_a_missing_newline(self, root):
        """
        A last line that lacks nothing but its newline counts, and is a finding.
        """
        write(root)
        path = segments(root)[1]
        os.truncate(path, path.stat().st_size - 1)

        assert [one.kind for one in look(root).findings] == ["torn"]

    @pytest.mark.parametrize("key", [b'"seq":', b'"ts":', b'"instanceId":'])
    def test_a_value_of_another_type(self, root, key):
        """
        A line whose values aren't of the envelope's types is none.
        """
        write(root)
        path = segments(root)[1]
        before, _, after = path.read_bytes().partition(key)
        path.write_bytes(before + key + b"null," + b'"x":' + after)

        assert [one.kind for one in look(root).findings] == ["torn", "missing"]

    def test_very_many_torn_lines(self, root):
        """
        More than a thousand bad lines of a file are counted.
        """
        write(root)
        path = segments(root)[1]
        path.write_bytes(path.read_bytes() + b"hello\n" * 3_000)

        verified = look(root)

        assert (len(verified.findings), verified.counts) == (MOST_OF_A_KIND, {"foreign_line": 3_000})

    def test_a_packed_segment_that_is_broken(self, root):
        """
        A packed file that can't be unpacked is unreadable, and its numbers are missing.
        """
        write(root, tiers=["system"])
        path = segments(root)[1]
        seqs = numbers(path)
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes())[:-30])
        path.unlink()

        assert kinds(look(root)) == [("unreadable", None, None), ("missing", seqs[0], seqs[-1])]


class TestWhatWasNoted:
    def test_an_object_that_was_changed(self, root, bucket):
        """
        A changed byte shows by the hash, though each line is whole; once.
        """
        write(root)
        ship(root, bucket)
        key = min(bucket.objects)
        bucket.damage(key, bucket.objects[key][0].replace(b"record", b"rekord", 1))

        verified = look(None, bucket)

        assert [(one.kind, one.segment) for one in verified.findings] == [("hash", key)]

    def test_a_catalog_that_says_otherwise(self, root, bucket):
        """
        What the catalog says of a segment is compared with what it holds.
        """
        write(root)
        ship(root, bucket)
        rows = Rows(bucket)
        one, other = sorted(rows.rows)[:2]
        rows.rows[one].facts = rows.rows[one].facts._replace(sha256="ab" * 32)
        rows.rows[other].facts = rows.rows[other].facts._replace(lines=99)

        verified = look(None, bucket, catalog=rows)

        assert ("hash", one) in {(finding.kind, finding.segment) for finding in verified.findings}
        assert ("facts", other) in {(finding.kind, finding.segment) for finding in verified.findings}

    def test_a_catalog_whose_hashes_are_none(self, root, bucket):
        """
        A damaged row is a finding like another.
        """
        write(root)
        ship(root, bucket)
        rows = Rows(bucket)
        one = min(rows.rows)
        rows.rows[one].facts = rows.rows[one].facts._replace(sha256="no hash")

        verified = look(None, bucket, catalog=rows)

        assert ("hash", one) in {(finding.kind, finding.segment) for finding in verified.findings}

    def test_bytes_that_are_not_what_the_store_says(self, root, bucket):
        """
        An ETag that is an MD5 is compared with the bytes.
        """
        write(root)
        ship(root, bucket)
        key = min(bucket.objects)
        body, _, metadata = bucket.objects[key]
        bucket.objects[key] = (body, "0" * 32, metadata)

        assert [(one.kind, one.segment) for one in look(None, bucket).findings] == [("hash", key)]

    def test_a_sealed_segment_that_was_changed(self, root, bucket):
        """
        What was sealed doesn't change.
        """
        write(root)
        sealed = ship(root, bucket, is_moved=False)
        bucket.objects.clear()
        path = segments(root)[0]
        path.write_bytes(path.read_bytes().replace(b"record", b"rekord", 1))

        verified = look(root, bucket, sealed=sealed)

        assert [one.kind for one in verified.findings] == ["hash"]

    def test_a_segment_that_only_the_notes_know(self, root, bucket):
        """
        The last segment of a stream leaves no gap; catalog and ledger miss it.
        """
        write(root)
        sealed = ship(root, bucket)
        rows = Rows(bucket)
        last = next(key for key in bucket.objects if key.endswith(Path(sealed[-1].key).name))
        del bucket.objects[last]

        assert [one.kind for one in look(root, bucket, catalog=rows).findings] == ["gone"]
        assert [one.kind for one in look(root, bucket, sealed=sealed).findings] == ["gone"]

    def test_copies_that_differ(self, root, bucket):
        """
        The same segment in two places with different bytes is a finding, and no double.
        """
        write(root)
        ship(root, bucket, is_moved=False)
        path = segments(root)[0]
        path.write_bytes(path.read_bytes().replace(b"record", b"rekord", 1))

        assert [one.kind for one in look(root, bucket).findings] == ["hash"]


class TestChain:
    def test_an_object_that_is_gone(self, root, bucket):
        """
        The numbers are missing, and the one behind it follows nobody.
        """
        write(root, tiers=["system"])
        sealed = ship(root, bucket)
        key = next(key for key in bucket.objects if key.endswith(Path(sealed[3].key).name))
        del bucket.objects[key]

        assert sorted(one.kind for one in look(None, bucket).findings) == ["chain", "missing"]

    def test_the_first_one_may_be_unknown(self, root, bucket):
        """
        What went by age leaves a chain that begins late, and numbers that are known to
        be old, if that is said.
        """
        write(root, tiers=["system"])
        sealed = ship(root, bucket)
        key = next(key for key in bucket.objects if key.endswith(Path(sealed[0].key).name))
        del bucket.objects[key]

        verified = look(None, bucket, gone_before_ms=NOW)

        assert (verified.findings, verified.information_counts) == ([], {"expired": 1, "begin_late": 1})

    def test_a_tombstone_explains(self, root, bucket):
        """
        What the catalog knows to be gone by age is no finding, neither a number nor a link.
        """
        write(root)
        sealed = ship(root, bucket)
        rows = Rows(bucket)
        for one in sealed[:4]:
            key = next(key for key in bucket.objects if key.endswith(Path(one.key).name) or key.startswith("builds/"))
            rows.rows[key].state = "expired"
            del bucket.objects[key]

        verified = look(None, bucket, catalog=rows)

        assert (verified.findings, verified.information_counts["expired"]) == ([], 1)

    def test_a_tombstone_explains_no_more_than_its_lines(self, root, bucket):
        """
        Numbers of other tiers that stand between those of an expired segment are missing all the same.
        """
        write(root)
        sealed = ship(root, bucket)
        rows = Rows(bucket)
        keys = [
            next(key for key in bucket.objects if key.endswith(Path(one.key).name)) for one in sealed if "builds" not in one.key
        ]
        rows.rows[keys[0]].state = "expired"
        for key in keys[:2]:
            del bucket.objects[key]
        del rows.rows[keys[1]]

        verified = look(None, bucket, catalog=rows)

        assert {"missing", "chain"} == set(verified.counts)

    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_fork(self, root, bucket, is_first):
        """
        Two that follow the same one, or two beginnings, are a finding.
        """
        write(root)
        sealed = ship(root, bucket)
        one = sealed[0] if is_first else sealed[3]
        stranger = SimpleNamespace(key="x", instance=one.instance, sha256="ab" * 32, prev_sha256=one.prev_sha256)

        verified = look(None, bucket, sealed=[stranger])

        assert [finding.kind for finding in verified.findings] == ["chain"]

    def test_a_circle(self, root):
        """
        Segments that follow one another without a beginning are a finding.
        """
        sealed = [
            SimpleNamespace(key=key, instance="a", sha256=key * 64, prev_sha256=prev * 64) for key, prev in ("ab", "bc", "ca")
        ]

        verified = look(root, None, sealed=sealed)

        assert ["circle" in finding.detail for finding in verified.findings] == [True]

    def test_two_who_say_different_things(self, root, bucket):
        """
        Catalog and object must name the same predecessor.
        """
        write(root)
        ship(root, bucket)
        rows = Rows(bucket)
        rows.rows[max(rows.rows)].prev_sha256 = "cd" * 32

        assert [finding.kind for finding in look(None, bucket, catalog=rows).findings] == ["chain"]


class TestWhatIsElsewhere:
    def test_another_machine_has_time(self, root, bucket):
        """
        What another machine has logged just now may not be stored yet; later it is missing.
        """
        write(root)
        sealed = ship(root, bucket)
        key = next(key for key in bucket.objects if key.endswith(Path(sealed[1].key).name))
        del bucket.objects[key]

        soon = look(None, bucket, clock=lambda: (NOW + 1_000) * 10**6)
        late = look(None, bucket)

        assert (soon.findings, soon.information_counts) == ([], {"pending": 1, "begin_late": 1})
        assert {"missing", "chain"} == set(late.counts)

    def test_a_root_that_ships_without_its_store(self, root, bucket):
        """
        Nobody can say of a root that ships what is missing without looking into the store.
        """
        write(root)
        sealed = ship(root, bucket, is_moved=False)
        (root / sealed[1].key).unlink()
        (root / ".tierlog" / "ships").write_text("{}")

        verified = look(root)

        assert (verified.findings, verified.information_counts) == ([], {"elsewhere": 1})

    def test_a_catalog_knows_what_is_in_the_store(self, root, bucket):
        """
        Numbers that the catalog has in the store aren't missed on the disk.
        """
        write(root)
        sealed = ship(root, bucket, is_moved=False)
        rows = Rows(bucket)
        (root / sealed[1].key).unlink()

        verified = look(root, catalog=rows)

        assert (verified.findings, verified.information_counts["elsewhere"]) == ([], 1)

    def test_a_store_that_fails_once(self, root, bucket):
        """
        An object that can't be read at first is tried again; one that never can is said.
        """
        write(root)
        ship(root, bucket)
        key, real, failures = min(bucket.objects), bucket.open, [2]

        def flaky(asked):
            if asked == key and failures[0]:
                failures[0] -= 1
                raise StoreError("it is slow", code="SlowDown")
            return real(asked)

        bucket.open = flaky

        assert look(None, bucket).findings == []
        failures[0] = -1
        assert "unreadable" in look(None, bucket).counts

    def test_an_object_that_goes_meanwhile(self, root, bucket):
        """
        An object that is packed or deleted between listing and reading isn't missed.
        """
        write(root)
        ship(root, bucket, is_moved=False)
        keys = sorted(bucket.objects)
        real_head, real_open = bucket.head, bucket.open
        listed = [*bucket.list(), bucket.head(keys[0])._replace(key=keys[0] + ".gz")]
        bucket.list = lambda: iter(listed)
        bucket.head = lambda key: None if key == keys[1] else real_head(key)
        bucket.open = lambda key: real_open("none" if key == keys[2] else key)

        verified = look(root, bucket)

        assert (verified.findings, verified.remote) == ([], len(keys) - 2)

    def test_an_object_that_changes_while_it_is_read(self, root, bucket):
        """
        A checkpoint that is replaced in the middle is read again.
        """
        write(root)
        ship(root, bucket)
        key, real = min(bucket.objects), bucket.open
        whole = bucket.objects[key]
        bucket.add(key, whole[0][:-30], sha256="", prev_sha256="", state="open")

        def replaced(asked):
            file = real(asked)
            if asked == key:
                bucket.objects[key] = whole
            return file

        bucket.open = replaced

        assert look(None, bucket).findings == []

    def test_objects_of_ours_without_metadata(self, root, bucket):
        """
        Objects that were copied without their metadata are read all the same.
        """
        write(root)
        ship(root, bucket)
        bucket.objects = {key: (body, etag, {}) for key, (body, etag, _) in bucket.objects.items()}

        verified = look(None, bucket)

        assert (verified.findings, verified.information_counts) == ([], {"no_metadata": verified.remote})

    def test_metadata_that_makes_no_sense(self, root, bucket):
        """
        Metadata that somebody made up is a finding, and stops nothing.
        """
        write(root)
        ship(root, bucket)
        key = min(bucket.objects)
        bucket.objects[key][2].update({"sha256": "hello", "lines": "many"})

        verified = look(None, bucket)

        assert {"hash", "chain"} <= verified.counts.keys()
        assert verified.records == 62

    def test_rows_of_another_machine(self, root, bucket):
        """
        What the catalog has on another machine's disk isn't missed here.
        """
        write(root)
        ship(root, bucket, is_moved=False)
        rows = Rows(bucket)
        key = sorted(rows.rows)[-1]
        rows.rows[key].state, rows.rows[key].key = "local", "system/2026-09-21/x"
        del bucket.objects[key]

        verified = look(None, bucket, catalog=rows)

        assert (verified.findings, verified.information_counts["elsewhere"]) == ([], 1)

    def test_what_the_catalog_has_let_go_meanwhile(self, root, bucket):
        """
        A row that has gone by the end is no segment that is gone.
        """
        write(root)
        sealed = ship(root, bucket)
        rows = Rows(bucket)
        last = next(key for key in bucket.objects if key.endswith(Path(sealed[-1].key).name))
        del bucket.objects[last]
        rows.get = lambda key: None

        assert look(None, bucket, catalog=rows).findings == []


class TestWhileItMoves:
    def test_what_is_shipped_meanwhile_is_found(self, root, bucket):
        """
        A segment that leaves the disk in the middle of the scan is read in the store.
        """
        write(root)
        paths = segments(root)

        def move(name, size):
            if paths[2].exists():
                ship(root, bucket)

        verified = look(root, bucket, progress=move)

        assert (verified.findings, verified.records) == ([], 62)

    def test_what_is_stored_behind_the_back_is_found(self, root, bucket, tmp_path):
        """
        An object that comes when its place in the list has passed is found by the second look.
        """
        write(root)
        hidden = Bucket()
        ship(root, hidden)
        first = min(hidden.objects)
        bucket.objects = {key: one for key, one in hidden.objects.items() if key != first}

        verified = look(None, bucket, progress=lambda *_: bucket.objects.setdefault(first, hidden.objects[first]))

        assert (verified.findings, verified.records) == ([], 62)

    @pytest.mark.parametrize("writer", ["append", "mmap"])
    @pytest.mark.parametrize("durability", ["process", "batch"])
    def test_no_false_finding_while_processes_log(self, root, writer, durability):
        """
        Processes that log to all tiers, turn their segments and end are verified again
        and again, and nothing is found that isn't so.
        """
        processes = [start(LIVE, root, writer, durability, name, stdin=-1) for name in ("one", "two")]
        try:
            for process in processes:
                assert process.stdout.readline() == b"ready\n"
            seen, ended = [], False
            while not ended:
                ended = all(process.poll() is not None for process in processes)
                verified = verify(root, None)
                assert verified.findings == []
                seen.append(verified.records)
        finally:
            for process in processes:
                process.kill()
                process.communicate()

        assert seen == sorted(seen)
        assert seen[-1] == 2 * 8_002
        assert verified.information == []

    @pytest.mark.parametrize("pace", [1, 7])
    def test_no_false_finding_while_segments_are_moved(self, root, pace):
        """
        Segments that are written by processes and shipped meanwhile are all found,
        whenever one looks; those of builds, too, which change their names.
        """
        shipper = Shipper(root)
        processes = [start(LIVE, root, "append", "process", name, stdin=-1) for name in ("one", "two")]
        try:
            for process in processes:
                assert process.stdout.readline() == b"ready\n"
            ended = False
            while not ended or list(finished(root)):
                ended = all(process.poll() is not None for process in processes)
                steps = count()
                verified = verify(root, shipper, progress=lambda *_, steps=steps: next(steps) % pace or shipper())
                assert verified.findings == []
                shipper()
        finally:
            for process in processes:
                process.kill()
                process.communicate()

        assert len(shipper.objects) > 100
        assert verified.records == 2 * 8_002


LIVE = """
    import sys, tierlog
    root, writer, durability, name = sys.argv[1:]
    options = {"max_bytes": 20_000, "max_open_segments": 3, "writer": writer, "durability": durability}
    tierlog.configure(root=root, instance_name=name, **options)
    print("ready", flush=True)
    ids = {"project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"}
    for number in range(8_000):
        tier = ("system", "build", "deploy", "action", "lifecycle")[number * 7 % 5]
        tierlog.log_event(tier, None, "info", f"{number} " + "x" * (number % 97), **ids)
    """
"""A process that logs to all tiers for a while, and ends."""


class Shipper(Bucket):
    """
    A store, and who moves finished segments there, one at each call.
    """

    def __init__(self, root):
        super().__init__()
        self.root = root
        self.prev = {}

    def __call__(self, name="", size=0):
        """
        Move a segment; a build's file gets its own name first, the next time it moves.
        """
        found = next(iter(finished(self.root)), None)
        if found is not None and found.place.instance is None:
            claim(self.root, found.place)
        elif found is not None:
            self.move(found.place)

    def move(self, place):
        path = self.root / local_path(place)
        with path.open("rb") as file:
            if not lock_exclusive(file.fileno()) or Journal(self.root).has(place):
                return  # somebody has just begun it
            body = file.read()
            facts = facts_of(io.BytesIO(body))
            whole = remote_key(place._replace(instance=None, ulid=None)) if place.is_part else ""
            key = whole if whole and whole not in self.objects else remote_key(place)
            noted = {"sha256": facts.sha256, "prev_sha256": self.prev.get(place.instance, ""), "instance": place.instance}
            self.add(key, body, **noted, size=facts.size, lines=facts.lines, last_ts=facts.last_ts, state="done")
            self.prev[place.instance] = facts.sha256
            path.unlink()


class TestReport:
    def test_as_dict(self, root):
        """
        The report as JSON has all numbers, and of each finding what is known.
        """
        write(root, tiers=["system"])
        path = segments(root)[1]
        first, last = numbers(path)[0], numbers(path)[-1]
        path.unlink()

        found = look(root).as_dict()

        assert (found["isClean"], found["counts"], found["segments"]["remote"]) == (False, {"missing": 1}, 0)
        (finding,) = found["findings"]
        assert finding.keys() == {"kind", "instance", "firstSeq", "lastSeq", "detail"}
        assert (finding["firstSeq"], finding["lastSeq"]) == (first, last)

    def test_the_list_is_bounded(self):
        """
        What is too much to be listed is counted.
        """
        report = Report()

        for number in range(MOST_OF_A_KIND + 5):
            report.add(Finding("torn", str(number)))

        assert (len(report.listed), report.counts["torn"]) == (MOST_OF_A_KIND, MOST_OF_A_KIND + 5)

    def test_many_holes_are_counted(self, root):
        """
        Every second number missing, three thousand times: a thousand are listed.
        """
        write(root, 6_000, tiers=["system", "action"], max_bytes="16MiB")
        shutil.rmtree(root / "projects")

        verified = look(root)

        assert (len(verified.findings), verified.counts) == (MOST_OF_A_KIND, {"missing": 3_000})

    def test_nothing_is_written(self, root, bucket):
        """
        A verification changes nothing below the root.
        """
        write(root)
        before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}

        look(root, bucket)

        assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


class TestNumbers:
    @given(st.lists(st.sets(st.integers(0, 60_000) | st.integers(0, 50), max_size=80), max_size=6))
    def test_they_are_a_set(self, parts):
        """
        Numbers, what was there before, and what is missing are those of a set.
        """
        all_numbers, reference = Numbers(), set()

        for part in parts:
            fresh = Numbers()
            fresh.add(sorted(part))
            again = all_numbers.merge(fresh)
            expected = reference & part
            assert (again.count(), again.lowest, again.highest) == (
                len(expected),
                min(expected, default=-1),
                max(expected, default=-1),
            )
            reference |= part

        missing = {number for first, last in all_numbers.missing(60_010) for number in range(first, last + 1)}
        assert missing == set(range(60_011)) - reference
        assert all(number in all_numbers for number in reference)

    def test_they_need_little(self):
        """
        A million numbers that come in two halves need a few pages, and those only once.
        """
        found = Numbers()
        for first in (0, 1):
            half = Numbers()
            half.add(range(first, 1_000_000, 2))
            found.merge(half)

        assert (found.count(), list(found.missing(1_000_001))) == (1_000_000, [(1_000_000, 1_000_001)])
        assert len({id(mask) for mask in found._pages.values()}) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", 0, id="empty"),
        pytest.param(b"\n\n\n", 0, id="filler-only"),
        pytest.param(b"abc", 0, id="no-line"),
        pytest.param(b"a\nbc", 2, id="half-a-line"),
        pytest.param(b"a\nb\n", 4, id="whole"),
        pytest.param(b"a\nb\n\n\n\n", 4, id="filler"),
        pytest.param(b"a\n" + b"b" * 600_000, 2, id="long-half-line"),
        pytest.param(b"a\n" + b"b" * 600_000 + b"\n" * 600_000, 600_003, id="long-filler"),
    ],
)
def test_settled_end(content, expected):
    """
    An open segment ends behind its last whole line.
    """
    file = io.BytesIO(content)

    assert (settled_end(file), file.tell()) == (expected, 0)


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory):
    """
    A tree with its copy in a store, never changed.
    """
    root = tmp_path_factory.mktemp("whole") / "logs"
    write(root, 40, max_bytes=1_500)
    bucket = Bucket()
    ship(root, bucket)
    return bucket.objects


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_damage_is_always_found(whole, data):
    """
    Whatever is done to the bytes of an object is found, and so is its loss.
    """
    bucket = Bucket()
    bucket.objects = dict(whole)
    key = data.draw(st.sampled_from(sorted(whole)))
    body = whole[key][0]
    match data.draw(st.sampled_from(["flip", "cut", "insert", "gone", "swap"])):
        case "flip":
            at = data.draw(st.integers(0, len(body) - 1))
            body = body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
        case "cut":
            body = body[: data.draw(st.integers(0, len(body) - 1))]
        case "insert":
            at = data.draw(st.integers(0, len(body)))
            body = body[:at] + data.draw(st.binary(min_size=1, max_size=30)) + body[at:]
        case "swap":
            other = data.draw(st.sampled_from(sorted(set(whole) - {key})))
            body = whole[other][0]
        case "gone":
            body = b""
    if body:
        bucket.damage(key, body)
    else:
        del bucket.objects[key]

    # The last one leaves no gap: what follows it would show.
    last = max(whole, key=lambda one: int(whole[one][2]["last-seq"]))
    assert not look(None, bucket).is_clean or (key == last and not body)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(st.integers(1, 5), min_size=1, max_size=30),
    tiers=st.lists(st.sampled_from(["system", "action", "build", "deploy", "lifecycle"]), min_size=1, max_size=8),
    size=st.integers(600, 6_000),
    data=st.data(),
)
def test_no_damage_is_never_found(tmp_path_factory, blocks, tiers, size, data):
    """
    However records are spread over tiers and segments, and those over disk and store,
    a whole tree has no finding.
    """
    root = tmp_path_factory.mktemp("tree") / "logs"
    count = sum(blocks)
    write(root, count, tiers=tiers, max_bytes=size)
    bucket = Bucket()
    sealed = ship(root, bucket, is_moved=False, packing=data.draw(st.sampled_from([None, "gz"])))
    for one in sealed:
        if data.draw(st.booleans()):
            (root / one.key).unlink()

    verified = look(root, bucket, sealed=sealed, catalog=Rows(bucket))

    assert (verified.findings, verified.records) == ([], count + 2)
