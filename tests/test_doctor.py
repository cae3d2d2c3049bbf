"""
The doctor: what it finds in configurations, folders, stores and code.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


pytest.importorskip("click")
pytest.importorskip("rich")

from queried import write
from tierlog.cli._app import run
from tierlog.doctor import (
    RootFacts,
    bucket_findings,
    code_findings,
    format_findings,
    option_findings,
    root_facts,
    root_findings,
    setup_of,
    skew_findings,
    surroundings_findings,
    wiring_findings,
)
from tierlog.filter import ContextFilter
from tierlog.shipping import Destination, Trouble, note_destination, note_trouble
from tierlog.stores import Stored
from tierlog.testing import MemoryStore


HOUR = 3600 * 10**9


def config(*, handler=None, sink=None, level="INFO", **more):
    """
    Return a configuration in which nothing is wrong, with some parts changed.
    """
    tiers = {
        "class": "tierlog.TierHandler",
        "filters": ["context"],
        "sink": {"type": "segments", **(sink or {})},
        **(handler or {}),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "tierlog.ContextFilter"}},
        "handlers": {"tiers": tiers, **more.pop("handlers", {})},
        "root": {"level": level, "handlers": ["tiers"]},
        **more,
    }


QUEUE = {"class": "logging.handlers.QueueHandler", "handlers": ["tiers"]}
PLAIN = {"class": "logging.StreamHandler", "formatter": "plain"}


def severities(findings):
    """
    Return what was found, but for what is well: the check and how bad.
    """
    return {(one.check, one.severity) for one in findings if one.severity != "ok"}


def judged(given, *, uses_boto=False):
    setup = setup_of(given)
    return [*wiring_findings(setup, uses_boto=uses_boto), *format_findings(setup), *option_findings(setup)]


# -- configurations -----------------------------------------------------------------


def test_nothing_is_wrong_with_what_is_right():
    """
    A configuration as the documentation has it has no warnings.
    """
    assert severities(judged(config())) == set()


WRONG = [
    pytest.param(
        config(handlers={"queue": QUEUE}, root={"level": "INFO", "handlers": ["queue"]}),
        ("context-filter", "error"),
        "is behind the queue",
        id="filter-behind-the-queue",
    ),
    pytest.param(
        config(handler={"filters": []}, handlers={"queue": QUEUE}, root={"level": "INFO", "handlers": ["queue"]}),
        ("context-filter", "error"),
        "is missing in front of the queue",
        id="no-filter",
    ),
    pytest.param(
        config(handlers={"queue": {"class": "my.QueueHandler"}}, root={"level": "INFO", "handlers": ["queue"]}),
        ("context-filter", "error"),
        "handlers.tiers would have the ids of the listener's thread",
        id="listener-made-elsewhere",
    ),
    pytest.param(
        config(handlers={"out": PLAIN}, formatters={"plain": {"format": "%(message)s", "defaults": {"module": "-"}}}),
        ("extra-names", "error"),
        "'module'",
        id="default-named-as-an-attribute",
    ),
    pytest.param(
        config(handlers={"out": PLAIN}, formatters={"plain": {"format": "%(request_id)s %(message)s"}}),
        ("extra-names", "warning"),
        "'request_id'",
        id="field-that-few-have",
    ),
    pytest.param(
        config(handlers={"out": PLAIN}, formatters={"plain": {"format": "{tenant:>10} {message}", "style": "{"}}),
        ("extra-names", "warning"),
        "'tenant'",
        id="field-in-braces",
    ),
    pytest.param(config(disable_existing_loggers=True), ("existing-loggers", "warning"), "fall silent", id="existing"),
    pytest.param(config(level="DEBUG", sink={"type": "r2", "bucket": "my-logs"}), ("debug", "warning"), "botocore", id="debug"),
    pytest.param(config(handler={"redact": "off"}), ("redact", "warning"), "handlers.tiers.redact", id="redact-off"),
    pytest.param(
        config(formatters={"out": {"()": "tierlog.EnvelopeFormatter", "redact": False}}),
        ("redact", "warning"),
        "formatters.out.redact",
        id="redact-off-in-a-formatter",
    ),
    pytest.param(
        config(formatters={"out": {"()": "tierlog.EnvelopeFormatter", "id_format": "slug"}}),
        ("ids", "warning"),
        "formatters.out.id_format is slug",
        id="id-formats-differ",
    ),
    pytest.param(config(root={"level": "INFO", "handlers": []}), ("handler", "error"), "is no logger's", id="unused"),
    pytest.param(
        config(handlers={"tiers": PLAIN | {"formatter": None}}), ("handler", "error"), "nothing is written", id="no-handler"
    ),
    pytest.param(config(loggers={"app": {"handlers": ["tiers"]}}), ("doubled", "warning"), "twice", id="doubled"),
    pytest.param(config(handler={"filters": ["contxt"]}), ("logging", "error"), "'contxt'", id="filter-that-is-not-there"),
    pytest.param(config(sink={"max_bites": 1}), ("sink", "error"), "handlers.tiers.sink.max_bites", id="option-misspelt"),
    pytest.param(config(sink={"max_age": "soon"}), ("sink", "error"), "sink.max_age", id="option-wrong"),
    pytest.param(config(sink={"type": "segmints"}), ("sink", "error"), "segmints", id="sink-that-is-not-there"),
    pytest.param(config(sink={"type": "r2"}), ("sink", "error"), "sink.bucket", id="no-bucket"),
    pytest.param(
        config(sink={"type": "r2", "bucket": "my-logs", "endpoint_url": "example.com"}),
        ("sink", "error"),
        "endpoint_url",
        id="no-url",
    ),
    pytest.param(
        config(sink={"type": "r2", "bucket": "my-logs", "compression": "lzma"}),
        ("sink", "error"),
        "compression",
        id="compression",
    ),
    pytest.param(
        config(sink={"type": "tee", "sinks": [{"type": "segments", "writer": "pen"}]}),
        ("sink", "error"),
        "sink.writer",
        id="in-a-tee",
    ),
    pytest.param(config(root={"handlers": ["tiers"]}), ("level", "warning"), "the root stays at WARNING", id="no-level"),
    pytest.param(
        config(handlers={"out": {"class": "logging.StreamHandlr"}}),
        ("logging", "error"),
        "handlers.out.class: 'logging.StreamHandlr' can't be imported",
        id="handler-that-is-not-there",
    ),
    pytest.param(
        config(filters={"context": {"()": "shop.Nothing"}}),
        ("logging", "error"),
        "filters.context.(): 'shop.Nothing' can't be imported",
        id="filter-that-is-not-there",
    ),
    pytest.param(
        config(handlers={"out": {"class": "logging.FileHandler", "filename": "/nowhere/shop.log"}}),
        ("logging", "error"),
        "handlers.out.filename: there's no folder '/nowhere'",
        id="no-folder",
    ),
    pytest.param(config(handler={"default_tier": "sistem"}), ("handler", "error"), "default_tier", id="tier"),
    pytest.param(config(handler={"redact": {"pii": ["shoe"]}}), ("handler", "error"), "shoe", id="redact-options"),
]


@pytest.mark.parametrize(("given", "found", "said"), WRONG)
def test_what_is_wrong_is_found(given, found, said):
    """
    Each mistake is found, told by its name, with what to do about it.
    """
    findings = [one for one in judged(given) if (one.check, one.severity) == found]

    assert len(findings) == 1
    assert said in findings[0].what
    assert findings[0].mend
    assert "\n" not in findings[0].what + findings[0].mend


RIGHT = [
    pytest.param(
        config(handlers={"queue": QUEUE | {"filters": ["context"]}}, root={"level": "INFO", "handlers": ["queue"]}), id="queue"
    ),
    pytest.param(
        config(handlers={"out": PLAIN}, formatters={"plain": {"format": "%(request_id)s", "defaults": {"request_id": "-"}}}),
        id="field-with-a-default",
    ),
    pytest.param(
        config(
            handlers={"out": PLAIN}, formatters={"plain": {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s"}}
        ),
        id="formatter-of-its-own",
    ),
    pytest.param(
        config(
            level="DEBUG",
            sink={"type": "r2", "bucket": "my-logs"},
            loggers={name: {"level": "INFO"} for name in ("boto3", "botocore", "s3transfer", "urllib3")},
        ),
        id="debug-and-quiet",
    ),
    pytest.param(
        config(handlers={"queue": QUEUE | {"filters": [ContextFilter()]}}, root={"level": "INFO", "handlers": ["queue"]}),
        id="filter-itself",
    ),
    pytest.param(config(level="DEBUG"), id="debug-without-boto3"),
    pytest.param(
        config(sink={"type": "r2", "bucket": "my-logs"}, root={"handlers": ["tiers"]}, loggers={"shop": {"level": "INFO"}}),
        id="level-of-the-own-loggers-alone",
    ),
    pytest.param(config(handlers={"out": {"class": "ext://shop.LATER"}}), id="handler-looked-up-later"),
    pytest.param({"version": 1, "incremental": True, "handlers": {"tiers": {"level": "DEBUG"}}}, id="incremental"),
    pytest.param(config(loggers={"app": {"handlers": ["tiers"], "propagate": False}}), id="not-doubled"),
    pytest.param(config(handler={"redact": {"pii": ["email"]}, "instance_name": "ext://shop.NAME"}), id="looked-up-later"),
    pytest.param(config(handler={"sink": {"()": "tierlog.sinks.MemorySink"}}), id="sink-by-its-factory"),
]


@pytest.mark.parametrize("given", RIGHT)
def test_what_is_right_is_left_alone(given):
    """
    What works has no error and no warning.
    """
    assert severities(judged(given)) == set()


@pytest.mark.parametrize(
    ("handler", "said"),
    [({"level": "LOUD"}, "handlers.out.level: there's no level 'LOUD'"), ({"stream": None}, "handlers.out.class: is missing")],
)
def test_handler_that_dict_config_refuses(handler, said):
    """
    A handler of any class with a level that there isn't, or without a class, is told.
    """
    given = {"class": "logging.StreamHandler", **handler} if "level" in handler else handler

    found = judged(config(handlers={"out": given}))

    assert [one.what for one in found if one.severity == "error" and said in one.what]


def test_module_that_needs_the_service_is_left_alone(tmp_path, monkeypatch):
    """
    A handler whose module wants what only the service has, such as Django's registry of
    apps, is taken for one that can be imported there.
    """
    (tmp_path / "needs_the_service.py").write_text("raise RuntimeError('apps are not loaded')\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert severities(judged(config(handlers={"out": {"class": "needs_the_service.Handler"}}))) == set()


def test_a_secret_is_not_told():
    """
    No finding shows the key that a configuration holds.
    """
    keys = {"access_key_id": "AKIA" + "Q" * 16, "secret_access_key": "s3cr3t" * 6}

    findings = judged(config(sink={"type": "r2", "bucket": "Not A Bucket", **keys}))

    assert severities(findings) == {("sink", "error")}
    assert not any(value in str(findings) for value in keys.values())


def test_options_are_tried_without_a_trace(tmp_path, monkeypatch):
    """
    Trying the options makes no segment, no folder and no handler.
    """
    monkeypatch.chdir(tmp_path)
    handlers = logging.getLogger().handlers[:]

    judged(config(sink={"type": "r2", "bucket": "my-logs", "root": "logs"}))

    assert list(tmp_path.iterdir()) == []
    assert logging.getLogger().handlers == handlers


# -- the folder ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param({"problem": "Read-only file system"}, ("root", "error"), id="unwritable"),
        pytest.param({"file_system": "nfs4"}, ("file-system", "error"), id="nfs"),
        pytest.param({"file_system": "fuse.sshfs"}, ("file-system", "error"), id="fuse"),
        pytest.param({"file_system": "tmpfs"}, ("file-system", "warning"), id="memory"),
        pytest.param({"free": 1 << 20, "size": 1 << 40}, ("disk", "error"), id="full"),
        pytest.param({"free": 1 << 29, "size": 1 << 40}, ("disk", "warning"), id="nearly-full"),
        pytest.param({"dead": 2}, ("recovery", "warning"), id="left-open"),
        pytest.param({"torn": 1}, ("quarantine", "warning"), id="torn"),
        pytest.param({"ships_to": "r2://b", "backlog": 9, "backlog_age": 7200.0}, ("backlog", "warning"), id="backlog"),
        pytest.param({"trouble": "there's no bucket 'b'; make it"}, ("backlog", "error"), id="trouble"),
        pytest.param({"rerouted": (("build: build_id is missing", 3),)}, ("ids", "warning"), id="rerouted"),
    ],
)
def test_what_is_wrong_with_a_root(facts, found):
    """
    Each fact that is a danger is found.
    """
    assert severities(root_findings(RootFacts("logs", **facts))) == {found}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"file_system": "ext4", "free": 1 << 39, "size": 1 << 40}, id="disk"),
        pytest.param({"file_system": "overlay", "free": 1 << 31, "size": 1 << 33}, id="container"),
        pytest.param({"ships_to": "r2://b", "backlog": 9, "backlog_age": 60.0}, id="young-backlog"),
        pytest.param({"exists": False}, id="not-there-yet"),
    ],
)
def test_what_is_right_with_a_root(facts):
    """
    What is no danger isn't told as one.
    """
    assert severities(root_findings(RootFacts("logs", **facts))) == set()


def looked_at(root, *, hours=0, mounts=""):
    return root_facts(root, clock=lambda: time.time_ns() + hours * HOUR, mounts=mounts)


def test_facts_of_a_root(tmp_path):
    """
    What waits to be shipped, what is torn, what trouble there is and what went to the
    wrong tier is read from the folder.
    """
    now = time.time_ns() // 10**6
    write(tmp_path, [(now, "build", "info", {"build_id": "no-ulid"}, "line", {}), (now, "system", "info", {}, "fine", {})])
    note_destination(tmp_path, Destination("my-logs", "p"))
    note_trouble(tmp_path, Trouble(now, "there's no bucket; make it"))
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "x.torn").write_bytes(b"{")

    facts = looked_at(tmp_path, hours=3)

    assert (facts.ships_to, facts.backlog, facts.torn, facts.problem) == ("r2://my-logs/p", 1, 1, None)
    assert 3 * 3600 <= facts.backlog_age < 4 * 3600
    assert facts.trouble == "there's no bucket; make it"
    assert [(reason.partition(" ")[0], count) for reason, count in facts.rerouted] == [("build:", 1)]


KILLED = """
import os, signal, sys, tierlog
tierlog.configure(root=sys.argv[1])
tierlog.log_event("system", "log", "info", "last words")
print("ready", flush=True)
signal.pause()
"""


def test_segments_of_the_dead_and_of_the_living(tmp_path):
    """
    A segment whose process was killed waits for recovery; one whose process lives
    doesn't, and is left as it is.
    """
    with subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            living = looked_at(tmp_path, hours=1).dead
        finally:
            process.send_signal(signal.SIGKILL)
    before = sorted(str(path) for path in tmp_path.rglob("*"))

    dead = looked_at(tmp_path, hours=1).dead

    assert (living, dead) == (0, 1)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_folder_in_the_root_that_cannot_be_written(tmp_path):
    """
    A root whose folders another user has made is told, though it can itself be written.
    """
    write(tmp_path, [])
    (tmp_path / "builds").symlink_to("/proc")

    said = [one.what for one in root_findings(looked_at(tmp_path)) if one.severity == "error"]

    assert said == [f"{tmp_path} can't be written: {tmp_path}/builds: No such file or directory"]


@pytest.mark.parametrize("name", ["file/logs", "/proc/logs"])
def test_root_that_cannot_be_written(tmp_path, name):
    """
    A root below a file, or where nothing can be made, is told as one that can't be
    written.
    """
    (tmp_path / "file").write_text("")

    findings = root_findings(looked_at(tmp_path / name))

    assert ("root", "error") in severities(findings)


def test_file_system_of_a_root(tmp_path):
    """
    The file system is that of the innermost mount above the root, also if the root
    isn't there yet.
    """
    real = os.path.realpath(tmp_path)
    mounts = f"/dev/sda1 / ext4 rw 0 0\nbox:/x {real} nfs4 rw 0 0\nbox:/y {real}-2 cifs rw 0 0\n"

    assert looked_at(tmp_path / "not" / "there", mounts=mounts).file_system == "nfs4"


# -- around -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "botocore", "found"),
    [
        pytest.param({}, "1.36.0", set(), id="well"),
        pytest.param({}, "1.35.99", {("checksums", "error")}, id="old"),
        pytest.param({}, None, {("extras", "error")}, id="missing"),
        pytest.param({"AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_SUPPORTED"}, "1.40.1", {("checksums", "warning")}, id="variable"),
    ],
)
def test_checksums(environ, botocore, found):
    """
    What R2 refuses is found before it does.
    """
    assert severities(surroundings_findings(environ, ships=True, botocore=botocore)) == found


@pytest.mark.parametrize(
    ("ahead", "found"),
    [
        pytest.param(0.4, set(), id="well"),
        pytest.param(-30.0, {("clock", "warning")}, id="behind"),
        pytest.param(1000.0, {("clock", "error")}, id="refused"),
    ],
)
def test_clocks(ahead, found):
    """
    A clock that is off is found, before the store refuses it.
    """
    assert severities(skew_findings(ahead)) == found


class Overwriting(MemoryStore):
    """
    A store that doesn't know If-None-Match.
    """

    def put(self, put):
        self.delete(put.key)
        return super().put(put)


class Forgetting(MemoryStore):
    """
    A store that doesn't find what was just put.
    """

    def head(self, key):
        return None


class Cached(MemoryStore):
    """
    A store behind something that answers with other bytes.
    """

    def get(self, key, start=0, end=None):
        return b"<html>"


@pytest.mark.parametrize(
    ("store", "said"),
    [
        pytest.param(MemoryStore(), "was put into", id="well"),
        pytest.param(Overwriting(), "If-None-Match", id="overwrites"),
        pytest.param(Forgetting(), "isn't found", id="forgets"),
        pytest.param(Cached(), "other bytes", id="cached"),
    ],
)
def test_object_is_put_found_read_and_deleted(store, said):
    """
    A store that doesn't do what shipping needs is found out, and nothing is left there.
    """
    (finding,) = bucket_findings(store, clock=time.time_ns)

    assert said in finding.what
    assert (finding.severity == "ok") is (type(store) is MemoryStore)
    assert list(store.list()) == []


def test_what_another_run_left_is_taken_away():
    """
    An object that was left by a run that was killed is deleted, one of a minute ago
    may be of a run that goes on.
    """
    now = time.time_ns()
    store = MemoryStore(clock=lambda: times.pop(0) if times else now)
    times = [now - 2 * HOUR, now - HOUR // 60]
    for name in ("old", "young"):
        bucket_findings(_Undeleted(store, f".tierlog-doctor/{name}"), clock=lambda: now)

    bucket_findings(store, clock=lambda: now)

    assert [one.key for one in store.list()] == [".tierlog-doctor/young"]


class _Undeleted:
    """
    A store for a run that is killed before it deletes its one object.
    """

    name = "memory://"

    def __init__(self, store, key):
        self._store, self._key = store, key

    def put(self, put):
        return self._store.put(put._replace(key=self._key))

    def head(self, key) -> Stored:
        return self._store.head(self._key)

    def get(self, key):
        return self._store.get(self._key)

    def list(self, prefix=""):
        return iter(())

    def delete(self, key):
        pass


CODE = """
import logging
log = logging.getLogger()
log.info("paid", extra={"data": {"name": 1}, "project_id": 2})
log.warning("late", extra={"name": "x", "amount": 3})
log.log(20, "what", extra=dict(module=1))
adapter = logging.LoggerAdapter(log, {"process": 1})
other.call(extra={"name": 1})
"""


def test_clashing_names_in_code(tmp_path):
    """
    Log calls whose extra= raises KeyError are found with their line; others aren't.
    """
    (tmp_path / "app.py").write_text(CODE)

    findings = code_findings([tmp_path])

    assert [one.what.partition(": ")[0] for one in findings] == [f"{tmp_path}/app.py:5", f"{tmp_path}/app.py:7"]
    with pytest.raises(KeyError, match="name"):
        logging.getLogger().warning("late", extra={"name": "x"})


# -- the command -------------------------------------------------------------------------


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """
    A folder to be in, without variables, in which no module is left imported.
    """
    for name in list(os.environ):
        if name.startswith(("TIERLOG_", "DJANGO_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def asked(capsys, *arguments):
    """
    Run the command with --json, and return its exit code and what it printed.
    """
    exit_code = run(["doctor", "--json", *map(str, arguments)])
    return exit_code, json.loads(capsys.readouterr().out)


WRONG_CONFIG = config(sink={"root": "here", "max_bites": 1}, disable_existing_loggers=True)
TOML = """
[tool.shop.logging]
version = 1
[tool.shop.logging.handlers.tiers]
class = "tierlog.TierHandler"
sink = {type = "segments", root = "here", max_bites = 1}
[tool.shop.logging.root]
handlers = ["tiers"]
"""


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        pytest.param("logging.json", json.dumps(WRONG_CONFIG), ["--config", "logging.json"], id="json"),
        pytest.param("pyproject.toml", TOML, ["--config", "pyproject.toml"], id="toml"),
        pytest.param("shop_a.py", f"LOG = {WRONG_CONFIG!r}", ["--config", "shop_a:LOG"], id="python"),
        pytest.param("shop_b.py", f"class Config: LOG = {WRONG_CONFIG!r}", ["--config", "shop_b:Config.LOG"], id="python-nested"),
        pytest.param("shop_c.py", f"LOGGING = {WRONG_CONFIG!r}", ["--config", "shop_c"], id="python-usual-name"),
        pytest.param("shop_d.py", f"LOGGING = {WRONG_CONFIG!r}", ["--django", "shop_d"], id="django"),
    ],
)
def test_configuration_is_found_where_it_stands(folder, capsys, name, content, options):
    """
    A configuration is read from JSON, TOML, a Python path and Django's settings, and
    its root is looked at.
    """
    (folder / name).write_text(content)

    exit_code, said = asked(capsys, *options)

    assert exit_code == 1
    assert {"sink", "existing-loggers"} <= {one["check"] for one in said["findings"] if one["severity"] != "ok"}
    assert any(str(folder / "here") in one["what"] for one in said["findings"] if one["check"] == "root")


def test_handler_that_is_made_from_ours(folder, capsys):
    """
    A subclass of TierHandler is one, whatever it is called: its sink is tried, its root is looked at,
    and options of its own are its own.
    """
    (folder / "shop_f.py").write_text(
        "import tierlog\n"
        "class Mine(tierlog.TierHandler):\n"
        "    def __init__(self, *, colour, sink=None): super().__init__(sink=sink)\n"
        f"LOGGING = {config(handler={'class': 'shop_f.Mine', 'colour': 'red'}, sink={'root': 'here'})!r}\n"
    )

    exit_code, said = asked(capsys, "--config", "shop_f:LOGGING")

    assert exit_code == 0
    assert {"check": "handler", "severity": "ok", "what": "handlers.tiers is tierlog's, and loggers write to it", "mend": ""} in (
        said["findings"]
    )
    assert any(str(folder / "here") in one["what"] for one in said["findings"] if one["check"] == "root")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_bites": 1}, "max_bites: there's no such option"),
        ({"levl": "INFO"}, "levl: there's no such option"),
        ({"bucket": "some-logs", "checkpoint": 5}, "checkpoint: there's no such option"),
    ],
)
def test_misspelt_option_of_configure(folder, capsys, options, said):
    """
    An option of tierlog.configure is called what the user calls it.
    """
    (folder / "tierlog.json").write_text(json.dumps({"root": "logs", **options}))

    exit_code, found = asked(capsys, "--config", "tierlog.json", "--local-only")

    assert exit_code == 1
    assert [one["what"] for one in found["findings"] if one["severity"] == "error"] == [said]


def test_django_settings_of_the_environment(folder, capsys, monkeypatch):
    """
    Without options it is the LOGGING of DJANGO_SETTINGS_MODULE.
    """
    (folder / "shop_e.py").write_text(f"LOGGING = {WRONG_CONFIG!r}")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop_e")

    exit_code, said = asked(capsys)

    assert exit_code == 1
    assert "shop_e:LOGGING" in str(said["findings"])


def test_variables_of_the_environment(folder, capsys, monkeypatch):
    """
    A variable that can't work is an error that names it.
    """
    monkeypatch.setenv("TIERLOG_LEVEL", "LOUD")

    exit_code, said = asked(capsys)

    assert exit_code == 1
    assert said["findings"][0]["what"] == "TIERLOG_LEVEL: there's no 'LOUD'"


def test_all_is_well(folder, capsys):
    """
    Where nothing is wrong it ends with 0, and says of each check that it is well; the
    folder is as it was.
    """
    exit_code, said = asked(capsys, "--root", "logs")

    assert (exit_code, said["ok"], said["counts"]["error"], said["counts"]["warning"]) == (0, True, 0, 0)
    assert {"configuration", "handler", "sink", "root"} <= {one["check"] for one in said["findings"]}
    assert list(folder.iterdir()) == []


def test_all_mistakes_are_named(folder, capsys):
    """
    One mistake hides no other.
    """
    wrong = config(level="INFOO", handler={"levl": 1}, sink={"type": "r2", "buket": "x", "max_bites": 1})
    wrong["root"]["handlers"] = ["tt"]
    Path("logging.json").write_text(json.dumps(wrong))

    _, said = asked(capsys, "--config", "logging.json", "--local-only")

    errors = "\n".join(one["what"] for one in said["findings"] if one["severity"] == "error")
    assert [name for name in ("'INFOO'", "'tt'", "levl", "buket", "max_bites") if name not in errors] == []


def test_for_a_person(folder, capsys):
    """
    A person sees the worst first, what to do below it, and how many there are.
    """
    Path("logging.json").write_text(json.dumps(WRONG_CONFIG))

    exit_code = run(["doctor", "--config", "logging.json"])

    lines = capsys.readouterr().out.splitlines()
    assert exit_code == 1
    assert lines[0].split(maxsplit=2) == ["✗", "sink", "handlers.tiers.sink.max_bites: there's no such option"]
    assert lines[1].strip() == "→ did you mean 'max_bytes'?"
    assert lines[-1] == "1 error, 1 warning"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(["--config", "nothing.json"], "'nothing.json' can't be read", id="no-file"),
        pytest.param(["--config", "pyproject.toml"], "has neither handlers nor [tool.tierlog]", id="none-in-pyproject"),
        pytest.param(["--config", "shop/log.py"], "name the module: shop.log:LOGGING", id="a-file-of-python"),
        pytest.param(["--config", "leaves:LOG"], "'leaves:LOG' can't be imported (SystemExit: 3)", id="module-that-exits"),
        pytest.param(["--config", "no_module:LOG"], "'no_module:LOG' can't be imported", id="no-module"),
        pytest.param(["--config", "json:LOG"], "'json' has no 'LOG'", id="no-name"),
        pytest.param(["--config", "json"], "say which, as json:NAME", id="no-usual-name"),
        pytest.param(["--django", "no_settings"], "--django: ", id="no-settings"),
    ],
)
def test_configuration_that_cannot_be_read(folder, capsys, options, said):
    """
    A configuration that can't be read is one line, and ends with 2.
    """
    Path("pyproject.toml").write_text('[tool.other]\nroot = "logs"\n')
    Path("leaves.py").write_text("raise SystemExit(3)\n")

    exit_code = run(["doctor", *options])

    errors = capsys.readouterr().err
    assert exit_code == 2
    assert said in errors
    assert errors.count("\n") == 1
