"""
Taking a build's finished file out of its writers' way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from children import finish, run, start
from conftest import ULID
from tierlog.layout import Place, local_path, parse_local
from tierlog.segments import SegmentSink, claim, finished, part_of
from tierlog.testing import event_line


PLACE = Place("build", "2023-11-14", ULID)


@pytest.fixture(name="sink")
def _sink(tmp_path):
    sink = SegmentSink(tmp_path)
    yield sink
    sink.close()


def build_line(seq):
    return event_line(seq=seq, ms=1_700_000_000_000, tier="build", build_id=ULID)


def test_a_claimed_file_has_a_name_of_its_own(sink, tmp_path):
    """
    What was written is under the part's name, and a later line begins a new file.
    """
    sink.write(*build_line(0))
    sink.end_build(ULID)

    part = claim(tmp_path, PLACE)
    sink.write(*build_line(1))
    sink.end_build(ULID)

    assert (tmp_path / local_path(part)).read_bytes() == build_line(0)[0]
    assert (tmp_path / local_path(PLACE)).read_bytes() == build_line(1)[0]
    assert parse_local(local_path(part)) == part
    assert {one.place for one in finished(tmp_path)} == {PLACE, part}


def test_what_is_being_written_is_left_alone(sink, tmp_path):
    """
    A file that any process has open, or will continue, isn't claimed.
    """
    sink.write(*build_line(0))

    assert claim(tmp_path, PLACE) is None
    assert (tmp_path / local_path(PLACE)).exists()


def test_a_parked_file_is_left_alone(tmp_path):
    """
    A file that is closed for the moment only isn't claimed.
    """
    sink = SegmentSink(tmp_path, max_open_segments=1)
    sink.write(*build_line(0))
    sink.write(*event_line(seq=1))

    assert claim(tmp_path, PLACE) is None
    sink.close()


def test_what_is_not_there_is_not_claimed(tmp_path):
    """
    Somebody else was first.
    """
    assert claim(tmp_path, PLACE) is None


def test_the_name_depends_on_the_first_line_alone():
    """
    Whoever does it again finds the same name; another first line has another.
    """
    line = build_line(0)[0]

    assert part_of(PLACE, line) == part_of(PLACE, b"   " + line)
    assert part_of(PLACE, line) != part_of(PLACE, build_line(1)[0])
    assert part_of(PLACE, line).instance == "test-00000000"


@pytest.mark.parametrize("line", [b"no json\n", b'{"ts":1}\n', build_line(0)[0].replace(b"test-00000000", b"../../../evil")])
def test_what_is_not_ours_gets_no_path_from_its_text(line):
    """
    A line that could lead out of the root doesn't.
    """
    part = part_of(PLACE, line)

    assert part.instance == "unknown"
    assert parse_local(local_path(part)) == part


_WRITER = """
import os, sys
from itertools import count
from tierlog.segments import SegmentSink
from tierlog.testing import event_line
root, name, build, enough = sys.argv[1:]
sink = SegmentSink(root)
for seq in count():
    if seq % 7 == 0:
        sink.end_build(build)
        if seq >= 1_000 and os.path.exists(enough):
            break
    line, route = event_line(seq=seq, ms=1_700_000_000_000, tier="build", build_id=build, msg=f"{name} {seq}")
    sink.write(line, route)
sink.close()
print(seq)
"""


def test_writers_lose_nothing_to_somebody_who_claims(tmp_path):
    """
    However often the file is taken away from two writers, each line is somewhere, once.
    """
    enough = tmp_path / "enough"
    writers = [start(_WRITER, tmp_path, name, ULID, enough) for name in "ab"]
    claimed = 0
    while any(writer.poll() is None for writer in writers):
        claimed += claim(tmp_path, PLACE) is not None
        if claimed == 20:
            enough.touch()
    ended = [finish(writer) for writer in writers]

    lines = [line for path in (tmp_path / "builds").rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    found = sorted(line[line.index(b'"msg":"') + 7 :].partition(b'"')[0].split() for line in lines)
    assert [writer.returncode for writer in ended] == [0, 0], ended
    assert claimed >= 20
    assert found == sorted(
        [name, b"%d" % seq] for name, writer in zip((b"a", b"b"), ended, strict=True) for seq in range(int(writer.out))
    )


def test_killed_in_the_middle_nothing_is_lost(tmp_path):
    """
    A process that is killed while it claims leaves the file under one of its names.
    """
    code = (
        "import sys, os; sys.path[:0] = []\n"
        "from pathlib import Path\nfrom tierlog.segments import claim\nfrom tierlog.layout import parse_local\n"
        "sys.addaudithook(lambda event, args: os.kill(os.getpid(), 9) if event == 'os.rename' else None)\n"
        "claim(Path(sys.argv[1]), parse_local(sys.argv[2]))"
    )
    sink = SegmentSink(tmp_path)
    sink.write(*build_line(0))
    sink.close()

    child = subprocess.run([sys.executable, "-c", code, str(tmp_path), local_path(PLACE)], check=False)

    assert child.returncode == -signal.SIGKILL
    assert (tmp_path / local_path(claim(tmp_path, PLACE))).read_bytes() == build_line(0)[0]
    assert os.listdir(tmp_path / "builds" / "2023-11-14") == [ULID]


def test_a_child_that_is_forked_meanwhile_keeps_no_lock(tmp_path):
    """
    The claimed file can be locked, and so be shipped, while a child lives that was forked in the middle of the claim.
    """
    code = """
        import os, sys
        from pathlib import Path
        from tierlog._platform import OPEN_READ, lock_exclusive
        from tierlog.layout import local_path, parse_local
        from tierlog.segments import claim

        reading, writing = os.pipe()

        def forking(event, args):
            if event == "os.rename" and not os.fork():
                os.close(writing)
                os._exit(len(os.read(reading, 1)))  # as soon as the parent has ended

        sys.addaudithook(forking)
        part = claim(Path(sys.argv[1]), parse_local(sys.argv[2]))
        print(lock_exclusive(os.open(Path(sys.argv[1], local_path(part)), OPEN_READ)))
    """
    sink = SegmentSink(tmp_path)
    sink.write(*build_line(0))
    sink.close()

    done = run(code, tmp_path, local_path(PLACE))

    assert (done.out, done.err) == ("True\n", "")
