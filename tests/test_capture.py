"""
Commands that are run, and what becomes of what they print: real processes, real files.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

import tierlog
from checker import check
from children import run as run_python
from children import start as start_python
from children import until
from conftest import OTHER_ULID, ULID
from tierlog import capture
from tierlog.errors import CommandError, CommandNotFoundError, ConfigError
from tierlog.sinks import MemorySink


SECRET = "gh" + "p_" + "a8Kd3Lm9Qx2Zr7Tw5Bv1a8Kd3Lm9Qx2Zr7Tw"
BEGIN, END = "-----" + "BEGIN RSA PRIVATE KEY-----", "-----" + "END RSA PRIVATE KEY-----"  # kept apart for scanners


@pytest.fixture(name="root")
def _root(tmp_path):
    """
    The folder that everything is logged to.
    """
    tierlog.configure(root=tmp_path / "logs", process_events=False)
    return tmp_path / "logs"


@pytest.fixture(name="sink")
def _sink():
    """
    A sink that everything is logged to.
    """
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)
    return sink


def sh(script, **options):
    """
    Run a script of the shell; nothing is shown, unless *options* say so.
    """
    return capture.run(["sh", "-c", script], **{"build_id": ULID, "console": False, **options})


def python(code, **options):
    return capture.run([sys.executable, "-S", "-c", code], **{"build_id": ULID, "console": False, **options})


def events_below(root):
    """
    Return the events of all files, in the order in which they were numbered.
    """
    events = [
        json.loads(line) for path in root.glob("*/*/**/*.ndjson") for line in path.read_bytes().split(b"\n") if line.strip()
    ]
    return sorted(events, key=lambda event: (event["instanceId"], event["seq"]))


def lines(events, src=None):
    """
    Return the messages of the lines.
    """
    return [event["msg"] for event in events if event["kind"] == "line" and src in {None, event["src"]}]


def living(group):
    """
    Return the states of the processes of a group that haven't ended.
    """
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        found += [state] if int(its_group) == group and state not in "ZX" else []
    return found


HEEDED = "import signal; signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])"


@contextmanager
def ends_put_off():
    """
    Let commands that are started here, and what they start, heed being told to end only
    from HEEDED on, however long they take until then.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def ends(events):
    return [event for event in events if event["data"].get("event") == "end"]


class TestLines:
    def test_each_is_a_record(self, sink):
        """
        Lines of both streams are records of their build, in order per stream, between a
        start and an end.
        """
        result = sh("for i in 1 2 3; do echo out $i; echo err $i >&2; done", project_id=OTHER_ULID)

        assert lines(sink.events, "stdout") == ["out 1", "out 2", "out 3"]
        assert lines(sink.events, "stderr") == ["err 1", "err 2", "err 3"]
        assert [event["data"].get("event") for event in sink.events] == ["start", *[None] * 6, "end"]
        assert {(event["tier"], event["buildId"], event["projectId"]) for event in sink.events} == {("build", ULID, OTHER_ULID)}
        assert (result.returncode, result.lines, result.stdout_lines, result.stderr_lines, result.bytes) == (0, 6, 3, 3, 36)

    def test_with_a_source(self, sink):
        """
        A named producer is the source of each line, which then says its stream.
        """
        sh("echo out; echo err >&2", src="vercel", tier="deploy")

        shown = {(event["src"], event["data"].get("stream")) for event in sink.events if event["kind"] == "line"}
        assert shown == {("vercel", "stdout"), ("vercel", "stderr")}
        assert {event["kind"] for event in sink.events if event["kind"] != "line"} == {"deploy"}

    def test_come_at_once(self, sink):
        """
        A line is a record as soon as it is whole, not when the command ends.
        """
        reading, writing = os.pipe()
        running = capture.start(
            ["sh", "-c", "echo first; read answer; echo $answer"], build_id=ULID, console=False, stdin=reading
        )

        until(lambda: lines(sink.events) == ["first"])
        os.write(writing, b"second\n")
        running.wait()
        os.close(reading)
        os.close(writing)

        assert lines(sink.events) == ["first", "second"]

    def test_progress(self, sink):
        """
        Of progress that overwrites itself, the last state is a record, and what it overwrote is another.
        """
        result = sh(r"printf '10%%\r20%%\r\033[32m100%%\033[0m\r\nnext\n'")

        assert lines(sink.events) == ["10%\n20%", "100%", "next"]
        assert [event["data"] for event in sink.events if event["kind"] == "line"] == [{"overwritten": 2}, {}, {}]
        assert result.lines == 2

    def test_progress_that_takes_long(self, sink):
        """
        What is overwritten is written after a second, though the line goes on.
        """
        reading, writing = os.pipe()
        running = capture.start(["sh", "-c", r"printf '10%%\r20%%'; read answer"], build_id=ULID, console=False, stdin=reading)

        until(lambda: lines(sink.events) == ["10%"])
        os.close(writing)
        running.wait()
        os.close(reading)

        assert lines(sink.events) == ["10%", "20%"]

    def test_a_very_long_one(self, root):
        """
        Of 64 MiB in one line, 262 144 bytes are kept, mark included, and memory stays small.
        """
        program = f"""
            import resource, sys, tierlog
            from tierlog import capture
            tierlog.configure(root={str(root)!r}, process_events=False)
            many = "import os\\nfor _ in range(1024): os.write(1, b'x' * 65536)\\nos.write(1, b'\\\\nnext\\\\n')"
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            result = capture.run([sys.executable, "-S", "-c", many], build_id={ULID!r}, console=False)
            print(result.bytes, tierlog.stats()["truncated"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """

        finished = run_python(program)

        size, truncated, grown = map(int, finished.out.split())
        long, following = [event for event in events_below(root) if event["kind"] == "line"]
        assert (size, truncated, following["msg"]) == (64 * 1024 * 1024 + 6, 1, "next")
        assert len(long["msg"]) == 262_144
        assert long["msg"].endswith("x[TRUNCATED]")
        assert long["data"]["dropped_bytes"] > 60_000_000
        assert grown < 32_768  # KiB

    def test_both_streams_at_once(self, root):
        """
        A megabyte on each stream, written by turns, comes whole: neither waits for the other.
        """
        code = "import os\nfor n in range(2000):\n for fd in (1, 2): os.write(fd, (b'%d ' % n) * 100 + b'\\n')"

        result = python(code)

        assert result.lines == 4_000
        for src in ("stdout", "stderr"):
            assert lines(events_below(root), src) == [(f"{number} " * 100) for number in range(2_000)]
        assert check(root).findings == []

    def test_without_a_handler(self, caplog_like):
        """
        Where tierlog isn't configured, lines are records of the standard library's logging.
        """
        sh('echo hello; echo "$KEY"', env={**os.environ, "KEY": "\n".join([BEGIN, *key(1), END, SECRET])})

        messages = [record.getMessage() for record in caplog_like]
        assert messages[1:-1] == ["hello", "[REDACTED:private-key]", "[REDACTED:github-token]"]

    def test_with_a_filter_of_ones_own(self, sink):
        """
        A filter of the handler's sees each line.
        """
        handler = logging.getLogger().handlers[-1]
        handler.addFilter(lambda record: "noise" not in record.getMessage())

        sh("echo noise; echo news")

        assert lines(sink.events) == ["news"]


@pytest.fixture(name="caplog_like")
def _caplog_like():
    """
    The records that reach the root logger.
    """
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    return records


class TestConsole:
    def test_gets_every_byte(self, sink):
        """
        What is shown is what was printed, byte for byte.
        """
        out, err = io.BytesIO(), io.BytesIO()

        sh(rf"printf '\033[1mbold\033[0m \377\r\nno end {SECRET}'; echo err >&2", console=(out, err))

        assert out.getvalue() == b"\x1b[1mbold\x1b[0m \xff\r\nno end " + SECRET.encode()
        assert err.getvalue() == b"err\n"

    def test_is_the_callers_own(self, sink, capfdbinary):
        """
        If nothing else is said, output goes to where the caller's goes.
        """
        capture.run(["sh", "-c", "echo out; echo err >&2"], build_id=ULID)

        assert capfdbinary.readouterr() == (b"out\n", b"err\n")

    def test_of_text(self, sink):
        """
        A file of text gets text.
        """
        out = io.StringIO()

        sh(r"printf 'caf\303\251 \377\n'", console=(out, None))

        assert out.getvalue() == "café \ufffd\n"

    def test_that_does_not_block(self, sink):
        """
        A pipe that is full isn't given up: the rest is shown when there's room.
        """
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with open(writing, "wb") as console, open(reading, "rb") as shown:
            running = capture.start(["seq", "50000"], build_id=ULID, console=(console, None))
            content = shown.read(288_894)
            running.wait()

        assert content == "".join(f"{number}\n" for number in range(1, 50_001)).encode()

    def test_that_nobody_reads(self, sink):
        """
        A console that fails doesn't keep the rest of the output from being logged.
        """
        reading, writing = os.pipe()
        os.close(reading)

        with open(writing, "wb") as broken:
            result = sh("for i in 1 2 3; do echo $i; done", console=(broken, broken))

        assert (result.returncode, lines(sink.events)) == (0, ["1", "2", "3"])

    def test_that_was_closed_before(self, sink, tmp_path):
        """
        A console that can't even be asked to show what it has yet to show is none.
        """
        with (tmp_path / "console").open("w") as closed:
            pass

        assert (sh("echo hello", console=(closed, None)).returncode, lines(sink.events)) == (0, ["hello"])


class TestEnd:
    @pytest.mark.parametrize(
        ("script", "returncode", "exit_code", "name"),
        [
            pytest.param("exit 3", 3, 3, None, id="exit code"),
            pytest.param("kill -KILL $$", -9, 137, "SIGKILL", id="killed"),
        ],
    )
    def test_failure(self, sink, script, returncode, exit_code, name):
        """
        A command that fails is no exception; its end is an error that says how.
        """
        result = sh(script)

        (end,) = ends(sink.events)
        assert (result.returncode, result.exit_code, result.signal) == (returncode, exit_code, name)
        assert (end["lvl"], end["data"]["exit_code"], end["data"].get("signal")) == ("error", exit_code, name)
        assert end["data"]["duration_ms"] == result.duration_ms

    def test_something_it_started_holds_the_pipe(self, sink):
        """
        Its end isn't waited for longer than said, and the end tells who held what.
        """
        result = sh("echo before; sleep 60 & echo $!", drain_timeout=0.1)

        os.kill(int(lines(sink.events)[-1]), signal.SIGKILL)
        assert (result.returncode, result.held_open) == (0, ("stdout", "stderr"))
        assert ends(sink.events)[0]["data"]["held_open"] == ["stdout", "stderr"]
        assert lines(sink.events)[0] == "before"

    def test_what_it_started_may_finish(self, sink):
        """
        What something it started still prints soon after its end is logged.
        """
        result = sh("(sleep 0.2; echo after) & echo before", drain_timeout=60)

        assert (lines(sink.events), result.held_open) == (["before", "after"], ())

    def test_time_is_over_and_nobody_reads(self, sink):
        """
        A command whose output is shown to somebody who doesn't read it is ended all the
        same, and what it printed is logged.
        """
        reading, writing = os.pipe()
        with open(reading, "rb"), open(writing, "wb") as console:
            result = sh("yes", console=(console, None), timeout=1, kill_grace=0.1, drain_timeout=0.1)

        assert (result.timed_out, result.signal) == (True, "SIGTERM")
        assert result.lines == len(lines(sink.events)) > 32_768

    def test_streams_closed_early(self, sink):
        """
        A command that closes its streams and goes on is waited for.
        """
        result = sh("echo before; exec >&- 2>&-; sleep 0.2; exit 5")

        assert (result.returncode, lines(sink.events)) == (5, ["before"])

    def test_time_is_over(self, sink):
        """
        The command and what it started are told to end, and can say something about it.
        """
        code = f"""
            import os, signal, subprocess, sys
            signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"bye\\n"), sys.exit(0)))
            os.write(1, b"ready\\n")
            {HEEDED}
            subprocess.run(["sleep", "60"])
        """

        with ends_put_off():
            result = python(dedent(code), timeout=0.5, kill_grace=60)

        assert (lines(sink.events), result.timed_out, result.held_open) == (["ready", "bye"], True, ())
        assert ends(sink.events)[0]["data"]["timed_out"] is True

    def test_time_is_over_and_it_does_not_listen(self, sink):
        """
        What doesn't end in time is killed, and all it has started with it.
        """
        with ends_put_off():
            result = python("import subprocess; subprocess.run(['sleep', '60'])", timeout=0.2, kill_grace=0.2)

        assert (result.signal, result.timed_out) == ("SIGKILL", True)
        assert until(lambda: not living(result.pid))

    def test_ids_in_its_environment(self, sink):
        """
        The command finds the ids of its records where a tierlog of its own looks for them.
        """
        with tierlog.bound(req_id="r-1", user_id="u-1"):
            sh("echo $TIERLOG_BUILD_ID $TIERLOG_REQ_ID $TIERLOG_USER_ID $OTHER", env={**os.environ, "OTHER": "x"})

        assert lines(sink.events) == [f"{ULID} r-1 u-1 x"]

    def test_ids_that_no_environment_has(self, sink):
        """
        An id that can't be a variable is in the records only, and stops no command.
        """
        with tierlog.bound(user_id="a\0b", req_id="\ud800"):
            result = sh("env | grep -c TIERLOG_BUILD_ID; env | grep TIERLOG_USER_ID")

        assert (result.returncode, lines(sink.events)) == (1, ["1"])
        assert sink.events[0]["userId"] == "a\0b"

    def test_nothing_to_read(self, sink):
        """
        A command that asks gets no answer, and doesn't wait for one.
        """
        result = sh("read answer; echo $?")

        assert (result.returncode, lines(sink.events)) == (0, ["1"])


class TestCommandsThatCannotBe:
    @pytest.mark.parametrize(
        ("command", "options", "error", "problem"),
        [
            pytest.param(
                ["no-such-program", "--token", SECRET], {}, CommandNotFoundError, "no folder of PATH has it", id="not in PATH"
            ),
            pytest.param(["/no/such/program"], {}, CommandNotFoundError, "isn't there", id="no file"),
            pytest.param(["sh"], {"cwd": "/no/such/folder"}, CommandNotFoundError, "there's no such folder", id="no folder"),
            pytest.param(["{here}/plain"], {}, CommandError, "Permission denied", id="not executable"),
            pytest.param(["{here}/lost"], {}, CommandError, "the interpreter", id="no interpreter"),
        ],
    )
    def test_not_started(self, sink, tmp_path, command, options, error, problem):
        """
        One clear error, which is recorded once and holds no secret.
        """
        (tmp_path / "plain").write_text("echo hello\n")
        (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
        (tmp_path / "lost").chmod(0o755)

        with pytest.raises(error, match=problem) as caught:
            capture.run([part.replace("{here}", str(tmp_path)) for part in command], build_id=ULID, **options)

        (event,) = sink.events
        assert (event["lvl"], event["msg"]) == ("error", str(caught.value))
        assert isinstance(caught.value, FileNotFoundError) == (error is CommandNotFoundError)
        assert SECRET not in str(event)

    @pytest.mark.parametrize(
        ("command", "options"),
        [
            pytest.param("echo hello", {}, id="one text"),
            pytest.param([], {}, id="nothing"),
            pytest.param(["echo", "a\0b"], {}, id="NUL"),
            pytest.param(["echo"], {"timeout": "soon"}, id="timeout"),
            pytest.param(["echo"], {"console": "stdout"}, id="console"),
            pytest.param(["echo"], {"tier": "builds"}, id="tier"),
            pytest.param(["echo", 1], {}, id="number"),
            pytest.param(["echo", "\ud800"], {}, id="surrogate"),
            pytest.param(["echo"], {"cwd": "a\0b"}, id="folder"),
            pytest.param(["echo"], {"env": {"KEY": 1}}, id="variable"),
            pytest.param(["echo"], {"env": {"KEY": "hunter2\0"}}, id="variable with NUL"),
            pytest.param(["echo"], {"env": {"A=B": ""}}, id="name of a variable"),
            pytest.param(["echo"], {"env": ["KEY=1"]}, id="variables"),
            pytest.param(["echo"], {"stdin": "yes"}, id="stdin"),
            pytest.param(["cat"], {"stdin": subprocess.PIPE}, id="stdin that nobody writes to"),
            pytest.param(["echo"], {"merge_output_file": 7}, id="output file"),
        ],
    )
    def test_wrong_use(self, sink, command, options):
        """
        What can't work is one error before anything is started, and shows no value.
        """
        with pytest.raises(ConfigError) as caught:
            capture.run(command, build_id=ULID, **options)

        assert "hunter2" not in str(caught.value)

        assert sink.events == []


def key(seed, size=1_600):
    """
    Return the rows of something in the form of a key.
    """
    body = base64.b64encode(random.Random(seed).randbytes(size)).decode()
    return [body[at : at + 64] for at in range(0, len(body), 64)]


class TestSecrets:
    def test_command_line(self, sink):
        """
        A secret among the arguments is in no record, whatever way it is given.
        """
        capture.run(["true", "--password", "hunter2-and-more", f"--token={SECRET}", "https://a:hunter3@host/"], build_id=ULID)

        text = str(sink.events)
        assert "REDACTED" in text
        assert [secret for secret in ("hunter2", SECRET, "hunter3") if secret in text] == []

    def test_cut_by_a_chunk_and_by_colours(self, sink):
        """
        A secret that comes in two parts, or is coloured, is hidden.
        """
        half = len(SECRET) // 2

        sh(
            f"printf 'key %s' {SECRET[:half]}; sleep 0.1; echo {SECRET[half:]}; printf '%s\\033[1m%s\\n' {SECRET[:half]} {SECRET[half:]}"
        )

        assert lines(sink.events) == ["key [REDACTED:github-token]", "[REDACTED:github-token]"]

    def test_between_nuls(self, sink):
        """
        A secret in UTF-16, as some programs print it, is hidden.
        """
        python(f"import os; os.write(1, 'key {SECRET}\\n'.encode('utf-16-le'))")

        assert lines(sink.events) == ["key [REDACTED:github-token]"]

    def test_where_a_long_line_was_cut(self, sink):
        """
        Of a line whose rest isn't kept, no half of a secret is left, even if most of it was colours.
        """
        coloured = "'\\x1b[1m'*8 + 'x'"
        code = f"import sys; sys.stdout.write(({coloured}) * 15887 + '{SECRET}' + 'y' * 10**6)"

        python(code)

        (line,) = lines(sink.events)
        assert SECRET[:8] not in line
        assert line.endswith("[TRUNCATED]")

    def test_on_the_line_below_its_name(self, sink):
        """
        A secret on the line below the one that names it is hidden.
        """
        text = "$ curl https://host.example/token \\\n  --user c28wlsosanujy2z:qgsnai0xokrw4j1 --data x"

        sh('echo "$TEXT"', env={**os.environ, "TEXT": text})

        assert lines(sink.events) == ["$ curl https://host.example/token \\", "  --user [REDACTED:curl-user] --data x"]

    def test_keys_of_many_at_once(self, root):
        """
        Fifty commands print the halves of their keys at the same time, and no row of any
        is in any file; what stands around them is.
        """
        keys = [key(seed) for seed in range(50)]

        def work(number):
            rows = keys[number]
            first, second = ("\\n".join(part) for part in (rows[:12], rows[12:]))
            script = f"printf 'before\\n{BEGIN}\\n{first}\\n'; sleep 0.2; printf '{second}\\n{END}\\nafter\\n'"
            ready.wait()
            sh(script)

        ready = threading.Barrier(len(keys))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(keys))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        found = lines(events_below(root))
        text = "\n".join(found)
        assert [row for rows in keys for row in rows if row[:20] in text] == []
        assert (found.count("before"), found.count("after"), found.count("[REDACTED:private-key]")) == (50, 50, 50)
        assert check(root).findings == []

    def test_a_row_that_waits(self, sink):
        """
        A line that looks like the last row of a key is held back until the next tells, in order.
        """
        row = key(1)[0]

        sh(f"echo first; echo {row}; echo last")

        assert lines(sink.events) == ["first", row, "last"]

    def test_switched_off(self):
        """
        Without redaction, lines are as they were printed.
        """
        sink = MemorySink()
        tierlog.configure(sink=sink, process_events=False, redact="off")

        sh(f"echo {SECRET}; printf -- '{BEGIN}\\nMIIabc\\n{END}\\n'")

        assert lines(sink.events) == [SECRET, BEGIN, "MIIabc", END]


class TestFullDisk:
    def test_the_command_is_unharmed(self, tmp_path):
        """
        Where no more can be written, the command goes on, its output is shown, and what is
        lost is counted.
        """
        program = f"""
            import resource, sys, tierlog
            from tierlog import capture
            tierlog.configure(root={str(tmp_path)!r}, process_events=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
            result = capture.run(["seq", "2000"], build_id={ULID!r})
            print(result.returncode, result.lines, result.lost, tierlog.stats()["dropped"])
        """

        finished = run_python(program)

        *shown, last = finished.out.splitlines()
        returncode, count, lost, dropped = last.split(" ", 3)
        kept = lines(events_below(tmp_path))
        assert shown == [str(number) for number in range(1, 2_001)]
        assert (returncode, count) == ("0", "2000")
        assert int(lost) == 2_000 - len(kept) > 0
        assert "efbig" in dropped


class TestInterrupted:
    def test_by_the_user(self, tmp_path):
        """
        Ctrl-C ends the command, its end is written, and the exception goes on.
        """
        program = f"""
            import sys, tierlog
            from tierlog import capture
            tierlog.configure(root={str(tmp_path)!r}, process_events=False)
            try:
                capture.run(["sh", "-c", "echo ready; sleep 60"], build_id={ULID!r})
            except KeyboardInterrupt:
                print("interrupted")
        """

        process = start_python(program)
        until(lambda: "ready" in lines(events_below(tmp_path)))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

        (end,) = ends(events_below(tmp_path))
        assert out == b"ready\ninterrupted\n"
        assert (end["data"]["signal"], end["data"]["stopped"]) == ("SIGTERM", True)

    def test_while_it_is_started(self, sink, monkeypatch):
        """
        A command isn't left to itself by Ctrl-C in the moment in which it is started.
        """
        start = subprocess.Popen.__init__

        def start_and_press(process, *args, **options):
            start(process, *args, **options)
            pids.append(process.pid)
            signal.raise_signal(signal.SIGINT)

        pids = []
        monkeypatch.setattr(subprocess.Popen, "__init__", start_and_press)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
        with pytest.raises(KeyboardInterrupt):
            sh("sleep 60")
        signal.signal(signal.SIGINT, before)

        (end,) = ends(sink.events)
        assert (end["data"]["signal"], end["data"]["stopped"]) == ("SIGTERM", True)
        assert not living(pids[0])

    def test_twice(self, sink):
        """
        A command that doesn't listen is killed when it is stopped a second time.
        """
        running = capture.start(["sh", "-c", "trap '' TERM; echo ready; sleep 60; sleep 60"], build_id=ULID, console=False)
        until(lambda: lines(sink.events) == ["ready"])

        running.stop()
        running.stop(now=True)
        result = running.wait()

        assert (result.signal, result.stopped) == ("SIGKILL", True)


class TestAsync:
    def test_many_at_once(self, sink):
        """
        Commands run side by side, each with the ids of its task.
        """

        async def one(number):
            with tierlog.bound(req_id=f"r-{number}"):
                return await capture.run_async(["sh", "-c", f"echo {number}; exit {number}"], build_id=ULID, console=False)

        async def main():
            return await asyncio.gather(*map(one, range(5)))

        results = asyncio.run(main())

        assert [result.returncode for result in results] == [0, 1, 2, 3, 4]
        found = {event["reqId"]: event["msg"] for event in sink.events if event["kind"] == "line"}
        assert found == {f"r-{number}": str(number) for number in range(5)}

    def test_cancelled(self, sink):
        """
        A task that is cancelled ends its command, writes its end once, and is over then.
        """

        async def main():
            task = asyncio.create_task(capture.run_async(["sh", "-c", "echo $$; sleep 60"], build_id=ULID, console=False))
            await asyncio.to_thread(until, lambda: lines(sink.events))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())

        (end,) = ends(sink.events)
        assert end["data"]["stopped"] is True
        assert until(lambda: not living(int(lines(sink.events)[0])))

    def test_not_there(self, sink):
        """
        A program that isn't there is the same error.
        """
        with pytest.raises(FileNotFoundError):
            asyncio.run(capture.run_async(["no-such-program"], build_id=ULID))


class TestOutputFile:
    ENTRIES = '{"type":"deploy","worker_name":"shop","version_id":"v-1","targets":["https://shop.example"]}\n{"type":"command-failed","message":"no way"}'

    def test_is_merged(self, sink):
        """
        What a command says in its file becomes events of kind ``deploy``; what can't be read is left out.
        """
        script = f"printf '%s\\n%s\\n' '{self.ENTRIES}' '{{\"torn' >> $WRANGLER_OUTPUT_FILE_PATH; echo $WRANGLER_OUTPUT_FILE_PATH"

        result = sh(script, tier="deploy", src="wrangler")

        entries = [event for event in sink.events if event["data"].get("type")]
        assert [(event["kind"], event["lvl"], event["msg"]) for event in entries] == [
            ("deploy", "info", "deploy shop v-1 https://shop.example"),
            ("deploy", "error", "command-failed no way"),
        ]
        assert result.merged == 2
        assert not os.path.exists(lines(sink.events)[0])

    def test_of_which_there_is_too_much(self, sink, tmp_path):
        """
        Beyond 4 MiB, entries are left out, and a record says how many bytes that is; none is read in part.
        """
        line = json.dumps({"type": "new", "message": "x" * 1_000}) + "\n"
        (tmp_path / "many").write_text(line * 5_000)

        result = sh("cat many > said", cwd=tmp_path, merge_output_file=tmp_path / "said")

        whole = 4_194_304 // len(line)
        (cut,) = [event for event in sink.events if event["data"].get("event") == "output_file_cut"]
        assert result.merged == whole
        assert (cut["lvl"], cut["data"]["dropped_bytes"]) == ("warn", (5_000 - whole) * len(line))

    def test_without_a_place_for_it(self, sink, tmp_path, monkeypatch):
        """
        Where no temporary file can be made, the command is run all the same.
        """
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

        assert sh("echo hello", src="wrangler").merged == 0
        assert lines(sink.events) == ["hello"]

    def test_of_ones_own(self, sink, tmp_path):
        """
        Of a file that was there before, only what is new is merged, and it stays.
        """
        (tmp_path / "said").write_text('{"type":"old"}\n')

        result = sh('echo \'{"type":"new"}\' >> said', cwd=tmp_path, merge_output_file=tmp_path / "said")

        assert result.merged == 1
        assert [event["msg"] for event in sink.events if event["data"].get("type")] == ["new"]
        assert (tmp_path / "said").exists()


def test_what_can_not_be_read_leaves_nothing(sink, tmp_path, monkeypatch):
    """
    Where there's no thread to read a command's output, it is ended, and nothing of it is left.
    """
    start = threading.Thread.start

    def refuse(thread):
        if thread.name.startswith("tierlog-capture"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    descriptors = len(os.listdir("/proc/self/fd"))

    with pytest.raises(RuntimeError):
        sh("echo $$ > pid; sleep 600", cwd=tmp_path, src="wrangler")

    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert [path.name for path in tmp_path.iterdir() if path.name != "pid"] == []


def test_no_threads_and_descriptors_are_left(sink):
    """
    When a command has ended, nothing of its capture is left.
    """
    sh("true")
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))

    for _ in range(3):
        sh("echo hello")

    assert until(lambda: threading.active_count() <= threads and len(os.listdir("/proc/self/fd")) <= descriptors)
