"""
The documentation does what it says.

Every page is parsed into its fenced blocks. A ``python`` block is run in an
interpreter and a folder of its own; a ``text`` block right behind it is what it
must print. Blocks with a caption are files, written to that folder first.
``console`` blocks are commands for the reader: those of :data:`COMMANDED` and of the
tutorial are run, and print what stands below them; those of the pages about servers
are run by a test that is named after the page; others are not. Where a page names
R2's endpoint, a server of moto's answers.
The tables of the reference are compared with the code, and the help texts with what
the commands print; ``python tests/test_docs.py`` writes the help texts anew.
"""

from __future__ import annotations

import http.client
import inspect
import io
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
import pytest

import tierlog
from servers.moto_server import Moto
from tierlog import envelope, errors, kinds, metrics, redact, settings
from tierlog.catalog import _schema
from tierlog.cli._app import app
from tierlog.facts import facts_of
from tierlog.layout import Place
from tierlog.ndjson import decode
from tierlog.r2 import R2Sink, _problems
from tierlog.redact import _rules
from tierlog.segments import SegmentSink
from tierlog.shipping import object_metadata
from tierlog.sinks import MemorySink, StreamSink, TeeSink


ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DEADLINE = 60.0
"""Seconds after which what a page promises is not going to happen any more."""
ENDPOINT = "https://<account>.r2.cloudflarestorage.com"
BUCKET = "my-logs"
COMMANDED = (
    "how-to/analytics",
    "how-to/capture",
    "how-to/catalog",
    "how-to/command-line",
    "how-to/compress",
    "how-to/doctor",
    "how-to/keep-and-delete",
    "how-to/prove-nothing-is-lost",
    "how-to/ship-to-r2",
)
"""Pages whose commands are run."""
NOT_OURS = ("pip ", "aws ", "zstd ")
"""What begins a command that is for the reader alone."""

_FENCE = re.compile(r"```(?:\{code-block\} )?(?P<language>\w+)?\s*\Z")
_CAPTION = re.compile(r":caption: (?P<caption>\S+)\Z")

_VARYING = (
    (re.compile(r'"ts":\d+'), '"ts":0'),
    (re.compile(r"(?P<name>\b[a-z][a-z0-9]*(?:-\d+)?)-[0-9A-HJKMNP-TV-Z]{8}(?![0-9A-Z])"), r"\g<name>-XXXXXXXX"),
    (re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\.ndjson"), "ULID.ndjson"),
    (re.compile(r"\b\d{4}([-/])\d{2}\1\d{2}\b"), r"2000\g<1>01\g<1>01"),
    (re.compile(r"\b\d+(\.\d)? ([KM]i)?B\b"), "1 KiB"),
    (re.compile(r"\b[A-Z][a-z]{2} 2000-01-01"), "Sat 2000-01-01"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "00:00:00.000"),
    (re.compile(r'File "/\S+/(?P<name>\w+\.py)"'), r'File "\g<name>"'),
    (re.compile(r"\b(in|after) \d+\.\d s\b"), r"\g<1> 0.1 s"),
    (re.compile(r'"(seconds|bytes|storedBytes)":[\d.]+'), r'"\g<1>":0'),
)
"""What differs from one run to the next."""


class Block(NamedTuple):
    """
    A fenced block of a page.
    """

    page: str
    line: int
    language: str
    caption: str | None
    text: str


def blocks_of(path: Path) -> list[Block]:
    """
    Return the fenced blocks of the page at *path*, in order.
    """
    found: list[Block] = []
    lines = iter(enumerate(path.read_text().splitlines(), 1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if not line.startswith("```"):
            continue
        body = []
        for _, inner in lines:
            if inner == "```":
                break
            body.append(inner)
        if fence is None:  # a directive of Sphinx's
            continue
        caption = _CAPTION.match(body[0]) if body else None
        text = "\n".join(body[1:] if caption else body).strip("\n") + "\n"
        found.append(Block(page_name(path), number, fence["language"] or "", caption["caption"] if caption else None, text))
    return found


def page_name(path: Path) -> str:
    """
    Return the name of the page at *path*, for example ``how-to/flask``.
    """
    return path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT).with_suffix("").as_posix()


PATHS = {
    page_name(path): path for path in [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))] if "_build" not in path.parts
}
PAGES = {name: blocks_of(path) for name, path in PATHS.items()}

SNIPPETS = [
    pytest.param(block, following.text if following and following.language == "text" else None, id=f"{name}:{block.line}")
    for name, blocks in PAGES.items()
    for block, following in zip_longest(blocks, blocks[1:])
    if block.language == "python" and block.caption is None
]


@pytest.fixture(name="moto", scope="session")
def _moto() -> Iterator[Moto]:
    with Moto() as running:
        running.client().create_bucket(Bucket=BUCKET)
        yield running


Served = Callable[[str], str]


@pytest.fixture(name="served")
def _served(request: pytest.FixtureRequest) -> Served:
    """
    Return what lets a text of a page that names the endpoint speak to a server of
    ours, whose bucket is empty.
    """
    is_empty = False

    def served(text: str) -> str:
        nonlocal is_empty
        if ENDPOINT not in text:
            return text
        moto: Moto = request.getfixturevalue("moto")
        if not is_empty:
            client, is_empty = moto.client(), True
            for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
                client.delete_object(Bucket=BUCKET, Key=one["Key"])
        return text.replace(ENDPOINT, moto.endpoint)

    return served


def write_files(page: str, folder: Path, served: Served = str) -> None:
    """
    Write the files that *page* shows to *folder*.
    """
    for block in PAGES[page]:
        if block.caption is not None:
            path = folder / block.caption
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(served(block.text))


def commands(page: str) -> list[tuple[str, str]]:
    """
    Return the commands that *page* shows, each with the output it shows.
    """
    found: list[tuple[str, str]] = []
    for block in PAGES[page]:
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                found.append((command, output))
    return found


def command_of(page: str, program: str) -> list[str]:
    """
    Return the command of *page* that starts *program*, as this interpreter runs it.
    """
    words = next(shlex.split(command) for command, _ in commands(page) if command.startswith(f"{program} "))
    return [sys.executable, *words[1:]] if program == "python" else [sys.executable, "-m", *words]


def environment(folder: Path) -> dict[str, str]:
    """
    Return an environment in which nothing configures tierlog, ``python`` is this
    interpreter, and *folder* is where programs keep what is theirs.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIERLOG_", "PYTEST_", "DJANGO_", "AWS_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return {**kept, **keys, "PATH": path, "HOME": str(folder), "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}


def run(command: list[str], folder: Path) -> str:
    """
    Run *command* in *folder*, and return what it printed; it must succeed.
    """
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def settled(text: str) -> str:
    """
    Return *text* without what differs from one run to the next.
    """
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text


def events_in(folder: Path) -> list[dict[str, Any]]:
    """
    Return what is in the segments below *folder*, in the envelope's order.
    """
    lines = [line for path in folder.glob("logs/*/**/*.ndjson") for line in path.read_bytes().splitlines() if line.strip()]
    return sorted(map(decode, lines), key=lambda event: (event["ts"], event["instanceId"], event["seq"]))


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """
    Return what *found* returns as soon as it is true.
    """
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"in {DEADLINE:.0f} s there was no {what}")


def free_port() -> int:
    """
    Return a port of this machine that nobody listens on.
    """
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def get(port: int, path: str, request_id: str) -> str | None:
    """
    Return the body of a response, None if nobody answers yet.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"X-Request-ID": request_id})
        return connection.getresponse().read().decode()
    except OSError:
        return None
    finally:
        connection.close()


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """
    Keep *command* running in *folder* for the length of a block, then end it.
    """
    with (folder / "server.out").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    except AssertionError as e:
        e.add_note((folder / "server.out").read_text(errors="replace"))
        raise
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# -- pages -------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "output"), SNIPPETS)
def test_snippet(block: Block, output: str | None, tmp_path: Path, served: Served) -> None:
    """
    A block of Python runs, and prints what the page says.
    """
    write_files(block.page, tmp_path, served)
    (tmp_path / "snippet.py").write_text(served(block.text))

    printed = run([sys.executable, "-W", "error", "snippet.py"], tmp_path)

    assert settled(printed) == settled(output or "")


@pytest.mark.parametrize("page", [pytest.param(name, id=name) for name in PAGES])
def test_page_is_as_pages_are(page: str) -> None:
    """
    A page begins with its title, and then says the answer in whole sentences.
    """
    lines = PATHS[page].read_text().splitlines()

    assert lines[0].startswith("# ")
    assert lines[1] == ""
    assert re.match(r"\w.*\.\Z|`.*\.\Z", lines[2])


@pytest.mark.parametrize("page", [pytest.param(name, id=name) for name in PAGES])
def test_links_lead_somewhere(page: str) -> None:
    """
    A page's links to other files of the project lead to files that are there.
    """
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", PATHS[page].read_text())

    assert [link for link in links if not (PATHS[page].parent / link).exists()] == []


@pytest.mark.parametrize("page", [pytest.param(name, id=name) for name in PAGES if name.startswith("how-to/")])
def test_how_to_says_its_limits(page: str) -> None:
    """
    A how-to ends with what it doesn't do.
    """
    headings = [line for line in PATHS[page].read_text().splitlines() if line.startswith("## ")]

    assert headings[-1] == "## Limits"


def test_every_page_that_shows_files_is_tried() -> None:
    """
    No page shows a file that no test uses.
    """
    own_tests = {
        "how-to/celery",
        "how-to/django",
        "how-to/flask",
        "how-to/gunicorn",
        "how-to/own-sink",
        "how-to/test-your-logs",
        "how-to/uvicorn",
        "tutorials/five-minutes",
    }
    with_snippets = {param.values[0].page for param in SNIPPETS} | {*COMMANDED}

    with_files = {name for name, blocks in PAGES.items() if any(block.caption for block in blocks)}

    assert with_files - with_snippets - own_tests == set()


def test_tutorial(tmp_path: Path) -> None:
    """
    The commands of the tutorial, but for the installation, print what it shows.
    """
    page = "tutorials/five-minutes"
    write_files(page, tmp_path)

    for command, output in commands(page):
        if not command.startswith("pip "):
            assert settled(run(["sh", "-c", command], tmp_path)) == settled(output)


@pytest.mark.parametrize("page", [pytest.param(name, id=name) for name in COMMANDED])
def test_commands(page: str, tmp_path: Path, served: Served) -> None:
    """
    The commands of the page, one after the other, print what it shows.
    """
    write_files(page, tmp_path, served)
    shown = [(command, output) for command, output in commands(page) if not command.startswith(NOT_OURS)]

    printed = [(command, run(["sh", "-c", served(command)], tmp_path)) for command, _ in shown]

    assert [(command, settled(" ".join(output.split()))) for command, output in printed] == [
        (command, settled(" ".join(output.split()))) for command, output in shown
    ]


# -- servers and frameworks --------------------------------------------------------


def test_uvicorn(tmp_path: Path) -> None:
    """
    A request to the page's uvicorn is found in a segment, with its id in the
    application's line and in the access log's.
    """
    write_files("how-to/uvicorn", tmp_path)
    port = free_port()

    with running([*command_of("how-to/uvicorn", "uvicorn"), "--port", str(port)], tmp_path):
        wait_for(lambda: get(port, "/shop", "req-page"), "answer")

    by_source = {event["src"]: event for event in events_in(tmp_path) if event["reqId"] == "req-page"}
    assert by_source["app"]["data"] == {"path": "/shop"}
    assert "/shop" in by_source["uvicorn.access"]["msg"]


def test_uvicorn_loses_nothing_on_sigterm(tmp_path: Path) -> None:
    """
    The page's uvicorn, ended by SIGTERM, leaves every line up to its last one.
    """
    write_files("how-to/uvicorn", tmp_path)
    port = free_port()

    with running([*command_of("how-to/uvicorn", "uvicorn"), "--port", str(port)], tmp_path):
        wait_for(lambda: get(port, "/", "req-page"), "answer")

    events = events_in(tmp_path)
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[-1]["msg"].startswith("Finished server process")


@pytest.mark.parametrize(
    ("page", "address"),
    [pytest.param("uvicorn", "--port={}", id="uvicorn"), pytest.param("gunicorn", "--bind=127.0.0.1:{}", id="gunicorn")],
)
def test_a_server_says_why_it_cannot_start(page: str, address: str, tmp_path: Path) -> None:
    """
    The page's server says on the terminal that its port is in use.
    """
    write_files(f"how-to/{page}", tmp_path)
    said = tmp_path / "server.out"

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running([*command_of(f"how-to/{page}", page), address.format(port)], tmp_path):
            wait_for(lambda: "in use" in said.read_text(), "word of the port")


def test_gunicorn(tmp_path: Path) -> None:
    """
    Each of the page's workers writes the requests it served, by their ids, as an
    instance of its own whose numbers begin at 0.
    """
    write_files("how-to/gunicorn", tmp_path)
    port = free_port()
    served: dict[str, str] = {}

    def all_workers_served() -> bool:
        number = len(served)
        pid = get(port, "/shop", f"req-{number}")
        if pid is not None:
            served[f"req-{number}"] = pid.strip()
        return len(set(served.values())) == 2

    with running([*command_of("how-to/gunicorn", "gunicorn"), "--bind", f"127.0.0.1:{port}"], tmp_path):
        wait_for(all_workers_served, "answer of each of the two workers")

    events = events_in(tmp_path)
    instances = {served[event["reqId"]]: event["instanceId"] for event in events if event["src"] == "app"}
    assert {event["reqId"] for event in events if event["src"] == "app"} == set(served)
    assert len(set(instances.values())) == 2
    for instance in instances.values():
        assert sorted(event["seq"] for event in events if event["instanceId"] == instance)[0] == 0


def test_gunicorn_access_log(tmp_path: Path) -> None:
    """
    The page's gunicorn writes its access log to the segments, too.
    """
    write_files("how-to/gunicorn", tmp_path)
    port = free_port()

    with running([*command_of("how-to/gunicorn", "gunicorn"), "--bind", f"127.0.0.1:{port}"], tmp_path):
        wait_for(lambda: get(port, "/shop", "req-page"), "answer")
        wait_for(lambda: [event for event in events_in(tmp_path) if event["src"] == "gunicorn.access"], "line of the access log")


DJANGO = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
client.get("/orders/42", headers={"X-Request-ID": "req-page"})
client.get("/broken", headers={"X-Request-ID": "req-broken"})
"""


def test_django(tmp_path: Path) -> None:
    """
    A view of the page's project writes its line with the request's id.
    """
    write_files("how-to/django", tmp_path)

    run([sys.executable, "-c", DJANGO], tmp_path)

    (event,) = [event for event in events_in(tmp_path) if event["src"] == "shop.orders"]
    assert (event["msg"], event["reqId"]) == ("order 42 shown", "req-page")


def test_django_exception(tmp_path: Path) -> None:
    """
    An exception in a view of the page's project is there as data, in Django's line and
    in the request's end.
    """
    write_files("how-to/django", tmp_path)

    run([sys.executable, "-c", DJANGO], tmp_path)

    event, end = [event for event in events_in(tmp_path) if event["lvl"] == "error"]
    assert (event["src"], event["data"]["exc"]["type"]) == ("django.request", "LookupError")
    assert event["data"]["request"] == "<WSGIRequest: GET '/broken'>"
    assert (end["reqId"], end["data"]["route"], end["data"]["exc"]["type"]) == ("req-broken", "/broken", "LookupError")


FLASK = """
from app import app
client = app.test_client()
client.get("/orders/42", headers={"X-Request-ID": "req-page"})
client.get("/broken", headers={"X-Request-ID": "req-broken"})
from tierlog import context
assert context.current() == context.EMPTY
"""


def test_flask(tmp_path: Path) -> None:
    """
    A view of the page's application writes its line with the request's id, which
    is gone after it.
    """
    write_files("how-to/flask", tmp_path)

    run([sys.executable, "-c", FLASK], tmp_path)

    (event,) = [event for event in events_in(tmp_path) if event["msg"] == "order 42 shown"]
    assert event["reqId"] == "req-page"


def test_flask_exception(tmp_path: Path) -> None:
    """
    An exception in a view of the page's application is there as data, with the
    request's id.
    """
    write_files("how-to/flask", tmp_path)

    run([sys.executable, "-c", FLASK], tmp_path)

    errors = [event for event in events_in(tmp_path) if event["lvl"] == "error"]
    assert [(event["src"], event["reqId"]) for event in errors] == [("app", "req-broken"), ("api", "req-broken")]
    assert {event["data"]["exc"]["type"] for event in errors} == {"LookupError"}


def test_celery(tmp_path: Path) -> None:
    """
    A task that the page's worker ran wrote its line with the sender's ids, in a
    child of the pool.
    """
    write_files("how-to/celery", tmp_path)
    (tmp_path / "broker").mkdir()
    run(command_of("how-to/celery", "python"), tmp_path)

    def resized() -> list[dict[str, Any]]:
        return [event for event in events_in(tmp_path) if event["src"] == "app.tasks"]

    with running(command_of("how-to/celery", "celery"), tmp_path):
        (event,) = wait_for(resized, "line of the task")

    parents = {event["instanceId"] for event in events_in(tmp_path) if event["msg"].endswith(" received")}
    assert event["msg"] == "resized cat.png"
    assert (event["projectId"], event["userId"], event["reqId"]) == ("01JD3YZ5T8AB9C2D4E6F8G0H1J", "user-42", "req-7f3a")
    assert parents and event["instanceId"] not in parents


@pytest.mark.parametrize(
    ("page", "file"),
    [
        pytest.param("how-to/own-sink", "test_acme_sink.py", id="own-sink"),
        pytest.param("how-to/test-your-logs", "test_orders.py", id="test-your-logs"),
    ],
)
def test_tests_of_the_page(page: str, file: str, tmp_path: Path) -> None:
    """
    The tests that the page shows pass.
    """
    write_files(page, tmp_path)
    (tmp_path / "conftest.py").write_text("")  # the page's files are found from here

    printed = run([*command_of(page, "pytest"), "-p", "no:cacheprovider"], tmp_path)

    assert f"{file} ." in printed


LAST_LINES = """
import tierlog
handler = tierlog.TierHandler(sink={"type": "last_lines", "count": 7})
print(handler.pipeline.sink.count)
"""


def test_own_sink_is_found_by_its_word(tmp_path: Path) -> None:
    """
    A sink that is registered as the page says is found by its word.
    """
    write_files("how-to/own-sink", tmp_path)
    (group,) = re.findall(r'^\[project\.entry-points\."(.+)"\]$', (tmp_path / "pyproject.toml").read_text(), flags=re.MULTILINE)
    (entry,) = re.findall(r'^(last_lines) = "(.+)"$', (tmp_path / "pyproject.toml").read_text(), flags=re.MULTILINE)
    installed = tmp_path / "acme_sink-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-sink\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[{group}]\n{entry[0]} = {entry[1]}\n")

    printed = run([sys.executable, "-c", LAST_LINES], tmp_path)

    assert printed == "7\n"


# -- the reference against the code ------------------------------------------------


def table_under(page: str, heading: str) -> list[list[str]]:
    """
    Return the cells of the first table under *heading*, without its head.
    """
    text = PATHS[page].read_text()
    section = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    (body,) = [part for part in section if part.split("\n", 1)[0].strip("`") == heading]
    rows = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def column(page: str, heading: str, number: int = 0) -> list[str]:
    """
    Return one column of a table, without its backticks.
    """
    return [row[number].strip("`") for row in table_under(page, heading)]


def documented(page: str, heading: str) -> dict[str, str]:
    """
    Return the options of a table of settings, with their defaults.
    """
    return {row[0].strip("`"): row[3].strip("`") for row in table_under(page, heading)}


def options_of(factory: Callable[..., object], *without: str) -> dict[str, str]:
    """
    Return the options that *factory* takes, with their defaults as written.
    """
    found = {}
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.name not in without:
            default = parameter.default
            if default is parameter.empty:
                found[parameter.name] = "required"
            else:
                found[parameter.name] = f"{default.__module__}.{default.__name__}" if callable(default) else repr(default)
    return found


@pytest.mark.parametrize(
    ("heading", "factory", "without"),
    [
        pytest.param("TierHandler", tierlog.TierHandler, ("unknown",), id="TierHandler"),
        pytest.param(
            "EnvelopeFormatter",
            tierlog.EnvelopeFormatter,
            ("fmt", "datefmt", "style", "validate", "defaults"),
            id="EnvelopeFormatter",
        ),
        pytest.param("ContextFilter", tierlog.ContextFilter, (), id="ContextFilter"),
        pytest.param("SegmentSink", SegmentSink, (), id="SegmentSink"),
        pytest.param("R2Sink", R2Sink, (), id="R2Sink"),
        pytest.param("StreamSink", StreamSink, (), id="StreamSink"),
        pytest.param("MemorySink", MemorySink, (), id="MemorySink"),
        pytest.param("TeeSink", TeeSink, (), id="TeeSink"),
        pytest.param("Redactor", redact.Redactor, (), id="Redactor"),
    ],
)
def test_settings_are_those_there_are(heading: str, factory: Callable[..., object], without: tuple[str, ...]) -> None:
    """
    The table of a part's options has each of them, in order, with its default.
    """
    assert documented("reference/settings", heading) == options_of(factory, *without)
    assert list(documented("reference/settings", heading)) == list(options_of(factory, *without))


def test_settings_of_configure() -> None:
    """
    The table of configure() has its own options; the others are in other tables.
    """
    assert set(documented("reference/settings", "configure")) == {*settings.OWN_OPTIONS, *settings.HANDLER_OPTIONS}


@pytest.mark.parametrize("heading", ["configure", "SegmentSink", "R2Sink"])
def test_environment_variables(heading: str) -> None:
    """
    The variable of an option is the one that sets it.
    """
    rows = table_under("reference/settings", heading)
    variables = {row[0].strip("`"): row[4].strip("`") for row in rows if row[4] != "–"}

    found = settings.from_environment({variable: "x" for variable in variables.values()})

    assert found == dict.fromkeys(variables, "x")


def test_keys_of_the_envelope() -> None:
    """
    The table of keys has the thirteen, in order.
    """
    assert column("reference/envelope", "Keys") == list(envelope.KEYS)


def test_limits_of_the_envelope() -> None:
    """
    The limits are those that the code has.
    """
    limits = dict(zip(column("reference/envelope", "Limits"), column("reference/envelope", "Limits", 1), strict=True))

    assert limits["msg"].startswith(f"{envelope.MSG_MAX_BYTES:,} bytes".replace(",", " "))
    assert limits["line"].startswith(f"{envelope.LINE_MAX_BYTES:,} bytes".replace(",", " "))


def test_kinds() -> None:
    """
    The table of kinds has those declared for each tier, the default first.
    """
    rows = table_under("reference/envelope", "Tiers and kinds")

    shown = {row[0].strip("`"): tuple(row[1].replace("`", "").split()) for row in rows}

    assert shown == {tier: kinds.known(tier) for tier in kinds.TIERS}


def test_counters(tmp_path: Path) -> None:
    """
    The table of counters has those that stats() gives, with their metrics.
    """
    rows = table_under("reference/stats", "Counters")
    handler = tierlog.TierHandler(sink=TeeSink([R2Sink(tmp_path, bucket=BUCKET, catalog=False)]))
    handler.close()
    given = {*metrics.merged([handler.stats()]), "torn_lines", "segments"}
    exported = {name: f"tierlog_{metric}" for name, (metric, _, _) in metrics._HELP.items()}  # noqa: SLF001 -- what it exports

    assert {row[0].strip("`") for row in rows} == given
    assert {row[0].strip("`"): row[1].strip("`") for row in rows if row[1] != "–"} == exported


def test_errors() -> None:
    """
    The table of errors has each class, and each of its bases that others know.
    """
    rows = {row[0].strip("`"): row[1].strip("`") for row in table_under("reference/errors", "Classes")}

    assert set(rows) == set(errors.__all__)
    for name, base in rows.items():
        assert base in [cls.__name__ for cls in getattr(errors, name).__mro__]


def test_metadata_of_objects() -> None:
    """
    The table of metadata has what is kept with each object, in order.
    """
    metadata = object_metadata(Place("system", "2026-11-22", None, "web", "0" * 26), facts_of(io.BytesIO(b"")), "")

    assert column("reference/objects", "Metadata") == list(metadata)


def test_tables_of_the_catalog() -> None:
    """
    The tables and the columns are those there are, and the version is today's.
    """
    tables = {"tierlog_meta", *(table.name for table in (_schema.segments, _schema.ids, _schema.levels, _schema.jobs))}
    columns = [name for cell in column("reference/objects", "Columns of tierlog_segments") for name in cell.split("`, `")]

    assert set(column("reference/objects", "Tables")) == tables
    assert sorted(["id", *columns]) == sorted(_schema.segments.c.keys())
    assert f"the schema has version {_schema.VERSION}," in PATHS["reference/objects"].read_text()


def test_what_rotation_costs() -> None:
    """
    The table has what R2's prices come to, for 100 instances of five streams each.
    """
    shown = table_under("how-to/ship-to-r2", "What it costs")[:5]

    computed = []
    for minutes in (60, 15, 10, 5, 1):
        puts = 100 * 5 * 30 * 24 * 60 // minutes
        billed = max(0, -(-(puts - 1_000_000) // 1_000_000))
        row = [f"{minutes} min", f"{puts:,}".replace(",", " "), f"${puts * 4.5 / 1e6:.2f}", f"${billed * 4.5:.2f}"]
        computed.append(row)
    assert shown == computed


def help_of(command: str) -> str:
    """
    Return what *command*, which ends in ``--help``, prints.
    """
    with TemporaryDirectory() as folder:
        return run([sys.executable, "-m", "tierlog.cli", *shlex.split(command)[1:]], Path(folder))


def all_commands(group: click.Group = app, path: str = "tierlog") -> list[str]:
    """
    Return each command there is that does something, in order.
    """
    found = []
    for name, command in sorted(group.commands.items()):
        inner = f"{path} {name}"
        found += all_commands(command, inner) if isinstance(command, click.Group) else [inner]
    return found


def test_every_command_is_there() -> None:
    """
    Each command has its section, in order.
    """
    text = PATHS["reference/cli"].read_text()

    assert re.findall(r"^## (tierlog .+)$", text, flags=re.MULTILINE) == all_commands()


@pytest.mark.parametrize("command", [pytest.param(name, id=name) for name in all_commands()])
def test_help(command: str) -> None:
    """
    The page has the command's own help text; ``python tests/test_docs.py`` writes it.
    """
    shown = dict(commands("reference/cli"))

    assert shown.get(f"{command} --help") == help_of(f"{command} --help")


def write_help() -> None:
    """
    Write the help texts into the page of the command line.
    """
    path = PATHS["reference/cli"]
    block = re.compile(r"^```console\n\$ (?P<command>tierlog [\w ]+--help)\n.*?^```$", re.MULTILINE | re.DOTALL)
    path.write_text(block.sub(lambda m: f"```console\n$ {m['command']}\n{help_of(m['command'])}```", path.read_text()))


def test_what_the_bucket_may_say() -> None:
    """
    Each line of the table is one that is said.
    """
    templates = [*_problems._BY_CODE.values(), *_problems._BY_TYPE.values(), _problems._skewed({}).replace("too far", "{}")]
    said = {re.sub(r"\{\w*(!r)?\}", lambda m: "'…'" if m[1] else "…", template) for template in templates}

    assert set(column("reference/errors", "What the bucket may say", 1)) <= said


def test_rules_of_redaction() -> None:
    """
    The table of rules has each rule, in order.
    """
    assert column("how-to/hide-secrets", "What is hidden") == list(dict.fromkeys(rule.name for rule in _rules.RULES))


if __name__ == "__main__":
    write_help()
