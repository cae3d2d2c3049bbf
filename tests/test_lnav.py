"""
The format that tells lnav what segments are, tried with lnav itself where it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest


pytest.importorskip("click")
pytest.importorskip("rich")

from queried import everything, files, some, write
from tierlog.cli._app import run
from tierlog.cli._lnav import format_folder
from tierlog.envelope import KEYS
from tierlog.kinds import LEVELS


LNAV = shutil.which("lnav")
COLUMNS = "log_time, log_level, log_opid, log_body, tier, kind, instanceId, seq, src, projectId, buildId, userId, reqId, data"

# What lnav documents (https://docs.lnav.org/en/latest/formats.html), of which all that the format has must be part.
FORMAT = {
    "title", "description", "url", "json", "hide-extra", "timestamp-field", "timestamp-divisor", "level-field", "level",
    "body-field", "opid-field", "line-format", "value", "file-pattern", "multiline", "sample", "search-table", "highlights",
}  # fmt: skip
IN_LINE = {
    "field", "default-value", "timestamp-format", "min-width", "max-width", "auto-width", "align", "overflow",
    "text-transform", "prefix", "suffix",
}  # fmt: skip
VALUE = {"kind", "collate", "identifier", "foreign-key", "hidden", "action-list", "rewriter", "description", "unit"}
KINDS = {"string", "integer", "float", "boolean", "json", "struct", "quoted", "xml", "timestamp"}
LNAV_LEVELS = {"trace", "debug", "info", "stats", "notice", "warning", "error", "critical", "fatal"}


@pytest.fixture(name="home")
def _home(tmp_path, monkeypatch):
    """
    A home of somebody who has used lnav, with the format installed.
    """
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(["lnav", "install"]) == 0
    return home


@pytest.fixture(name="format_")
def _format(home):
    return json.loads((home / ".config/lnav/formats/installed/tierlog_log.json").read_bytes())["tierlog_log"]


def by_lnav(root):
    """
    Return the rows that lnav itself makes of the segments.
    """
    query = f";SELECT {COLUMNS} FROM tierlog_log"
    command = [LNAV, "-n", "-c", query, "-c", ":write-json-to -", *map(str, files(root))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, env={**os.environ, "TZ": "UTC"})
    return json.loads(done.stdout)


def by_the_book(root, format_):
    """
    Return the rows that lnav makes of the segments as far as its documentation says how.
    """
    levels = {name: level for level, name in format_["level"].items()}
    rows = []
    for event in everything(root):
        seconds, rest = divmod(event[format_["timestamp-field"]], format_["timestamp-divisor"])
        own = {
            "log_time": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:03}",
            "log_level": levels[event[format_["level-field"]]],
            "log_opid": event[format_["opid-field"]],
            "log_body": event[format_["body-field"]],
        }
        rows.append({**own, **{name: event[name] for name in COLUMNS.split(", ")[4:] if name in format_["value"]}})
    return rows


def test_every_record_is_a_row(tmp_path, home, format_):
    """
    lnav makes a row of each record, with its time to the millisecond, its level, its
    ids, its text and its data; a build is an operation.
    """
    root = tmp_path / "logs"
    write(root, some(60))

    rows = by_lnav(root) if LNAV is not None else by_the_book(root, format_)

    expected = [
        {
            "log_time": f"{datetime.fromtimestamp(event['ts'] // 1000, UTC):%Y-%m-%d %H:%M:%S}.{event['ts'] % 1000:03}",
            "log_level": {"warn": "warning"}.get(event["lvl"], event["lvl"]),
            "log_opid": event["buildId"],
            "log_body": event["msg"].rstrip("\n"),
            **{name: event[name] for name in COLUMNS.split(", ")[4:]},
        }
        for event in everything(root)
    ]
    for row in rows:
        row["log_body"] = row["log_body"].rstrip("\n")
    assert sorted(rows, key=str) == sorted(expected, key=str)


def test_the_format_is_as_documented(format_):
    """
    The format has nothing that lnav doesn't document, and names only fields that there are.
    """
    placed = [one for one in format_["line-format"] if isinstance(one, dict)]
    fields = {one["field"] for one in placed} - {"__timestamp__"}

    assert format_.keys() <= FORMAT
    assert all(one.keys() <= IN_LINE for one in placed)
    assert all(one.keys() <= VALUE and one["kind"] in KINDS for one in format_["value"].values())
    assert format_["level"].keys() <= LNAV_LEVELS
    assert set(format_["level"].values()) == set(LEVELS.values())
    assert fields | format_["value"].keys() <= set(KEYS)
    assert format_["opid-field"] in fields  # or lnav has no operations


def test_what_to_type_is_said(home, capsys):
    """
    Installing again says where the file is, and what to type.
    """
    run(["lnav", "install"])

    said = capsys.readouterr().out
    assert str(home / ".config/lnav/formats/installed/tierlog_log.json") in said
    assert "lnav -r logs" in said


def test_elsewhere(tmp_path, home):
    """
    With --to it is put where that says.
    """
    assert run(["lnav", "install", "--to", str(tmp_path / "formats")]) == 0

    assert (tmp_path / "formats" / "tierlog_log.json").is_file()


@pytest.mark.parametrize(
    ("folders", "xdg", "expected"),
    [
        pytest.param([], None, ".lnav", id="none"),
        pytest.param([".config"], None, ".config/lnav", id="config"),
        pytest.param([".config", "xdg"], "xdg", "xdg/lnav", id="xdg"),
        pytest.param([".config", ".lnav"], None, ".lnav", id="old"),
    ],
)
def test_where_lnav_looks(tmp_path, folders, xdg, expected):
    """
    The folder is the one that lnav would take itself.
    """
    for name in folders:
        (tmp_path / name).mkdir()

    found = format_folder(tmp_path, str(tmp_path / xdg) if xdg else None)

    assert found == Path(tmp_path, expected, "formats", "installed")
