"""
Recovery: what a killed process left behind is finished, and nothing else is touched.
"""

from __future__ import annotations

import os
import random
import signal
import time
from textwrap import dedent

import pytest

import tierlog
from checker import check
from children import FOLDER, finish, run, start
from tierlog.typing import Recovered


PROJECT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
BUILD = "01BX5ZZKBKACTAV9WEVGEMMVS0"
WRITERS = ["append", "mmap"]
TORN = b'{"ts":1700000000000,"instanceId":"torn-0'

LEAVE = """
    import os, signal, sys, tierlog
    root, writer, *tiers = sys.argv[1:]
    tierlog.configure(root=root, writer=writer, instance_name="dead", process_events=False)
    print("ready", flush=True)
    sys.stdin.readline()
    for tier in tiers:
        for number in range(3):
            ids = {"project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"}
            tierlog.log_event(tier, None, "info", f"{tier} {number}", **ids)
    os.kill(os.getpid(), signal.SIGKILL)
    """
"""A process that starts, and when told so logs three records per tier and is killed."""

HOLD = """
    import sys, tierlog
    tierlog.configure(root=sys.argv[1], writer=sys.argv[2], instance_name="live", process_events=False)
    log = tierlog.get_logger("app")
    ids = {"tier": sys.argv[3], "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"}
    for line in sys.stdin:
        log.info(line.strip(), extra=ids)
        print("ok", flush=True)
    """
"""A process that logs what it reads, and stays."""

TELL_LOOKS = "import os, sys\nsys.addaudithook(lambda event, args: event == 'fcntl.flock' and os.write(1, b'looks\\n'))\n"
"""What lets a program say when it looks whether it gets a lock."""

RECOVER = """
    import sys, tierlog
    print(*tierlog.recover(sys.argv[1]))
    """


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="begin")
def _begin(root):
    """
    Start a process that will log to some tiers and be killed; return what makes it do so.

    A process mends what it finds when it starts, so those that are to leave
    something behind beside each other start first.
    """
    started = []

    def begin(*tiers, writer="append"):
        process = start(LEAVE, root, writer, *tiers, stdin=-1)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"

        def end():
            process.communicate(b"\n")
            assert process.returncode == -signal.SIGKILL

        return end

    yield begin

    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(name="leave")
def _leave(root, begin):
    """
    Let a process be killed that logged to some tiers; return its files by folder.
    """

    def leave(*tiers, writer="append"):
        begin(*tiers, writer=writer)()
        return {
            path.relative_to(root).parts[0]: path for path in root.rglob("*.ndjson") if not path.is_relative_to(root / ".tierlog")
        }

    return leave


@pytest.fixture(name="neighbour")
def _neighbour(root):
    """
    A live process that has a segment open.
    """
    started = []

    def neighbour(tier="system", writer="append"):
        process = start(HOLD, root, writer, tier, stdin=-1)
        started.append(process)
        say(process, "first")
        return process

    yield neighbour

    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def say(process, text):
    """
    Let a live process log *text*, and wait until its call has returned.
    """
    process.stdin.write(f"{text}\n".encode())
    process.stdin.flush()
    assert process.stdout.readline() == b"ok\n"


def append(path, data):
    """
    Leave *data* at the end of *path*, as a write that was cut off does.
    """
    with path.open("ab") as file:
        file.write(data)


def quarantined(root):
    """
    Return what lies in quarantine.
    """
    return sorted(path.read_bytes() for path in (root / "quarantine").iterdir()) if (root / "quarantine").exists() else []


def unfinished(root):
    """
    Return the names of the segments that aren't finished.
    """
    folder = root / ".tierlog" / "open"
    return sorted(os.listdir(folder)) if folder.exists() else []


def snapshot(root):
    """
    Return every file below *root* with its content.
    """
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class TestWhatIsMended:
    def test_a_whole_segment_is_finished_as_it_is(self, root, leave):
        """
        A segment that ends with a whole line isn't changed, and is finished from then on.
        """
        path = leave("system")["system"]
        before = path.read_bytes()

        assert tierlog.recover(root) == Recovered(segments=1)

        assert (path.read_bytes(), unfinished(root)) == (before, [])

    def test_every_tier_is_finished(self, root, leave):
        """
        Segments of all tiers are found.
        """
        leave("system", "build", "deploy", "action", "lifecycle")

        assert tierlog.recover(root) == Recovered(segments=5)

        checked = check(root)
        assert (len(checked.events), checked.findings, unfinished(root)) == (15, [], [])

    @pytest.mark.parametrize("tier", ["system", "build"])
    def test_a_torn_last_line_goes_to_quarantine(self, root, leave, tier):
        """
        A line that a kill cut off is taken out of the segment, kept in quarantine and counted.
        """
        (path,) = leave(tier).values()
        before = path.read_bytes()
        append(path, TORN)

        assert tierlog.recover(root) == Recovered(segments=1, torn=1)

        assert (path.read_bytes(), quarantined(root)) == (before, [TORN])

    @pytest.mark.parametrize("cut", [1, 2, 20, 100, 180])
    def test_a_line_cut_anywhere_is_torn(self, root, leave, cut):
        """
        However little is missing of the last line, it isn't left as one; those before stay.
        """
        path = leave("system")["system"]
        os.truncate(path, path.stat().st_size - cut)

        tierlog.recover(root)

        checked = check(root)
        assert (checked.messages, checked.findings) == (["system 0", "system 1"], [])
        assert len(quarantined(root)) == 1

    def test_the_filler_of_the_mmap_writer_is_cut(self, root, leave):
        """
        The newlines behind the last line of a mapped segment go; they are no torn lines.
        """
        path = leave("system", writer="mmap")["system"]
        assert path.read_bytes().endswith(b"\n\n")

        assert tierlog.recover(root) == Recovered(segments=1)

        assert (check(root).messages, check(root).findings) == (["system 0", "system 1", "system 2"], [])

    def test_a_half_copied_line_of_the_mmap_writer_is_torn(self, root, leave):
        """
        A line that was being copied when the process was killed is taken out of the filler.
        """
        path = leave("system", writer="mmap")["system"]
        content = path.read_bytes()
        with path.open("r+b") as file:
            file.seek(len(content.rstrip(b"\n")) + 1)
            file.write(TORN)

        assert tierlog.recover(root) == Recovered(segments=1, torn=1)

        assert (len(check(root).events), check(root).findings, quarantined(root)) == (3, [], [TORN + b"\n"])

    def test_a_segment_without_a_line_goes(self, root, leave):
        """
        A file whose process was killed before its first line is taken away.
        """
        path = leave("system")["system"]
        os.truncate(path, 0)

        assert tierlog.recover(root) == Recovered(segments=1, empty=1)

        assert not path.exists()

    def test_a_segment_of_one_torn_line_goes_to_quarantine_whole(self, root, leave):
        """
        Where the first line was torn, nothing is left but the quarantine.
        """
        path = leave("system")["system"]
        path.write_bytes(TORN)

        assert tierlog.recover(root) == Recovered(segments=1, torn=1, empty=1)

        assert (path.exists(), quarantined(root)) == (False, [TORN])

    def test_a_noted_segment_that_is_gone_is_forgotten(self, root, leave):
        """
        An entry of the journal without a file is no error, and isn't looked at again.
        """
        leave("system")["system"].unlink()

        report = tierlog.recover(root)

        assert (report.failed, unfinished(root)) == (0, [])

    @pytest.mark.parametrize("noise", [b"\0" * 4_096, b"\xff\xfe\n", b"{}\n", b"null\n", b"not json\n", b'{"ts":1}\n' * 3])
    def test_what_is_no_envelope_is_taken_out(self, root, leave, noise):
        """
        Whatever stands behind the last line, such as the zeros a power cut leaves, is kept in quarantine.
        """
        path = leave("system")["system"]
        before = path.read_bytes()
        append(path, noise)

        tierlog.recover(root)

        assert path.read_bytes() == before
        assert b"".join(quarantined(root)) == noise

    def test_finished_segments_are_not_touched(self, root, leave):
        """
        Recovery looks at what is unfinished only.
        """
        path = leave("system")["system"]
        tierlog.recover(root)
        before = path.stat().st_mtime_ns

        assert tierlog.recover(root) == Recovered()

        assert path.stat().st_mtime_ns == before

    def test_no_symlink_is_followed(self, root, leave, tmp_path):
        """
        A link in the place of a segment leads recovery nowhere.
        """
        path = leave("system")["system"]
        path.unlink()
        victim = tmp_path / "victim"
        victim.write_bytes(TORN)
        path.symlink_to(victim)

        tierlog.recover(root)

        assert victim.read_bytes() == TORN

    def test_a_foreign_file_in_the_journal_is_left_alone(self, root, leave, tmp_path):
        """
        A name that isn't a segment's, wherever it points, is not acted upon.
        """
        leave("system")
        victim = tmp_path / "victim.ndjson"
        victim.write_bytes(TORN)
        (root / ".tierlog" / "open" / "..~victim.ndjson").touch()

        tierlog.recover(root)

        assert victim.read_bytes() == TORN


class TestSharedFiles:
    def test_a_torn_piece_in_front_of_a_line_is_taken_out(self, root, leave, begin):
        """
        What one process was cut off in, and another appended to, loses no whole line.
        """
        log_on = begin("build")
        (path,) = leave("build").values()
        append(path, TORN)
        log_on()

        report = tierlog.recover(root)

        checked = check(root)
        assert (report.torn, quarantined(root)) == (1, [TORN])
        assert (len(checked.events), checked.findings) == (6, [])

    def test_a_torn_piece_that_holds_a_beginning(self, root, leave, begin):
        """
        A piece whose text looks like the beginning of a line doesn't take the next one with it.
        """
        log_on = begin("build")
        (path,) = leave("build").values()
        append(path, TORN + b'","msg":"{\\"ts\\":1} {"ts":17')
        log_on()

        tierlog.recover(root)

        assert (len(check(root).events), check(root).findings) == (6, [])

    def test_pieces_of_two_processes(self, root, leave, begin):
        """
        Two torn pieces, one behind the other and at the end, are both kept apart.
        """
        log_on = begin("build")
        (path,) = leave("build").values()
        append(path, TORN + TORN)
        log_on()
        append(path, TORN)

        report = tierlog.recover(root)

        assert (report.torn, quarantined(root)) == (2, [TORN, TORN + TORN])
        assert (len(check(root).events), check(root).findings) == (6, [])

    def test_a_later_piece_at_the_same_place_replaces_none(self, root, leave):
        """
        A build that is torn twice at the same byte has both pieces in quarantine.
        """
        (path,) = leave("build").values()
        for piece in (TORN + b"a", TORN + b"b"):
            append(path, piece)
            (root / ".tierlog" / "open" / f"builds~{path.parent.name}~{path.name}").touch()
            tierlog.recover(root)

        assert quarantined(root) == [TORN + b"a", TORN + b"b"]


class TestNeighbours:
    @pytest.mark.parametrize("writer", WRITERS)
    @pytest.mark.parametrize("tier", ["system", "build"])
    def test_a_live_segment_is_left_alone(self, root, neighbour, tier, writer):
        """
        What a live process has open is not changed, whatever its end looks like.
        """
        process = neighbour(tier, writer)
        before = snapshot(root)

        report = tierlog.recover(root)

        assert (report, snapshot(root)) == (Recovered(live=1), before)
        say(process, "second")
        finish(process)
        assert (check(root).messages, check(root).findings) == (["first", "second"], [])

    def test_the_dead_beside_the_living_is_finished(self, root, begin, neighbour):
        """
        A live neighbour doesn't keep recovery from what is left behind.
        """
        log_on = begin("lifecycle")
        neighbour()
        log_on()
        append(next((root / "lifecycle").rglob("*.ndjson")), TORN)

        assert tierlog.recover(root) == Recovered(segments=1, torn=1, live=1)

    def test_a_build_file_is_left_while_anyone_writes_it(self, root, leave, neighbour):
        """
        A piece that a killed process left in a shared file waits until nobody has it open.
        """
        process = neighbour("build")
        (path,) = leave("build").values()
        append(path, TORN)
        during = tierlog.recover(root)
        say(process, "second")
        process.kill()
        process.wait()

        after = tierlog.recover(root)

        assert (during, after) == (Recovered(live=1), Recovered(segments=1, torn=1))
        assert (len(check(root).events), check(root).findings) == (5, [])

    def test_a_file_made_in_the_meantime_is_not_taken_away(self, root, leave):
        """
        When an empty build file is gone and made again between finding and locking it, the new one stays.
        """
        (path,) = leave("build").values()
        os.truncate(path, 0)
        program = """
            import os, sys, tierlog
            root, path = sys.argv[1:]

            def between(event, args):
                if event == "fcntl.flock" and os.path.exists(path) and not os.path.getsize(path):
                    os.unlink(path)  # as a neighbour does that finishes it,
                    with open(path, "w") as file:  # and another that has a line for it
                        file.write("new\\n")

            sys.addaudithook(between)
            tierlog.recover(root)
            """

        finished = run(program, root, path)

        assert (finished.returncode, path.exists() and path.read_bytes()) == (0, b"new\n")

    def test_a_build_that_goes_on_is_still_noted(self, root, leave):
        """
        When one process ends a build's file while another begins to write it, recovery still finds the file.
        """
        program = """
            import os, subprocess, sys, tierlog
            root, leave = sys.argv[1:]
            begun = []

            def between(event, args):
                if event == "os.remove" and ".tierlog/open" in os.fsdecode(args[0]) and not begun:
                    command = [sys.executable, "-c", leave, root, "append", "build"]
                    begun.append(subprocess.Popen(command, stdin=-1, stdout=-1))
                    begun[0].stdin.write(b"\\n")
                    begun[0].stdin.flush()
                    for looks in range(20):  # until it waits for its turn, or has ended
                        begun[0].stdout.readline()

            tierlog.configure(root=root, process_events=False)
            sys.addaudithook(between)
            with tierlog.build("01BX5ZZKBKACTAV9WEVGEMMVS0"):
                tierlog.get_logger("app").info("ends")
            begun[0].wait()
            """
        finished = run(program, root, TELL_LOOKS + dedent(LEAVE))
        assert finished.returncode == 0, finished.err
        (path,) = (root / "builds").rglob("*.ndjson")
        append(path, TORN)

        tierlog.recover(root)

        assert (len(check(root).events), check(root).findings) == (4, [])

    @pytest.mark.parametrize("looks", [2, 200])
    def test_a_line_for_a_build_that_is_being_recovered_is_kept(self, root, leave, looks):
        """
        A process that logs to a build while somebody mends its file, however often it must look, loses no line.
        """
        (path,) = leave("build").values()
        program = """
            import fcntl, sys, tierlog
            root, path, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
            mending = open(path)
            fcntl.flock(mending, fcntl.LOCK_EX)

            def mended(event, args):
                global left
                if event == "fcntl.flock":
                    left -= 1
                    if not left:
                        fcntl.flock(mending, fcntl.LOCK_UN)

            tierlog.configure(root=root, process_events=False)
            sys.addaudithook(mended)
            with tierlog.build("01BX5ZZKBKACTAV9WEVGEMMVS0"):
                tierlog.get_logger("app").info("meanwhile")
            print(tierlog.stats()["dropped"], left < 0)
            """

        finished = run(program, root, path, looks)

        assert finished.out == "{} True\n"
        assert "meanwhile" in check(root).messages

    def test_start_up_and_recovery_at_once(self, root, begin):
        """
        Many processes that start and recover at the same time finish each segment once, and lose nothing.
        """
        for log_on in [begin("system", "action") for _ in range(3)]:
            log_on()
        for path in (root / "system").rglob("*.ndjson"):
            append(path, TORN)
        program = """
            import sys, tierlog
            tierlog.configure(root=sys.argv[1], process_events=False)
            for number in range(50):
                tierlog.get_logger("app").info("n")
            tierlog.recover(sys.argv[1])
            """

        for process in [start(program, root) for _ in range(4)]:
            assert finish(process).returncode == 0

        checked = check(root)
        assert (len(checked.events), checked.findings) == (3 * 6 + 4 * 50, [])
        assert (quarantined(root), unfinished(root)) == ([TORN] * 3, [])


class TestAgain:
    def test_twice_is_as_once(self, root, leave):
        """
        A second recovery finds nothing to do and changes nothing.
        """
        for path in leave("system", "build", "action").values():
            append(path, TORN)
        tierlog.recover(root)
        before = snapshot(root)

        assert tierlog.recover(root) == Recovered()

        assert snapshot(root) == before

    @pytest.fixture(name="wreck")
    def _wreck(self, root, begin):
        """
        A root with something for each step of recovery to do.
        """
        first, second = begin("system", "build", "action"), begin("build", "lifecycle", writer="mmap")
        first()
        (shared,) = (root / "builds").rglob("*.ndjson")
        (system,) = (root / "system").rglob("*.ndjson")
        (action,) = (root / "projects").rglob("*.ndjson")
        append(shared, TORN)
        second()
        append(shared, TORN)
        append(system, TORN)
        os.truncate(action, 0)
        return root

    def assert_mended(self, root):
        """
        Check that nothing of the wreck is lost, doubled or left.
        """
        checked = check(root)
        assert (len(checked.events), checked.findings, unfinished(root)) == (12, [], [])
        assert quarantined(root) == [TORN] * 3

    def test_killed_before_any_of_its_steps_and_run_again(self, wreck, tmp_path):
        """
        Recovery that is killed just before any call for the file system, and run again, ends as if it never had been.
        """
        program = """
            import os, shutil, signal, sys, tierlog
            wreck, copies = sys.argv[1:]
            os.mkdir(copies)
            tierlog.recover(copies)  # what is imported then is no step of recovery
            left = 0

            def step(event, args):
                global left
                if event.startswith(("open", "os.", "fcntl.")):
                    left -= 1
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(step)
            for number in range(1, 1000):
                copy = f"{copies}/{number}"
                shutil.copytree(wreck, copy)
                pid = os.fork()
                if not pid:
                    left = number
                    tierlog.recover(copy)
                    left = 0
                    os._exit(0)
                if not os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
                    break
            """

        assert run(program, wreck, tmp_path / "copies").returncode == 0

        copies = list((tmp_path / "copies").iterdir())
        assert len(copies) > 20
        for copy in copies:
            tierlog.recover(copy)
            self.assert_mended(copy)

    @pytest.mark.parametrize("call", ["pwrite64", "fsync", "ftruncate"])
    def test_killed_in_a_write_and_run_again(self, wreck, call):
        """
        The same for the calls of which only the kernel knows.
        """
        before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when=1"]

        killed = run(RECOVER, wreck, before=before)
        tierlog.recover(wreck)

        assert killed.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
        self.assert_mended(wreck)

    def test_killed_at_random_moments(self, wreck):
        """
        Recovery that is killed now and then, over and over, gets there, and the result is the same.
        """
        program = """
            import sys, tierlog
            print("go", flush=True)
            for _ in range(100_000):
                tierlog.recover(sys.argv[1])
            """
        rnd = random.Random(1)

        for _ in range(4):
            process = start(program, wreck)
            process.stdout.readline()
            time.sleep(rnd.random() * 0.001)
            process.kill()
            process.communicate()
        tierlog.recover(wreck)

        self.assert_mended(wreck)


class TestWhoRecovers:
    def test_a_start_does_the_same(self, root, leave):
        """
        A process that starts on the root finishes what others left, before its first line, and counts it.
        """
        append(leave("system")["system"], TORN)

        handler = tierlog.configure(root=root, process_events=False)

        assert (check(root).findings, quarantined(root), unfinished(root)) == ([], [TORN], [])
        assert (handler.stats()["segments"]["recovered"], tierlog.stats()["torn_lines"]) == (1, 1)

    def test_it_takes_the_options_of_the_sink(self, root, leave):
        """
        recover() takes what the sink was configured with, so that one set of options serves both.
        """
        leave("system")

        assert tierlog.recover(root=str(root), max_bytes=1_000, writer="mmap").segments == 1

    def test_a_missing_folder_is_an_error(self, root):
        """
        recover() says so when there's no such folder, and makes none.
        """
        with pytest.raises(tierlog.ConfigError, match="there's no folder"):
            tierlog.recover(root)

        assert not root.exists()

    def test_an_empty_folder_is_none(self, root):
        """
        Where there's nothing to recover, nothing is done.
        """
        root.mkdir()

        assert tierlog.recover(root) == Recovered()


@pytest.mark.parametrize("writer", WRITERS)
def test_kills_at_random_moments(root, writer):
    """
    Killed again and again while two threads log, and started on the same root: no
    acknowledged record is lost, none is doubled, no line is torn.
    """
    rnd = random.Random(os.urandom(8))
    acknowledged: list[str] = []

    for number in range(15):
        process = start(FOLDER / "writer.py", root, writer, f"k{number}", 1_000_000, stderr=None)
        process.stdout.readline()
        time.sleep(rnd.random() * 0.08)
        process.kill()
        out, _ = process.communicate()
        acknowledged += [line.decode() for line in out.split(b"\n")[:-1]]
    tierlog.recover(root)

    checked = check(root)
    tokens = [msg.split()[0] for msg in checked.messages if msg.startswith("k")]
    assert acknowledged
    assert set(acknowledged) - set(tokens) == set()
    assert len(tokens) == len(set(tokens))
    assert checked.findings == []
