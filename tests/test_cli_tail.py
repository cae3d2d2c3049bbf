"""
``tierlog tail`` and ``build --follow``, while others write.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest


pytest.importorskip("click")
pytest.importorskip("rich")

from conftest import OTHER_ULID, ULID
from queried import NOW, everything, lines_of, some, write
from tierlog.cli._app import run
from tierlog.context import EMPTY


DEADLINE = 30.0  # seconds


class Follower:
    """
    A command that goes on, with its output on a pipe.
    """

    def __init__(self, process):
        self.process = process
        self._rest = b""

    def lines(self, count):
        """
        Return the next so many lines, as soon as they are there.
        """
        end = time.monotonic() + DEADLINE
        while self._rest.count(b"\n") < count:
            assert select.select([self.process.stdout], [], [], end - time.monotonic())[0], f"only {self._rest!r} came"
            more = os.read(self.process.stdout.fileno(), 65_536)
            assert more, self.process.stderr.read()
            self._rest += more
        *found, self._rest = self._rest.split(b"\n", count)
        return found

    def interrupt(self):
        """
        Press Ctrl-C, and return the exit code and what else was printed.
        """
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, self._rest + output, errors


@contextmanager
def following(*arguments):
    command = [sys.executable, "-m", "tierlog.cli", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIERLOG_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    try:
        yield Follower(process)
    finally:
        process.kill()
        process.communicate()


def log(handler, *messages, tier="system", **ids):
    for message in messages:
        handler.pipeline.event(NOW + 10**9, EMPTY, "info", "app", message, data={}, tier=tier, fields=ids)


def messages(lines):
    return [json.loads(line)["msg"] for line in lines]


@pytest.fixture(name="root")
def _root(tmp_path):
    write(tmp_path, some(30), name="old")
    return tmp_path


@pytest.fixture(name="writer")
def _writer(root):
    """
    A handler that goes on writing to the root, in small segments.
    """
    handler = write(root, [], name="new", is_closed=False)
    yield handler
    handler.close()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param([], slice(-10, None), id="ten"),
        pytest.param(["-n", 3], slice(-3, None), id="n"),
        pytest.param(["-n", 0], slice(0, 0), id="none"),
        pytest.param(["--since", NOW + 25_000], slice(25, None), id="since"),
        pytest.param(["--since", NOW, "-n", 4], slice(-4, None), id="both"),
    ],
)
def test_last_ones(root, capfdbinary, options, wanted):
    """
    Without -f it shows the last records, oldest first, byte for byte in a pipe.
    """
    exit_code = run(["tail", "--root", str(root), "--json", *map(str, options)])

    expected = lines_of(everything(root)[wanted])
    assert capfdbinary.readouterr() == (expected, b"")
    assert exit_code == (0 if expected else 1)


def test_follows_all_processes_and_stops_quietly(root, writer):
    """
    With -f the last records come first, then what anybody writes, through rotation, each
    once; Ctrl-C ends it with 130 and without a word.
    """
    expected = [f"line {number} {'x' * 100}" for number in range(60)]
    last = everything(root)[-2:]

    with following("tail", "-f", "-n", 2, "--root", root) as tail:
        before = tail.lines(2)
        log(writer, *expected[:30])
        first = tail.lines(30)
        write(root, [(NOW + 10**9, "system", "info", {}, "of another process", {})], name="other")
        other = tail.lines(1)
        log(writer, *expected[30:])
        rest = tail.lines(30)
        end = tail.interrupt()

    assert before == lines_of(last).splitlines()
    # What was finished in the middle of a look at the folders is found by the next one.
    assert sorted(messages(first + rest), key=expected.index) == expected
    assert messages(other) == ["of another process"]
    assert end == (130, b"", b"")


def test_follows_what_is_asked_for(root, writer):
    """
    Only what the filters let through comes, as text if that is asked for.
    """
    with following("tail", "-f", "-n", 0, "--root", root, "--project", OTHER_ULID, "-i", "PAID", "--text", "--utc") as tail:
        # One that is there at the start says that it follows by now.
        while not select.select([tail.process.stdout], [], [], 0.1)[0]:
            log(writer, "first paid", tier="action", project_id=OTHER_ULID)
        log(writer, "order 1 paid", tier="action", project_id=ULID)
        log(writer, "order 2 sent", "order 3 Paid \x1b[2J", tier="action", project_id=OTHER_ULID)
        shown = b""
        while b"order 3" not in shown:
            shown = tail.lines(1)[0]

    assert shown.decode().endswith(r"info  action    app            order 3 Paid \x1b[2J")


def test_reader_that_goes_away_ends_it(root):
    """
    It ends with 141 when nobody reads it any more, also if nothing comes.
    """
    with following("tail", "-f", "-n", 1, "--root", root) as tail:
        tail.lines(1)
        tail.process.stdout.close()
        exit_code = tail.process.wait(DEADLINE)

        assert (exit_code, tail.process.stderr.read()) == (141, b"")


def test_build_is_followed_from_its_beginning(root, writer):
    """
    build --follow shows what a build has printed, and what it goes on to print.
    """
    log(writer, "step 1", tier="build", build_id="01BX5ZZKBKACTAV9WEVGEMMVS5", project_id=ULID)
    with following("build", "01BX5ZZKBKACTAV9WEVGEMMVS5", "--follow", "--root", root) as tail:
        before = tail.lines(1)
        log(writer, "step 2", "step 3", tier="build", build_id="01BX5ZZKBKACTAV9WEVGEMMVS5", project_id=ULID)
        after = tail.lines(2)
        exit_code, _, errors = tail.interrupt()

    assert messages(before + after) == ["step 1", "step 2", "step 3"]
    assert (exit_code, errors) == (130, b"")
