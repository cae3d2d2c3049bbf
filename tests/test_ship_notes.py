"""
What is noted in the root on where its segments go and how that goes, and who ships beside others.
"""

from __future__ import annotations

import os
import threading
import time

import orjson
import pytest
from click.testing import CliRunner

import children
from tierlog.cli._app import app, run
from tierlog.errors import StoreError
from tierlog.kinds import TIERS
from tierlog.layout import local_path
from tierlog.segments import SegmentSink, finished
from tierlog.shipping import (
    Destination,
    Ledger,
    Shipping,
    Task,
    Trouble,
    Upkeep,
    Uploader,
    destination,
    note_destination,
    note_trouble,
    trouble,
)
from tierlog.shipping._queue import Backoff
from tierlog.testing import MemoryStore, event_line


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("TIERLOG_")]:
        monkeypatch.delenv(name)


@pytest.fixture(name="root")
def _root(tmp_path):
    root = tmp_path / "logs"
    write(root)
    return root


def write(root, seq=0):
    """
    Leave a finished segment below *root*, and return its place.
    """
    before = {one.place for one in finished(root)} if root.exists() else set()
    sink = SegmentSink(root)
    sink.write(*event_line(seq=seq))
    sink.close()
    (place,) = {one.place for one in finished(root)} - before
    return place


class TestDestination:
    """
    The note on where a root's segments go.
    """

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xff",
            b"[]",
            b"null",
            b'"x"',
            b"{}",
            b'{"bucket":null,"prefix":"","endpoint_url":null,"has_checkpoints":false}',
            b'{"bucket":"b","prefix":"","endpoint_url":7,"has_checkpoints":false}',
        ],
    )
    def test_damaged_it_still_says_that_they_go(self, root, content):
        """
        Whatever has become of the note: nothing is taken for what may be deleted, and no command ends in a traceback.
        """
        (root / ".tierlog" / "ships").write_bytes(content)

        results = {name: CliRunner().invoke(app, [name, "--root", str(root)]) for name in ("stats", "recover")}

        assert destination(root) == Destination("")
        assert {name: result.exit_code for name, result in results.items()} == {"stats": 0, "recover": 1}
        assert all(result.stderr.count("\n") == 1 and "is damaged" in result.stderr for result in results.values())
        assert results["recover"].stdout == "recovered 0 segments; 1 segment still waits\n"

    @pytest.mark.parametrize(
        "noted",
        [
            {"v": 1},
            {"retention": None},
            {"retention": {"system": 86400}},
            {"retention": {tier: "x" for tier in TIERS}},
            {"hold": None},
            {"hold": "shop"},
            {"bucket": None},
        ],
    )
    def test_what_it_lacks_is_not_guessed(self, root, noted, capsys):
        """
        An older note, or a damaged one: nothing is deleted and no rule printed, and one line says what to do.
        """
        whole = {"bucket": "b", "prefix": "", "endpoint_url": None, "has_checkpoints": False}
        known = {"retention": dict.fromkeys(TIERS, 86400.0), "hold": []} if noted != {"v": 1} else {}
        (root / ".tierlog" / "ships").write_bytes(orjson.dumps({**whole, **known, **noted}))

        codes = [run([*command, "--root", str(root)]) for command in (["cleanup", "--local-only"], ["r2", "lifecycle"])]

        told = capsys.readouterr()
        assert (codes, told.out) == ([2, 2], "")
        assert len(told.err.splitlines()) == 2
        assert all("--config" in line and "--retention for every tier" in line for line in told.err.splitlines())

    def test_what_is_said_of_one_tier_says_nothing_of_the_others(self, root, capsys):
        """
        Where it isn't known how long segments are kept, all tiers must be named.
        """
        note_destination(root, Destination("b"))
        command = ["cleanup", "--local-only", "--root", str(root), "--retention"]

        codes = [run([*command, given]) for given in ("build=14d", "14d", "default=14d")]

        assert codes == [2, 0, 0]
        assert "for every tier" in capsys.readouterr().err

    def test_it_replaces_what_cant_be_read(self, root):
        """
        One that is another user's, say, doesn't stop a process from starting.
        """
        (root / ".tierlog" / "ships").symlink_to("ships")

        note_destination(root, Destination("bucket"))

        assert destination(root) == Destination("bucket")

    def test_nothing_half_is_left(self, root):
        """
        If it can't be noted, no other file is left in the root.
        """
        (root / ".tierlog" / "ships").mkdir()
        before = sorted(os.listdir(root / ".tierlog"))

        with pytest.raises(OSError, match="ships"):
            note_destination(root, Destination("bucket"))

        assert sorted(os.listdir(root / ".tierlog")) == before


@pytest.mark.parametrize("waits", [True, False])
def test_stats_say_what_waits_in_one_line(root, waits):
    """
    What to grep for stands in a line, however long, and no age is told of nothing.
    """
    problem = "the bucket can't be reached " * 10
    if not waits:
        (found,) = finished(root)
        (root / local_path(found.place)).unlink()
    note_destination(root, Destination("b" * 60))
    note_trouble(root, Trouble(1, problem) if waits else None)

    result = CliRunner().invoke(app, ["stats", "--root", str(root)])

    ships, *error = result.stdout.splitlines()[-2 if waits else -1 :]
    assert result.exit_code == int(waits)
    assert (" 1 segment to be shipped" in ships, "the oldest for" in ships, "nothing waits" in ships) == (waits, waits, not waits)
    assert [line.strip() for line in error] == [f"last error: {problem}".strip()] * waits


def test_what_cant_be_read_is_told_in_one_line(root, capsys):
    """
    A command ends with a line that names the file, and with 1.
    """
    (root / ".tierlog" / "ledger").write_bytes(b"")

    code = run(["verify", "--root", str(root)])

    told = [line for line in capsys.readouterr().err.splitlines() if "catalog" not in line]
    assert code == 1
    assert told == [f"tierlog: {root}/.tierlog/ledger: Not a directory; see that it can be read and written"]


def shipping(root, store):
    """
    Return what ships *root* to *store*.
    """
    return Shipping(root, store, write=None, backoff=Backoff(0.01, 0.01, lambda: 1.0))


class Away(MemoryStore):
    """
    A store that takes nothing.
    """

    def put(self, put):
        raise StoreError(f"{put.key}: away", code="Away")


def test_trouble_that_another_process_had_ends_with_the_last_segment(root):
    """
    A process that was killed can't say that its trouble is over: who ships what it left does, though it had none.
    """
    ships = shipping(root, MemoryStore())
    ships.start()
    assert ships.drain(60.0)
    note_trouble(root, Trouble(1, "away"))

    ships.add(write(root, seq=1))
    is_done = ships.drain(60.0)
    ships.close()

    assert (is_done, trouble(root)) == (True, None)


def test_what_is_finished_during_a_search_is_shipped(root):
    """
    Who looks for finished segments forgets none that was finished after it had looked there.
    """
    program = """
        import sys
        from pathlib import Path
        from tierlog.segments import SegmentSink, finished
        from tierlog.shipping import Shipping
        from tierlog.testing import MemoryStore, event_line

        root, store, late = Path(sys.argv[1]), MemoryStore(), []
        sink = SegmentSink(root)
        ships = Shipping(root, store, write=None, connections=1)

        def finishing(event, args):
            if event == "os.scandir" and str(args[0]).endswith("lifecycle") and not late:
                late.append(None)
                sink.write(*event_line(seq=1))
                sink.close()
                (place,) = [one.place for one in finished(root)]
                ships.add(place)
                ships.stats()  # takes it into the queue

        sys.addaudithook(finishing)
        ships.start()
        print(ships.drain(60.0), len(list(store.list())), len(late))
    """
    for one in finished(root):
        (root / local_path(one.place)).unlink()

    done = children.run(program, root)

    assert (done.out, done.err) == ("True 1 1\n", "")


def test_who_has_not_looked_yet_does_not_say_that_all_is_shipped(root):
    """
    However slow the machine is: while nobody has looked for what is finished, it isn't shipped.
    """
    ships = shipping(root, MemoryStore())

    with ships._shipper.fork_lock():  # its threads wait for it
        ships.start()
        is_done = ships.drain(0.0)
    ships.close(gives_up=True)

    assert not is_done


def test_who_gives_up_leaves_no_thread(root):
    """
    What is to ship for some seconds only, as ``tierlog.recover`` is, doesn't go on in the background.
    """
    before = set(threading.enumerate())
    ships = shipping(root, Away())
    ships.start()
    mine = set(threading.enumerate()) - before

    is_done = ships.drain(0.1)
    ships.close(gives_up=True)
    for thread in mine:
        thread.join(60.0)

    assert (is_done, len(mine)) == (False, 4)
    assert not any(thread.is_alive() for thread in mine)
    assert len(list(finished(root))) == 1


def test_no_task_waits_for_another():
    """
    What may take hours, as retention, keeps no checkpoint waiting.
    """
    began, ended, other = threading.Event(), threading.Event(), threading.Event()

    def endless():
        began.set()
        ended.wait(60.0)

    upkeep = Upkeep([Task("long", lambda: 0.0, endless), Task("short", lambda: 0.0, other.set)], time.monotonic)
    upkeep.start()
    assert began.wait(60.0)
    other.clear()
    was_run = other.wait(60.0)
    upkeep.close()
    ended.set()

    assert was_run


def test_a_forked_child_lets_go_of_what_its_parent_uploads(root):
    """
    Else the file would keep its room on the disk, and its lock, for as long as the child lives.
    """
    begun, go = threading.Event(), threading.Event()

    class Slow(MemoryStore):
        def put(self, put):
            begun.set()
            go.wait(60.0)
            return super().put(put)

    (found,) = finished(root)
    path = root / local_path(found.place)
    uploader = Uploader(root, Slow(), Ledger(root))
    thread = threading.Thread(target=uploader.upload, args=(found.place,))
    thread.start()
    assert begun.wait(60.0)
    number = path.stat().st_ino
    child = os.fork()
    if not child:
        held = [fd for fd in range(3, 256) if _inode(fd) == number]
        os._exit(len(held))
    _, status = os.waitpid(child, 0)
    go.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0
    assert not path.exists()


def _inode(fd):
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return None


@pytest.mark.parametrize("packing", [None, "gz"])
def test_what_has_changed_since_it_was_sealed_stays(root, packing):
    """
    A segment that somebody has appended to after its first upload, whose answer was lost, isn't deleted.
    """

    class Mute(MemoryStore):
        def put(self, put):
            super().put(put)
            raise StoreError("the answer is lost", code="Lost")

    place = write(root, seq=1)
    with pytest.raises(StoreError, match="lost"):
        Uploader(root, store := Mute(), Ledger(root), packing=packing).upload(place)
    with (root / local_path(place)).open("ab") as file:
        file.write(event_line(seq=2)[0])
    store.__class__ = MemoryStore

    with pytest.raises(StoreError, match="has changed since it was sealed"):
        Uploader(root, store, Ledger(root), packing=packing).upload(place)

    assert len((root / local_path(place)).read_bytes().splitlines()) == 2
