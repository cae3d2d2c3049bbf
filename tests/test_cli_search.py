"""
``tierlog search``, ``build`` and ``timeline``, run as a user runs them, and what they show.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr
from datetime import timedelta, timezone

import orjson
import pytest


pytest.importorskip("click")
pytest.importorskip("rich")

from conftest import OTHER_ULID, ULID
from queried import DAY, HOUR, NOW, everything, files, lines_of, some, write
from tierlog.cli._app import run
from tierlog.cli._event_view import BuildView, EventView
from tierlog.cli._waiting import waiting
from tierlog.exceptions import exception_data


UNKNOWN = "01BX5ZZKBKACTAV9WEVGEMMVSX"
LIKE_IT = f"02{ULID[2:]}"
VARIABLES = ("TIERLOG_", "NO_COLOR", "COLUMNS", "_TIERLOG_")


def environment(**variables):
    return {**{name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}, "TZ": "UTC", **variables}


def tierlog(*arguments, **variables):
    """
    Run the command with its output on pipes.
    """
    command = [sys.executable, "-m", "tierlog.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60, env=environment(**variables))


def on_terminal(*arguments, **variables):
    """
    Run the command with its output on a terminal, and return what that got.
    """
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "tierlog.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdout=writer, stdin=writer, stderr=subprocess.PIPE, env=environment(**variables)):
        os.close(writer)
        shown = b""
        try:
            while more := os.read(reader, 65_536):
                shown += more
        except OSError:  # how the end of a terminal shows on Linux
            pass
        os.close(reader)
    return shown.decode().replace("\r\n", "\n")


def event(msg="hello", **fields):
    """
    Return an event as a reader gets it.
    """
    ids = {"projectId": None, "buildId": None, "userId": None, "reqId": None}
    own = {"ts": NOW, "instanceId": "web-AAAAAAAA", "tier": "system", "kind": "log", "lvl": "info", **ids}
    return {**own, "seq": 0, "src": "app", "msg": msg, "data": {}, **fields}


@pytest.fixture(name="root", scope="module")
def _root(tmp_path_factory):
    root = tmp_path_factory.mktemp("search") / "logs"
    write(root, some(200))
    return root


@contextmanager
def error_terminal():
    """
    Make standard error a terminal, and return what reads it.
    """
    reader, writer = pty.openpty()
    with os.fdopen(reader, "rb", 0) as shown, os.fdopen(writer, "w", encoding="utf-8") as stream, redirect_stderr(stream):
        yield shown


def read_until(shown, end):
    """
    Return what a terminal got, until *end* is in it.
    """
    got = b""
    while end not in got:
        assert select.select([shown], [], [], 10)[0], got
        got += shown.read(4_096)
    return got


@pytest.fixture(name="printed")
def _printed(capfdbinary):
    """
    Run the command in this process, and return its exit code and what it printed: it is
    asked often, and most of what a process of its own takes is importing.
    """

    def printed(*arguments):
        exit_code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
        output, errors = capfdbinary.readouterr()
        return exit_code, output, errors.decode()

    return printed


# -- what is found ---------------------------------------------------------------


def test_piped_lines_are_those_that_were_written(root):
    """
    In a pipe, all records come in order, byte for byte as they stand in their segments.
    """
    done = tierlog("search", "--root", root)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == lines_of(everything(root))


FILTERS = [
    pytest.param(["--tier", "build,deploy"], lambda one: one["tier"] in {"build", "deploy"}, id="tiers-by-comma"),
    pytest.param(["--tier", "build", "--tier", "action"], lambda one: one["tier"] in {"build", "action"}, id="tiers-repeated"),
    pytest.param(["--level", "warn+"], lambda one: one["lvl"] in {"warn", "error"}, id="level-and-above"),
    pytest.param(["--level", "ERROR"], lambda one: one["lvl"] == "error", id="level"),
    pytest.param(["--level", "warning,CRITICAL"], lambda one: one["lvl"] in {"warn", "error"}, id="level-as-the-stdlib-says"),
    pytest.param(["--project", ULID, "--user", "u3"], lambda one: (one["projectId"], one["userId"]) == (ULID, "u3"), id="ids"),
    pytest.param(["error: timeout"], lambda one: "error: timeout" in one["msg"], id="text"),
    pytest.param(["école", "-i"], lambda one: "école" in one["msg"].lower(), id="any-case"),
    pytest.param(["-E", r"record \d5 "], lambda one: re.search(r"record \d5 ", one["msg"]), id="pattern"),
    pytest.param(["--where", "n=17"], lambda one: one["data"]["n"] == 17, id="where"),
    pytest.param(["--where", "n>=190"], lambda one: one["data"]["n"] >= 190, id="where-at-least"),
    pytest.param(["--where", "deep.even=true"], lambda one: one["data"]["deep"]["even"], id="where-bool"),
    pytest.param(["--where", "deep.list~a", "--where", "n<20"], lambda one: one["data"]["n"] < 20, id="where-contains-and"),
    pytest.param(["--where", "deep.even", "--where", "n!=0"], lambda one: one["data"]["n"] != 0, id="where-there"),
    pytest.param(["--since", NOW + 50_000, "--until", NOW + 60_000], lambda one: 50_000 <= one["ts"] - NOW < 60_000, id="times"),
    pytest.param(["--since", "2026-09-21T14:14:20Z"], lambda one: one["ts"] >= NOW + 60_000, id="iso"),
]


@pytest.mark.parametrize(("options", "expected"), FILTERS)
def test_filters(root, printed, options, expected):
    """
    Each filter finds what parsing every line finds, and nothing else.
    """
    exit_code, output, _ = printed("search", "--root", root, "--json", *options)

    wanted = [one for one in everything(root) if expected(one)]
    assert 0 < len(wanted) < 200
    assert exit_code == 0
    assert output == lines_of(wanted)


def test_pages_join_to_the_whole(root, printed):
    """
    --limit says the --cursor that goes on behind it: the pages together are everything,
    newest first.
    """
    options = ["search", "--root", root, "--json", "--newest", "--limit", 70]
    pages, more = [], []
    for _ in range(3):
        _, output, errors = printed(*options, *more)
        pages.append(output)
        more = ["--cursor", errors.split()[-1]] if "--cursor" in errors else []

    assert b"".join(pages) == lines_of(everything(root)[::-1])
    assert more == []


def test_times_without_a_zone_are_those_that_are_shown(root):
    """
    A time without a zone is local time, and UTC with --utc.
    """
    local = tierlog("search", "--root", root, "--since", "2026-09-21T16:14:20", TZ="Europe/Berlin")
    utc = tierlog("search", "--root", root, "--since", "2026-09-21T14:14:20", "--utc", TZ="Europe/Berlin")

    assert local.stdout == utc.stdout == lines_of([one for one in everything(root) if one["ts"] >= NOW + 60_000])


@pytest.mark.parametrize("day", ["2026-09-22", "20260922"])
def test_a_day_begins_where_the_user_is(root, day):
    """
    A date is local, with or without its hyphens.
    """
    done = tierlog(
        "search", "--root", root, "--until", day, TZ="XXX-9:45:40"
    )  # where it is midnight a minute after the first record

    assert done.stdout == lines_of([one for one in everything(root) if one["ts"] < NOW + 60_000])


@pytest.mark.parametrize("given", ["today", "00:00", "00:00:00", "-20d", "480 hours ago", "20 d"])
def test_times_near_now(tmp_path, printed, given):
    """
    Times may be said as of today, and how long ago with the sign of journalctl.
    """
    now = time.time_ns() // 10**6
    write(tmp_path, [(now - 40 * DAY, "system", "info", {}, "old", {}), (now + DAY, "system", "info", {}, "new", {})])

    exit_code, output, errors = printed("search", "--root", tmp_path, "--since", given)

    assert (exit_code, errors) == (0, "")
    assert [json.loads(line)["msg"] for line in output.splitlines()] == ["new"]


# -- what goes wrong ---------------------------------------------------------------


def test_nothing_found(root, printed):
    """
    What finds nothing ends with 1, and says nothing to a script.
    """
    assert printed("search", "--root", root, "there is no such text") == (1, b"", "")


@pytest.mark.parametrize("command", [["search", "there is no such text"], ["build", UNKNOWN], ["timeline", UNKNOWN]])
def test_nothing_found_is_said_to_a_person(root, command):
    """
    Where standard error is a terminal, one line says that nothing was found.
    """
    with error_terminal() as shown:
        exit_code = run([*command, "--root", str(root)])

        assert exit_code == 1
        assert read_until(shown, b"\n") == b"tierlog: nothing found\r\n"


def test_root_with_nothing_in_it(tmp_path, printed):
    """
    That there's nothing to search at all is said to a script, too: the root may be the
    wrong one.
    """
    exit_code, output, errors = printed("search", "--root", tmp_path)

    assert (exit_code, output) == (1, b"")
    assert errors == "tierlog: there are no segments at all; see that --root or --store is right\n"


def test_long_waiting_is_shown_until_there_is_something_to_see(monkeypatch):
    """
    What takes long shows that it goes on, where standard error is a terminal, and is
    gone again before anything else is written.
    """
    monkeypatch.setenv("TERM", "xterm")

    with error_terminal() as shown, waiting("searching", patience=0.0) as stop_waiting:
        read_until(shown, "searching …".encode())
        stop_waiting()
        sys.stderr.write("found")
        sys.stderr.flush()

        assert read_until(shown, b"found").endswith(b"\x1b[1A\x1b[2Kfound")


def test_short_waiting_shows_nothing():
    """
    What is there soon is all that is shown.
    """
    with error_terminal() as shown:
        with waiting("searching", patience=60.0):
            sys.stderr.write("found")
            sys.stderr.flush()

        assert read_until(shown, b"found") == b"found"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--tex"], "no such option '--tex', did you mean one of: ", id="option"),
        pytest.param(["--tier", "bild"], "--tier: there's no 'bild'; did you mean 'build'?", id="tier"),
        pytest.param(["--level", "loud"], "--level: there's no 'loud'", id="level"),
        pytest.param(["--since", "tomorrow"], "--since: 'tomorrow' isn't a time; give 2h, today, yesterday, 10:15, ", id="since"),
        pytest.param(["-E", "("], "TEXT: '(' ", id="pattern"),
        pytest.param(["--cursor", "x"], "--cursor: isn't one that a search has given", id="cursor"),
        pytest.param(["--where", "=3"], "--where: '=3' isn't a condition", id="where"),
        pytest.param(["--where", "n=>3"], "--where: 'n=>3': there's no =>, only = != < <= > >= ~", id="where-operator"),
        pytest.param(["--store", "r2://x"], "--store: 'x' isn't a bucket's name", id="bucket-of-a-url"),
        pytest.param(["--bucket", "x"], "--bucket: 'x' isn't a bucket's name", id="bucket"),
        pytest.param(["--where", "n=3", "--where", "n=4"], "--where: 'n' is asked for twice", id="where-twice"),
        pytest.param(["--root", ""], "--root", id="empty-root"),
        pytest.param(["--store", ""], "--store: is empty; name a folder", id="empty-store"),
        pytest.param(["--root", "nowhere"], "--root: there's no folder 'nowhere'", id="root"),
        pytest.param(["--store", "ftp://x/y"], "--store: no store has the scheme 'ftp'", id="store"),
    ],
)
def test_wrong_use(root, printed, options, said, monkeypatch):
    """
    A question that can't be asked is one line that names the option, and ends with 2.
    """
    monkeypatch.chdir(root.parent)

    exit_code, output, errors = printed("search", *options)

    assert (exit_code, output) == (2, b"")
    assert errors.startswith("tierlog search: ")
    assert said in errors.replace(str(root.parent) + "/", "")
    assert errors.count("\n") == 1


def test_fields_of_other_types(tmp_path, printed):
    """
    What somebody else wrote into a segment may have anything in its data: it is shown as it is; what
    has something else where a text belongs is skipped and told, and what comes behind it is shown.
    """
    write(tmp_path, [(NOW, "system", "info", {}, "before", {}), (NOW + 9, "system", "info", {}, "behind", {})])
    path = files(tmp_path)[0]
    line = json.loads(path.read_bytes().splitlines()[0])
    odd = [
        {"lvl": None},
        {"lvl": ["x"]},
        {"src": 5},
        {"kind": None},
        {"userId": 7},
        {"data": {"exc": [], "stack": 5}},
        {"data": None},
        {"data": [1]},
    ]
    with path.open("ab") as file:
        for number, fields in enumerate(odd):
            file.write(orjson.dumps({**line, "seq": 100 + number, "msg": "odd", **fields}) + b"\n")

    exit_code, output, errors = printed("search", "--root", tmp_path, "--text", "--full")

    shown = output.decode()
    assert (exit_code, errors, shown.count(" odd ")) == (0, "tierlog: 5 torn or foreign lines skipped\n", 3)
    assert shown.index("before") < shown.index("behind")


def test_the_end_of_all_times_has_a_time(tmp_path):
    """
    The last hours of the year 9999 are shown in UTC where the zone has no name for them.
    """
    write(tmp_path, [(253_402_300_799_999, "system", "info", {}, "the end", {})])

    done = tierlog("search", "--root", tmp_path, "--text", TZ="Asia/Tokyo")

    assert done.stdout.decode().splitlines()[0] == "Fri 9999-12-31 UTC"
    assert b"23:59:59.999 info" in done.stdout


def test_time_before_all_times(root):
    """
    A day that in UTC lies before the first year is no time, said in one line.
    """
    done = tierlog("search", "--root", root, "--since", "0001-01-01", TZ="Asia/Tokyo")

    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert b"--since: '0001-01-01' isn't a time" in done.stderr


def test_torn_lines_are_counted_and_all_others_delivered(tmp_path, printed):
    """
    What a kill or somebody else left in a segment is skipped and counted; every whole
    record is delivered.
    """
    write(tmp_path, some(50))
    whole = lines_of(everything(tmp_path))
    path = next(path for path in files(tmp_path) if "system" in path.parts)
    path.write_bytes(b"not ours\n" + path.read_bytes() + b'{"ts":17900000')

    exit_code, output, errors = printed("search", "--root", tmp_path, "--json")

    assert (exit_code, output) == (0, whole)
    assert errors == "tierlog: 2 torn or foreign lines skipped\n"


def test_unreadable_segment_is_told_and_all_others_delivered(tmp_path, printed):
    """
    With a segment that can't be read, the rest is delivered, the segment is named, and
    the exit code is 2.
    """
    write(tmp_path, some(50))
    path = files(tmp_path)[0]
    path.unlink()
    rest = lines_of(everything(tmp_path))
    path.with_name(path.name + ".gz").write_bytes(b"\x1f\x8b no gzip")

    exit_code, output, errors = printed("search", "--root", tmp_path, "--json")

    assert (exit_code, output) == (2, rest)
    assert path.name in errors
    assert errors.count("\n") == 1


def test_reader_that_goes_away(tmp_path):
    """
    When nobody reads the output any more, as with head, it ends with 141, and says
    nothing.
    """
    write(tmp_path, some(2_000))
    command = [sys.executable, "-m", "tierlog.cli", "search", "--root", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert (process.returncode, errors) == (141, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_output_is_no_fault(root, closed):
    """
    Without standard output, or standard error, the exit code still tells what was found.
    """
    command = f"{sys.executable} -m tierlog.cli search --root {root} --level error {closed}"

    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=60, env=environment())

    assert (done.returncode, done.stderr) == (0, b"")


def test_full_disk_is_told_in_one_line(root):
    """
    What can't be written is told without the number of the error.
    """
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "tierlog.cli", "search", "--root", root]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60, env=environment())

    assert (done.returncode, done.stderr) == (1, b"tierlog: No space left on device\n")


def test_searching_needs_no_more_than_reading(root):
    """
    The command makes no Redactor, and imports neither boto3 nor rich: it is to start
    at once.
    """
    code = (
        "import sys; from tierlog.cli._app import run; run(['search', '--root', sys.argv[1], '--level', 'error', '--text']);"
        "print(*sorted({'hyperscan', 'boto3', 'sqlalchemy', 'rich', 'duckdb'} & sys.modules.keys()), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, check=True, env=environment())

    assert done.stderr.strip() == b""
    assert done.stdout


# -- what a person sees --------------------------------------------------------------


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\x1b[31mred \u202egnp.exe\u202c \x9b5m \r\b\u200b\u2028 end"


def test_a_log_cannot_speak_to_the_terminal(tmp_path):
    """
    On a terminal the text of a log is shown and not obeyed: nothing of it but the
    command's own colours reaches the terminal as it is.
    """
    write(tmp_path, [(NOW, "system", "info", {}, HOSTILE, {HOSTILE: HOSTILE})])

    shown = on_terminal("search", "--root", tmp_path)

    own = re.sub(r"\x1b\[(?:0|1|2|32|1;31)m", "", shown)
    assert [character for character in own if not character.isprintable() and character != "\n"] == []
    assert r"\x1b]0;pwned\x07\x1b[2Jred \u202egnp.exe\u202c \x9b5m \r\x08\u200b\u2028 end" in own


def test_json_on_a_terminal_is_inert_and_says_the_same(tmp_path):
    """
    With --json on a terminal, too, the text of a log is written out, as JSON does, and
    the events are the same.
    """
    write(tmp_path, [(NOW, "system", "info", {}, HOSTILE + "\U000e0041", {})])

    shown = on_terminal("search", "--root", tmp_path, "--json")

    assert [character for character in shown if not character.isprintable() and character != "\n"] == []
    assert [json.loads(line) for line in shown.splitlines()] == everything(tmp_path)


def test_json_on_a_terminal_may_be_no_text(tmp_path):
    """
    Bytes that aren't UTF-8 in a line are shown as such.
    """
    write(tmp_path, [(NOW, "system", "info", {}, "caf?", {})])
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"caf?", b"caf\xe9"))

    assert '"msg":"caf\ufffd"' in on_terminal("search", "--root", tmp_path, "--json")


@pytest.mark.parametrize(
    ("options", "variables", "is_coloured"),
    [
        pytest.param([], {}, True, id="auto"),
        pytest.param([], {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(["--color", "never"], {}, False, id="never"),
        pytest.param(["--color", "always"], {"NO_COLOR": "1"}, True, id="always"),
    ],
)
def test_colours(root, options, variables, is_coloured):
    """
    A terminal gets colours, but for NO_COLOR and --color never.
    """
    shown = on_terminal("search", "--root", root, "--limit", 1, *options, **variables)

    assert ("\x1b[" in shown) is is_coloured
    assert "record 0 hello" in shown


def test_pager_gets_colours_when_asked(root):
    """
    --color always is text with colours in a pipe, too, as for less -R.
    """
    done = tierlog("search", "--root", root, "--limit", 1, "--color", "always")

    assert b"\x1b[2m14:13:20.000\x1b[0m" in done.stdout


def test_columns(root):
    """
    Time, level, tier and source stand in columns, the day and the offset from UTC once
    above them.
    """
    done = tierlog("search", "--root", root, "--text", "--since", NOW, "--until", NOW + 3_000, TZ="Asia/Kolkata")

    lines = done.stdout.decode().splitlines()
    assert lines == [
        "Mon 2026-09-21 UTC+05:30",
        (
            "19:43:20.000 debug system    app            record 0 hello"
            ' {"n":0,"deep":{"even":true,"list":[0,"a"]}} project=…69G5FAV build=…69G5FAV user=u0'
        ),
        (
            '19:43:21.000 info  build     app            record 1 say "no"'
            ' {"n":1,"deep":{"even":false,"list":[1,"a"]}} project=…GEMMVRZ build=…GEMMVRZ user=u1'
        ),
        (
            "19:43:22.000 warn  deploy    app            record 2 Grüße, ERROR"
            ' {"n":2,"deep":{"even":true,"list":[2,"a"]}} project=…69G5FAV build=…GEMMVS0 user=u2'
        ),
    ]


def test_the_day_is_said_again_when_it_changes():
    """
    Where the day or the offset changes, it is said before the line.
    """
    view = EventView(zone=timezone(timedelta(hours=-3)))

    shown = [line for ts in (NOW, NOW + HOUR, NOW + 24 * HOUR) for line in view.lines(event(ts=ts))]

    assert [line for line in shown if line.startswith(("Mon", "Tue"))] == ["Mon 2026-09-21 UTC-03:00", "Tue 2026-09-22 UTC-03:00"]


def test_exceptions_are_tracebacks():
    """
    An exception stands below its line, indented, as Python prints it, with its cause.
    """
    try:
        try:
            int("x")
        except ValueError as e:
            raise LookupError("no order\nof that number") from e
    except LookupError as e:
        data = {"exc": exception_data(e), "n": 1}

    _, head, *below = EventView(zone=timezone.utc).lines(event("failed", data=data))

    assert head.endswith('failed {"n":1}')
    assert all(line.startswith("    ") for line in below)
    text = [line[4:] for line in below]
    assert text[0] == "Traceback (most recent call last):"
    assert re.match(r'  File ".*test_cli_search.py", line \d+, in test_exceptions_are_tracebacks', text[1])
    assert "ValueError: invalid literal for int() with base 10: 'x'" in text
    assert "The above exception was the direct cause of the following exception:" in text
    assert text[-2:] == ["LookupError: no order", "of that number"]


def test_colours_of_a_tool_are_left_out():
    """
    A message that its tool coloured is read as plain text.
    """
    coloured = event("\x1b[31m✘ \x1b[41;97mERROR\x1b[0m \x1b[1mno such module\x1b[0m")

    *_, line = EventView(zone=timezone.utc).lines(coloured)

    assert line.endswith("app            ✘ ERROR no such module")


@pytest.mark.parametrize(("is_full", "length"), [(False, 2_028), (True, 200_000)])
def test_a_very_long_line_is_cut(is_full, length):
    """
    One line doesn't fill the screen a hundred times, unless --full asks for it.
    """
    *_, head, second = EventView(zone=timezone.utc, is_full=is_full).lines(event(f"first\n{'x' * 200_000}"))

    assert head.split(" kind=")[0].endswith("first")
    assert len(second.strip()) == length
    assert second.endswith("x") is is_full


def test_an_id_is_whole_on_demand():
    """
    Ids are shortened, and whole with --full.
    """
    one = event(projectId=ULID, reqId="req-7f3a")

    short, full = (list(EventView(zone=timezone.utc, is_full=is_full).lines(one))[1] for is_full in (False, True))

    assert "project=…69G5FAV req=req-7f3a" in short
    assert f"project={ULID} req=req-7f3a kind=log instance=web-AAAAAAAA seq=0" in full


# -- builds and projects ------------------------------------------------------------


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    ids = {"project_id": ULID, "build_id": ULID}
    write(
        root,
        [
            (NOW, "build", "info", ids, "\x1b[32m✓\x1b[0m 6 modules transformed", {}),
            (NOW + 1, "build", "error", ids, "error: no such file\n  at line 3", {"exit_code": 1}),
            (NOW + 2, "build", "info", {"project_id": OTHER_ULID, "build_id": OTHER_ULID}, "another build", {}),
            (NOW + 3, "deploy", "info", ids, "deployed", {}),
            (NOW + 4, "action", "warn", {"project_id": ULID, "user_id": "u1"}, "rolled back", {}),
            (NOW + 5, "lifecycle", "info", ids, "build failed", {}),
        ],
    )
    return root


def test_build_as_it_printed_it(built, printed):
    """
    A build's log has the lines as the build printed them, its colours left out, behind
    their times.
    """
    exit_code, output, _ = printed("build", ULID, "--root", built, "--text", "--utc")

    assert exit_code == 0
    assert output.decode().splitlines() == [
        "Mon 2026-09-21 UTC",
        "14:13:20.000 ✓ 6 modules transformed",
        "14:13:20.001 error: no such file",
        "               at line 3",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--limit", "1"], ["\x1b[32m✓\x1b[0m 6 modules transformed"]),
        (["--since", NOW + 1], ["error: no such file\n  at line 3"]),
        (["--until", NOW + 1], ["\x1b[32m✓\x1b[0m 6 modules transformed"]),
    ],
    ids=["limit", "since", "until"],
)
def test_part_of_a_build(built, printed, options, found):
    """
    A long log may be asked for a part of it.
    """
    exit_code, output, _ = printed("build", ULID, "--root", built, "--json", *options)

    assert exit_code == 0
    assert [json.loads(line)["msg"] for line in output.splitlines()] == found


def test_rest_of_a_build(built, printed):
    """
    Where a limit cut a log, it says how to go on.
    """
    _, _, said = printed("build", ULID, "--root", built, "--json", "--limit", "1")

    _, output, _ = printed("build", ULID, "--root", built, "--json", "--cursor", said.split()[-1])

    assert [json.loads(line)["msg"] for line in output.splitlines()] == ["error: no such file\n  at line 3"]


def test_build_without_an_end(built, printed):
    """
    What is followed can't be asked to end as well.
    """
    exit_code, _, said = printed("build", ULID, "--root", built, "--follow", "--limit", "1")

    assert (exit_code, said) == (2, "tierlog build: --limit: with --follow there's no end; leave one of them out\n")


def test_deploy_of_a_build(built, printed):
    """
    With --deploy it is the log of the build's deploy; in a pipe, the lines themselves.
    """
    _, output, _ = printed("build", ULID, "--root", built, "--deploy", "--json")

    assert [json.loads(line)["msg"] for line in output.splitlines()] == ["deployed"]


def test_build_that_nobody_knows(built, printed):
    """
    A build without a log ends with 1.
    """
    assert printed("build", UNKNOWN, "--root", built) == (1, b"", "")


@pytest.mark.parametrize("command", ["build", "timeline"])
def test_an_id_as_a_terminal_shows_it(built, printed, command):
    """
    The end of an id is enough where one alone ends so.
    """
    whole = printed(command, ULID, "--root", built)

    assert whole[0] == 0
    assert printed(command, f"…{ULID[-7:]}", "--root", built) == printed(command, ULID[-7:], "--root", built) == whole


@pytest.mark.parametrize("command", ["build", "timeline"])
@pytest.mark.parametrize(
    ("ids", "given", "said"),
    [
        pytest.param([ULID], "96KSXZV", "'96KSXZV' isn't a ULID, and no id here ends so; --full shows ids whole", id="unknown"),
        pytest.param([ULID, LIKE_IT], ULID[-7:], f"2 end so ({ULID}, {LIKE_IT}); give one whole", id="several"),
    ],
)
def test_an_id_that_is_none(tmp_path, printed, command, ids, given, said):
    """
    What is no id and no end of one alone is told, since nothing could be found.
    """
    for tier in ("build", "action"):
        write(tmp_path, [(NOW, tier, "info", {"project_id": one, "build_id": one}, "m", {}) for one in ids])

    exit_code, output, errors = printed(command, given, "--root", tmp_path)

    assert (exit_code, output) == (2, b"")
    assert said in errors


def test_timeline_has_all_tiers_in_order(built, printed):
    """
    A project's timeline has its records of all tiers, in order, each with its tier.
    """
    _, output, _ = printed("timeline", ULID, "--root", built, "--text", "--utc")

    rows = [line.split()[1:3] for line in output.decode().splitlines()[1:] if not line.startswith("    ")]
    assert rows == [["info", "build"], ["error", "build"], ["info", "deploy"], ["warn", "action"], ["info", "lifecycle"]]


# -- completion ------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(printed, shell):
    """
    Each shell gets a script that asks tierlog itself.
    """
    exit_code, output, _ = printed("completion", shell)

    assert exit_code == 0
    assert f"_TIERLOG_COMPLETE={shell}_complete".encode() in output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("tierlog sea", ["search"], id="command"),
        pytest.param("tierlog search --lev", ["--level"], id="option"),
        pytest.param("tierlog search --tier b", ["build"], id="value"),
    ],
)
def test_completion_completes(words, expected):
    """
    Commands, options and their values are completed.
    """
    count = len(words.split()) - 1

    done = tierlog(_TIERLOG_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count))

    assert done.returncode == 0
    assert [line.split(",")[1] for line in done.stdout.decode().splitlines()] == expected


@pytest.mark.parametrize("words", ["tierlog build --root {} 01B", "tierlog timeline --root {} 01A"])
def test_completion_knows_ids(built, words):
    """
    The ids of the last days' builds and projects are completed.
    """
    words = words.format(built)

    done = tierlog(_TIERLOG_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="4")

    assert done.stdout.decode() == f"plain,{OTHER_ULID if '01B' in words else ULID}\n"


def test_building_a_view_changes_no_event():
    """
    Showing an event leaves it as it is.
    """
    one = event(data={"exc": {"type": "E", "message": "m"}, "stack": "s"})
    before = orjson.dumps(one)

    list(EventView().lines(one))
    list(BuildView().lines(one))

    assert orjson.dumps(one) == before
