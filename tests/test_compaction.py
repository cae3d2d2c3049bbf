"""
Compaction: old segments become packed ones, readers see no difference, and whoever is killed meanwhile loses nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from typing import Any, NamedTuple

import pytest

from children import finish, run, start
from conftest import OTHER_ULID, ULID
from tierlog._platform import lock_exclusive
from tierlog.compaction import compact
from tierlog.compaction._likeness import Likeness, likeness
from tierlog.context import EMPTY
from tierlog.errors import ConfigError, MissingExtraError, ObjectExistsError, ObjectNotFoundError, StoreError
from tierlog.facts import facts_of
from tierlog.handler import TierHandler
from tierlog.layout import Place, local_path, parse_local, parse_remote, remote_key
from tierlog.packing import open_plain, pack_file, unpack_frame
from tierlog.segments import SegmentSink, finished
from tierlog.shipping import Destination, Ledger, Uploader, note_destination, sealed
from tierlog.stores import Put
from tierlog.testing import Canaries, FakeClock, MemoryStore, event_line
from tierlog.verify import verify


NOW = 1_790_000_000_000
DAY_MS = 86_400_000
DAY = 86_400.0
LATER = (NOW + 10 * DAY_MS) * 10**6
TIERS = ["system", "action", "build"]
IDS = {"project_id": ULID, "build_id": OTHER_ULID}
PACKINGS = pytest.mark.parametrize("packing", ["zst", "gz"])


class Row(NamedTuple):
    """
    What a catalog has of a segment.
    """

    key: str
    place: Place
    state: str
    stored_bytes: int
    etag: str
    prev_sha256: str
    facts: Any
    frames: tuple[int, ...] = ()


class Rows:
    """
    A catalog in a dict.
    """

    def __init__(self):
        self.rows = {}

    def get(self, key):
        return self.rows.get(key)

    def put(self, entries):
        self.rows.update({entry.key: entry for entry in entries})

    def delete(self, keys):
        for key in keys:
            self.rows.pop(key, None)

    def find(self, *, states):
        return iter([row for row in self.rows.values() if row.state in states])


def write(root, records=60, *, tiers=TIERS, max_bytes=3_000):
    """
    Log to some tiers in turn.
    """
    clock = iter(range(NOW * 10**6, (NOW + DAY_MS) * 10**6, 10**7))
    sink = {"type": "segments", "root": str(root), "max_bytes": max_bytes}
    handler = TierHandler(sink=sink, instance_name="web", process_events=True, clock=lambda: next(clock))
    for n in range(records):
        handler.pipeline.event(
            NOW + n, EMPTY, "info", "app", f"record {n}", data={"n": n}, tier=tiers[n % len(tiers)], fields=IDS
        )
    handler.close()


def ship(root, store, rows=None, **options):
    """
    Bring every segment to *store*, and into a catalog.
    """
    uploader = Uploader(root, store, Ledger(root), **options)
    for found in list(finished(root)):
        shipped = uploader.upload(uploader.settled(found.place)).shipped
        if rows is not None:
            one = shipped.sealed
            place = parse_remote(shipped.key)._replace(day=one.place.day)
            rows.put([Row(shipped.key, place, "shipped", shipped.stored_bytes, shipped.etag, one.prev_sha256, one.facts)])


def pack(root=None, store=None, **options):
    """
    Compact, long after everything was written.
    """
    return compact(root, store, **{"clock": lambda: LATER, "older_than": DAY, **options})


def look(root=None, store=None, **options):
    """
    Verify, without waiting.
    """
    return verify(root, store, clock=lambda: LATER, sleep=lambda _: None, **options)


def lines(root=None, store=None):
    """
    Return all lines with how often they stand anywhere.
    """
    found = Counter()
    for path in sorted(root.rglob("*")) if root is not None else ():
        place = parse_local(path.relative_to(root).as_posix())
        if place is not None:
            with open_plain(path.open("rb"), place.packing) as file:
                found.update(file)
    for stored in store.list() if store is not None else ():
        with open_plain(store.open(stored.key), parse_remote(stored.key).packing) as file:
            found.update(file)
    return found


def files(root):
    """
    Return the paths of all files that aren't tierlog's own.
    """
    found = (path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file())
    return [path for path in found if not path.startswith(".tierlog/")]


def summed(verified):
    """
    Return what must be the same before and after.
    """
    return (
        verified.records,
        verified.size,
        verified.instances,
        verified.local,
        verified.remote,
        verified.counts,
        verified.information_counts,
    )


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    write(root)
    return root


@pytest.fixture(name="store")
def _store():
    return MemoryStore(clock=FakeClock(NOW * 10**6).time_ns)


@pytest.fixture(name="shipped")
def _shipped(root, store):
    """
    Return the catalog of a store that has all segments of the root.
    """
    rows = Rows()
    ship(root, store, rows)
    return rows


class TestLocal:
    @PACKINGS
    def test_readers_see_no_difference(self, root, packing):
        """
        Every line is there as before, once, and a verification says the same and is clean.
        """
        before, verified = lines(root), look(root)

        done = pack(root, packing=packing)

        assert lines(root) == before
        assert summed(look(root)) == summed(verified)
        assert look(root).is_clean
        assert (done.failed, done.skipped, done.remote.segments) == ((), 0, 0)
        assert done.segments == done.local.segments == verified.local
        assert all(path.endswith(f".ndjson.{packing}") for path in files(root))

    def test_sizes_are_told(self, root):
        """
        What was saved is what is on the disk.
        """
        before = sum(os.path.getsize(root / path) for path in files(root))

        done = pack(root)

        assert (done.before_bytes, done.after_bytes) == (before, sum(os.path.getsize(root / path) for path in files(root)))
        assert done.after_bytes < done.before_bytes

    def test_time_and_permissions_stay(self, root):
        """
        The packed file is as old as the plain one was, and as readable.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        os.chmod(path, 0o640)
        os.utime(path, ns=(1, 1_700_000_000_123_456_789))

        pack(root)

        status = path.with_name(f"{path.name}.zst").stat()
        assert (status.st_mtime_ns, status.st_mode & 0o777) == (1_700_000_000_123_456_789, 0o640)

    def test_again_there_is_nothing_to_do(self, root):
        """
        Packed segments stay as they are, also if another packing is asked for.
        """
        pack(root)
        before = {path: (root / path).stat() for path in files(root)}

        done = pack(root, packing="gz")

        assert (done.segments, done.skipped, done.failed) == (0, 0, ())
        assert {path: (root / path).stat() for path in files(root)} == before

    def test_a_build_goes_on_in_a_file_of_its_own(self, root):
        """
        What is logged of a build after its file was packed is another part beside it.
        """
        pack(root)
        sink = SegmentSink(root)
        line, route = event_line(seq=0, ms=NOW, tier="build", build_id=OTHER_ULID)
        sink.write(line, route)
        sink.close()

        done = pack(root)

        assert (done.segments, done.failed) == (1, ())
        assert lines(root)[line] == 1
        assert len([path for path in files(root) if path.startswith("builds/")]) == 2

    def test_an_empty_file_is_left_alone(self, root):
        """
        A file without any line isn't packed.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        path.write_bytes(b"")

        done = pack(root)

        assert done.skipped == 1
        assert path.read_bytes() == b""

    def test_links_and_files_of_others_are_left_alone(self, root, tmp_path):
        """
        Nothing outside of the root, and nothing with another name, is touched.
        """
        outside = tmp_path / "outside.ndjson"
        outside.write_bytes(event_line()[0])
        path = next(root.rglob("system/**/*.ndjson"))
        another = path.name[:-8] + ("1" if path.name[-8] == "0" else "0")
        others = [path.with_name(f"{another}.ndjson"), path.with_name("notes.ndjson.zst.tmp"), root / "system" / "a.tmp"]
        others[0].symlink_to(outside)
        for other in others[1:]:
            other.write_text("mine")

        pack(root)

        assert all(os.path.lexists(other) for other in others)
        assert outside.read_bytes() == event_line()[0]


class TestWhich:
    @pytest.mark.parametrize(
        ("after", "is_packed"),
        [
            pytest.param(8 * DAY_MS, True, id="old"),
            pytest.param(7 * DAY_MS, True, id="just-old"),
            pytest.param(7 * DAY_MS - 1, False, id="young"),
            pytest.param(0, False, id="today-has-ended"),
        ],
    )
    def test_a_day_is_old_when_so_much_time_has_passed_since_its_end(self, root, after, is_packed):
        """
        Seven days count from the end of the day in the path, to the millisecond.
        """
        end = (NOW // DAY_MS + 1) * DAY_MS

        done = pack(root, older_than=7 * DAY, clock=lambda: (end + after) * 10**6)

        assert bool(done.segments) is is_packed

    def test_nothing_is_too_young_for_no_time(self, root):
        """
        With zero seconds, today's finished segments are packed, too.
        """
        done = pack(root, older_than=0, clock=lambda: NOW * 10**6)

        assert done.segments > 0
        assert all(path.endswith(".zst") for path in files(root))

    def test_a_day_that_is_none_is_left_alone(self, root):
        """
        The thirtieth of February is never old.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        other = root / "system" / "2026-02-30" / path.name
        other.parent.mkdir()
        shutil.copy(path, other)

        pack(root, older_than=0)

        assert other.exists()

    def test_what_is_being_written_is_left_alone(self, root):
        """
        An open segment isn't packed, whatever day it is of.
        """
        sink = SegmentSink(root)
        line, route = event_line(seq=0, ms=NOW, tier="build", build_id=ULID)
        sink.write(line, route)
        sink.write(*event_line(seq=1, ms=NOW))

        pack(root)

        left = [path for path in files(root) if path.endswith(".ndjson")]
        assert len(left) == 2
        assert lines(root)[line] == 1
        sink.close()

    def test_what_somebody_has_locked_is_left_alone(self, root):
        """
        A file that a live neighbour is at is skipped, and packed next time.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        with path.open("rb") as file:
            assert lock_exclusive(file.fileno())
            done = pack(root)
            is_there = path.exists()

        again = pack(root)

        assert (done.skipped, is_there, again.segments) == (1, True, 1)

    def test_what_waits_to_be_shipped_is_left_alone(self, root):
        """
        In a root that ships, files are packed in the bucket.
        """
        note_destination(root, Destination("bucket"))
        before = files(root)

        done = pack(root)

        assert files(root) == before
        assert (done.segments, done.skipped) == (0, len(list(finished(root))))

    def test_a_dry_run_changes_nothing(self, root, shipped, store):
        """
        It tells how many segments and bytes there are, and no more.
        """
        write(root)
        before = (files(root), list(store.list()))

        done = pack(root, store, dry_run=True)

        assert (files(root), list(store.list())) == before
        assert done.local.segments == len(before[0])
        assert done.remote.segments == len(before[1])
        assert done.remote.before_bytes == sum(stored.size for stored in before[1])
        assert done.after_bytes == 0

    def test_another_packing_is_refused(self, root):
        """
        What isn't known is an error before anything is touched.
        """
        with pytest.raises(ConfigError, match=r"older_than: 'soon' isn't a time"):
            pack(root, older_than="soon")
        with pytest.raises(ConfigError, match="packing"):
            pack(root, packing="zstd")

    def test_without_the_library_nothing_is_touched(self, root, monkeypatch):
        """
        The extra that is missing is told once, not for every segment.
        """
        before = files(root)
        monkeypatch.setitem(sys.modules, "zstandard", None)

        with pytest.raises(MissingExtraError):
            pack(root)

        assert files(root) == before

    def test_progress_is_told(self, root, shipped, store):
        """
        How many were looked at is told after each, and of how many where that is known.
        """
        write(root)
        many, told = len(files(root)), []

        pack(root, store, progress=lambda *step: told.append(step))

        assert told[:many] == [(n, many) for n in range(1, many + 1)]
        assert told[many:] == [(n, None) for n in range(1, len(told) - many + 1)]


class TestLeftovers:
    """
    What a compaction that was killed has left.
    """

    def test_a_copy_that_is_whole_is_kept(self, root):
        """
        Killed before the plain file went, the packed one is verified and used.
        """
        before = lines(root)
        path = next(root.rglob("system/**/*.ndjson"))
        copy = path.with_name(f"{path.name}.zst")
        with path.open("rb") as file, copy.open("wb") as out:
            pack_file(file, out, "zst")
        status = copy.stat()

        done = pack(root)

        assert (lines(root), done.failed) == (before, ())
        assert copy.stat().st_ino == status.st_ino

    @pytest.mark.parametrize("packing", ["zst", "gz"])
    @pytest.mark.parametrize("asked", ["zst", "gz"])
    def test_a_copy_of_another_packing_is_as_good(self, root, packing, asked):
        """
        There are never two packed files of one segment.
        """
        before = lines(root)
        path = next(root.rglob("system/**/*.ndjson"))
        with path.open("rb") as file, path.with_name(f"{path.name}.{packing}").open("wb") as out:
            pack_file(file, out, packing)

        pack(root, packing=asked)

        assert lines(root) == before

    @pytest.mark.parametrize("packing", ["zst", "gz"])
    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda data: b"", id="empty"),
            pytest.param(lambda data: data[:-5], id="cut"),
            pytest.param(lambda data: data[:40] + b"\0\0\0\0" + data[44:], id="zeros"),
            pytest.param(lambda data: b"rubbish" * 30, id="rubbish"),
        ],
    )
    def test_a_copy_that_is_damaged_is_replaced(self, root, packing, damage):
        """
        The plain file is the truth; nothing of the damaged one is left.
        """
        before = lines(root)
        path = next(root.rglob("system/**/*.ndjson"))
        copy = path.with_name(f"{path.name}.{packing}")
        out = io.BytesIO()
        pack_file(io.BytesIO(path.read_bytes()), out, packing)
        copy.write_bytes(damage(out.getvalue()))

        done = pack(root)

        assert (lines(root), done.failed) == (before, ())
        assert look(root).is_clean

    def test_a_copy_that_lacks_frames_is_replaced(self, tmp_path):
        """
        A file that was cut between two frames can be unpacked, and isn't whole.
        """
        root = tmp_path / "big"
        write(root, 3_000, tiers=["system"], max_bytes=2_000_000)
        before = lines(root)
        path = next(root.rglob("system/**/*.ndjson"))
        out = io.BytesIO()
        sizes = pack_file(io.BytesIO(path.read_bytes()), out, "zst")
        path.with_name(f"{path.name}.zst").write_bytes(out.getvalue()[: sizes[0]])

        pack(root)

        assert len(sizes) > 1
        assert lines(root) == before

    def test_a_copy_that_is_another_segment_is_a_failure(self, root):
        """
        Two segments of one name both stay, and it is said.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        copy = path.with_name(f"{path.name}.zst")
        with copy.open("wb") as out:
            pack_file(io.BytesIO(event_line(seq=999)[0]), out, "zst")
        before = (path.read_bytes(), copy.read_bytes())

        done = pack(root)

        (failure,) = done.failed
        assert failure.name == path.relative_to(root).as_posix()
        assert "differ" in failure.problem
        assert (path.read_bytes(), copy.read_bytes()) == before
        assert done.segments == len(list(root.rglob("*.ndjson.zst"))) - 1

    def test_a_fresh_file_is_taken_away(self, root):
        """
        What was half written goes, whether its segment is still there or not.
        """
        first, second = list(root.rglob("system/**/*.ndjson"))[:2]
        for path in (first, second):
            path.with_name(f"{path.name}.gz.tmp").write_bytes(b"half")
        second.unlink()
        before = lines(root)

        pack(root)

        assert lines(root) == before
        assert not [path for path in files(root) if path.endswith(".tmp")]

    def test_a_fresh_file_of_a_neighbour_stays(self, root):
        """
        Somebody who packs at this moment keeps what he writes.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        fresh = path.with_name(f"{path.name}.zst.tmp")
        fresh.write_bytes(b"half")
        with path.open("rb") as file:
            assert lock_exclusive(file.fileno())
            pack(root)

            assert fresh.read_bytes() == b"half"

    def test_a_disk_that_is_full_is_a_failure(self, root):
        """
        A segment that can't be written packed stays plain, and nothing is left over.
        """
        before = (lines(root), files(root))

        child = run(
            """
            import resource, signal, sys
            from pathlib import Path
            from tierlog.compaction import compact
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            import zstandard
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            done = compact(Path(sys.argv[1]), None, older_than=0)
            print(len(done.failed), done.segments, "File too large" in done.failed[0].problem)
            """,
            root,
        )

        assert child.out.split() == [str(len(before[1])), "0", "True"], child.err
        assert lines(root) == before[0]
        assert len(files(root)) == len(before[1])
        assert all(path.endswith(".ndjson") for path in files(root))


_IN_BETWEEN = """
import os, sys
from pathlib import Path
import zstandard
from tierlog.compaction import compact
from tierlog.layout import parse_local
from tierlog.segments import Journal

root, path, what = Path(sys.argv[1]), Path(sys.argv[1], sys.argv[2]), sys.argv[3]

def hook(event, args):
    if event == "fcntl.flock" and os.path.exists(path) and os.path.samestat(os.fstat(args[0]), os.stat(path)):
        if what == "noted":
            Journal(root).note(parse_local(sys.argv[2]))
        else:
            os.rename(path, root / "away")
            path.write_bytes(b"another\\n")

sys.addaudithook(hook)
done = compact(root, None, older_than=0)
print(done.skipped, len(done.failed))
"""


@pytest.mark.parametrize("what", ["noted", "replaced"])
def test_what_changes_before_it_is_locked_is_left_alone(root, what):
    """
    A file that is another one, or not finished, by the time it is locked isn't packed.
    """
    path = next(root.rglob("system/**/*.ndjson"))
    before = path.read_bytes()

    child = run(_IN_BETWEEN, root, path.relative_to(root), what)

    assert child.out == "1 0\n", child.err
    assert path.read_bytes() == (before if what == "noted" else b"another\n")
    assert not path.with_name(f"{path.name}.zst").exists()


_WHILE_PACKED = """
import sys
from pathlib import Path
import zstandard
from tierlog.compaction import compact

path = Path(sys.argv[1], sys.argv[2])

def hook(event, args):
    if event == "os.rename" and str(args[1]) == f"{path}.zst":
        with open(path, "ab") as file:
            file.write(b"late\\n")

sys.addaudithook(hook)
for failure in compact(Path(sys.argv[1]), None, older_than=0).failed:
    print(failure.problem)
"""


def test_what_changes_while_it_is_packed_stays(root):
    """
    A line that somebody has added without any lock isn't lost: the file stays, and is packed again.
    """
    path = next(root.rglob("system/**/*.ndjson"))
    before = lines(root) + Counter([b"late\n"])

    child = run(_WHILE_PACKED, root, path.relative_to(root))
    is_there = path.read_bytes().endswith(b"late\n")
    done = pack(root)

    assert child.out.count("\n") == child.out.count("has changed while it was packed") == 1, child.err
    assert is_there
    assert (done.segments, done.failed) == (1, ())
    assert lines(root) == before


LONG = b"".join(event_line(seq=n, msg="x" * 500)[0] for n in range(1_500))


@PACKINGS
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(LONG, Likeness.SAME, id="same"),
        pytest.param(LONG[:-1], Likeness.DAMAGED, id="shorter"),
        pytest.param(LONG + b"\n", Likeness.OTHER, id="longer"),
        pytest.param(b" " + LONG[1:], Likeness.OTHER, id="first-byte"),
        pytest.param(LONG[:-2] + b"]\n", Likeness.OTHER, id="last-byte"),
    ],
)
def test_likeness(content, expected, packing):
    """
    A packed segment is the same, a part of the plain one, or something else.
    """
    packed = io.BytesIO()
    pack_file(io.BytesIO(content), packed, packing)
    packed.seek(0)

    assert likeness(packed, packing, io.BytesIO(LONG)) is expected


_AT_STEP = """
import os, shutil, sys
from itertools import count
from pathlib import Path
import zstandard
from tierlog.compaction import compact

template, copies = sys.argv[1:]
left = 0

def hook(event, args):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.utime") and str(args[0]).startswith(copies):
        left -= 1
        if not left:
            os.kill(os.getpid(), 9)

sys.addaudithook(hook)
for step in count(1):
    copy = f"{copies}/{step}"
    shutil.copytree(template, copy)
    pid = os.fork()
    if not pid:
        left = step
        done = compact(Path(copy), None, older_than=0)
        assert not done.failed, done.failed
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code != -9:
        sys.exit(code)
"""

_AT_ANY_TIME = """
import sys
from pathlib import Path
import zstandard
from tierlog.compaction import compact

print("ready", flush=True)

def progress(*step):
    print(*step, flush=True)
    sys.stdin.readline()  # each line lets it take a step; when there are no more, all

done = compact(Path(sys.argv[1]), None, older_than=0, progress=progress)
assert not done.failed, done.failed
print("done", done.segments, done.skipped, flush=True)
"""


class TestKilled:
    def test_at_each_step(self, tmp_path):
        """
        Killed before any opening, renaming or deleting and run again, every line is there once.
        """
        template = tmp_path / "template"
        write(template, 12, tiers=["system", "build"], max_bytes=100_000)
        before, verified = lines(template), summed(look(template))

        child = run(_AT_STEP, template, tmp_path / "copies")

        assert child.returncode == 0, child.err
        for root in (tmp_path / "copies").iterdir():
            step = root.name
            assert set(lines(root)) == set(before), step
            assert look(root).is_clean, step

            done = pack(root)

            assert done.failed == ()
            assert lines(root) == before
            assert summed(look(root)) == verified
            assert all(path.endswith(".ndjson.zst") for path in files(root)), step

        assert len(os.listdir(tmp_path / "copies")) > 15

    def test_at_any_time(self, tmp_path):
        """
        However often it is killed, it comes to its end, and every line is there once.
        """
        root = tmp_path / "logs"
        write(root, 1_500, max_bytes=8_000)
        before, verified = lines(root), summed(look(root))
        rng = random.Random(7)
        kills = 0
        for _ in range(30):
            child = start(_AT_ANY_TIME, root, stdin=-1)
            steps = rng.randrange(1, 8)
            child.stdin.write(b"\n" * steps)
            child.stdin.flush()
            said = [child.stdout.readline() for _ in range(1 + steps)]
            child.kill()  # somewhere in the last step
            child.communicate()
            kills += child.returncode == -signal.SIGKILL
            assert said[0] == b"ready\n"
            assert set(lines(root)) == set(before)
            if child.returncode == 0:
                break

        done = pack(root)

        assert kills >= 5
        assert done.failed == ()
        assert lines(root) == before
        assert summed(look(root)) == verified
        assert all(path.endswith(".ndjson.zst") for path in files(root))

    def test_two_at_once(self, tmp_path):
        """
        Two processes that compact one root do each segment once, and none fails.
        """
        root = tmp_path / "logs"
        write(root, 1_500, max_bytes=8_000)
        before, many = lines(root), len(files(root))

        ended = [finish(child) for child in [start(_AT_ANY_TIME, root, stdin=subprocess.DEVNULL) for _ in range(2)]]

        assert [child.returncode for child in ended] == [0, 0], [child.err for child in ended]
        assert sum(int(child.out.split()[-2]) for child in ended) == many
        assert lines(root) == before
        assert all(path.endswith(".ndjson.zst") for path in files(root))


class TestRemote:
    @PACKINGS
    def test_readers_see_no_difference(self, root, shipped, store, packing):
        """
        Every line is there as before, once, and a verification with catalog and ledger says the same and is clean.
        """
        before, verified = lines(None, store), look(root, store, catalog=shipped, sealed=sealed(root))

        done = pack(root, store, packing=packing, catalog=shipped)

        after = look(root, store, catalog=shipped, sealed=sealed(root))
        assert lines(None, store) == before
        assert summed(after) == summed(verified)
        assert after.is_clean
        assert (done.failed, done.local.segments, done.remote.segments) == ((), 0, verified.remote)
        assert all(stored.key.endswith(f".ndjson.{packing}") for stored in store.list())

    def test_what_describes_it_stays(self, shipped, store):
        """
        Metadata are those of the lines, as before; the media type is that of the packing.
        """
        before = {stored.key: store.head(stored.key) for stored in store.list()}

        pack(None, store)

        for key, stored in before.items():
            now = store.head(f"{key}.zst")
            assert now.metadata == stored.metadata
            assert now.etag == hashlib.md5(store.get(now.key)).hexdigest()
            assert store.content_type(now.key) == "application/zstd"

    def test_gzip_has_its_media_type(self, shipped, store):
        """
        A packed object says what it is.
        """
        pack(None, store, packing="gz")

        assert {store.content_type(stored.key) for stored in store.list()} == {"application/gzip"}

    def test_the_catalog_has_the_packed_object(self, tmp_path, store):
        """
        A row is replaced by that of the packed object, and its frames are the blocks of its facts.
        """
        root, rows = tmp_path / "big", Rows()
        write(root, 3_000, tiers=["system"], max_bytes=2_000_000)
        ship(root, store, rows)
        (old,) = [row for row in rows.rows.values() if len(row.facts.blocks) > 1]

        pack(None, store, catalog=rows)

        row = rows.get(f"{old.key}.zst")
        stored = store.head(row.key)
        assert row == old._replace(
            key=row.key, place=old.place._replace(packing="zst"), stored_bytes=stored.size, etag=stored.etag, frames=row.frames
        )
        assert set(rows.rows) == {stored.key for stored in store.list()}
        offset = 0
        for block, size in zip(row.facts.blocks, row.frames, strict=True):
            assert len(unpack_frame(store.get(row.key, offset, offset + size))) == block.size
            offset += size
        assert offset == stored.size

    def test_frames_that_are_not_the_blocks_are_not_told(self, root, store):
        """
        If a block has no envelopes, the facts don't have it, and a reader must not count frames.
        """
        path = next(root.rglob("system/**/*.ndjson"))
        path.write_bytes(b"no envelope\n" * 30_000 + path.read_bytes())
        rows = Rows()
        ship(root, store, rows)
        key = remote_key(parse_local(path.relative_to(root).as_posix()))

        pack(None, store, catalog=rows)

        assert rows.get(f"{key}.zst").frames == ()

    def test_gzip_has_no_frames(self, shipped, store):
        """
        A row of a gzip object says nothing of frames.
        """
        pack(None, store, packing="gz", catalog=shipped)

        assert {row.frames for row in shipped.rows.values()} == {()}

    def test_the_catalog_of_sql_takes_it(self, tmp_path, root, store):
        """
        The real catalog is one that compaction knows.
        """
        from tierlog.catalog import Catalog, Entry, sqlite_url

        rows = Rows()
        ship(root, store, rows)
        catalog = Catalog(sqlite_url(tmp_path))
        catalog.put([Entry(**row._asdict()) for row in rows.rows.values()])

        done = pack(None, store, catalog=catalog)

        found = list(catalog.find())
        assert done.failed == ()
        assert sorted(entry.key for entry in found) == [stored.key for stored in store.list()]
        assert all(entry.frames and entry.place.packing == "zst" for entry in found)
        catalog.close()

    def test_what_is_not_in_the_catalog_is_packed_too(self, shipped, store):
        """
        A catalog that knows nothing is no reason not to.
        """
        rows = Rows()

        done = pack(None, store, catalog=rows)

        assert (done.failed, rows.rows) == ((), {})
        assert done.segments == len(list(store.list()))

    def test_checkpoints_of_open_segments_are_left_alone(self, shipped, store):
        """
        What is stored of a segment that still grows isn't packed.
        """
        line = event_line(seq=0, ms=NOW)[0]
        key = f"system/2026/09/21/web-00000000-{ULID}.ndjson"
        store.put(Put(key, line, len(line), hashlib.md5(line).hexdigest(), {"state": "open"}))

        done = pack(None, store, older_than=0)

        assert store.get(key) == line
        assert done.skipped == 1

    def test_objects_of_others_are_left_alone(self, shipped, store):
        """
        What has no key of a segment isn't looked at.
        """
        store.put(Put("backup/system.ndjson", b"x", 1, hashlib.md5(b"x").hexdigest(), {}))

        pack(None, store)

        assert store.get("backup/system.ndjson") == b"x"

    def test_builds_have_the_age_of_their_objects(self, shipped, store):
        """
        A build's key has no day; what counts is when the object was put.
        """
        pack(None, store, older_than=20 * DAY)
        young = [stored.key for stored in store.list() if stored.key.endswith(".zst")]

        pack(None, store, older_than=9.5 * DAY, clock=lambda: (NOW + 9 * DAY_MS) * 10**6)
        still = [stored.key for stored in store.list("builds/")]

        pack(None, store, older_than=9.5 * DAY)

        assert young == []
        assert still == [f"builds/{OTHER_ULID}.ndjson"]
        assert [stored.key for stored in store.list("builds/")] == [f"builds/{OTHER_ULID}.ndjson.zst"]

    def test_a_build_that_went_on_gets_a_part(self, root, shipped, store):
        """
        What was shipped of a build after its object was packed is packed beside it.
        """
        pack(None, store, catalog=shipped)
        sink = SegmentSink(root)
        line, route = event_line(seq=0, ms=NOW, tier="build", build_id=OTHER_ULID)
        sink.write(line, route)
        sink.close()
        ship(root, store, shipped)
        before = lines(None, store)
        assert store.head(f"builds/{OTHER_ULID}.ndjson") is not None

        done = pack(None, store, catalog=shipped)
        again = pack(None, store, catalog=shipped)

        keys = [stored.key for stored in store.list("builds/")]
        assert (done.segments, done.failed, again.segments) == (1, (), 0)
        assert lines(None, store) == before
        assert len(keys) == 2
        assert keys[0] == f"builds/{OTHER_ULID}.ndjson.zst"
        assert keys[1].startswith(f"builds/{OTHER_ULID}/test-00000000-")
        assert set(shipped.rows) == {stored.key for stored in store.list()}

    def test_a_damaged_object_is_left_alone(self, shipped, store):
        """
        What isn't what its metadata says is a failure; packing it would hide that.
        """
        stored = next(store.list("system/"))
        body = b"x" * stored.size
        put = Put(stored.key, body, len(body), hashlib.md5(body).hexdigest(), store.head(stored.key).metadata, stored.etag)
        store.put(put)

        done = pack(None, store)

        (failure,) = done.failed
        assert failure.name == stored.key
        assert "isn't what was stored" in failure.problem
        assert store.get(stored.key) == body
        assert store.head(f"{stored.key}.zst") is None

    def test_an_object_without_metadata_is_packed(self, store):
        """
        An object that somebody has copied without them is held to its MD5.
        """
        line = event_line(seq=0, ms=NOW)[0]
        key = f"system/2026/09/21/web-00000000-{ULID}.ndjson"
        store.put(Put(key, line, len(line), hashlib.md5(line).hexdigest(), {}))

        done = pack(None, store)

        assert (done.segments, done.failed) == (1, ())
        assert lines(None, store) == {line: 1}


def stored_as(store, key, body, **options):
    """
    Put an object with the metadata of another.
    """
    put = Put(f"{key}.zst", body, len(body), hashlib.md5(body).hexdigest(), store.head(key).metadata)
    store.put(put._replace(**options))


class TestWhatIsThere:
    """
    A packed object that is in the store already.
    """

    @pytest.mark.parametrize("level", [1, 9], ids=["other-bytes", "same-bytes"])
    def test_the_same_is_kept(self, shipped, store, level):
        """
        Another version of the library packs otherwise; what it holds counts. The row has its frames.
        """
        import zstandard

        key = next(store.list("system/")).key
        stored_as(store, key, zstandard.ZstdCompressor(level=level, write_checksum=True).compress(store.get(key)))
        before = store.head(f"{key}.zst")

        done = pack(None, store, catalog=shipped)

        assert done.failed == ()
        assert store.head(f"{key}.zst") == before
        assert store.head(key) is None
        assert shipped.get(f"{key}.zst").frames == (before.size,)
        assert shipped.get(f"{key}.zst").etag == before.etag

    @pytest.mark.parametrize("body", [b"", b"rubbish", b"\x28\xb5\x2f\xfd"])
    def test_what_is_damaged_is_replaced(self, shipped, store, body):
        """
        The plain object is the truth.
        """
        before = lines(None, store)
        key = next(store.list("system/")).key
        stored_as(store, key, body)

        done = pack(None, store)

        assert (done.failed, lines(None, store)) == ((), before)

    def test_a_checkpoint_of_it_is_replaced(self, root, store):
        """
        A packed checkpoint is the beginning of what was finished since; and one that has all lines has no link of the chain.
        """
        first, second = [one.place for one in finished(root) if one.place.tier == "system"][:2]
        uploader = Uploader(root, store, Ledger(root), packing="zst")
        uploader.checkpoint(first, None)
        path = root / local_path(second)
        content = path.read_bytes()
        path.write_bytes(content[: content.index(b"\n") + 1])
        uploader.checkpoint(second, None)
        path.write_bytes(content)
        before = lines(root)
        ship(root, store)

        done = pack(None, store)

        assert (done.failed, lines(None, store)) == ((), before)
        assert {store.head(stored.key).metadata["state"] for stored in store.list()} == {"done"}
        assert look(root, store, sealed=sealed(root)).is_clean

    def test_another_segment_is_a_failure(self, shipped, store):
        """
        Both stay, and it is said.
        """
        key = next(store.list("system/")).key
        out = io.BytesIO()
        pack_file(io.BytesIO(event_line(seq=999)[0]), out, "zst")
        stored_as(store, key, out.getvalue())

        done = pack(None, store)

        (failure,) = done.failed
        assert failure.name == key
        assert "differ" in failure.problem
        assert store.head(key) is not None
        assert store.get(f"{key}.zst") == out.getvalue()


class Killed(BaseException):
    """
    The process ends here.
    """


class Breaking:
    """
    A store or catalog of which one call, counted from one, doesn't come back as it should.
    """

    def __init__(self, inner, counter, at, error, *, is_done):
        self._inner = inner
        self._counter = counter
        self._at = at
        self._error = error
        self._is_done = is_done

    def __getattr__(self, name):
        inner = getattr(self._inner, name)
        if not callable(inner):
            return inner

        def call(*args, **options):
            self._counter[0] += 1
            is_now = self._counter[0] == self._at
            if is_now and not self._is_done:
                raise self._error
            result = inner(*args, **options)
            if is_now:
                raise self._error
            return result

        return call


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Killed(), id="killed"),
        pytest.param(StoreError("the store is tired", code="SlowDown", status=503), id="failing"),
    ],
)
def test_a_call_that_breaks_at_any_step(tmp_path, error, is_done):
    """
    Whichever call to the store or the catalog fails, or is the last, and whether it was done: the next run ends it.
    """
    template = tmp_path / "logs"
    write(template, 12, tiers=["system", "build"], max_bytes=100_000)
    at, is_hit = 0, True
    while is_hit:
        at += 1
        root, store, rows, counter = tmp_path / str(at), MemoryStore(), Rows(), [0]
        shutil.copytree(template, root)
        ship(root, store, rows)
        before, verified = lines(None, store), summed(look(root, store, catalog=rows))
        broken = [Breaking(one, counter, at, error, is_done=is_done) for one in (store, rows)]
        try:
            done = pack(None, broken[0], catalog=broken[1], older_than=0)
            assert len(done.failed) <= 1
        except Killed:
            pass
        is_hit = counter[0] >= at
        assert set(lines(None, store)) == set(before), at
        assert look(root, store, catalog=rows, sealed=sealed(root)).is_clean, at

        again = pack(None, store, catalog=rows, older_than=0)

        assert again.failed == ()
        assert lines(None, store) == before
        assert summed(look(root, store, catalog=rows)) == verified
        assert set(rows.rows) == {stored.key for stored in store.list()}
        assert all(key.endswith(".zst") for key in rows.rows)

    assert at > 10


class Down(MemoryStore):
    """
    A store that lists and does nothing else.
    """

    asked = 0

    def head(self, key):
        self.asked += 1
        raise StoreError("the store is down", code="ServiceUnavailable", status=503)


class TestStoreTrouble:
    def test_it_gives_up_on_a_store_that_is_down(self, root):
        """
        After five failures in a row, the others wait for the next run.
        """
        store = Down()
        for n in range(9):
            key = f"system/2026/09/21/web-00000000-{n}{ULID[1:]}.ndjson" if n < 8 else f"builds/{ULID}.ndjson"
            store.put(Put(key, b"x", 1, hashlib.md5(b"x").hexdigest(), {}))

        done = pack(None, store, older_than=0)

        assert store.asked == 5
        assert len(done.failed) == 6
        assert "gave up" in done.failed[-1].problem

    def test_a_store_that_lists_nothing_is_a_failure(self, root):
        """
        What is on the disk is packed all the same.
        """

        class Mute(MemoryStore):
            def list(self, prefix="", *, after=""):
                raise StoreError("no listing", code="AccessDenied", status=403)

        done = pack(root, Mute("r2://mute"))

        assert [tuple(failure) for failure in done.failed] == [("r2://mute", "no listing")]
        assert done.local.segments > 0

    def test_what_goes_meanwhile_is_nothing_to_do(self, shipped, store):
        """
        An object that somebody else has packed and taken away is no failure.
        """

        class Losing(MemoryStore):
            def open(self, key):
                raise ObjectNotFoundError("gone", code="NoSuchKey", status=404)

        losing = Losing()
        losing._objects = store._objects
        before = list(store.list())

        done = pack(None, losing)

        assert (done.skipped, done.failed, list(store.list())) == (len(before), (), before)

    def test_a_store_without_md5_is_read_again(self, root):
        """
        Where the etag is none, what is stored is compared itself; damage is noticed and the plain object stays.
        """

        class Encrypted(MemoryStore):
            is_damaging = False

            def put(self, put):
                if self.is_damaging:
                    body = put.body[:-6]
                    put = put._replace(body=body, size=len(body), md5=hashlib.md5(body).hexdigest())
                super().put(put)
                self._objects[put.key] = self._objects[put.key]._replace(
                    stored=self._objects[put.key].stored._replace(etag="kms-1")
                )
                return "kms-1"

        store = Encrypted()
        ship(root, store)
        before = lines(None, store)
        store.is_damaging = True
        damaged = pack(None, store, older_than=0)
        plain = [stored for stored in store.list() if stored.key.endswith(".ndjson")]
        store.is_damaging = False

        done = pack(None, store, older_than=0)

        assert len(damaged.failed) == len(plain) > 0
        assert (done.failed, done.segments) == ((), len(plain))
        assert lines(None, store) == before

    def test_a_packed_object_that_went_is_put_again(self, shipped, store):
        """
        What was in the way and is gone by the time it is looked at isn't in the way.
        """
        key = next(store.list("system/")).key
        stored_as(store, key, b"rubbish")

        class Vanishing(MemoryStore):
            def head(self, name):
                if name == f"{key}.zst" and self.get(name) == b"rubbish":
                    self.delete(name)
                return super().head(name)

        vanishing = Vanishing()
        vanishing._objects = store._objects

        done = pack(None, vanishing)

        assert done.failed == ()
        assert store.head(key) is None
        assert store.get(f"{key}.zst") != b"rubbish"

    def test_a_key_that_is_never_settled_is_a_failure(self, shipped, store):
        """
        It doesn't try for ever, and the plain object stays.
        """

        class Restless(MemoryStore):
            def put(self, put):
                raise ObjectExistsError("there is one", code="PreconditionFailed", status=412)

        restless = Restless()
        restless._objects = store._objects
        before = list(store.list())

        done = pack(None, restless)

        assert {failure.problem.partition(" ")[2] for failure in done.failed} == {"keeps changing; it is packed again next time"}
        assert list(store.list()) == before

    def test_several_at_once(self, shipped, store):
        """
        Those that compact one bucket at once lose nothing, double nothing, and none fails.
        """
        before, done = lines(None, store), []
        barrier = threading.Barrier(4)

        def work():
            barrier.wait()
            done.append(pack(None, store, catalog=shipped))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [one.failed for one in done] == [()] * 4
        assert lines(None, store) == before
        assert set(shipped.rows) == {stored.key for stored in store.list()}
        assert all(key.endswith(".zst") for key in shipped.rows)


def test_local_rows_are_replaced(root):
    """
    A catalog that knows the files of the root knows the packed ones then, also of a build that was claimed.
    """
    rows = Rows()
    for found in finished(root):
        path = local_path(found.place)
        facts = facts_of(io.BytesIO((root / path).read_bytes()))
        rows.put([Row(path, found.place, "local", found.size, "", "", facts)])

    done = pack(root, catalog=rows)

    assert done.failed == ()
    assert sorted(rows.rows) == files(root)
    assert all(row.stored_bytes == os.path.getsize(root / key) and len(row.frames) == 1 for key, row in rows.rows.items())


def test_canaries_are_found_in_packed_segments(root):
    """
    A secret can't hide from the search for it by being packed.
    """
    canaries = Canaries()
    value = canaries.new()
    path = next(root.rglob("system/**/*.ndjson"))
    path.write_bytes(path.read_bytes() + event_line(seq=1, msg=value)[0])

    pack(root)

    with pytest.raises(AssertionError, match=path.name):
        canaries.check(root)
