"""
``tierlog sql``: what it asks, prints and returns.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from click.testing import CliRunner

from queried import everything, files, some, write
from tierlog.cli._sql import sql
from tierlog.packing import pack_file


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


def test_it_can_be_stopped(root, tmp_path):
    """
    Ctrl-C ends a question that would take for ever, and nothing is left of it.
    """
    query = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"
    command = [sys.executable, "-m", "tierlog.cli", "sql", "--root", str(root), query]
    with subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        end = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < end:
            time.sleep(0.02)

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err.split()) == (130, b"", [b"tierlog:", b"stopped"])
    assert list(tmp_path.iterdir()) == []
