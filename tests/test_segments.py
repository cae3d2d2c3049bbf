"""
Rotating segments: where lines go, when a file ends, and what each durability promises.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tierlog
from checker import check
from children import finish, run, start, until
from tierlog import TierHandler
from tierlog.segments import SegmentSink, finished


PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER_PROJECT = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
BUILD = "01BX5ZZKBKACTAV9WEVGEMMVS0"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
WRITERS = ["append", "mmap"]


class Clock:
    """
    Monotonic seconds that stand still until told otherwise.
    """

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture(name="clock")
def _clock():
    return Clock()


@pytest.fixture(name="make")
def _make(tmp_path, clock):
    """
    A factory of handlers below ``tmp_path/logs``, whose clock the test has.
    """

    def make(**options):
        sink = SegmentSink(tmp_path / "logs", **{"monotonic": clock, **options})
        return TierHandler(sink=sink, instance_name="test")

    return make


def write(handler, msg="hello", *, at=NOON, level=logging.INFO, **extra):
    """
    Log one record that was made *at* a time.
    """
    values = {"msg": msg, "levelno": level, "levelname": logging.getLevelName(level), "created": at.timestamp(), "name": "test"}
    handler.handle(logging.makeLogRecord({**values, **extra}))


def files(root):
    """
    Return the paths of all files that hold lines, below *root*.
    """
    own = (".tierlog", "quarantine")
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.ndjson") if path.relative_to(root).parts[0] not in own)


def messages(path):
    """
    Return the messages in a file that may be open.
    """
    return [json.loads(line)["msg"] for line in path.read_bytes().splitlines() if line.strip()]


def all_messages(root):
    """
    Return the messages in all files, sorted.
    """
    return sorted(msg for name in files(root) for msg in messages(root / name))


def open_descriptors(root):
    """
    Return the files below *root* that this process has open.
    """
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        found += [target] if target.startswith(f"{root}/") else []
    return found


class TestLayout:
    @pytest.mark.parametrize(
        ("tier", "path"),
        [
            pytest.param("system", r"system/2024-05-01/test-[0-9A-Z]{8}-[0-9A-Z]{26}\.ndjson", id="system"),
            pytest.param("build", rf"builds/2024-05-01/{BUILD}\.ndjson", id="build"),
            pytest.param("deploy", rf"deploys/2024-05-01/{BUILD}\.ndjson", id="deploy"),
            pytest.param("action", rf"projects/2024-05-01/{PROJECT}/test-[0-9A-Z]{{8}}-[0-9A-Z]{{26}}\.ndjson", id="action"),
            pytest.param(
                "lifecycle", rf"lifecycle/2024-05-01/{PROJECT}/test-[0-9A-Z]{{8}}-[0-9A-Z]{{26}}\.ndjson", id="lifecycle"
            ),
        ],
    )
    def test_each_tier_has_its_place(self, make, tmp_path, tier, path):
        """
        A line lies in its tier's folder, under its UTC date and its id.
        """
        handler = make()

        write(handler, tier=tier, project_id=PROJECT, build_id=BUILD)

        assert [bool(re.fullmatch(path, name)) for name in files(tmp_path / "logs")] == [True]

    def test_a_segment_is_named_after_its_instance_and_first_record(self, make, tmp_path):
        """
        The name holds the instanceId of its lines and a ULID of the first one's time.
        """
        from ulid import ULID

        handler = make()

        write(handler)

        name = Path(files(tmp_path / "logs")[0]).stem
        instance, _, ulid = name.rpartition("-")
        assert (instance, ULID.from_str(ulid).datetime) == (handler.pipeline.instance_id, NOON)

    def test_slugs_are_ids_where_allowed(self, make, tmp_path):
        """
        With id_format="slug", an id of letters, digits, ``_`` and ``-`` is part of the path.
        """
        handler = make(id_format="slug")

        write(handler, tier="build", build_id="my_build-7")

        assert files(tmp_path / "logs") == ["builds/2024-05-01/my_build-7.ndjson"]

    def test_a_slug_is_no_ulid(self, make, tmp_path):
        """
        With the default id_format, such an id isn't put into a path; the record is kept.
        """
        handler = make()

        write(handler, tier="build", build_id="my_build-7")

        assert [name.split("/")[0] for name in files(tmp_path / "logs")] == ["system"]

    @pytest.mark.parametrize("id_format", ["ulid", "slug"])
    @pytest.mark.parametrize("hostile", ["../../x", "/etc/x", "a/b", "..", ".", "a\0b", "a\nb", "~", "é", "a" * 65, f"{BUILD}\n"])
    def test_nothing_leaves_the_root(self, make, tmp_path, id_format, hostile):
        """
        Whatever an id is, no path is made of it that isn't below the root, and the line is kept.
        """
        handler = make(id_format=id_format)

        for tier in ("build", "deploy", "action", "lifecycle"):
            write(handler, tier=tier, build_id=hostile, project_id=hostile)
        handler.close()

        assert os.listdir(tmp_path) == ["logs"]
        assert {name.split("/")[0] for name in files(tmp_path / "logs")} == {"system"}
        assert len(all_messages(tmp_path / "logs")) == 4

    @pytest.mark.parametrize("hostile", ["../../evil", "/", "a/b", "..", "a b\n", "é", "x" * 500])
    def test_an_instance_name_stays_in_its_file_name(self, tmp_path, hostile):
        """
        Any instance_name gives a file name in the tier's folder.
        """
        handler = TierHandler(sink=SegmentSink(tmp_path / "logs"), instance_name=hostile)

        write(handler, at=datetime.now(UTC))
        handler.close()

        assert os.listdir(tmp_path) == ["logs"]
        assert check(tmp_path / "logs").findings == []


class TestRotation:
    @pytest.mark.parametrize("writer", WRITERS)
    def test_by_size(self, make, tmp_path, writer):
        """
        A segment ends before a line would make it larger than max_bytes.
        """
        handler = make(max_bytes=2_000, writer=writer)

        for number in range(20):
            write(handler, f"{number:02} {'x' * 300}")
        handler.close()

        sizes = [(tmp_path / "logs" / name).stat().st_size for name in files(tmp_path / "logs")]
        assert len(sizes) > 3
        assert max(sizes) <= 2_000

    @pytest.mark.parametrize("writer", WRITERS)
    @pytest.mark.parametrize("durability", ["process", "batch", "disk"])
    def test_a_record_never_spans_two_files(self, make, tmp_path, writer, durability):
        """
        Wherever a segment ends, it ends with a whole line, and no line is missing.
        """
        handler = make(max_bytes=1_500, writer=writer, durability=durability)

        for number in range(100):
            write(handler, f"{number:03} {'é' * (number * 7 % 400)}")
        handler.close()

        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert sorted(msg[:3] for msg in checked.messages) == [f"{number:03}" for number in range(100)]

    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_line_larger_than_max_bytes_has_a_segment_of_its_own(self, make, tmp_path, writer):
        """
        A line that is too long for any segment is kept whole, alone in one.
        """
        handler = make(max_bytes=1_000, writer=writer)

        for msg in ("before", "x" * 100_000, "after"):
            write(handler, msg)
        handler.close()

        assert [len(messages(tmp_path / "logs" / name)) for name in files(tmp_path / "logs")] == [1, 1, 1]

    def test_by_age_when_a_record_comes(self, make, tmp_path, clock):
        """
        A record that comes when max_age is over begins a new segment.
        """
        handler = make(max_age=60)
        write(handler, "old")

        clock.now += 60
        write(handler, "new")

        assert [messages(tmp_path / "logs" / name) for name in files(tmp_path / "logs")] in (
            [["old"], ["new"]],
            [["new"], ["old"]],
        )

    def test_not_before_its_age(self, make, tmp_path, clock):
        """
        Until max_age is over, lines go to the same segment.
        """
        handler = make(max_age=60)
        write(handler, "old")

        clock.now += 59
        write(handler, "new")

        assert [messages(tmp_path / "logs" / name) for name in files(tmp_path / "logs")] == [["old", "new"]]

    def test_by_age_without_a_record(self, make, clock):
        """
        An idle segment ends when max_age is over, though no record comes.
        """
        handler = make(max_age=60)
        write(handler)

        clock.now += 60
        handler.pipeline.sink.sweep()

        assert handler.stats()["segments"] == {"open": 0, "finished": 1, "recovered": 0}

    def test_by_age_without_a_call(self, tmp_path):
        """
        Nobody has to call anything for an idle segment to end.
        """
        handler = TierHandler(sink=SegmentSink(tmp_path / "logs", max_age=0.05))

        write(handler)

        until(lambda: handler.stats()["segments"]["finished"] == 1)

    def test_at_midnight_utc_when_a_record_comes(self, make, tmp_path):
        """
        The first record of a UTC day begins a new segment in the day's folder.
        """
        handler = make()
        midnight = datetime(2024, 5, 2, tzinfo=UTC)

        write(handler, "evening", at=midnight - timedelta(milliseconds=1))
        write(handler, "morning", at=midnight)

        days = {name.split("/")[1]: messages(tmp_path / "logs" / name) for name in files(tmp_path / "logs")}
        assert days == {"2024-05-01": ["evening"], "2024-05-02": ["morning"]}

    def test_at_midnight_utc_without_a_record(self, make, clock):
        """
        An idle segment ends soon after UTC midnight, however young it is.
        """
        handler = make(max_age=3_600)
        write(handler, at=datetime(2024, 5, 1, 23, 59, 50, tzinfo=UTC))

        clock.now += 12
        handler.pipeline.sink.sweep()

        assert handler.stats()["segments"]["open"] == 0

    def test_a_record_of_yesterday_goes_to_yesterday(self, make, tmp_path):
        """
        Around midnight, a record made before and written after lies under its own day.
        """
        handler = make()
        midnight = datetime(2024, 5, 2, tzinfo=UTC)

        for msg, seconds in (("a", -2), ("b", 1), ("c", -1)):
            write(handler, msg, at=midnight + timedelta(seconds=seconds))
        handler.close()

        assert check(tmp_path / "logs").findings == []

    def test_a_finished_segment_gets_no_more_lines(self, make, tmp_path, clock):
        """
        What is finished never changes again.
        """
        handler = make(max_age=60)
        write(handler, "old")
        clock.now += 60
        handler.pipeline.sink.sweep()
        finished = tmp_path / "logs" / files(tmp_path / "logs")[0]
        before = finished.read_bytes()

        write(handler, "new")

        assert finished.read_bytes() == before

    def test_a_segment_that_got_no_line_does_not_stay(self, tmp_path):
        """
        A file that was made for a line that was then refused is taken away.
        """
        program = """
            import resource, sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            tierlog.log_event("system", "log", "info", "refused")
            """

        run(program, tmp_path / "logs")

        assert files(tmp_path / "logs") == []


class TestOpenSegments:
    def test_the_least_recently_used_is_closed(self, make, tmp_path):
        """
        One more than max_open_segments closes the file that waited longest.
        """
        root = tmp_path / "logs"
        handler = make(max_open_segments=2)

        for build in ("a", "b", "a", "c"):
            write(handler, tier="build", build_id=f"01BX5ZZKBKACTAV9WEVGEMMV{build.upper()}0")

        assert sorted(Path(path).stem[-2] for path in open_descriptors(root)) == ["A", "C"]

    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_closed_one_is_continued_in_the_same_file(self, make, tmp_path, writer):
        """
        Closing a file for want of room isn't rotation: its next line goes behind its last.
        """
        handler = make(max_open_segments=1, writer=writer)

        for number in range(6):
            write(handler, f"{number}", tier="action", project_id=(PROJECT, OTHER_PROJECT)[number % 2])
        handler.close()

        assert [messages(tmp_path / "logs" / name) for name in files(tmp_path / "logs")] == [["0", "2", "4"], ["1", "3", "5"]]

    def test_a_closed_one_still_ends_by_age(self, make, clock):
        """
        A segment whose file is closed meanwhile ends when its time is over, as any.
        """
        handler = make(max_open_segments=1, max_age=60)
        for project in (PROJECT, OTHER_PROJECT):
            write(handler, tier="action", project_id=project)

        clock.now += 60
        handler.pipeline.sink.sweep()

        assert handler.stats()["segments"]["finished"] == 2

    def test_a_closed_file_of_a_build_that_ends_is_finished(self, make, tmp_path):
        """
        A build's file that is closed for want of room when the build ends is finished then, so that it can be shipped.
        """
        handler = make(max_open_segments=1)
        write(handler, tier="build", build_id=BUILD)
        write(handler)

        handler.pipeline.sink.end_build(BUILD)

        assert [one.place.id for one in finished(tmp_path / "logs")] == [BUILD]

    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_thousand_projects_need_few_open_files(self, make, tmp_path, writer):
        """
        However many projects log in turn, no more files are open than allowed, and nothing is lost.
        """
        handler = make(max_open_segments=8, id_format="slug", writer=writer)

        for turn in range(2):
            for number in range(1_000):
                write(handler, f"{turn}-{number}", at=datetime.now(UTC), tier="action", project_id=f"p{number}")
        most = len({name for name in open_descriptors(tmp_path / "logs") if name.endswith(".ndjson")})
        handler.close()

        checked = check(tmp_path / "logs")
        assert most <= 8
        assert (len(checked.files), len(checked.events), checked.findings) == (1_000, 2_000, [])


class TestBuildFiles:
    def test_processes_of_a_host_share_one_file(self, tmp_path):
        """
        Several processes append to one file per build, and their lines never mix.
        """
        program = """
            import sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            with tierlog.build(sys.argv[2]):
                for number in range(200):
                    tierlog.get_logger("app").info("%s %d %s", sys.argv[3], number, sys.argv[3] * (number * 37 % 9_000))
            """

        for process in [start(program, tmp_path / "logs", BUILD, name) for name in "xyz"]:
            assert finish(process).returncode == 0

        checked = check(tmp_path / "logs")
        assert (len(checked.files), len(checked.events), checked.findings) == (1, 600, [])

    def test_the_with_block_ends_the_file(self, tmp_path):
        """
        When the block of a build is left, its files are finished.
        """
        handler = TierHandler(sink=SegmentSink(tmp_path / "logs"))

        with tierlog.build(BUILD):
            write(handler)
            write(handler, tier="deploy", build_id=BUILD)

        assert (open_descriptors(tmp_path / "logs"), handler.stats()["segments"]["finished"]) == ([], 2)

    def test_an_error_in_the_with_block_ends_it_too(self, tmp_path):
        """
        A build that fails ends its file as well, and its error goes on.
        """
        handler = TierHandler(sink=SegmentSink(tmp_path / "logs"))

        with pytest.raises(ZeroDivisionError), tierlog.build(BUILD):
            write(handler)
            1 / 0  # noqa: B018

        assert handler.stats()["segments"]["open"] == 0

    def test_other_builds_go_on(self, make):
        """
        The end of one build leaves the others' files open.
        """
        handler = make()
        write(handler, tier="build", build_id=BUILD)
        write(handler, tier="build", build_id=PROJECT)

        handler.end_build(BUILD)

        assert handler.stats()["segments"]["open"] == 1

    def test_an_idle_build_ends(self, make, clock):
        """
        A build's file ends when no line came for build_idle, however young it is.
        """
        handler = make(build_idle=900)
        write(handler, tier="build", build_id=BUILD)
        clock.now += 899
        write(handler, tier="build", build_id=BUILD)

        clock.now += 899
        handler.pipeline.sink.sweep()
        opened = handler.stats()["segments"]["open"]
        clock.now += 1
        handler.pipeline.sink.sweep()

        assert (opened, handler.stats()["segments"]["open"]) == (1, 0)

    def test_a_build_is_one_file_at_any_size_and_age(self, make, tmp_path, clock):
        """
        A build's file isn't cut by max_bytes or max_age.
        """
        handler = make(max_bytes=500, max_age=10)

        for _ in range(20):
            clock.now += 5
            write(handler, "x" * 100, tier="build", build_id=BUILD)

        assert len(files(tmp_path / "logs")) == 1

    def test_a_line_after_the_end_is_appended(self, make, tmp_path):
        """
        A build that goes on after its end goes on in the same file.
        """
        handler = make()
        write(handler, "first", tier="build", build_id=BUILD)
        handler.end_build(BUILD)

        write(handler, "late", tier="build", build_id=BUILD)

        assert messages(tmp_path / "logs" / files(tmp_path / "logs")[0]) == ["first", "late"]


class TestProcessDurability:
    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_kill_loses_nothing_that_was_acknowledged(self, tmp_path, writer):
        """
        A line whose call has returned is there after SIGKILL, and whole.
        """
        program = """
            import os, sys, tierlog
            tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
            for number in range(1_000_000):
                tierlog.log_event("system", "log", "info", f"n{number}")
                os.write(1, b"n%d\\n" % number)
            """
        process = start(program, tmp_path / "logs", writer)

        acknowledged = [process.stdout.readline() for _ in range(2_000)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines(keepends=True)
        finish(process)
        tierlog.recover(tmp_path / "logs")

        checked = check(tmp_path / "logs")
        assert {line.decode().strip() for line in acknowledged} - set(checked.messages) == set()
        assert checked.findings == []

    def test_an_appended_line_is_there_at_once(self, make, tmp_path):
        """
        The append writer keeps nothing back: who reads the file sees the line when the call returned.
        """
        handler = make()

        write(handler, "here")

        assert (tmp_path / "logs" / files(tmp_path / "logs")[0]).read_bytes().endswith(b'"msg":"here","data":{}}\n')

    def test_a_mapped_line_is_there_at_once(self, make, tmp_path):
        """
        The mmap writer's line is there at once, too, with newlines behind it while the file is open.
        """
        handler = make(writer="mmap")

        write(handler, "here")

        content = (tmp_path / "logs" / files(tmp_path / "logs")[0]).read_bytes()
        assert content.rstrip(b"\n").endswith(b'"msg":"here","data":{}}')
        assert content.endswith(b"\n\n")

    def test_a_mapped_file_is_cut_when_it_ends(self, make, tmp_path):
        """
        Nothing but lines is left in a finished segment of the mmap writer.
        """
        handler = make(writer="mmap")
        write(handler, at=datetime.now(UTC))

        handler.close()

        assert check(tmp_path / "logs").findings == []


class TestBatchDurability:
    @pytest.fixture(name="batch")
    def _batch(self, make):
        return make(durability="batch", flush_interval=3_600)

    def test_lines_wait(self, batch, tmp_path):
        """
        A line that is no error may wait in memory.
        """
        write(batch)

        assert all_messages(tmp_path / "logs") == []

    def test_an_error_brings_everything_before_it(self, batch, tmp_path):
        """
        An error is in the file when its call returns, and so is what came before it there.
        """
        write(batch, "before")

        write(batch, "error", level=logging.ERROR)

        assert all_messages(tmp_path / "logs") == ["before", "error"]

    @pytest.mark.parametrize("end", ["flush", "close"])
    def test_flush_and_close_bring_all(self, batch, tmp_path, end):
        """
        After flush() or close(), every line is in its file.
        """
        write(batch, "a")
        write(batch, "b", tier="build", build_id=BUILD)

        getattr(batch, end)()

        assert all_messages(tmp_path / "logs") == ["a", "b"]

    def test_the_rest_comes_within_the_interval(self, tmp_path):
        """
        Without any call, a line is in its file after flush_interval.
        """
        handler = TierHandler(sink=SegmentSink(tmp_path / "logs", durability="batch", flush_interval=0.02))

        write(handler, "soon")

        until(lambda: all_messages(tmp_path / "logs") == ["soon"])

    def test_exit_brings_all(self, tmp_path):
        """
        A process that just ends writes what waited.
        """
        program = """
            import logging, sys, tierlog
            tierlog.configure(root=sys.argv[1], durability="batch", flush_interval=3600)
            logging.getLogger("app").info("last words")
            """

        run(program, tmp_path / "logs")

        assert "last words" in check(tmp_path / "logs").messages

    def test_a_long_batch_does_not_grow_for_ever(self, batch, tmp_path):
        """
        What waits is bounded: many lines are written before the interval is over.
        """
        for _ in range(2_000):
            write(batch, "x" * 200)

        assert len(all_messages(tmp_path / "logs")) > 1_000

    def test_nothing_waits_after_close(self, batch, tmp_path):
        """
        A line that comes after close() is in its file at once.
        """
        batch.close()

        write(batch, "late")

        assert all_messages(tmp_path / "logs") == ["late"]


class TestDiskDurability:
    """
    How often the disk was really asked is seen from outside, by strace.
    """

    PROGRAM = """
        import os, sys, threading, tierlog
        root, threads, count = sys.argv[1], *map(int, sys.argv[2:])
        tierlog.configure(root=root, durability="disk", process_events=False)

        def work(name):
            for number in range(count):
                tierlog.log_event("system", "log", "info", f"{name}-{number}")
                os.write(1, b"kept\\n")

        workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        os._exit(0)
        """

    def traced(self, tmp_path, program, *args):
        """
        Return the calls of writing, syncing and acknowledging, in order.
        """
        trace = tmp_path / "trace"
        before = ["strace", "-f", "-qq", "-s", "20", "-o", str(trace), "-e", "trace=write,fdatasync,fsync", "-e", "signal=none"]
        assert run(program, tmp_path / "logs", *args, before=before).returncode == 0
        calls = []
        for line in trace.read_text().splitlines():
            if "fdatasync(" in line:
                calls.append("sync")
            elif "fsync(" in line:
                calls.append("folder")
            elif re.search(r'write\(\d+, "\{', line):
                calls.append("line")
            elif "kept" in line:
                calls.append("kept")
        return calls

    def test_a_line_is_synced_before_its_call_returns(self, tmp_path):
        """
        Between the write of a line and the return of its call, the disk is told to keep it.
        """
        calls = self.traced(tmp_path, self.PROGRAM, 1, 5)

        assert [call for call in calls if call != "folder"] == ["line", "sync", "kept"] * 5

    def test_the_files_name_is_synced_before_the_first_call_returns(self, tmp_path):
        """
        A new segment's folders, up to the root, are on the disk before its first line is acknowledged.
        """
        calls = self.traced(tmp_path, self.PROGRAM, 1, 5)

        assert calls[:6] == ["folder", "folder", "folder", "line", "sync", "kept"]
        assert calls.count("folder") == 3

    def test_threads_share_a_sync(self, tmp_path):
        """
        Several threads that wait are served by one call for the disk: fewer syncs than lines.
        """
        calls = self.traced(tmp_path, self.PROGRAM, 8, 30)

        assert calls.count("line") == 240
        assert 0 < calls.count("sync") < 240

    def test_a_segment_that_ends_meanwhile_is_synced(self, tmp_path):
        """
        A line whose segment another thread ends, before its own sync, is synced all the same.
        """
        program = """
            import os, sys, threading
            from tierlog.envelope import Route
            from tierlog.segments import SegmentSink

            sink = SegmentSink(sys.argv[1], durability="disk")
            line = b'{"ts":1714564800000,"instanceId":"a"}\\n'
            wait_until_kept = sink.write(line, Route("system", "2024-05-01", None, "a", "info", "key"))
            other = threading.Thread(target=sink.close)
            other.start()
            other.join()
            wait_until_kept()
            os.write(1, b"kept\\n")
            """

        assert [call for call in self.traced(tmp_path, program) if call != "folder"] == ["line", "sync", "kept"]

    def test_a_kill_loses_nothing_either(self, tmp_path):
        """
        What survives power loss survives SIGKILL.
        """
        process = start(self.PROGRAM, tmp_path / "logs", 2, 100_000)

        kept = len([process.stdout.readline() for _ in range(50)])
        os.kill(process.pid, signal.SIGKILL)
        kept += len(process.stdout.read().splitlines())
        finish(process)
        tierlog.recover(tmp_path / "logs")

        checked = check(tmp_path / "logs")
        assert (len(checked.events) >= kept, checked.findings) == (True, [])


def test_threads_share_one_sink(make, tmp_path):
    """
    Lines of many threads stand in each file in the order of their numbers.
    """
    handler = make(max_bytes=20_000, max_open_segments=2)
    ids = [PROJECT, OTHER_PROJECT, BUILD]

    def work(name):
        for number in range(300):
            write(handler, f"{name} {number}", at=datetime.now(UTC), tier="action", project_id=ids[number % 3])

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.close()

    checked = check(tmp_path / "logs")
    assert (len(checked.events), checked.findings) == (1_200, [])


def test_threads_that_meet_in_the_lock_are_seen(tmp_path):
    """
    The sink is told that a thread wanted the lock while another one had it.
    """
    met = threading.Event()

    class Sink(SegmentSink):
        def meet(self):
            met.set()
            super().meet()

    handler = TierHandler(sink=Sink(tmp_path / "logs"), instance_name="test")

    def work(name):
        while not met.is_set():
            write(handler, name, at=datetime.now(UTC))

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in "abcd"]
    for thread in threads:
        thread.start()

    assert met.wait(60)
    for thread in threads:
        thread.join()
    handler.close()


def test_after_a_meeting_a_write_lets_no_other_thread_run(tmp_path):
    """
    Threads that log together don't wake each other for each line; a thread that logs alone lets others run.
    """
    program = """
        import sys, threading, time, tierlog
        tierlog.configure(root=sys.argv[1], process_events=False)
        sink = tierlog.handler.all_handlers[-1].pipeline.sink
        sys.setswitchinterval(1_000)
        turns = 0

        def others():
            global turns
            while True:
                turns += 1
                time.sleep(0)

        tierlog.log_event("system", None, "info", "line")  # makes the file
        threading.Thread(target=others, daemon=True).start()
        turns = 0
        while not turns:
            tierlog.log_event("system", None, "info", "line")
        turns_meanwhile = 0
        for meeting in range(100):
            sink.meet()
            before = turns
            for number in range(200):
                tierlog.log_event("system", None, "info", "line")
            turns_meanwhile += turns - before
        print(turns_meanwhile)
        """

    assert run(program, tmp_path / "logs").out == "0\n"
    assert check(tmp_path / "logs").findings == []


def test_two_handlers_on_one_root_do_not_meet(tmp_path):
    """
    Two handlers of one process have streams and segments of their own.
    """
    handlers = [TierHandler(sink=SegmentSink(tmp_path / "logs"), instance_name="one") for _ in range(2)]

    for number in range(10):
        write(handlers[number % 2], str(number), at=datetime.now(UTC))
    for handler in handlers:
        handler.close()

    checked = check(tmp_path / "logs")
    assert sorted(checked.instances.values()) == [[0, 1, 2, 3, 4]] * 2
    assert checked.findings == []


def test_strace_is_there():
    """
    The proofs of this file and its neighbours need strace; install it with the system's package manager.
    """
    assert subprocess.run(["strace", "-V"], capture_output=True, check=False).returncode == 0
