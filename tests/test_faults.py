"""
When the file system refuses: the application goes on, and every record is either in a
file or counted and on standard error.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from typing import Any, NamedTuple

import pytest

import tierlog
from checker import check
from children import FOLDER, run


WRITERS = ["append", "mmap"]
DURABILITIES = ["process", "batch", "disk"]


class Result(NamedTuple):
    """
    What became of the records.
    """

    raised: list[str]
    during: dict[str, int]
    stats: dict[str, Any]
    events: list[dict[str, Any]]
    findings: list[Any]
    err: str

    def of(self, phase):
        """
        Return the messages of a phase that are in the files.
        """
        return [event["msg"] for event in self.events if event["msg"].startswith(phase)]


def run_with_room(*program, **options):
    """
    Run a child whose standard error has room for all that it says: a log call doesn't
    wait until we read it.
    """
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    with open(reading, "rb") as err:
        with open(writing, "wb") as stderr:
            finished = run(*program, stderr=stderr, **options)
        return finished._replace(err=err.read().decode("utf-8", "replace"))


def fault(tmp_path, name, *, writer, durability="process", count=400, before=()):
    """
    Run the child under a fault, and look at the files it made.
    """
    finished = run_with_room(FOLDER / "faults.py", tmp_path / "logs", writer, durability, name, count, before=before)
    assert finished.returncode == 0, finished.err
    answer = json.loads(finished.out)
    for path, text in answer.pop("files").items():  # they may lie on a file system that is gone with the child
        (tmp_path / "seen" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "seen" / path).write_text(text, "utf-8")
    checked = check(tmp_path / "seen", may_miss=True)
    return Result(**answer, events=checked.events, findings=checked.findings, err=finished.err)


def assert_accounted(result, count):
    """
    Check the books: nothing raised, and every record is in a file or counted and shown.
    """
    stats = result.stats
    dropped = sum(stats["dropped"].values())
    assert result.raised == []
    assert stats["accepted"] == count + 20
    assert stats["accepted"] == stats["written"] + dropped
    assert len(result.events) == stats["written"]
    assert result.findings == []
    assert result.err.count('\n{"ts":') + result.err.startswith('{"ts":') == dropped


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("durability", DURABILITIES)
class TestFileTooLarge:
    """
    A limit on the size of files (EFBIG), which needs no privileges.
    """

    def test_every_record_is_accounted_for(self, tmp_path, writer, durability):
        """
        Each record is in a file, or it is counted and stands on standard error.
        """
        result = fault(tmp_path, "efbig", writer=writer, durability=durability)

        assert_accounted(result, 400)

    def test_a_new_segment_takes_what_the_full_one_refused(self, tmp_path, writer, durability):
        """
        Where a tier can have a further segment, nothing is lost by the limit; a build has one file only.
        """
        result = fault(tmp_path, "efbig", writer=writer, durability=durability)

        kept = [msg for msg in result.of("during") if int(msg.split()[1]) % 4 != 2]
        assert len(kept) == 300

    def test_what_comes_after_is_whole(self, tmp_path, writer, durability):
        """
        Once there's no limit, every record is kept again, in every tier.
        """
        result = fault(tmp_path, "efbig", writer=writer, durability=durability)

        assert len(result.of("after")) == 20


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_full_disk(tmp_path, writer, durability):
    """
    On a file system without space (ENOSPC), every record is kept or counted and shown; when there's space again, all are kept.
    """
    result = fault(tmp_path, "enospc", writer=writer, durability=durability, before=private_mounts())

    assert_accounted(result, 400)
    assert set(result.during) == {"enospc"}
    assert len(result.of("after")) == 20


def private_mounts():
    """
    Return the command that lets a process mount a file system of its own.
    """
    for command in (["unshare", "-m"], ["unshare", "-Urm"]):
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.fail("a full disk needs a mount of its own: run as root, or where user namespaces are allowed (unshare -Urm)")


def test_a_build_cut_short_by_a_full_disk_ends_with_a_line(tmp_path):
    """
    The last line of a build that the disk refused leaves no part of itself behind.
    """
    program = """
        import os, subprocess, sys, tierlog
        root = sys.argv[1]
        os.makedirs(root)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", root], check=True)
        handler = tierlog.configure(root=root, process_events=False)
        with tierlog.build("01BX5ZZKBKACTAV9WEVGEMMVS0"):
            tierlog.get_logger("app").info("kept")
            tierlog.get_logger("app").info("x" * 100_000)
        tierlog.shutdown()
        (path,) = handler.pipeline.sink.root.rglob("builds/*/*.ndjson")
        sys.stdout.write(path.read_text())
        """

    finished = run(program, tmp_path / "logs", before=private_mounts())

    assert (finished.out.count("\n"), finished.out[-30:]) == (1, '"src":"app","msg":"kept","data":{}}\n'[-30:])


def test_space_that_is_reserved_is_used(tmp_path):
    """
    The mmap writer keeps a line for which there's room in what it has filled, though it can't fill more.
    """
    program = """
        import os, subprocess, sys, tierlog
        root = sys.argv[1]
        os.makedirs(root)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", root], check=True)
        tierlog.configure(root=root, writer="mmap", process_events=False)
        for number in range(2_000):
            tierlog.log_event("system", None, "info", f"{number}")
        tierlog.shutdown()
        subprocess.run(["df", "-k", "--output=avail", root])
        """

    finished = run(program, tmp_path / "logs", before=private_mounts())

    free = int(finished.out.split()[-1])
    assert free <= 16  # KiB of 256, in pages of 4


def strace(root, *faults):
    """
    Return the command that runs a process with *faults* in its calls for segments.
    """
    calls = ",".join(fault.partition(":")[0] for fault in faults)
    return [
        "strace",
        "-f",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        f"trace={calls}",
        *[part for one in faults for part in ("-e", f"inject={one}")],
    ]


class TestDiskError:
    """
    A disk that fails (EIO), as strace lets the calls for it fail.
    """

    @pytest.mark.parametrize("durability", DURABILITIES)
    def test_a_write_that_fails_now_and_then(self, tmp_path, durability):
        """
        Records whose write failed are counted as eio and shown; all others are in the files, whole.
        """
        # Standard error is written to, too: what is shown there may be refused as well, so it is counted elsewhere.
        program = FAILING.format(writer="append", durability=durability)
        finished = run(program, tmp_path / "logs", before=strace(tmp_path, "write:error=EIO:when=20+7"))

        stats = json.loads(finished.out.splitlines()[-1])
        checked = check(tmp_path / "logs", may_miss=True)
        assert finished.out.startswith("raised 0\n")
        assert stats["accepted"] == stats["written"] + sum(stats["dropped"].values()) == 200
        assert set(stats["dropped"]) == {"eio"}
        assert (len(checked.events), checked.findings) == (stats["written"], [])

    def test_a_write_that_fails_where_threads_meet(self, tmp_path):
        """
        The same for the write that doesn't let other threads run.
        """
        program = FAILING.format(writer="append", durability="process").replace("try:\n", f"try:\n{MEET}", 1)
        finished = run(program, tmp_path / "logs", before=strace(tmp_path, "write:error=EIO:when=40..139"))

        stats = json.loads(finished.out.splitlines()[-1])
        checked = check(tmp_path / "logs", may_miss=True)
        assert finished.out.startswith("raised 0\n")
        assert stats["accepted"] == stats["written"] + stats["dropped"]["eio"] == 200
        assert (len(checked.events), checked.findings) == (stats["written"], [])

    def test_a_mapping_that_can_not_grow(self, tmp_path):
        """
        The same for the mmap writer, whose only calls are those that reserve space.
        """
        program = FAILING.format(writer="mmap", durability="process")
        finished = run(program, tmp_path / "logs", before=strace(tmp_path, "pwrite64:error=EIO:when=1+2"))

        stats = json.loads(finished.out.splitlines()[-1])
        checked = check(tmp_path / "logs", may_miss=True)
        assert finished.out.startswith("raised 0\n")
        assert set(stats["dropped"]) == {"eio"}
        assert (len(checked.events), checked.findings) == (stats["written"], [])

    def test_a_sync_that_fails_is_counted(self, tmp_path):
        """
        A line that was written but not synced is in the file, and counted among the failed syncs.
        """
        program = FAILING.format(writer="append", durability="disk")
        finished = run(program, tmp_path / "logs", before=strace(tmp_path, "fdatasync:error=EIO:when=3"))

        stats = json.loads(finished.out.splitlines()[-1])
        assert (stats["dropped"], stats["written"], stats["sync_failures"]) == ({}, 200, 1)
        assert "may not survive power loss" in finished.err

    @pytest.mark.parametrize("meet", ["pass", "tierlog.handler.all_handlers[-1].pipeline.sink.meet()"], ids=["alone", "met"])
    def test_a_short_write_is_completed(self, tmp_path, meet):
        """
        A write that takes a part of a line only is completed, or the part is taken back: no line is torn.
        """
        program = """
            import os, resource, sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            log = tierlog.get_logger("app")
            for number in range(50):
                MEET
                log.info("%d %s", number, "x" * 300)
                if number == 20:
                    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                    size = sum(path.stat().st_size for path in __import__("pathlib").Path(sys.argv[1]).rglob("*.ndjson"))
                    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
            """

        run(program.replace("MEET", meet), tmp_path / "logs")

        checked = check(tmp_path / "logs")
        assert (len(checked.events), checked.findings) == (50, [])

    @pytest.mark.parametrize(
        ("call", "error"), [("openat", "EMFILE"), ("openat", "EROFS"), ("mkdir", "EACCES"), ("mkdir", "ENOSPC")]
    )
    def test_a_segment_that_can_not_be_made(self, tmp_path, call, error):
        """
        Records for which no file can be opened are counted and shown, and the next ones are kept.
        """
        program = """
            import json, os, sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            tierlog.log_event("system", None, "info", "before")
            os.getpriority(0, 0)
            tierlog.log_event("build", None, "info", "refused", build_id="01BX5ZZKBKACTAV9WEVGEMMVS0")
            os.getpriority(0, 0)
            tierlog.log_event("system", None, "info", "goes on")
            tierlog.log_event("build", None, "info", "after", build_id="01BX5ZZKBKACTAV9WEVGEMMVS1")
            print(json.dumps(tierlog.stats()))
            """
        count = calls_before_the_first_priority(program, tmp_path / "dry", call)

        finished = run(program, tmp_path / "logs", before=strace(tmp_path, f"{call}:error={error}:when={count + 1}"))

        stats = json.loads(finished.out)
        assert stats["dropped"] == {error.lower(): 1}
        assert '"msg":"refused"' in finished.err
        assert sorted(check(tmp_path / "logs", may_miss=True).messages) == ["after", "before", "goes on"]


FAILING = """
    import json, sys, tierlog
    tierlog.configure(
        root=sys.argv[1], writer={writer!r}, durability={durability!r}, max_bytes=5_000, flush_interval=3600, process_events=False
    )
    raised = 0
    for number in range(200):
        try:
            tierlog.get_logger("app").info("%d %s", number, "x" * 100)
            if number % 10 == 9:
                tierlog.flush()
        except BaseException:
            raised += 1
    tierlog.shutdown()
    stats = json.dumps(tierlog.stats())
    while True:  # this very line may be refused
        try:
            sys.stdout.write(f"raised {{raised}}\\n{{stats}}\\n")
            sys.stdout.flush()
            break
        except OSError:
            pass
    """

MEET = """\
            tierlog.handler.all_handlers[-1].pipeline.sink.meet()
"""


def calls_before_the_first_priority(program, root, call):
    """
    Return how often *program* makes a call for the file system until it asks for its priority.
    """
    trace = root.parent / "dry.trace"
    run(program, root, before=["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call},getpriority"])
    lines = trace.read_text().splitlines()
    own = [line for line in lines if line.split()[0] == lines[0].split()[0]]  # not other threads': strace counts for each
    return next(number for number, line in enumerate(own) if "getpriority" in line)


class TestEmergency:
    def test_the_reason_is_the_file_systems(self, tmp_path):
        """
        A line that a limit cut short is counted as efbig, in a build's file, too.
        """
        program = """
            import resource, sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
            with tierlog.build("01BX5ZZKBKACTAV9WEVGEMMVS0"):
                tierlog.get_logger("app").info("x" * 2_000)
            print(tierlog.stats()["dropped"])
            """

        assert run(program, tmp_path / "logs").out == "{'efbig': 1}\n"

    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_lost_record_is_on_standard_error_whole(self, tmp_path, writer):
        """
        What no file took is on standard error as the line it would have been.
        """
        program = """
            import resource, sys, tierlog
            tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            tierlog.get_logger("app").info("hello", extra={"data": {"password": "hunter2"}})
            """

        err = run(program, tmp_path / "logs", writer).err

        line = next(line for line in err.splitlines() if line.startswith("{"))
        assert json.loads(line)["msg"] == "hello"
        assert "hunter2" not in err

    def test_standard_error_may_be_closed(self, tmp_path):
        """
        Where there's no standard error, a lost record is counted and the application goes on.
        """
        program = """
            import os, resource, sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            os.close(2)
            tierlog.get_logger("app").info("hello")
            print(tierlog.stats()["dropped"])
            """

        assert run(program, tmp_path / "logs").out == "{'efbig': 1}\n"

    def test_complaints_are_few(self, tmp_path):
        """
        A thousand lost records are a thousand lines, but not a thousand complaints.
        """
        program = """
            import resource, sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            for number in range(1_000):
                tierlog.get_logger("app").info("hello")
            """

        lines = run_with_room(program, tmp_path / "logs").err.splitlines()

        assert len([line for line in lines if line.startswith("{")]) == 1_000
        assert len([line for line in lines if line.startswith("tierlog:")]) < 10

    def test_a_root_that_can_not_be_written_is_an_error_at_once(self, tmp_path):
        """
        Where nothing could ever be written, configure() says so, and what to do.
        """
        (tmp_path / "file").touch()

        with pytest.raises(tierlog.ConfigError, match="make it writable or choose another"):
            tierlog.configure(root=tmp_path / "file")
