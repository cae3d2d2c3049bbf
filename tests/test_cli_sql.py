"""
``tierlog sql``: what it asks, prints and returns.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from queried import everything, files, some, write
from tierlog import analytics
from tierlog.cli._sql import sql
from tierlog.packing import pack_file
from tierlog.query import open_store


@pytest.fixture(name="root", scope="module")
def _root(tmp_path_factory):
    root = tmp_path_factory.mktemp("logs")
    write(root, [*some(60), (1_790_000_000_000, "system", "info", {}, "\x1b[2Jcleared", {"ms": 3, "odd": "a,b"})])
    return root


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TIERLOG_")]:
        monkeypatch.delenv(name)


def call(*arguments, **more):
    """
    Run the command, and return what came of it.
    """
    return CliRunner().invoke(sql, [str(one) for one in arguments], **more)


def test_a_pipe_gets_json(root):
    """
    In a pipe there is one object a row, in which data is JSON and a time is ISO 8601.
    """
    query = "SELECT ts, seq, data FROM events WHERE msg LIKE '%cleared'"

    result = call(query, "--root", root)

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"ts": "2026-09-21T14:13:20+00:00", "seq": 60, "data": {"ms": 3, "odd": "a,b"}}


def test_numbers_are_numbers_of_any_size(root):
    """
    What is a number in DuckDB is one in JSON, too, however large, and the key of a map
    is a text.
    """
    query = "SELECT 1::HUGEINT << 100 AS huge, 1.50 AS exact, [1::HUGEINT << 90] AS list, map{1.5: 'x'} AS map, sum(seq) AS sum"

    result = call(f"{query} FROM events", "--root", root)

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"huge": 2**100, "exact": 1.5, "list": [2**90], "map": {"1.5": "x"}, "sum": 1830}


def test_a_wide_table_is_one_record_below_the_other(root):
    """
    Where the columns don't fit beside each other, each row is a list of them.
    """
    result = call("SELECT * FROM events ORDER BY seq DESC LIMIT 2", "--root", root, "--table")

    lines = result.stdout.splitlines()
    assert lines[0] == "-- 1"
    assert lines[15] == "-- 2"
    assert "seq         60" in lines
    assert 'data        {"ms":3,"odd":"a,b"}' in lines


@pytest.mark.parametrize("query", ["SELECT seq FROM events WHERE data.odd = 500", "SELECT sum(data.ms) FROM events"])
def test_what_json_can_not_be_is_hinted_at(root, query):
    """
    Who takes a value in data for a number is told how to ask.
    """
    result = call("--root", root, query)

    assert result.exit_code == 2
    assert "; data is JSON: compare texts, as in data->>'status' = '500', " in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("columns", ["ts, msg", "ts, ts AS again, msg"])
def test_a_time_stays_in_one_line(root, columns):
    """
    On a narrow terminal texts go on in the next line, and times don't.
    """
    query = f"SELECT {columns} || repeat(' and so on', 9) AS msg FROM events WHERE seq = 60"

    result = call(query, "--root", root, "--table", env={"COLUMNS": "60"})

    times = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*", result.stdout)
    assert len(times) == columns.count("ts")
    assert max(map(len, result.stdout.splitlines())) <= 60 or "-- 1" in result.stdout


def test_csv(root):
    """
    --csv gives the names first, and quotes what must be.
    """
    result = call("--root", root, "--csv", "SELECT data->>'odd' AS odd, 2 AS n FROM events ORDER BY 1 NULLS LAST LIMIT 1")

    assert (result.exit_code, result.stdout) == (0, 'odd,n\n"a,b",2\n')


def test_a_table_is_never_obeyed(root):
    """
    --table aligns, and writes out what a terminal would obey.
    """
    result = call("--root", root, "--table", "SELECT msg, seq FROM events WHERE seq = 60")

    assert [line.split() for line in result.stdout.splitlines()] == [["msg", "seq"], ["\\x1b[2Jcleared", "60"]]


def test_questions_have_options(root):
    """
    Counts, rates and percentiles need no SQL, and the filters are those of a search.
    """
    events = everything(root)

    found = [json.loads(line) for line in call("--root", root, "--count-by", "tier, lvl", "--level", "warn+").stdout.splitlines()]
    rate = json.loads(call("--root", root, "--rate", "day").stdout)
    percentile = json.loads(call("--root", root, "--percentiles", "data.ms", "--by", "tier", "--approximate").stdout)

    counted = Counter((event["tier"], event["lvl"]) for event in events if event["lvl"] in {"warn", "error"})
    assert {(one["tier"], one["lvl"]): one["count"] for one in found} == counted
    assert (rate["count"], rate["per_second"]) == (len(events), len(events) / 86_400)
    assert percentile == {"tier": "system", "count": 1, "p50": 3.0, "p95": 3.0, "p99": 3.0}


@pytest.mark.parametrize("end", ["", ";", " ; -- the end; really", ";; /* so */", " -- so"])
def test_a_question_may_end_as_statements_do(root, end):
    """
    Semicolons and comments behind a question are none of it.
    """
    result = call(f"SELECT 'é;--' AS text, count(*) AS count FROM events{end}", "--root", root)

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"text": "é;--", "count": 61}


def test_a_question_from_standard_input(root):
    """
    '-' is what stands on standard input.
    """
    assert call("--root", root, "-", input="SELECT count(*) AS n\nFROM events;\n").stdout == '{"n":61}\n'


def test_clickhouse_is_printed(root):
    """
    For ClickHouse the question is printed, over the bucket that is named.
    """
    url = "r2://my-logs/prod?endpoint_url=https://host"

    stored = call("--store", url, "--dialect", "clickhouse", "--rate", "hour", "--tier", "build", "--cluster", "all")
    bucket = call("--root", root, "--bucket", "my-logs", "--dialect", "clickhouse", "SELECT 1")

    assert (stored.exit_code, bucket.exit_code) == (0, 0)
    assert "FROM s3Cluster('all', 'https://host/my-logs/prod/builds/*.ndjson*', 'LineAsString'" in stored.stdout
    assert stored.stdout.endswith("per_second FROM events GROUP BY 1 ORDER BY 1\n")
    assert "s3('https://my-logs.s3.amazonaws.com/system/" in bucket.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "one question at a time"),
        (["SELECT 1", "--rate", "hour"], "one question at a time"),
        (["SELECT nope FROM events"], "QUERY: "),
        (["SELECT '\udcff'"], "QUERY: isn't text; write it in UTF-8"),
        (["--count-by", "lvl", "--project", "\udcff"], "--project: '\\udcff' isn't text; write it in UTF-8"),
        (["SELECT * FROM nope"], "QUERY: Catalog Error: Table with name nope does not exist! the one relation is events"),
        (["--count-by", "nope"], "--count-by: "),
        (["--rate", "hour", "--by", "nope"], "--by: "),
        (["--rate", "week"], "--rate: "),
        (["--percentiles", "ms"], "--percentiles: "),
        (["SELECT 1", "--memory-limit", "much"], "--memory-limit: "),
        (["SELECT 1", "--tier", "nope"], "--tier: "),
        (["SELECT 1", "--since", "nope"], "--since: "),
        (["SELECT 1", "--by", "lvl"], "--by: "),
        (["SELECT 1", "--cluster", "all"], "--cluster: "),
        (["SELECT 1", "--dialect", "clickhouse"], "--dialect: "),
    ],
)
def test_wrong_use(root, arguments, problem):
    """
    What can't be asked is told in one line, by the option that is wrong.
    """
    result = call("--root", root, *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(f"Error: {problem}")


def test_what_cannot_be_read_is_told(tmp_path):
    """
    The answer is there as far as it goes; what is missing is told, and so is the exit code.
    """
    root = tmp_path / "logs"
    write(root, some(40))
    path = next(path for path in files(root) if path.parent.parent.name == "system")
    path.write_bytes(b"torn\n" + path.read_bytes())
    packed = path.with_name(f"{path.name}.gz")
    with path.open("rb") as plain, packed.open("wb") as file:
        pack_file(plain, file, "gz")
    packed.write_bytes(packed.read_bytes()[:-8])
    path.unlink()

    result = call("--root", root, "SELECT count(*) AS n FROM events")

    assert result.exit_code == 2
    assert result.stdout == '{"n":40}\n'
    assert result.stderr.splitlines() == [
        f"tierlog: {packed.relative_to(root).as_posix()}: can't be read: it ends too early",
        "tierlog: 1 torn or foreign line skipped",
    ]


def test_nothing_to_ask(tmp_path):
    """
    That there are no segments at all is told beside the answer: the root may be the wrong
    one.
    """
    result = call("SELECT count(*) AS count FROM events", "--root", tmp_path)

    assert (result.exit_code, result.stdout) == (0, '{"count":0}\n')
    assert result.stderr == "tierlog: there are no segments at all; see that --root or --store is right\n"


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "kill"])
def test_it_can_be_stopped(root, tmp_path, way):
    """
    Ctrl-C ends a question that would take for ever, and so does a plain kill; nothing is
    left of it.
    """
    query = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"
    command = [sys.executable, "-m", "tierlog.cli", "sql", "--root", str(root), query]
    with subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background may ignore it
    ) as process:
        end = time.monotonic() + 60
        while not list(tmp_path.glob("tierlog-sql-*")) and time.monotonic() < end:
            time.sleep(0.02)

        process.send_signal(way)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, out, err.split()) == (130, b"", [b"tierlog:", b"stopped"])
    assert list(tmp_path.glob("tierlog-sql-*")) == []


def test_ctrl_c_while_its_folder_is_made(root, tmp_path, monkeypatch):
    """
    The folder for what doesn't fit into the memory isn't left, even if Ctrl-C comes in the
    moment in which it is made.
    """
    make = os.mkdir

    def make_and_stop(path, *args, **kwargs):
        make(path, *args, **kwargs)
        if Path(path).name.startswith("tierlog-sql-"):
            raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "mkdir", make_and_stop)

    with pytest.raises(KeyboardInterrupt):
        analytics.sql(open_store(root), "SELECT 1")

    assert list(tmp_path.iterdir()) == []
