"""
The commands that ship: what they say, what they exit with, and where they take the bucket from.
"""

from __future__ import annotations

import json
import logging
import os
import pty
import socket
import subprocess
import sys

import pytest

from bucket import events, objects, segments
from children import run
from remote.command import tierlog
from tierlog import TierHandler
from tierlog.cli._ship import _sentences
from tierlog.r2 import R2Sink
from tierlog.segments import SegmentSink, recover_segments


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


def keys(r2):
    """
    Return the credentials as variables.
    """
    return {"TIERLOG_ACCESS_KEY_ID": r2["access_key_id"], "TIERLOG_SECRET_ACCESS_KEY": r2["secret_access_key"]}


def named(r2):
    """
    Return the options that say which bucket.
    """
    return ["--bucket", r2["bucket"], "--prefix", r2["prefix"], "--endpoint-url", r2["endpoint_url"], "--catalog", "none"]


def killed(root, count=3):
    """
    Leave records of a process that was killed.
    """
    program = """
    import logging, os, sys, tierlog
    tierlog.configure(root=sys.argv[1], process_events=False)
    for number in range(int(sys.argv[2])):
        logging.getLogger("app").info("record %d", number)
    os.kill(os.getpid(), 9)
    """
    run(program, root, count)


class TestRecover:
    def test_it_mends_and_ships(self, root, r2):
        """
        What a killed process left is mended, shipped and counted; a second run finds nothing to do.
        """
        killed(root)

        done = tierlog("recover", "--root", root, *named(r2), **keys(r2))
        again = tierlog("recover", "--root", root, *named(r2), "--json", **keys(r2))

        assert (done.returncode, done.err) == (0, "")
        assert done.out.startswith("recovered 1 segment; shipped 1 segment (")
        assert len(events(*objects(r2).values())) == 3
        assert {name: json.loads(again.out)[name] for name in ("recovered", "shipped", "pending")} == {
            "recovered": 0,
            "shipped": 0,
            "pending": 0,
        }

    def test_without_a_bucket_it_mends(self, root):
        """
        In a root that doesn't ship, segments are mended and stay.
        """
        killed(root)

        done = tierlog("recover", "--root", root)

        assert (done.returncode, done.out) == (0, "recovered 1 segment\n")
        assert len(segments(root)) == 1

    def test_what_it_did_not_end_is_no_fault(self, root):
        """
        The stream of a killed process has no end, which ``verify`` says in words, and finds nothing wrong.
        """
        run("import os, sys, tierlog; tierlog.configure(root=sys.argv[1]).flush(); os.kill(os.getpid(), 9)", root)
        tierlog("recover", "--root", root)

        done = tierlog("verify", "--root", root)

        assert done.returncode == 0
        assert "1 cut: a stream without an end: its process was killed" in done.out

    @pytest.mark.parametrize(("live", "said"), [(1, "1 live segment left alone"), (8, "8 live segments left alone")])
    def test_one_and_many(self, live, said):
        """
        Counts have the right noun.
        """
        report = dict.fromkeys(("recovered", "torn_lines", "empty", "unmended"), 0)

        assert _sentences({**report, "live": live}) == ["recovered 0 segments", said]

    def test_not_a_root(self, tmp_path):
        """
        A folder that isn't tierlog's is refused.
        """
        done = tierlog("recover", "--root", tmp_path)

        assert (done.returncode, done.out) == (2, "")
        assert "isn't a root of tierlog: it has no folder .tierlog; name the right one" in done.err


class TestShip:
    def test_what_cannot_be_shipped_is_one_line(self, root, r2):
        """
        A wrong key is one line on standard error, and exit code 1; the segment is where it was.
        """
        killed(root)
        tierlog("recover", "--root", root)
        before = segments(root)
        wrong = {**keys(r2), "TIERLOG_SECRET_ACCESS_KEY": "not-the-key"}

        done = tierlog("ship", "--root", root, *named(r2), "--timeout", "3s", **wrong)

        assert done.returncode == 1
        assert "check access_key_id and secret_access_key" in done.err.splitlines()[-1]
        assert "1 segment still waits" in done.out
        assert segments(root) == before
        assert "not-the-key" not in done.err + done.out

    def test_the_root_knows_where_to(self, root, r2):
        """
        Whoever shipped from a root before has noted where to, so it needn't be named.
        """
        killed(root)
        tierlog("recover", "--root", root, *named(r2), **keys(r2))
        killed(root)
        tierlog("recover", "--root", root, **keys(r2))

        assert len(objects(r2)) == 2

    @pytest.mark.parametrize("command", ["ship", "recover"])
    def test_it_compresses_as_the_service_does(self, root, r2, command):
        """
        Whoever ships what a service left stores it under the name that the service would have.
        """
        R2Sink(root, **r2, catalog=False, compression="zstd").close()
        killed(root)
        recover_segments(root)

        done = tierlog(command, "--root", root, "--catalog", "none", **keys(r2))

        assert (done.returncode, done.err) == (0, "")
        assert [key.endswith(".ndjson.zst") for key in objects(r2)] == [True]

    def test_a_bucket_that_does_not_answer(self, root):
        """
        What still waits is told with the reason, though no attempt has come to an end.
        """
        killed(root)
        recover_segments(root)
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"http://127.0.0.1:{mute.getsockname()[1]}"
            where = ["--bucket", "mute", "--endpoint-url", url, "--catalog", "none"]
            done = tierlog(
                "ship", "--root", root, *where, "--timeout", "1s", **keys({"access_key_id": "a", "secret_access_key": "b"})
            )

        assert (done.returncode, done.out) == (1, "shipped 0 segments (0 B); 1 segment still waits\n")
        assert "no answer within 1 s" in done.err

    def test_it_may_be_configured_by_a_file(self, root, r2, tmp_path):
        """
        A dictConfig says all of it, the keys too.
        """
        killed(root)
        sink = {"type": "r2", "root": str(root), "catalog": False, **r2}
        config = {"version": 1, "handlers": {"tiers": {"class": "tierlog.TierHandler", "sink": sink}}}
        (tmp_path / "logging.json").write_text(json.dumps(config))

        done = tierlog("recover", "--config", tmp_path / "logging.json")

        assert (done.returncode, done.err) == (0, "")
        assert len(objects(r2)) == 1

    def test_nobody_knows_where_to(self, root):
        """
        Without a bucket anywhere it says what to give.
        """
        killed(root)

        done = tierlog("ship", "--root", root)

        assert (done.returncode, "--bucket: it isn't known where to ship to; name the bucket" in done.err) == (2, True)

    def test_what_is_open_is_left_to_its_process(self, root, r2):
        """
        Beside a process that writes it ships what is finished, and says whose the rest is.
        """
        sink = SegmentSink(root, max_bytes=1)
        handler = TierHandler(sink=sink, instance_name="neighbour")
        for number in range(3):
            handler.emit(logging.LogRecord("app", logging.INFO, __file__, 1, "record %d", (number,), None))

        done = tierlog("ship", "--root", root, *named(r2), "--json", **keys(r2))
        handler.close()

        report = json.loads(done.out)
        assert (done.returncode, report["pending"], report["open"]) == (0, 0, 1)
        assert done.err.startswith("tierlog: 1 open segment left to whoever writes there (neighbour-")
        assert done.err.count("\n") == 1

    def test_progress_is_for_a_terminal(self, root, r2):
        """
        On a terminal a bar shows how far it is; in a pipe there's none.
        """
        killed(root)
        master, terminal = pty.openpty()
        command = [sys.executable, "-m", "tierlog.cli", "recover", "--root", str(root), *named(r2)]
        env = {**os.environ, **keys(r2), "TERM": "xterm"}
        done = subprocess.run(command, stderr=terminal, stdout=subprocess.PIPE, env=env, timeout=60, check=False)
        os.close(terminal)
        shown = os.read(master, 100_000).decode()
        os.close(master)

        assert done.returncode == 0
        assert "shipping" in shown


class TestStats:
    def test_what_waits_and_why(self, root, r2):
        """
        It tells what waits, since when, and what the last error was, from the files alone.
        """
        killed(root)
        dead = [*named(r2)[:4], "--endpoint-url", "http://127.0.0.1:1", "--catalog", "none"]
        tierlog("recover", "--root", root, *dead, "--timeout", "3s", **keys(r2))

        done = tierlog("stats", "--root", root)
        told = json.loads(tierlog("stats", "--root", root, "--json").out)
        metrics = tierlog("stats", "--root", root, "--prometheus").out

        assert done.returncode == 1
        assert "1 segment to be shipped" in done.out
        assert "can't be reached" in done.out
        assert (told["pending"], told["backlog_bytes"]) == (1, sum(map(len, segments(root).values())))
        assert told["oldest_unshipped_age"] > 0
        assert "tierlog_segments_pending 1" in metrics

    def test_all_is_well(self, root, r2):
        """
        Once it is shipped nothing waits, and the trouble is over.
        """
        killed(root)
        dead = [*named(r2)[:4], "--endpoint-url", "http://127.0.0.1:1", "--catalog", "none"]
        tierlog("recover", "--root", root, *dead, "--timeout", "0.5s", **keys(r2))
        tierlog("ship", "--root", root, *named(r2), **keys(r2))

        done = tierlog("stats", "--root", root)

        assert done.returncode == 0
        assert "nothing waits to be shipped" in done.out
