"""
The ``tierlog`` command: its usage, its errors, and ``tierlog demo``.

The demo is run as a user runs it, as a process, and what it claims is checked
against the files it leaves.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest


pytest.importorskip("click")
pytest.importorskip("rich")

from children import until
from tierlog import __version__
from tierlog.cli._app import run as run_command
from tierlog.cli._demo import check
from tierlog.cli._terminal import log_text
from tierlog.demo import DemoError, run
from tierlog.demo._evidence import Evidence
from tierlog.demo._run import prove


ESCAPE = "\x1b"
COLOUR_SETTINGS = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CLICOLOR_FORCE", "COLUMNS")


def tierlog(*arguments: object) -> subprocess.CompletedProcess[str]:
    """
    Run the command with its output on pipes.
    """
    environment = {name: value for name, value in os.environ.items() if name not in COLOUR_SETTINGS}
    command = [sys.executable, "-m", "tierlog.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120, env=environment)


def lines_of(root: Path) -> list[dict]:
    """
    Return every line of every segment below *root*, read with nothing of tierlog's.
    """
    return [json.loads(line) for path in root.glob("*/**/*.ndjson") for line in path.read_bytes().split(b"\n") if line.strip()]


@pytest.fixture(name="demo", scope="module")
def _demo(tmp_path_factory):
    """
    A run with ``--json``: the root, the exit code and what it printed.
    """
    root = tmp_path_factory.mktemp("demo") / "logs"
    result = tierlog("demo", "--root", root, "--json")
    return root, result.returncode, json.loads(result.stdout)


@pytest.fixture(name="report", scope="module")
def _report(tmp_path_factory):
    """
    A run for a person, on a pipe: the root and what it printed.
    """
    root = tmp_path_factory.mktemp("demo") / "logs"
    return root, tierlog("demo", "--root", root).stdout


@pytest.fixture(name="facts", scope="module")
def _facts(tmp_path_factory):
    """
    A run from within Python.
    """
    return run(tmp_path_factory.mktemp("demo"))


@pytest.fixture(name="tree")
def _tree(facts, tmp_path):
    """
    A copy of that run's files, to be tampered with.
    """
    return Path(shutil.copytree(facts.root, tmp_path / "tree"))


class TestDemo:
    def test_all_is_proved(self, demo):
        """
        The demo exits with 0, and each of its claims holds.
        """
        _, exit_code, facts = demo

        assert exit_code == 0
        assert facts["ok"]
        assert [claim["name"] for claim in facts["claims"] if not claim["holds"]] == []

    def test_killed_process_loses_nothing(self, demo):
        """
        One process was killed after it had acknowledged records, and all are there.
        """
        root, _, facts = demo
        killed = next(process for process in facts["processes"] if process["name"] == facts["killed"])

        kept = {line["data"]["n"] for line in lines_of(root) if line["instanceId"] == killed["instance"] and "n" in line["data"]}

        assert killed["ended"] == "killed"
        assert killed["acknowledged"] >= 1_000
        assert killed["lost"] == 0
        assert len(kept) >= killed["acknowledged"]

    def test_other_processes_lose_nothing(self, demo):
        """
        At least two more processes end as they should, with all their records kept.
        """
        _, _, facts = demo

        others = [process for process in facts["processes"] if process["name"] != facts["killed"]]

        assert len(others) >= 2
        assert {(process["ended"], process["lost"]) for process in others} == {("clean", 0)}

    def test_sequence_is_whole(self, demo):
        """
        The numbers of each instance go from 0 to its last, each once.
        """
        root, _, facts = demo
        numbers = defaultdict(list)

        for line in lines_of(root):
            numbers[line["instanceId"]].append(line["seq"])

        assert numbers.keys() == {process["instance"] for process in facts["processes"]}
        for found in numbers.values():
            assert sorted(found) == list(range(len(found)))

    def test_five_tiers(self, demo):
        """
        Records of all five tiers are written, each in its tier's folder.
        """
        root, _, facts = demo

        assert sorted(facts["tiers"]) == ["action", "build", "deploy", "lifecycle", "system"]
        assert all(count > 0 for count in facts["tiers"].values())
        assert {"builds", "deploys", "lifecycle", "projects", "system"} <= {path.name for path in root.iterdir()}

    def test_one_build_of_two_processes(self, demo):
        """
        The build that is shown has one file, which two processes wrote.
        """
        root, _, facts = demo

        lines = [json.loads(line) for line in (root / facts["build"]["path"]).read_bytes().splitlines()]

        assert {line["buildId"] for line in lines} == {facts["build"]["id"]}
        assert len({line["instanceId"] for line in lines}) == 2

    def test_no_secret_is_left(self, demo):
        """
        Secrets were logged, were hidden by several rules, and none is in any file.
        """
        _, _, facts = demo

        assert facts["secrets"]["planted"] >= 5
        assert facts["secrets"]["found"] == 0
        assert {"github-token", "bearer", "url-credentials", "key", "private-key"} <= facts["redactions"].keys()

    def test_nothing_is_left_open(self, demo):
        """
        After the recovery no segment is noted as unfinished.
        """
        root, _, facts = demo

        assert facts["recovered"]["segments"] > 0
        assert list((root / ".tierlog" / "open").iterdir()) == []

    def test_files_are_as_told(self, demo):
        """
        The files are those that the JSON lists, with their sizes.
        """
        root, _, facts = demo

        found = {path.relative_to(root).as_posix(): path.stat().st_size for path in root.glob("*/**/*.ndjson")}

        assert found == {file["path"]: file["bytes"] for file in facts["files"]}


class TestReport:
    def test_is_plain_on_a_pipe(self, report):
        """
        Nothing that a terminal would obey is printed to a pipe.
        """
        _, text = report

        assert ESCAPE not in text
        assert "\r" not in text

    def test_shows_all_parts(self, report):
        """
        It shows the tree, a build's log, what was redacted, the proof, and what is next.
        """
        root, text = report

        assert f"{root}/" in text
        for part in ("What was written", "One build's log", "What was redacted", "What is proved", "What to type next"):
            assert f"\n{part}" in text
        assert "[REDACTED:github-token]" in text
        assert re.search(r"acknowledged before the kill: ([\d ]+), found: \1, lost: 0", text)

    def test_fits_two_screens(self, report):
        """
        It has at most eighty lines, of at most a hundred characters but for commands.
        """
        _, text = report
        shown, _, _ = text.partition("What to type next")

        assert len(text.splitlines()) <= 80
        assert max(map(len, shown.splitlines())) <= 100

    @pytest.mark.skipif(shutil.which("jq") is None, reason="the commands it shows use jq")
    def test_commands_work(self, report):
        """
        What it says one may type works as it stands there.
        """
        _, text = report
        lines = [line.strip() for line in text.partition("What to type next")[2].splitlines()]
        change_folder, *commands = [line for line in lines if line and not line.startswith(("#", "import"))]
        commands = [command for command in commands if " serve " not in command]  # it runs until it is stopped: tests/admin

        for command in commands:
            result = subprocess.run(["sh", "-c", f"{change_folder} && {command}"], capture_output=True, check=True)

            assert result.stdout
            assert not result.stderr

    @pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
    def test_is_coloured_on_a_terminal(self, tmp_path):
        """
        A terminal gets colours.
        """
        environment = {name: value for name, value in os.environ.items() if name not in COLOUR_SETTINGS}
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "tierlog.cli", "demo", "--root", str(tmp_path / "logs")]
        process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color"})
        os.close(theirs)

        shown = bytearray()
        while chunk := _read(ours):
            shown += chunk
        os.close(ours)

        assert process.wait() == 0
        assert b"\x1b[1;36mWhat was written" in shown

    def test_no_keep_leaves_nothing(self, tmp_path):
        """
        With --no-keep the folder that was made is gone afterwards.
        """
        result = tierlog("demo", "--root", tmp_path / "logs", "--no-keep")

        assert result.returncode == 0
        assert list(tmp_path.iterdir()) == []

    def test_no_keep_and_a_kill(self, tmp_path):
        """
        With --no-keep nothing is left by a plain kill in the middle, either.
        """
        command = [sys.executable, "-m", "tierlog.cli", "demo", "--no-keep"]
        process = subprocess.Popen(
            command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

        until(lambda: list(tmp_path.glob("tierlog-demo-*/*")))
        process.terminate()
        out, err = process.communicate(timeout=60)

        assert (process.returncode, out, err.split()) == (130, b"", [b"tierlog:", b"stopped"])
        assert list(tmp_path.glob("tierlog-demo-*")) == []

    def test_no_keep_leaves_a_folder_that_was_there(self, tmp_path):
        """
        With --no-keep a folder that was there before stays, empty as it was.
        """
        root = tmp_path / "logs"
        root.mkdir()

        tierlog("demo", "--root", root, "--no-keep", "--json")

        assert list(root.iterdir()) == []

    @pytest.mark.parametrize(
        ("msg", "shown"),
        [
            pytest.param("\x1b[31mred\x1b[0m", "red", id="colour"),
            pytest.param("a\x1b[2Jb\x1b[1;1Hc", "abc", id="cursor"),
            pytest.param("\x1b]0;title\x07text", "text", id="title"),
            pytest.param("\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "link", id="link"),
            pytest.param("50%\r100%\x07", "50%100%", id="return-and-bell"),
            pytest.param("user\u202egnp.exe", "usergnp.exe", id="direction"),
            pytest.param("one\ntwo", "one ↵ two", id="newline"),
            pytest.param("\x1b", "", id="escape-alone"),
            pytest.param("[bold]x[/bold]", "[bold]x[/bold]", id="markup"),
        ],
    )
    def test_log_text_is_inert(self, msg, shown):
        """
        A message is one line that can't tell the terminal to do anything.
        """
        assert log_text(msg).plain == shown


def _read(fd: int) -> bytes:
    """
    Read from a pseudo-terminal; empty when the other end is closed.
    """
    try:
        return os.read(fd, 65_536)
    except OSError:
        return b""


class TestProof:
    def test_holds_for_what_was_written(self, facts):
        """
        Untouched files prove every claim.
        """
        assert facts.failures == []
        check(facts)

    def test_sees_a_lost_record(self, facts, tree):
        """
        A line that is taken away is missing from seq and from what was acknowledged.
        """
        path = tree / facts.build.path
        lines = path.read_bytes().splitlines(keepends=True)
        lost = json.loads(lines[100])
        path.write_bytes(b"".join([*lines[:100], *lines[101:]]))

        evidence = Evidence(tree, [])

        assert evidence.missing() == 1
        assert evidence.found_of(lost["instanceId"], {lost["data"]["n"]}) == 0

    def test_sees_a_doubled_record(self, facts, tree):
        """
        A line that stands there twice is counted.
        """
        path = tree / facts.build.path
        path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[0])

        evidence = Evidence(tree, [])

        assert evidence.doubled() == 1

    def test_sees_a_strange_line(self, facts, tree):
        """
        A line that isn't an envelope is counted.
        """
        with open(tree / facts.build.path, "ab") as file:
            file.write(b'{"ts":17\n')

        evidence = Evidence(tree, [])

        assert evidence.strange == 1

    @pytest.mark.parametrize("name", ["quarantine/a.torn", ".tierlog/x", "system/s3cret-value"])
    def test_sees_a_secret_anywhere(self, tree, name):
        """
        A secret counts in any file, whatever it is, and in a file's name.
        """
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"" if "s3cret" in name else b"..s3cret-value..")

        evidence = Evidence(tree, [b"s3cret-value", b"never-written"])

        assert evidence.found == 1

    @pytest.mark.parametrize(
        ("change", "claim"),
        [
            pytest.param({"found": 0}, "acknowledged-before-the-kill", id="lost"),
            pytest.param({"ended": "clean"}, "killed", id="not-killed"),
            pytest.param({"acknowledged": 10, "found": 10}, "killed", id="too-early"),
        ],
    )
    def test_says_which_claim_fails(self, facts, change, claim):
        """
        What isn't so is told by name, and is an error.
        """
        processes = [replace(one, **change) if one.name == facts.killed else one for one in facts.processes]

        claims = prove(Evidence(Path(facts.root), []), processes, facts.recovered, facts.secrets["planted"])

        failed = replace(facts, claims=claims)
        assert [one.name for one in failed.failures] == [claim]
        with pytest.raises(DemoError, match=re.escape(failed.failures[0].text)):
            check(failed)


class TestUsage:
    def test_version(self):
        """
        --version prints the name and the version.
        """
        result = tierlog("--version")

        assert (result.returncode, result.stdout) == (0, f"tierlog {__version__}\n")

    @pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
    def test_help(self, arguments):
        """
        Help lists the commands; so does the command alone.
        """
        result = tierlog(*arguments)

        assert result.returncode == 0
        assert "demo" in result.stdout

    def test_help_of_a_command(self):
        """
        A command's help names its options.
        """
        result = tierlog("demo", "--help")

        assert result.returncode == 0
        for option in ("--root DIR", "--keep / --no-keep", "--json"):
            assert option in result.stdout

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            pytest.param(["demo", "--rot", "x"], "--rot", id="option"),
            pytest.param(["demmo"], "demmo", id="command"),
            pytest.param(["demo", "more"], "more", id="argument"),
            pytest.param(["demo", "--root"], "--root", id="no-value"),
        ],
    )
    def test_wrong_use_is_one_line(self, arguments, told):
        """
        Wrong use exits with 2 and one line that names what is wrong and where to look.
        """
        result = tierlog(*arguments)

        assert result.returncode == 2
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("tierlog")
        assert told in result.stderr
        assert "--help" in result.stderr

    def test_root_that_cannot_be_written(self, tmp_path):
        """
        A root that can't be a folder exits with 2 and one line that says what to do.
        """
        (tmp_path / "file").touch()

        result = tierlog("demo", "--root", tmp_path / "file" / "logs")

        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1
        assert "can't be written" in result.stderr
        assert "choose" in result.stderr

    def test_root_that_is_not_empty(self, tmp_path):
        """
        A folder with files in it is left alone.
        """
        (tmp_path / "mine").write_text("mine")

        result = tierlog("demo", "--root", tmp_path, "--no-keep")

        assert result.returncode == 2
        assert "isn't empty" in result.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    @pytest.mark.parametrize("module", ["click", "rich"])
    def test_missing_extra(self, module):
        """
        Without the extra, the command says what to install and exits with 2.
        """
        program = f"import sys; sys.modules[{module!r}] = None; from tierlog.cli import main; main()"

        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

        assert result.returncode == 2
        assert result.stderr == "tierlog: this needs an extra: pip install 'tierlog[cli]'\n"

    @pytest.mark.parametrize(
        ("command", "module", "extra"),
        [("serve", "starlette", "admin"), ("ship", "boto3", "r2"), ("search", "boto3", "r2"), ("sql", "duckdb", "sql")],
    )
    def test_missing_extra_of_a_command(self, tmp_path, command, module, extra):
        """
        So does each command that needs one more.
        """
        (tmp_path / ".tierlog").mkdir()
        options = ["--root", str(tmp_path), *(["--bucket", "some-logs", "--catalog", "none"] if extra == "r2" else [])]
        program = f"import sys; sys.modules[{module!r}] = None; from tierlog.cli import main; main()"

        result = subprocess.run(
            [sys.executable, "-c", program, command, *options, *(["select 1"] if command == "sql" else [])],
            capture_output=True,
            text=True,
            check=False,
        )

        assert (result.returncode, result.stdout) == (2, "")
        assert f"this needs an extra: pip install 'tierlog[{extra}]'" in result.stderr
        assert result.stderr.count("\n") == 1


class TestConfigurationFiles:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ({"buket": "b"}, "did you mean 'bucket'"),
            ({"roots": "logs"}, "did you mean 'root'"),
            ({"handlrs": {}}, "did you mean 'handlers'"),
            ({"version": 1, "handlrs": {}}, "did you mean 'handlers'"),
            ({"tierlog": {"retenton": "90d"}}, "did you mean 'retention'"),
            ({"sink": {"type": "r2", "buket": "b"}}, "sink.buket: there's no such name; did you mean 'bucket'"),
            ({"handlers": {"t": {"class": "tierlog.TierHandler", "sinc": {}}}}, "did you mean 'sink'"),
            ({"handlers": {"t": {"class": "tierlog.TierHandlr"}}}, "configures no tierlog sink"),
            (
                {"handlers": {"tiers": {"class": "tierlog.TierHandler"}}, "root": {"handlers": ["teirs"]}},
                "root.handlers: there's no handler 'teirs'; did you mean 'tiers'",
            ),
            (
                {
                    "handlers": {
                        "t": {
                            "sink": {"type": "tee", "sinks": [{"type": "segments", "rot": "logs"}]},
                            "class": "tierlog.TierHandler",
                        }
                    }
                },
                "handlers.t.sink.sinks[0].rot: there's no such name; did you mean 'root'",
            ),
        ],
    )
    @pytest.mark.parametrize("command", ["search", "stats"])
    def test_a_mistake_leads_to_no_other_folder(self, tmp_path, command, content, said, monkeypatch, capsys):
        """
        What is misspelt is told, and the default root isn't taken in its place.
        """
        (tmp_path / "config.json").write_text(json.dumps(content))
        (tmp_path / "logs" / ".tierlog").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)

        code = run_command([command, "--config", "config.json"])

        told = capsys.readouterr()
        assert (code, told.out) == (2, "")
        assert said in told.err
        assert told.err.count("\n") == 1

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('{"root": 7}', "root: 7 isn't a folder"),
            (
                '{"handlers": {"t": {"class": "tierlog.TierHandler", "sink": {"type": "segments", "root": [1]}}}}',
                "[1] isn't a folder",
            ),
            (
                '{"handlers": {"t": {"class": "tierlog.TierHandler", "sink": {"type": "tee", "sinks": 7}}}}',
                "configures no tierlog sink",
            ),
            ("[" * 100_000, "isn't JSON"),
        ],
        ids=["root", "root-of-a-sink", "sinks", "brackets"],
    )
    def test_what_makes_no_sense_is_one_line(self, tmp_path, content, said):
        """
        Whatever is in a file of options, a command ends with 2 and says in one line what is wrong.
        """
        (tmp_path / "config.json").write_text(content)

        result = tierlog("stats", "--config", tmp_path / "config.json")

        assert (result.returncode, result.stdout) == (2, "")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1


def test_name_that_is_no_utf_8(tmp_path):
    """
    A folder may have any name: what is told as JSON has it with an escape.
    """
    root = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")

    result = tierlog("doctor", "--json", "--local-only", "--root", root)

    assert result.returncode == 0
    assert any("\udcff" in one["what"] for one in json.loads(result.stdout)["findings"])
