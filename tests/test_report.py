"""
What tierlog has to say about itself.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import re
import subprocess
import sys
import time

import pytest

from tierlog.report import Reporter, emergency


class TestReporter:
    def test_writes_to_standard_error(self, capfd):
        """
        A message is one line on standard error that says whose it is.
        """
        Reporter()("kind", "something happened")

        assert capfd.readouterr().err == "tierlog: something happened\n"

    def test_same_kind_is_held_back(self, capfd):
        """
        Within the interval, one message of a kind is enough.
        """
        reporter = Reporter(interval=3600)

        for number in range(100):
            reporter("kind", f"number {number}")

        assert capfd.readouterr().err == "tierlog: number 0\n"

    def test_kinds_do_not_hold_each_other_back(self, capfd):
        """
        A message of another kind is written.
        """
        reporter = Reporter(interval=3600)

        reporter("one", "first")
        reporter("other", "second")

        assert capfd.readouterr().err == "tierlog: first\ntierlog: second\n"

    def test_says_how_many_were_held_back(self, capfd):
        """
        The first message after the interval counts those that weren't written.
        """
        reporter, calls, end = Reporter(interval=0.05), 0, time.monotonic() + 60
        written = ""

        while "more" not in written and time.monotonic() < end:
            reporter("kind", "again")
            calls += 1
            written += capfd.readouterr().err

        *others, last = written.splitlines()  # a call that comes after the interval has none to count
        found = re.fullmatch(r"tierlog: again \((\d+) more like this\)", last)
        assert set(others) == {"tierlog: again"}
        assert int(found[1]) == calls - len(others) - 1

    def test_without_an_interval_writes_all(self, capfd):
        """
        An interval of zero holds nothing back.
        """
        reporter = Reporter(interval=0)

        for _ in range(3):
            reporter("kind", "again")

        assert capfd.readouterr().err == "tierlog: again\n" * 3

    def test_writes_what_no_encoding_can(self, capfd):
        """
        A message with a lone surrogate is written out in letters.
        """
        Reporter()("kind", "file \udcff")

        assert capfd.readouterr().err == "tierlog: file \\udcff\n"

    def test_does_not_go_through_logging(self, capfd):
        """
        A message makes no record, at any level.
        """
        records = queue.SimpleQueue()
        logging.getLogger().addHandler(logging.handlers.QueueHandler(records))
        logging.getLogger().setLevel(logging.NOTSET)

        Reporter()("kind", "something happened")

        assert (records.empty(), capfd.readouterr().err != "") == (True, True)


class TestEmergency:
    def test_writes_bytes_as_they_are(self, capfd):
        """
        A line that nobody else could keep gets to standard error whole.
        """
        emergency(b'{"msg":"lost"}\n')

        assert capfd.readouterr().err == '{"msg":"lost"}\n'

    @pytest.mark.skipif(sys.platform == "win32", reason="no file descriptors to close")
    def test_without_standard_error_does_not_raise(self):
        """
        A process whose standard error is closed goes on.
        """
        code = (
            "import os; from tierlog.report import emergency, report; os.close(2); emergency(b'x'); report('k', 'm'); print('on')"
        )

        found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)

        assert found.stdout == b"on\n"
