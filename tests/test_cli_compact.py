"""
``tierlog compact``: what it does, says and returns.
"""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from test_compaction import files, lines, write
from tierlog.cli._compact import compact
from tierlog.errors import ConfigError
from tierlog.packing import pack_file
from tierlog.shipping import Destination, note_destination


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    write(root)
    return root


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TIERLOG_")]:
        monkeypatch.delenv(name)


def call(*arguments):
    """
    Run the command, and return what came of it.
    """
    return CliRunner().invoke(compact, [str(one) for one in arguments])


@pytest.mark.parametrize(("name", "ending"), [("zstd", ".zst"), ("gzip", ".gz")])
def test_it_compresses(root, name, ending):
    """
    Segments are compressed as was asked for, and one sentence says how much came of it.
    """
    before, many = lines(root), len(files(root))

    result = call("--root", root, "--older-than", 0, "--packing", name)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"compressed {many} segments from ")
    assert all(path.endswith(ending) for path in files(root))
    assert lines(root) == before


@pytest.mark.parametrize(("day", "is_old"), [("2001-01-01", True), ("9999-12-31", False)])
def test_seven_days_is_the_default(root, day, is_old):
    """
    Without a time, what is of long ago is compressed, and what is of a day to come isn't.
    """
    (folder,) = (root / "system").iterdir()
    folder.rename(root / "system" / day)

    result = call("--root", root)

    assert result.exit_code == 0
    assert {path.endswith(".zst") for path in files(root) if path.startswith("system/")} == {is_old}


def test_json_has_all_of_it(root):
    """
    One object has the sums, by place, and what failed.
    """
    many = len(files(root))

    found = json.loads(call("--root", root, "--older-than", "0s", "--json").stdout)

    after = sum(os.path.getsize(root / path) for path in files(root))
    assert (found["dry_run"], found["skipped"], found["failed"]) == (False, 0, [])
    assert (found["local"]["segments"], found["local"]["after_bytes"]) == (many, after)
    assert found["remote"] == {"segments": 0, "before_bytes": 0, "after_bytes": 0}


def test_a_dry_run_says_what_would_be(root):
    """
    Nothing changes, and no size is told that nobody knows.
    """
    before = files(root)

    result = call("--root", root, "--older-than", 0, "--dry-run")
    found = json.loads(call("--root", root, "--older-than", 0, "--dry-run", "--json").stdout)

    assert files(root) == before
    assert f"would be compressed: {len(before)} in the root, 0 in the bucket" in result.stdout
    assert (found["dry_run"], found["local"]["segments"], "after_bytes" in found["local"]) == (True, len(before), False)
    assert not (root / ".tierlog" / "catalog.sqlite").exists()


def test_what_fails_is_named(root):
    """
    A segment that couldn't be compressed is named in a line, and the exit code is 1.
    """
    path = next(root.rglob("system/**/*.ndjson"))
    with open(__file__, "rb") as file, path.with_name(f"{path.name}.zst").open("wb") as out:
        pack_file(file, out, "zst")

    result = call("--root", root, "--older-than", 0)

    assert result.exit_code == 1
    assert result.stdout.endswith("; failed 1\n")
    assert result.stderr.startswith(f"tierlog compact: {path.relative_to(root)}: ")
    assert result.stderr.count("\n") == 1


def test_what_waits_is_told(root):
    """
    In a root that ships to nobody knows where, files wait.
    """
    note_destination(root, Destination(""))
    many = len(files(root))

    result = call("--root", root, "--older-than", 0)

    assert result.exit_code == 0
    assert f"left alone {many} segments" in result.stdout


def test_a_folder_of_others_is_refused(tmp_path):
    """
    A folder without .tierlog isn't touched, whatever is in it.
    """
    path = tmp_path / "system" / "2020-01-01" / "a-01J00000000000000000000000.ndjson"
    path.parent.mkdir(parents=True)
    path.write_text("mine\n")

    result = call("--root", tmp_path, "--older-than", 0)

    assert isinstance(result.exception, ConfigError)
    assert "isn't a root of tierlog" in str(result.exception)
    assert path.read_text() == "mine\n"


@pytest.mark.parametrize("given", [["--older-than", "soon"], ["--older-than", "-1"]])
def test_a_time_that_is_none_is_wrong_usage(root, given):
    """
    The option is named.
    """
    result = call("--root", root, *given)

    assert isinstance(result.exception, ConfigError)
    assert result.exception.setting == "--older-than"


def test_another_packing_is_wrong_usage(root):
    """
    There are two.
    """
    assert call("--root", root, "--packing", "zip").exit_code == 2


def test_help_has_the_exit_codes():
    """
    Scripts can rely on them.
    """
    assert "Exit codes: 0 done; 1 something couldn't be compressed" in " ".join(call("--help").stdout.split())
