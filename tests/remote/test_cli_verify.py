"""
``tierlog verify``, as a user runs it.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ULID
from remote.command import tierlog
from tierlog.catalog import sqlite_url
from tierlog.context import EMPTY
from tierlog.handler import TierHandler
from tierlog.r2 import R2Store, ship
from tierlog.retention import cleanup


NOW = 1_790_000_000_000
DAY = 86_400_000


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("TIERLOG_") and name != "COLUMNS"}


def log(sink, count=60, *, days=1, tiers=("system",)):
    """
    Log so many records in each tier on each day, finish all segments, and return the handler.
    """
    handler = TierHandler(sink=sink, instance_name="web", process_events=True, clock=lambda: NOW * 10**6)
    for day in range(days):
        for number in range(count):
            context = {"project_id": ULID, "build_id": ULID}
            ms = NOW + day * DAY + number
            handler.pipeline.event(
                ms, EMPTY, "info", "app", f"record {number}", data={}, tier=tiers[number % len(tiers)], fields=context
            )
    handler.close()
    return handler


def segments(root, folder="system"):
    return sorted((root / folder).rglob("*.ndjson"))


def cut(path, first, last):
    """
    Take some lines out of a segment.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:first] + lines[last:]))


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="local")
def _local(root):
    """
    A root with three segments that doesn't ship.
    """
    log({"type": "segments", "root": str(root), "max_bytes": 4_000})
    return root


@pytest.fixture(name="shipped")
def _shipped(moto, root, tmp_path):
    """
    A root whose segments are shipped, and the arguments that lead to its bucket.
    """
    options = {**moto.options, "prefix": tmp_path.name}
    sink = {"type": "r2", "root": str(root), "max_bytes": 4_000, "retention": None, **options}
    handler = log(sink)
    handler.pipeline.sink.drain(30.0)
    assert ship(root, **options).pending == 0  # and the catalog knows of all of them
    config = tmp_path / "tierlog.json"
    config.write_text(json.dumps({"sink": sink}))
    return R2Store(**options), ("--config", config)


class TestLocal:
    """
    A root that doesn't ship.
    """

    def test_nothing_is_wrong(self, local):
        """
        It says so, and what it read; the exit code is 0 and standard error empty.
        """
        ended = tierlog("verify", "--root", local)

        assert (ended.returncode, ended.err) == (0, "")
        assert f"read {len(segments(local))} segments here and 0 objects" in ended.out
        assert "nothing is missing, doubled or changed" in ended.out

    def test_what_is_wrong_is_told(self, local):
        """
        Each kind is counted, the first of it are told, and the exit code is 1.
        """
        cut(segments(local)[0], 3, 6)

        ended = tierlog("verify", "--root", local)

        assert ended.returncode == 1
        assert "1 missing" in " ".join(ended.out.split())
        assert "3 numbers from" in ended.out
        assert ended.out.splitlines()[-1] == "1 finding"

    def test_many_findings_are_summarised(self, local):
        """
        Of forty of a kind a few are told, and how many more there are.
        """
        path = segments(local)[0]
        path.write_bytes(path.read_bytes() + b"nothing of ours\n" * 40)

        ended = tierlog("verify", "--root", local)

        told = [line for line in ended.out.splitlines() if path.name in line]
        assert ended.returncode == 1
        assert 1 <= len(told) <= 5
        assert "more; --json lists them" in ended.out

    def test_json(self, local):
        """
        One object with all findings and nothing else.
        """
        cut(segments(local)[0], 3, 6)

        ended = tierlog("verify", "--root", local, "--json")
        told = json.loads(ended.out)

        assert ended.returncode == 1
        assert (told["isClean"], told["counts"]) == (False, {"missing": 1})
        assert told["findings"][0]["kind"] == "missing"
        assert told["segments"]["local"] == len(segments(local))

    def test_control_characters_are_shown_and_not_obeyed(self, local):
        """
        A file's name may hold anything, and a terminal gets none of it.
        """
        path = segments(local)[0]
        path.write_bytes(path.read_bytes() + b'{"ts":\x1b]0;owned\x07\x1b[2J\n')

        ended = tierlog("verify", "--root", local)

        assert ended.returncode == 1
        assert "\x1b" not in ended.out
        assert "\x07" not in ended.out

    def test_colours_on_a_terminal_alone(self, local):
        """
        A terminal gets colours, a pipe plain text.
        """
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "tierlog.cli", "verify", "--root", str(local)]
        child = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**environment(), "TERM": "xterm"})
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65_536):
                shown += data
        except OSError:  # how the end of a terminal is told
            pass
        os.close(ours)

        assert child.wait() == 0
        assert b"\x1b[" in shown
        assert "\x1b" not in tierlog("verify", "--root", local).out

    def test_what_went_by_age_is_not_missing(self, root):
        """
        After a cleanup, the numbers of what it deleted are information, without a catalog.
        """
        log({"type": "segments", "root": str(root), "max_bytes": 4_000}, days=3)
        cleanup(root, None, retention="30d", clock=lambda: (NOW + 32 * DAY) * 10**6, trust_clock=True)

        ended = tierlog("verify", "--root", root, "--json")
        told = json.loads(ended.out)

        assert len({path.parent.name for path in segments(root)}) < 3
        assert (ended.returncode, told["counts"]) == (0, {})
        assert told["informationCounts"]["expired"] >= 1

    def test_a_folder_that_is_no_root(self, tmp_path):
        """
        It is one line that says what to do, and exit code 2.
        """
        ended = tierlog("verify", "--root", tmp_path)

        assert (ended.returncode, ended.out) == (2, "")
        assert len(ended.err.splitlines()) == 1
        assert "name the right one" in ended.err


class TestRemote:
    """
    A root that ships, and its bucket.
    """

    def test_nothing_is_wrong(self, shipped):
        """
        All objects are read, and match what the catalog, the ledger and the chain say.
        """
        store, arguments = shipped

        ended = tierlog("verify", *arguments, "--json")
        told = json.loads(ended.out)

        assert (ended.returncode, ended.err) == (0, "")
        assert told["segments"]["remote"] == len(list(store.list())) > 1

    def test_an_object_that_is_gone(self, shipped):
        """
        Its numbers are missing, and the catalog knows that it was there.
        """
        store, arguments = shipped
        key = sorted(one.key for one in store.list())[1]
        store.delete(key)

        ended = tierlog("verify", *arguments, "--json")
        told = json.loads(ended.out)

        assert ended.returncode == 1
        assert {"gone", "missing"} <= set(told["counts"])
        assert any(key.rpartition("/")[2] in one["detail"] for one in told["findings"])

    def test_only_the_root_is_looked_at(self, shipped):
        """
        Nothing is downloaded, and what is in the bucket is called elsewhere.
        """
        _, arguments = shipped

        told = json.loads(tierlog("verify", *arguments, "--json", "--local-only").out)

        assert (told["segments"]["remote"], told["counts"]) == (0, {})

    def test_the_bucket_alone(self, shipped, tmp_path):
        """
        Where the root isn't, as on another machine, the bucket is read.
        """
        store, config = shipped

        ended = tierlog("verify", *config, "--root", tmp_path / "elsewhere")

        assert ended.returncode == 0
        assert f"read 0 segments here and {len(list(store.list()))} objects" in ended.out

    @pytest.mark.parametrize(("content", "words"), [(None, "there is no catalog"), (b"no database" * 1_000, "catalog")])
    def test_without_a_catalog_it_goes_on(self, shipped, root, content, words):
        """
        One that isn't there or is damaged is told in one line, and is no finding.
        """
        store, arguments = shipped
        path = Path(sqlite_url(root).removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}*"):  # SQLite's own beside it
            file.unlink()
        if content is not None:
            path.write_bytes(content)

        ended = tierlog("verify", *arguments, "--json")

        assert (ended.returncode, len(ended.err.splitlines())) == (0, 1)
        assert words in ended.err
        assert json.loads(ended.out)["segments"]["remote"] == len(list(store.list()))

    def test_no_catalog_is_asked_for(self, shipped):
        """
        Where there's to be none, none is missed.
        """
        _, arguments = shipped

        assert tierlog("verify", *arguments, "--catalog", "none").err == ""

    def test_a_bucket_that_cannot_be_reached(self, shipped):
        """
        It is one line and exit code 1, before the disk is read in vain.
        """
        _, arguments = shipped

        ended = tierlog("verify", *arguments, "--endpoint-url", "http://127.0.0.1:9")

        assert (ended.returncode, ended.out) == (1, "")
        assert len(ended.err.splitlines()) == 1
