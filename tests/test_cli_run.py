"""
``tierlog run``: its exit codes, its signals, what it shows and what it logs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from children import run, until
from conftest import OTHER_ULID, ULID


LISTENING = """
import os, signal, sys, time
signal.signal({}, lambda *_: (os.write(1, b"bye\\n"), sys.exit(9)))
os.write(1, b"ready\\n")
time.sleep(60)
"""
COMMAND = [sys.executable, "-m", "tierlog.cli", "run"]


def started(root, *arguments, **variables):
    """
    Start ``tierlog run``, with its output on pipes and without a name that an environment may have.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("TIERLOG_")}
    return subprocess.Popen(
        [*COMMAND, "--root", str(root), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**env, **variables},
        start_new_session=True,
    )


def finished(process, given=b""):
    out, err = process.communicate(given, timeout=60)
    return process.returncode, out, err


def events_below(root):
    return [json.loads(line) for path in root.glob("*/*/**/*.ndjson") for line in path.read_bytes().split(b"\n") if line.strip()]


def lines(root):
    return [event["msg"] for event in events_below(root) if event["kind"] == "line"]


def test_shows_and_logs(tmp_path):
    """
    Output is passed on as it is, input is the command's, and lines and ids are logged.
    """
    arguments = [
        "--tier",
        "deploy",
        "--src",
        "wrangler",
        "--build-id",
        ULID,
        "--",
        "sh",
        "-c",
        "read word; echo $word; echo err >&2",
    ]

    code, out, err = finished(started(tmp_path, *arguments, TIERLOG_PROJECT_ID=OTHER_ULID), b"hello\n")

    told = [event for event in events_below(tmp_path) if event["tier"] == "deploy"]
    assert (code, out, err) == (0, b"hello\n", b"err\n")
    assert sorted(lines(tmp_path)) == ["err", "hello"]
    assert {(event["projectId"], event["buildId"], event["src"]) for event in told} == {(OTHER_ULID, ULID, "wrangler")}
    assert [path.name for path in (tmp_path / "deploys").glob("*/*")] == [f"{ULID}.ndjson"]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        pytest.param(["--quiet", "--", "sh", "-c", "echo hello; exit 7"], 7, b"", id="exit code"),
        pytest.param(["--", "sh", "-c", "kill -9 $$"], 137, b"", id="signal"),
        pytest.param(["--timeout", "0.1s", "--", "sleep", "60"], 124, b"", id="time is over"),
        pytest.param(["--", "no-such-program"], 127, b"tierlog run: 'no-such-program' isn't there", id="not there"),
        pytest.param(["--", "/"], 126, b"tierlog run: '/' can't be run", id="not executable"),
        pytest.param([], 2, b"name the command to run", id="nothing to run"),
        pytest.param(["--timeout", "soon", "--", "true"], 2, b"timeout: 'soon' isn't a time", id="wrong option"),
    ],
)
def test_exit_codes(tmp_path, arguments, code, complaint):
    """
    The exit code is the command's, or says why there is none, with one line that tells.
    """
    found, out, err = finished(started(tmp_path, "--build-id", ULID, *arguments))

    assert (found, out) == (code, b"")
    assert complaint in err
    assert err.count(b"\n") == bool(complaint)


@pytest.mark.parametrize(
    ("arguments", "variables", "complaint"),
    [
        pytest.param(["--build-id", "zzz"], {}, "--build-id: 'zzz' isn't a ULID: 26 digits and capitals", id="option"),
        pytest.param(["--project-id", "my shop"], {}, "--project-id: 'my shop' isn't a ULID", id="project"),
        pytest.param([], {"TIERLOG_BUILD_ID": "zzz"}, "TIERLOG_BUILD_ID: 'zzz' isn't a ULID", id="variable"),
        pytest.param(
            ["--build-id", "a/b"], {"TIERLOG_ID_FORMAT": "slug"}, "--build-id: 'a/b' isn't an id: 1 to 64 letters", id="slug"
        ),
    ],
)
def test_an_id_that_can_not_be_one(tmp_path, arguments, variables, complaint):
    """
    An id that lines can't be logged under is wrong usage, before the command is started.
    """
    process = started(tmp_path / "logs", *arguments, "--", "touch", str(tmp_path / "started"), **variables)

    code, _, err = finished(process)

    assert (code, complaint in err.decode(), err.count(b"\n")) == (2, True, 1)
    assert not (tmp_path / "started").exists()


def test_ids_of_ones_own_form(tmp_path):
    """
    Where ids are slugs, a slug is one.
    """
    process = started(tmp_path, "--build-id", "zzz", "--", "echo", "hi", TIERLOG_ID_FORMAT="slug")

    assert finished(process) == (0, b"hi\n", b"")
    assert [path.name for path in (tmp_path / "builds").glob("*/*")] == ["zzz.ndjson"]


def test_without_an_id(tmp_path):
    """
    Lines that no build can have are logged all the same, and one line says where.
    """
    code, out, err = finished(started(tmp_path, "--", "echo", "hi"))

    assert (code, out) == (0, b"hi\n")
    assert err.decode() == (
        f"tierlog run: the lines go to the tier system ('{tmp_path}/system'), since there's no --build-id to log them under\n"
    )
    assert [event["tier"] for event in events_below(tmp_path) if event["msg"] == "hi"] == ["system"]


def test_levels_can_be_switched_off(tmp_path):
    """
    Lines have the level that they are marked with, and ``info`` with ``--no-levels``.
    """
    for options in ([], ["--no-levels"]):
        finished(started(tmp_path, "--build-id", ULID, *options, "--", "echo", "npm error code ETARGET"))

    assert sorted(event["lvl"] for event in events_below(tmp_path) if event["kind"] == "line") == ["error", "info"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path, number):
    """
    A signal reaches the command, which ends as it likes, and its last words are logged.
    """
    process = started(tmp_path, "--build-id", ULID, "--", sys.executable, "-S", "-c", LISTENING.format(int(number)))

    until(lambda: lines(tmp_path) == ["ready"])
    process.send_signal(number)
    code, out, _ = finished(process)

    assert (code, out, lines(tmp_path)) == (9, b"ready\nbye\n", ["ready", "bye"])


@pytest.mark.parametrize(("number", "wanted"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_while_it_is_started(tmp_path, number, wanted):
    """
    A signal that comes before the command is there ends it, too: it isn't left to itself.
    """
    program = f"""
        import os, signal, sys
        from tierlog import capture, cli

        def start_and_signal(*args, **options):
            running = start(*args, **options)
            os.kill(os.getpid(), {int(number)})
            return running

        start, capture.start = capture.start, start_and_signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv[1:] = ["run", "--root", {str(tmp_path)!r}, "--build-id", {ULID!r}, "--", "sleep", "60"]
        cli.main()
    """

    finished = run(program)

    (end,) = [event for event in events_below(tmp_path) if event["data"].get("event") == "end"]
    assert (finished.returncode, finished.out, finished.err) == (wanted, "", "")
    assert end["data"]["signal"] == number.name


def test_started_by_a_process_that_ignores_its_children(tmp_path):
    """
    The exit code is the command's, though the signal that tells of its end was ignored.
    """
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    process = started(tmp_path, "--", "sh", "-c", "read word; exit 7")
    signal.signal(signal.SIGCHLD, before)

    assert finished(process, b"go\n")[0] == 7


def test_what_nohup_has_ignored(tmp_path):
    """
    A signal that is ignored when the command starts stays ignored.
    """
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = started(tmp_path, "--build-id", ULID, "--", "sh", "-c", "echo ready; read word; exit 5")
    signal.signal(signal.SIGHUP, before)

    until(lambda: lines(tmp_path) == ["ready"])
    process.send_signal(signal.SIGHUP)

    assert finished(process, b"go\n")[0] == 5


def test_a_command_that_does_not_listen(tmp_path):
    """
    One that ignores the signal that is to end it is killed after the grace.
    """
    script = "trap '' TERM; echo ready; sleep 60; sleep 60"
    process = started(tmp_path, "--build-id", ULID, "--kill-grace", "0.2", "--", "sh", "-c", script)

    until(lambda: lines(tmp_path) == ["ready"])
    process.send_signal(signal.SIGTERM)

    assert finished(process)[0] == 137


def test_nobody_reads(tmp_path):
    """
    Where nobody reads the output any more, the command goes on, and its exit code is passed on.
    """
    process = started(tmp_path, "--build-id", ULID, "--", "sh", "-c", "read word; seq 20000; exit 3")
    process.stdout.close()
    process.stdout = None

    code = finished(process, b"go\n")[0]

    assert code == 3
    assert len(lines(tmp_path)) == 20_000
