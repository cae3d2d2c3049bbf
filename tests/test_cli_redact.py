"""
``tierlog redact``: standard input without its secrets, and the search for them in files.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest


pytest.importorskip("click")
pytest.importorskip("rich")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tierlog.cli._app import run
from tierlog.cli._findings import LineScanner
from tierlog.cli._redact import filtered
from tierlog.redact import Redactor


TOKEN = "gh" + "p_" + "a1B2" * 9
BODY = "\n".join(base64.b64encode(bytes(range(one, one + 48))).decode() for one in range(0, 200, 9))
PEM = f"-----BEGIN PRIVATE {'KEY'}-----\n{BODY}\n-----END PRIVATE {'KEY'}-----\n"
COMMAND = [sys.executable, "-m", "tierlog.cli", "redact"]


def redact(*arguments: object, text: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """
    Run the command with *text* as its input and its output on pipes.
    """
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=text,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, **variables},
    )


def scan(*arguments: object, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """
    Run the command with ``--scan`` in this process, which is quicker, with its output on pipes.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        streams = {name: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for name in ("stdout", "stderr")}
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        exit_code = run(["redact", "--scan", *map(str, arguments)])
    printed = {name: stream.buffer.getvalue() for name, stream in streams.items()}
    return subprocess.CompletedProcess(arguments, exit_code, printed["stdout"], printed["stderr"])


def filter_text(text: bytes, size: int = 65_536) -> bytes:
    """
    Return *text* as the filter writes it, read in chunks of *size* bytes.
    """
    source, out = io.BytesIO(text), []
    filtered(Redactor(), lambda most: source.read(min(size, most)), out.append)
    return b"".join(out)


def findings(*paths: object) -> list[dict]:
    """
    Return what the command tells of *paths*.
    """
    return [json.loads(line) for line in scan(*paths).stdout.splitlines()]


@pytest.fixture(name="running")
def _running():
    """
    A function that starts the command on pipes; what still runs is ended.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(**options):
        process = subprocess.Popen(
            COMMAND, **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class TestFilter:
    def test_hides_secrets(self):
        """
        A secret in the input is a mark in the output, and all else is as it was.
        """
        result = redact(text=f"one\npassword=hunter2 for bob\npush with {TOKEN}\n".encode())

        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout == b"one\npassword=[REDACTED:password] for bob\npush with [REDACTED:github-token]\n"

    def test_hides_a_key_of_many_lines(self):
        """
        A private key becomes one mark, and the lines around it stay.
        """
        out = filter_text(f"before\n{PEM}after\n".encode(), size=7)

        assert not [line for line in BODY.splitlines() if line.encode() in out]
        assert out.startswith(b"before\n[REDACTED:private-key]")
        assert out.endswith(b"after\n")

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(b"\xff\xfe not UTF-8 \xc3", id="bytes"),
            pytest.param(b"one\r\ntwo\rthree\r\n", id="carriage-returns"),
            pytest.param(b"no newline at the end", id="no-newline"),
            pytest.param("größer € 😀\n".encode(), id="characters"),
            pytest.param(b"\x00\x1b[31mred\x1b[0m\n\n\n", id="controls"),
            pytest.param(b"", id="nothing"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 2, 65_536])
    def test_other_bytes_stay(self, text, size):
        """
        What isn't a secret passes as it is, wherever the input is cut.
        """
        assert filter_text(text, size) == text

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.binary(max_size=300), st.integers(1, 64))
    def test_any_bytes_come_out_the_same_in_any_chunks(self, text, size):
        """
        How the input is cut makes no difference.
        """
        assert filter_text(text, size) == filter_text(text)

    def test_lines_come_while_it_runs(self, running):
        """
        A line is written before the next one is read, so that the command can stand
        between two that go on.
        """
        process = running()

        for line, shown in [(b"one\n", b"one\n"), (b"password=hunter2\n", b"password=[REDACTED:password]\n")]:
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == shown

    def test_a_long_line_needs_little_memory(self):
        """
        A line of 4 MiB isn't held: what was read is written on the way.
        """
        chunk, waiting = b"word " * 13_107, [0]

        def read(most):
            waiting.append(waiting[-1] + len(chunk))
            return chunk if len(waiting) < 130 else b""

        def write(content):
            waiting.append(waiting[-1] - len(content))

        filtered(Redactor(), read, write)

        assert max(waiting) < 4 * len(chunk)

    def test_nobody_reads(self, running):
        """
        If the next command ends, so does this one: quietly, with the code that cat has.
        """
        process = running()
        process.stdout.close()

        try:
            for _ in range(100_000):
                process.stdin.write(b"y\n" * 1_000)
        except BrokenPipeError:
            pass

        assert process.wait(60) == 141
        assert process.stderr.read() == b""

    def test_ctrl_c(self, running):
        """
        Ctrl-C ends it quietly, and what was read is written.
        """
        process = running()
        process.stdin.write(b"one\nhalf a li")
        process.stdin.flush()
        first = process.stdout.readline()

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
        assert first + process.stdout.read() == b"one\nhalf a li"
        assert process.stderr.read() == b""

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
    def test_a_full_disk_is_one_line(self, running):
        """
        Output that can't be written is told in one line.
        """
        with open("/dev/full", "wb") as full:
            process = running(stdout=full)
            _, told = process.communicate(b"text\n")

        assert process.returncode == 1
        assert told.count(b"\n") == 1
        assert b"No space left" in told

    def test_a_terminal_is_told_what_is_waited_for(self, running):
        """
        Whoever forgets the input is told that it is read from the terminal.
        """
        ours, theirs = pty.openpty()
        try:
            process = running(stdin=theirs)
            assert b"Ctrl-D" in process.stderr.readline()
        finally:
            os.close(ours)
            os.close(theirs)

    def test_stats(self):
        """
        --stats tells on standard error how many were hidden, by rule, and no more.
        """
        text = f"password=hunter2 {TOKEN} {TOKEN}\n{PEM}".encode()

        result = redact("--stats", text=text)

        rows = dict(line.rsplit(maxsplit=1) for line in result.stderr.decode().splitlines())
        assert rows == {"github-token": "2", "password": "1", "private-key": "1", "in all": "4"}

    def test_stats_as_json(self):
        """
        With --json the counts are one object.
        """
        result = redact("--stats", "--json", text=f"{TOKEN}\n".encode())

        assert json.loads(result.stderr) == {"redactions": {"github-token": 1}}


class TestOptions:
    def test_pii(self):
        """
        --pii hides kinds of personal data, several at once.
        """
        result = redact("--pii", "email,ip", "--pii", "iban", text=b"bob@example.com from 192.0.2.1, DE02120300000000202051\n")

        assert result.stdout == b"[REDACTED:email] from [REDACTED:ip], [REDACTED:iban]\n"

    def test_known_env(self):
        """
        --known-env hides the value of a variable, in base64, too.
        """
        value = "correct horse battery"
        text = f"{value} {base64.b64encode(value.encode()).decode()}\n".encode()

        result = redact("--known-env", "DEPLOY", text=text, DEPLOY=value)

        assert result.stdout.decode().startswith("[REDACTED:DEPLOY] [REDACTED:DEPLOY]")
        assert value.encode() not in result.stdout

    def test_known_env_that_is_not_set(self):
        """
        A variable that isn't set is told, since its name may be misspelt.
        """
        result = redact("--known-env", "NO_SUCH_VARIABLE", text=b"text\n")

        assert (result.returncode, result.stdout) == (0, b"text\n")
        assert b"NO_SUCH_VARIABLE" in result.stderr

    def test_known_env_that_is_too_short(self):
        """
        A value that can't be hidden ends it before anything is written, and isn't shown.
        """
        result = redact("--known-env", "SHORT", text=b"text\n", SHORT="qx7")

        assert (result.returncode, result.stdout) == (2, b"")
        assert b"SHORT" in result.stderr
        assert b"qx7" not in result.stderr

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            pytest.param("a.json", '{"pii": ["email"], "without": ["password"]}', id="json"),
            pytest.param("a.json", '{"redact": {"pii": ["email"], "without": ["password"]}}', id="json-below"),
            pytest.param("a.toml", 'pii = ["email"]\nwithout = ["password"]', id="toml"),
            pytest.param("a.toml", '[redact]\npii = ["email"]\nwithout = ["password"]', id="toml-below"),
            pytest.param("pyproject.toml", '[tool.tierlog.redact]\npii = ["email"]\nwithout = ["password"]', id="pyproject"),
        ],
    )
    def test_config(self, tmp_path, name, content):
        """
        --config has the options of a redactor, in JSON or TOML.
        """
        (tmp_path / name).write_text(content)

        result = redact("--config", tmp_path / name, text=b"bob@example.com password=hunter2\n")

        assert result.stdout == b"[REDACTED:email] password=hunter2\n"

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            pytest.param('keyz = ["a"]', "did you mean 'keys'", id="option"),
            pytest.param("keys = [", "isn't TOML", id="syntax"),
            pytest.param('[tool.other]\nx = 1\n[project]\nname = "x"', "[tool.tierlog.redact]", id="pyproject-without"),
            pytest.param('pii = ["emial"]', "did you mean 'email'", id="value"),
            pytest.param(None, "can't be read", id="missing"),
        ],
    )
    def test_wrong_config(self, tmp_path, content, told):
        """
        A configuration that can't work is told in one line, with 2.
        """
        if content is not None:
            (tmp_path / "a.toml").write_text(content)

        result = redact("--config", tmp_path / "a.toml", text=b"x\n")

        assert (result.returncode, result.stdout) == (2, b"")
        assert result.stderr.count(b"\n") == 1
        assert told in result.stderr.decode()

    @pytest.mark.parametrize(("arguments", "told"), [(["--scan"], "needs a PATH"), (["a.log"], "--scan")])
    def test_wrong_use(self, arguments, told):
        """
        Paths without --scan, and --scan without paths, are wrong use.
        """
        result = redact(*arguments)

        assert result.returncode == 2
        assert told in result.stderr.decode()


class TestScan:
    def test_finds_nothing(self, tmp_path):
        """
        A tree without secrets gives 0, no output, and a line that says what was done.
        """
        (tmp_path / "a.log").write_text("all is well\n")

        result = scan(tmp_path)

        assert (result.returncode, result.stdout) == (0, b"")
        assert b"no secrets in 1 file" in result.stderr

    def test_rule_without_the_hash(self, tmp_path):
        """
        With hashes in marks, a finding's rule is its name, and what was hidden with a hash is no finding.
        """
        (tmp_path / "options.json").write_text('{"hash_key": "pepper"}')
        (tmp_path / "a.log").write_text("password=hunter2\npassword=[REDACTED:password#0123456789ab]\n")

        found = findings("--config", tmp_path / "options.json", tmp_path / "a.log")

        assert [(one["line"], one["rule"]) for one in found] == [(1, "password")]

    def test_finds_a_secret_in_text(self, tmp_path):
        """
        A secret gives 1, and file, line, column and rule; of itself nothing is shown.
        """
        (tmp_path / "a.log").write_bytes(b"one\r\n\xff push with " + TOKEN.encode() + b" to origin\r\n")

        result = scan(tmp_path)

        assert result.returncode == 1
        assert json.loads(result.stdout) == {
            "path": f"{tmp_path}/a.log",
            "line": 2,
            "column": 13,
            "field": None,
            "rule": "github-token",
            "excerpt": "\\xff push with [REDACTED:github-token] to origin",
        }
        assert b"1 secret in 1 of 1 file" in result.stderr

    def test_names_of_fields_count(self, tmp_path):
        """
        In a line that is an object, a field's name gives its value away, at any depth.
        """
        event = {"msg": "saved", "data": {"user": "bob", "accounts": [{"db_password": "x7"}], "apiKey": 42}}
        (tmp_path / "a.ndjson").write_text(f"{{}}\n{json.dumps(event)}\n")

        found = findings(tmp_path)

        assert [(one["line"], one["field"], one["rule"]) for one in found] == [
            (2, "data.accounts.0.db_password", "key"),
            (2, "data.apiKey", "key"),
        ]

    def test_escaped_text_in_fields(self, tmp_path):
        """
        Strings of an object are looked at as they are meant, not as JSON writes them.
        """
        (tmp_path / "a.ndjson").write_text(json.dumps({"msg": 'x\npassword: "hünter2"'}) + "\n")

        assert [(one["field"], one["rule"]) for one in findings(tmp_path)] == [("msg", "password")]

    @pytest.mark.parametrize(
        "line",
        [
            '{"msg":"password=[REDACTED:password] in","data":{"password":"[REDACTED:key]","x":["[REDACTED:jwt]"]}}',
            '{"data":{"token":"[REDACTED:known-value:0123456789ab]","password":"***","secret":null,"api_key":"<redacted>"}}',
            '{"msg":"","data":{"[REDACTED:npm-token]":1,"[REDACTED:npm-token]~2":{"x":"y"}}}',
            "password=[REDACTED:password] and [REDACTED:github-token]",
            "[REDACTED:private-key]",
            "Authorization: [REDACTED:authorization]",
            "postgres://app:[REDACTED:url-credentials]@db/shop",
        ],
    )
    def test_marks_are_no_findings(self, line):
        """
        What is redacted already isn't found again.
        """
        assert LineScanner(Redactor()).line(1, line.encode()) == []

    def test_a_secret_below_its_name(self):
        """
        What is hidden on the line below its name is found there, too.
        """
        scanner = LineScanner(Redactor())

        found = [one for number, line in enumerate([b"Password:", b"  hunter25Zk6Ym"], 1) for one in scanner.line(number, line)]

        assert [(one.line, one.column, one.rule) for one in found] == [(2, 3, "password")]

    def test_a_secret_beside_a_mark_is_found(self):
        """
        A mark doesn't keep what stands beside it from being found, where it stands.
        """
        line = f"password=[REDACTED:password] {TOKEN} [REDACTED:github-token] {TOKEN}"

        found = LineScanner(Redactor()).line(1, line.encode())

        assert [(one.rule, one.column) for one in found] == [("github-token", 30), ("github-token", 30 + 40 + 1 + 23 + 1)]

    @pytest.mark.parametrize("is_json", [False, True])
    def test_a_key_of_many_lines_is_found_once(self, tmp_path, is_json):
        """
        A private key over many lines, or many records, is one finding, and none of
        its rows is shown.
        """
        lines = f"before\n{PEM}after\n".splitlines()
        rows = [json.dumps({"instanceId": "a", "src": "b", "msg": line}) for line in lines] if is_json else lines
        (tmp_path / "a.log").write_text("\n".join(rows) + "\n")

        result = scan(tmp_path)

        found = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["rule"] for one in found] == ["private-key"]
        assert found[0]["line"] in (2, 3)
        assert not [row for row in BODY.splitlines() if row in result.stdout.decode()]

    def test_nothing_of_a_secret_is_shown(self, tmp_path):
        """
        Not eight characters of any secret are in what is printed.
        """
        secrets = [TOKEN, "hunter2hunter2", "Zq9x" * 10]
        text = f"{secrets[0]} password={secrets[1]}\nAuthorization: Bearer {secrets[2]}\n"
        (tmp_path / "a.log").write_text(text)
        (tmp_path / "b.ndjson").write_text(json.dumps({"msg": text, "data": {"password": secrets[1]}}) + "\n")

        result = scan(tmp_path)

        printed = (result.stdout + result.stderr).decode()
        assert result.returncode == 1
        assert not [secret[at : at + 8] for secret in secrets for at in range(len(secret) - 7) if secret[at : at + 8] in printed]

    def test_compressed_files(self, tmp_path):
        """
        What gzip has compressed is looked into, whatever its name, in all its parts.
        """
        (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(f"{TOKEN}\n".encode()))

        assert [one["line"] for one in findings(tmp_path)] == [2]

    def test_a_long_line(self, tmp_path):
        """
        A secret in a line of several MiB is found, and the lines behind it keep their numbers.
        """
        (tmp_path / "a.log").write_text("word " * 1_200_000 + TOKEN + "\n" + f"{TOKEN}\n")

        assert [(one["line"], one["rule"]) for one in findings(tmp_path)] == [(1, "github-token"), (2, "github-token")]

    def test_a_long_field(self, tmp_path):
        """
        A secret behind the part of a field that a redactor looks at is found.
        """
        (tmp_path / "a.ndjson").write_text(json.dumps({"msg": "word " * 300_000 + TOKEN}) + "\n")

        assert [(one["line"], one["rule"]) for one in findings(tmp_path)] == [(1, "github-token")]

    def test_utf_16(self, tmp_path):
        """
        Text in UTF-16 is text, not binary.
        """
        (tmp_path / "a.log").write_bytes(f"one\n{TOKEN}\n".encode("utf-16"))

        assert [one["line"] for one in findings(tmp_path)] == [2]

    def test_names_of_files_and_folders(self, tmp_path):
        """
        A secret in a name is found once, and the name is shown without it.
        """
        folder = tmp_path / TOKEN
        folder.mkdir()
        for name in ("a.log", "b.log"):
            (folder / name).write_text("fine\n")

        result = scan(tmp_path)

        (found,) = [json.loads(line) for line in result.stdout.splitlines()]
        assert (found["line"], found["rule"]) == (None, "github-token")
        assert TOKEN.encode() not in result.stdout + result.stderr

    def test_what_is_left_out_is_counted(self, tmp_path):
        """
        .git, binary files, links and pipes are left out, and said to be.
        """
        outside = tmp_path / "outside"
        tree = tmp_path / "tree"
        for folder in (outside, tree / ".git"):
            folder.mkdir(parents=True)
            (folder / "a.log").write_text(TOKEN)
        (tree / "link").symlink_to(outside)
        (tree / "image").write_bytes(b"\x00" + TOKEN.encode())
        os.mkfifo(tree / "pipe")

        result = scan(tree)

        assert (result.returncode, result.stdout) == (0, b"")
        assert b"left out: 1 .git, 1 binary, 1 link, 1 special" in result.stderr

    @pytest.mark.parametrize("kind", ["torn", "missing", "zstd"])
    def test_what_cannot_be_read_is_an_error(self, tmp_path, kind):
        """
        A file that can't be read gives 2, and one line about it.
        """
        path = tmp_path / "a.gz"
        if kind == "torn":
            path.write_bytes(gzip.compress(b"one\n" * 1_000)[:-4])
        elif kind == "zstd":
            path.write_bytes(b"\x28\xb5\x2f\xfd\x00")

        result = scan(path)

        assert (result.returncode, result.stdout) == (2, b"")
        assert f"'{path}' couldn't be read" in result.stderr.decode()
        assert b"couldn't be read: 1" in result.stderr

    def test_a_finding_counts_more_than_what_cannot_be_read(self, tmp_path):
        """
        If something is found, it is 1, whatever else couldn't be read.
        """
        (tmp_path / "a.log").write_text(TOKEN)

        result = scan(tmp_path, tmp_path / "missing")

        assert result.returncode == 1
        assert b"missing" in result.stderr

    def test_a_file_named_twice_is_read_once(self, tmp_path):
        """
        Paths that overlap don't double what is found.
        """
        (tmp_path / "a.log").write_text(TOKEN)

        assert len(findings(tmp_path, tmp_path / "a.log", f"{tmp_path}/../{tmp_path.name}")) == 1

    def test_text_for_people(self, tmp_path):
        """
        --text prints path:line:column: rule, and the text around the secret, harmless to a terminal.
        """
        (tmp_path / "a.log").write_text(f"\x1b]0;title\x07[bold]{TOKEN}\n")

        result = scan("--text", tmp_path)

        assert re.fullmatch(rf"{tmp_path}/a.log:1:\d+: github-token  \[bold\]\[REDACTED:github-token\]\n", result.stdout.decode())

    def test_on_a_terminal(self, tmp_path):
        """
        A terminal gets text, not JSON.
        """
        (tmp_path / "a.log").write_text(f"{TOKEN}\n")
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "300", "NO_COLOR": "1"}
        with subprocess.Popen(
            [*COMMAND, "--scan", str(tmp_path)], stdout=theirs, stderr=subprocess.PIPE, env=environment
        ) as process:
            os.close(theirs)
            shown = b""
            while part := _read(ours):
                shown += part
            process.communicate(timeout=60)
        os.close(ours)

        assert process.returncode == 1
        assert b"a.log:1:1" in shown
        assert b'"path"' not in shown

    def test_options_hold_here_too(self, tmp_path):
        """
        What --pii and --known-env hide, --scan finds.
        """
        (tmp_path / "a.log").write_text("bob@example.com\ncorrect horse battery\n")
        done = scan("--pii", "email", "--known-env", "DEPLOY", tmp_path, DEPLOY="correct horse battery")

        assert [json.loads(line)["rule"] for line in done.stdout.splitlines()] == ["email", "DEPLOY"]

    def test_its_own_logs_are_clean(self, tmp_path):
        """
        What tierlog has written has no secrets.
        """
        program = (
            "import logging, sys, tierlog; tierlog.configure(root=sys.argv[1]); log = logging.getLogger('a');"
            "log.info('push %s', sys.argv[2], extra={'data': {'db_password': 'x7', 'list': [{'token': 1}]}});"
            "log.info('postgres://a:hunter2hunter2@db/x Authorization: Bearer abcdefgh12345678')"
        )
        subprocess.run([sys.executable, "-c", program, tmp_path, TOKEN], check=True)

        result = redact("--scan", tmp_path)

        assert (result.returncode, result.stdout) == (0, b"")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["word", " ", "[REDACTED:github-token]", TOKEN, "=", "\t", "€"]), max_size=12).map(" ".join))
def test_as_many_findings_as_secrets(line):
    """
    However marks and secrets stand side by side, each secret is found, and no mark.
    """
    found = LineScanner(Redactor()).line(1, line.encode())

    assert Counter(one.rule for one in found) == Counter({"github-token": line.count(TOKEN)} if TOKEN in line else {})
    assert [one.column for one in found] == [match.start() + 1 for match in re.finditer(TOKEN, line)]


def _read(fd: int) -> bytes:
    """
    Read from a pseudo-terminal; empty when the other end is closed.
    """
    try:
        return os.read(fd, 65_536)
    except OSError:
        return b""


def test_the_help_names_the_exit_codes():
    """
    The help says what each exit code means.
    """
    text = redact("--help").stdout.decode()

    assert {"0", "1", "2", "130", "141"} <= set(re.findall(r"\b\d+\b", text.partition("Exit codes")[2]))


def test_other_commands_end_quietly_too(tmp_path):
    """
    Any command ends as this one does when nobody reads its output.
    """
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "tierlog.cli", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        cwd=Path(tmp_path),
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, b"")
