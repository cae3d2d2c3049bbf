"""
``tierlog cleanup`` and ``tierlog r2 lifecycle``, as a user runs them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from children import until
from conftest import OTHER_ULID, ULID
from remote import command
from tierlog.catalog import Catalog, Entry, sqlite_url
from tierlog.envelope import DAY_MS, day_of
from tierlog.facts import facts_of
from tierlog.layout import Place, local_path, remote_key
from tierlog.r2 import R2Sink, R2Store
from tierlog.segments import Journal
from tierlog.shipping import Destination, destination, note_destination, object_metadata
from tierlog.stores import Put
from tierlog.testing import event_line


TODAY = time.time_ns() // 1_000_000


def tierlog(*arguments, **variables):
    """
    Run a command whose output is wide.
    """
    return command.tierlog(*arguments, **{"COLUMNS": "120", **variables})


def ago(days):
    return day_of(TODAY - days * DAY_MS)


def place(tier="system", days=40, number=0, of=ULID):
    return Place(tier, ago(days), None if tier == "system" else of, "web-00000000", f"01J{number:023d}")


def body(one, project=None):
    ids = {"build_id": one.id} if one.tier in {"build", "deploy"} else {}
    return event_line(tier=one.tier, project_id=project or one.id, **ids)[0]


def write(root, one, project=None):
    path = root / local_path(one)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body(one, project))
    return path


def files(root):
    return {path.relative_to(root).as_posix() for path in root.glob("*/**/*.ndjson") if ".tierlog" not in path.parts}


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    (root / ".tierlog" / "open").mkdir(parents=True)
    return root


@pytest.fixture(name="bucket")
def _bucket(moto, root, tmp_path):
    """
    Return the store of a root that ships, and the arguments that lead to it.
    """
    options = {**moto.options, "prefix": f"{tmp_path.name}/logs"}
    note_destination(root, Destination(options["bucket"], options["prefix"], options["endpoint_url"]))
    config = tmp_path / "tierlog.json"
    config.write_text(json.dumps({"sink": {"type": "r2", "root": str(root), **options}}))
    return R2Store(**options), ("--config", config)


def add(store, one, project=None, catalog=None):
    content = body(one, project)
    facts = facts_of(io.BytesIO(content))
    put = Put(remote_key(one), content, len(content), hashlib.md5(content).hexdigest(), object_metadata(one, facts, ""))
    etag = store.put(put)
    if catalog is not None:
        catalog.put([Entry(put.key, one, "shipped", put.size, etag, "", facts)])
    return put.key


def keys(store):
    return {one.key for one in store.list()}


class TestLocal:
    """
    A root that doesn't ship.
    """

    def test_the_table_says_what_went(self, root):
        """
        Old segments go, and a row for each tier says how many went and stayed.
        """
        write(root, place())
        write(root, place("action"))
        write(root, place("action", days=3))

        ended = tierlog("cleanup", "--root", root)

        assert (ended.returncode, ended.err) == (0, "")
        assert files(root) == {local_path(place("action", days=3))}
        rows = [line.split() for line in ended.out.splitlines()]
        assert rows[1][:3] == ["local", "system", "1"]
        assert rows[2][:3] == ["local", "action", "1"]
        assert ended.out.splitlines()[-1].startswith("deleted 2 segments (")

    def test_a_dry_run_says_what_would_go(self, root):
        """
        Nothing is deleted, and the report says that it wasn't.
        """
        write(root, place())

        ended = tierlog("cleanup", "--root", root, "--dry-run")

        assert ended.returncode == 0
        assert files(root) == {local_path(place())}
        assert "would go" in ended.out
        assert "would delete 1 segment (" in ended.out

    def test_json(self, root):
        """
        One object, with every tier of both sides.
        """
        path = write(root, place("build"))
        size = path.stat().st_size

        told = json.loads(tierlog("cleanup", "--root", root, "--json").out)

        assert told["local"]["build"]["deleted"] == {"segments": 1, "bytes": size}
        assert told["remote"]["build"]["deleted"] == {"segments": 0, "bytes": 0}
        assert (told["dry_run"], told["problem_count"], told["is_complete"]) == (False, 0, True)

    def test_times_of_the_command_line_come_before_configured_ones(self, root, tmp_path):
        """
        What is said of one tier leaves the others as they are configured.
        """
        config = tmp_path / "tierlog.toml"
        config.write_text(f'root = "{root}"\nretention = "60d"\n')
        for tier in ("system", "build", "action"):
            write(root, place(tier, days=40))
            write(root, place(tier, days=70, number=1))

        tierlog("cleanup", "--config", config, "--retention", "build=14d", "--retention", "action=forever")

        assert files(root) == {local_path(place()), local_path(place("action")), local_path(place("action", 70, 1))}

    def test_a_time_for_all_tiers(self, root):
        """
        It goes for those that aren't named themselves, in whichever order.
        """
        write(root, place("system", days=10))
        write(root, place("build", days=10))

        tierlog("cleanup", "--root", root, "--retention", "build=20d", "--retention", "5d")

        assert files(root) == {local_path(place("build", days=10))}

    def test_holds_of_both_count(self, root):
        """
        A project is held if the command line or the environment says so.
        """
        for of in (ULID, OTHER_ULID, "shop"):
            write(root, place("action", of=of))

        told = json.loads(tierlog("cleanup", "--root", root, "--hold", "shop", "--json", TIERLOG_HOLD=ULID).out)

        assert files(root) == {local_path(place("action")), local_path(place("action", of="shop"))}
        assert told["local"]["action"]["held"]["segments"] == 2

    def test_open_segments_stay(self, root):
        """
        What a process has open isn't deleted.
        """
        write(root, place())
        Journal(root).note(place())

        tierlog("cleanup", "--root", root)

        assert files(root) == {local_path(place())}

    def test_a_clock_that_may_be_wrong(self, root):
        """
        Where nothing was logged for long, what the clock alone calls old stays until the
        user says that it is right.
        """
        path = write(root, place(days=40))
        for one in (path, root / ".tierlog" / "open"):
            os.utime(one, (time.time() - 39 * 86_400,) * 2)

        doubted = tierlog("cleanup", "--root", root)
        before = files(root)
        tierlog("cleanup", "--root", root, "--trust-clock")

        assert "--trust-clock" in " ".join(doubted.out.split())
        assert (before, files(root)) == ({local_path(place(days=40))}, set())

    def test_a_damaged_catalog_is_a_problem(self, root):
        """
        Segments go without it; it is told in one line, and the exit code is 1.
        """
        write(root, place())
        (root / ".tierlog" / "catalog.sqlite").write_bytes(b"no database" * 1_000)

        ended = tierlog("cleanup", "--root", root)

        assert (ended.returncode, files(root)) == (1, set())
        assert "catalog" in ended.err
        assert len(ended.err.splitlines()) == 1


class TestRemote:
    """
    A root that ships, and its bucket.
    """

    def test_both_sides(self, root, bucket):
        """
        What is shipped goes by age, what isn't waits, and the catalog is told.
        """
        store, arguments = bucket
        catalog = Catalog(sqlite_url(root))
        old, young = add(store, place(), catalog=catalog), add(store, place(days=2), catalog=catalog)
        write(root, place(number=1))

        told = json.loads(tierlog("cleanup", *arguments, "--json").out)

        assert keys(store) == {young}
        assert files(root) == {local_path(place(number=1))}
        assert told["remote"]["system"]["deleted"]["segments"] == 1
        assert told["local"]["system"]["waiting"]["segments"] == 1
        assert (catalog.get(old).state, catalog.get(young).state) == ("expired", "shipped")
        catalog.close()

    def test_one_side_only(self, root, bucket):
        """
        The other isn't looked at.
        """
        store, arguments = bucket
        old = add(store, place())

        local = json.loads(tierlog("cleanup", *arguments, "--json", "--local-only").out)
        left = keys(store)
        remote = json.loads(tierlog("cleanup", *arguments, "--json", "--remote-only", "--trust-clock").out)

        assert left == {old}
        assert local["remote"]["system"]["deleted"]["segments"] == 0
        assert remote["remote"]["system"]["deleted"]["segments"] == 1
        assert keys(store) == set()

    def test_a_bucket_that_is_not_there(self, root, bucket, moto):
        """
        It is one line that says so, and the exit code is 1.
        """
        _, arguments = bucket

        ended = tierlog("cleanup", *arguments, "--bucket", "nobodys")

        assert ended.returncode == 1
        assert len(ended.err.splitlines()) == 1
        assert "nobodys" in ended.err

    def test_killed_and_run_again(self, root, bucket):
        """
        Killed while it deletes, the next run comes to the same end.
        """
        store, (_, config) = bucket
        for number in range(40):
            add(store, place(number=number))
        young = add(store, place(days=1))
        environment = {**os.environ, "COLUMNS": "120"}
        cleanup = [sys.executable, "-m", "tierlog.cli", "cleanup", "--config", str(config)]
        child = subprocess.Popen(cleanup, env=environment, stdout=-1, stderr=-1)
        until(lambda: len(keys(store)) < 41 or child.poll() is not None)
        child.send_signal(signal.SIGKILL)
        child.communicate()

        ended = tierlog("cleanup", "--config", config)

        assert ended.returncode == 0
        assert keys(store) == {young}


class TestNoted:
    """
    A root whose process has noted there how long it keeps, and what it holds.
    """

    @pytest.fixture(name="service")
    def _service(self, root, moto, tmp_path):
        """
        Return what runs a command in the place of a service that was there.
        """
        options = {**moto.options, "prefix": f"{tmp_path.name}/logs"}

        def run(*arguments, retention="50d", hold=(OTHER_ULID,), **variables):
            R2Sink(root, **options, catalog=False, retention=retention, hold=hold).close()
            secrets = {f"TIERLOG_{name.upper()}": options[name] for name in ("access_key_id", "secret_access_key", "region")}
            return tierlog(*arguments, "--root", root, **secrets, **variables)

        return R2Store(**options), run

    def test_it_counts_without_a_config(self, root, service):
        """
        What the service keeps longer than the default stays, and what it holds stays however old.
        """
        store, run = service
        kept, held = add(store, place("action", 40)), add(store, place("action", 60, of=OTHER_ULID))
        add(store, place("action", 60))

        ended = run("cleanup")

        assert (ended.returncode, ended.err) == (0, "")
        assert keys(store) == {kept, held}
        assert "secret" not in (root / ".tierlog" / "ships").read_text()

    def test_the_newest_configuration_counts(self, service):
        """
        A process that starts with another one notes that, and shipping by hand notes nothing of it.
        """
        store, run = service
        add(store, place("action", 20))

        run("cleanup", retention="10d", hold=())
        left = keys(store)
        held = add(store, place("action", 20))
        run("ship", retention="forever", hold=())
        run("cleanup", retention="forever", hold=())

        assert (left, keys(store)) == (set(), {held})

    def test_shipping_by_hand_keeps_it(self, root, service):
        """
        Who ships what is left changes where segments go, not how long they stay.
        """
        _, run = service
        run("stats")
        before = destination(root)

        run("ship")

        assert destination(root) == before
        assert before.hold == (OTHER_ULID,)

    @pytest.mark.parametrize("variables", [{}, {"TIERLOG_HOLD": ULID}])
    def test_a_time_of_the_command_line_leaves_the_hold(self, service, variables):
        """
        ``--retention`` comes before what is noted; what the service holds stays all the same.
        """
        store, run = service
        held = add(store, place("action", 60, of=OTHER_ULID))
        add(store, place("system", 20))

        run("cleanup", "--retention", "5d", "--hold", "shop", **variables)

        assert held in keys(store)

    def test_a_file_says_what_is_held(self, root, service, tmp_path):
        """
        A ``hold`` in the --config comes before the noted one: so a hold is ended by hand.
        """
        store, run = service
        add(store, place("action", 60, of=OTHER_ULID))
        (tmp_path / "free.json").write_text(json.dumps({"root": str(root), "hold": []}))

        run("cleanup")
        before = keys(store)
        run("cleanup", "--config", tmp_path / "free.json")

        assert (len(before), keys(store)) == (1, set())

    def test_another_bucket_is_not_the_noted_one(self, moto, service):
        """
        What is noted of one bucket says nothing of another one.
        """
        _, run = service

        ended = run("cleanup", "--bucket", "other", "--endpoint-url", moto.endpoint)

        assert (ended.returncode, ended.out) == (2, "")
        assert "--retention for every tier" in ended.err

    def test_rules(self, service):
        """
        The rules for the bucket say the same times, and there are none where something is held.
        """
        _, run = service

        refused = run("r2", "lifecycle")
        printed = run("r2", "lifecycle", hold=())

        assert (refused.returncode, refused.out) == (2, "")
        assert "can't hold a project" in refused.err
        assert {rule["Expiration"]["Days"] for rule in json.loads(printed.out)["Rules"]} == {50}


class TestWrongUse:
    """
    What can't work is one line and exit code 2.
    """

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["cleanup", "--retention", "biuld=3d"], ["--retention", "'build'"]),
            (["cleanup", "--retention", "1m"], ["--retention", "3600"]),
            (["cleanup", "--hold", "a/b"], ["--hold"]),
            (["cleanup", "--local-only", "--remote-only"], ["--local-only"]),
            (["cleanup", "--remote-only"], ["--bucket"]),
            (["r2", "lifecycle", "--hold", ULID], ["--hold", "tierlog cleanup"]),
            (["r2", "lifecycle", "--retention", "forever"], ["--retention", "30d"]),
        ],
    )
    def test_is_told_in_one_line(self, root, arguments, words):
        """
        The line names the option and says what to do.
        """
        ended = tierlog(*arguments, "--root", root)

        assert (ended.returncode, ended.out) == (2, "")
        assert len(ended.err.splitlines()) == 1
        assert all(word in ended.err for word in words)

    def test_a_folder_that_is_no_root(self, tmp_path):
        """
        Nothing is deleted where nobody ever logged to.
        """
        write(tmp_path, place())

        ended = tierlog("cleanup", "--root", tmp_path)

        assert ended.returncode == 2
        assert "no folder .tierlog" in ended.err
        assert files(tmp_path) == {local_path(place())}

    def test_a_configured_hold_counts_for_rules_too(self, root):
        """
        Rules that would delete what is held aren't printed.
        """
        ended = tierlog("r2", "lifecycle", "--root", root, TIERLOG_HOLD=ULID)

        assert (ended.returncode, ended.out) == (2, "")
