"""
Segments that are closed for want of room: whoever lives continues them, and nobody else touches them.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import time

import pytest

import tierlog
from checker import check
from children import finish, run, start, until
from conftest import OTHER_ULID, ULID
from tierlog import TierHandler
from tierlog.doctor import root_facts
from tierlog.layout import local_path
from tierlog.segments import Journal, SegmentSink, finished
from tierlog.testing import event_line
from tierlog.typing import Recovered


HOUR_NS = 3_600 * 1_000_000_000
WRITERS = ["append", "mmap"]
TORN = b'{"ts":1700000000000,"instanceId":"torn-0'

HOLD = """
    import os, sys, tierlog
    tierlog.configure(
        root=sys.argv[1], writer=sys.argv[2], max_open_segments=1, id_format="slug", instance_name="live", process_events=False
    )
    log = tierlog.get_logger("app")

    def say(project, text):
        log.info(text, extra={"tier": "action", "project_id": project})

    for line in sys.stdin:
        exec(line)
        print("ok", flush=True)
    """
"""A process that has room for one open segment, and does what it reads."""


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="begin")
def _begin(root):
    """
    Start a process that has one segment closed and one open.
    """
    started = []

    def begin(writer="append"):
        process = start(HOLD, root, writer, stdin=-1)
        started.append(process)
        do(process, "say('p1', 'one'); say('p2', 'two')")
        return process

    yield begin

    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def do(process, statements):
    """
    Let a live process do something, and wait until it is done.
    """
    process.stdin.write(f"{statements}\n".encode())
    process.stdin.flush()
    assert process.stdout.readline() == b"ok\n"


def kill(process):
    """
    End a process as the kernel does.
    """
    process.kill()
    process.communicate()


def by_project(root):
    """
    Return the messages of each file by its project, in order.
    """
    found = sorted((path.parent.name, path.read_bytes()) for path in root.glob("projects/*/*/*.ndjson"))
    return [(project, [json.loads(line)["msg"] for line in lines.split(b"\n") if line.strip()]) for project, lines in found]


def snapshot(root):
    """
    Return every file below *root* with its content.
    """
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def noted(root, name):
    """
    Return what is in a folder of tierlog's own.
    """
    folder = root / ".tierlog" / name
    return sorted(os.listdir(folder)) if folder.exists() else []


class TestNeighbours:
    @pytest.mark.parametrize("writer", WRITERS)
    def test_what_is_closed_for_the_moment_is_left_alone(self, root, begin, writer):
        """
        Who recovers doesn't finish a segment that a live process has closed, and the process continues it.
        """
        process = begin(writer)
        before = snapshot(root)

        recovered = tierlog.recover(root)

        assert (recovered, snapshot(root)) == (Recovered(live=2), before)
        do(process, "say('p1', 'three')")
        finish(process)
        assert by_project(root) == [("p1", ["one", "three"]), ("p2", ["two"])]
        assert (check(root).findings, noted(root, "open"), noted(root, "live")) == ([], [], [])

    @pytest.mark.parametrize("packing", ["", "gz"])
    def test_a_neighbour_that_ships_takes_nothing_along(self, root, begin, packing):
        """
        Though the answer to a neighbour's first upload is lost and it tries again later, what the live process wrote
        meanwhile is stored.
        """
        process = begin()
        program = """
            import gzip, sys
            from pathlib import Path
            from tierlog.errors import StoreError
            from tierlog.segments import finished, recover_segments
            from tierlog.shipping import Ledger, Uploader
            from tierlog.testing import MemoryStore

            root, packing = Path(sys.argv[1]), sys.argv[2] or None

            class Mute(MemoryStore):
                def put(self, put):
                    super().put(put)
                    raise StoreError("the answer is lost", code="Lost")

            def ship(kind):
                store.__class__ = kind
                for one in finished(root):
                    try:
                        uploader.upload(one.place)
                    except StoreError as e:
                        print(e, flush=True)

            recover_segments(root)
            store = Mute()
            uploader = Uploader(root, store, Ledger(root), packing=packing)
            ship(Mute)
            print("tried", flush=True)
            sys.stdin.readline()
            ship(MemoryStore)
            for one in store.list(""):
                content = store.get(one.key)
                sys.stdout.write((gzip.decompress(content) if packing else content).decode())
            """
        neighbour = start(program, root, packing, stdin=-1)
        until(lambda: neighbour.stdout.readline() == b"tried\n")

        do(process, "say('p1', 'three')")
        finish(process)

        out, err = neighbour.communicate(b"\n")
        assert err == b""
        assert sorted(json.loads(line)["msg"] for line in out.splitlines()) == ["one", "three", "two"]
        assert by_project(root) == []

    def test_three_instances_of_one_process(self, root):
        """
        Sinks of one process on one root leave each other's segments alone, and those of a closed one are finished.
        """
        handlers = []
        for name in "abc":
            sink = SegmentSink(root, max_open_segments=1, id_format="slug")
            handlers.append(TierHandler(sink=sink, instance_name=name))
            logger = logging.Logger("app")
            logger.addHandler(handlers[-1])
            for project in ("p1", "p2"):
                logger.info(name, extra={"tier": "action", "project_id": project})
        handlers[0].close()

        during = tierlog.recover(root)

        assert (during, [name[0] for name in noted(root, "live")]) == (Recovered(live=4), ["b", "c"])
        for handler in handlers[1:]:
            handler.close()
        assert (len(check(root).events), len(check(root).files), check(root).findings) == (6, 6, [])

    def test_what_is_finished_never_changes(self, root):
        """
        While processes with little room log to many projects, are killed and started anew, each recovering at its start,
        no segment that is finished ever gets another line, and nothing acknowledged is lost.
        """
        program = """
            import os, random, sys, time, tierlog
            tierlog.configure(root=sys.argv[1], max_open_segments=2, id_format="slug", max_bytes=3_000, process_events=False)
            log = tierlog.get_logger("app")
            with open(sys.argv[2], "ab", buffering=0) as acknowledged:
                for number in range(1_000_000):
                    token = f"{sys.argv[2]}.{number}"
                    log.info(token, extra={"tier": "action", "project_id": f"p{random.randrange(8)}"})
                    acknowledged.write(f"{token}\\n".encode())
                    time.sleep(0.0005)
            """
        rnd, journal = random.Random(os.urandom(8)), Journal(root)
        names = [root.parent / f"{number}" for number in range(6)]
        running = [start(program, root, name) for name in names[:3]]
        seen, changed = {}, []

        def look():
            for one in finished(root):
                if not journal.has(one.place):  # it may have been begun since they were listed
                    content = (root / local_path(one.place)).read_bytes()
                    changed.extend([one.place] if seen.setdefault(one.place, content) != content else [])

        for begun, name in [(names[:3], names[3]), (names[:4], names[4]), (names[:5], names[5]), (names, None)]:
            until(lambda begun=begun: all(one.exists() and one.stat().st_size > 500 for one in begun))
            look()
            kill(running.pop(rnd.randrange(len(running))))
            running += [start(program, root, name)] if name else []
        for process in running:
            kill(process)
        tierlog.recover(root)
        look()

        checked = check(root)
        acknowledged = {token for name in names for token in name.read_text().split("\n")[:-1]}
        assert acknowledged - set(checked.messages) == set()
        assert (len(checked.messages), checked.findings) == (len(set(checked.messages)), [])
        assert (noted(root, "open"), noted(root, "live")) == ([], [])
        assert (len(seen) > len(changed), changed) == (True, [])

    def test_the_doctor_does_not_take_it_for_dead(self, root, begin):
        """
        What a live process has closed for the moment isn't told to wait for recovery; once it is killed, it is.
        """
        process = begin()
        living = root_facts(root, clock=lambda: time.time_ns() + HOUR_NS, mounts="").dead
        kill(process)

        dead = root_facts(root, clock=lambda: time.time_ns() + HOUR_NS, mounts="").dead

        assert (living, dead) == (0, 2)


class TestEnds:
    @pytest.mark.parametrize("writer", WRITERS)
    @pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(0)"])
    def test_a_process_that_ends_at_once_leaves_all_to_recovery(self, root, begin, writer, end):
        """
        The segments of a process that was killed are mended and finished, the closed ones as the open ones.
        """
        process = begin(writer)
        process.communicate(f"{end}\n".encode())
        for path in root.glob("projects/*/p1/*.ndjson"):
            with path.open("ab") as file:
                file.write(TORN)

        recovered = tierlog.recover(root)

        assert recovered == Recovered(segments=2, torn=1)
        assert by_project(root) == [("p1", ["one"]), ("p2", ["two"])]
        assert (check(root).findings, noted(root, "open"), noted(root, "live")) == ([], [], [])

    def test_a_forked_child_keeps_nothing_of_its_parent(self, root, begin):
        """
        A child that lives on doesn't keep its killed parent's segments from recovery; its own are left alone.
        """
        process = begin()
        reading, writing = os.pipe()
        with open(reading, "rb") as told:
            kept = start(HOLD, root, "append", stdin=-1, pass_fds=[writing])
            os.close(writing)
            do(kept, "say('p1', 'parent'); say('p2', 'parent')")
            do(
                kept,
                f"os.fork() or [say('p1', 'child'), say('p2', 'child'), os.write({writing}, b'%d\\n' % os.getpid()), os.read(0, 1)]",
            )
            child = int(told.readline())
            kept.kill()
            kept.wait()

            during = tierlog.recover(root)
            os.kill(child, signal.SIGKILL)
            told.read()
        kept.communicate()

        assert during == Recovered(segments=2, live=4)
        until(lambda: tierlog.recover(root).live == 2)
        finish(process)
        assert (len(check(root).events), check(root).findings, noted(root, "live")) == (6, [], [])

    def test_a_child_that_ends_gives_up_nothing_of_its_parent(self, root, begin):
        """
        What a parent has closed for the moment is safe from neighbours after a child of it has come and gone.
        """
        process = begin()
        do(process, "pid = os.fork() or sys.exit()")
        do(process, "os.waitpid(pid, 0)")

        assert tierlog.recover(root) == Recovered(live=2)

    def test_set_up_again_under_load(self, root):
        """
        However often logging is configured anew while threads log, and neighbours recover, nothing is lost, doubled or left.
        """
        program = """
            import logging.config, sys, threading
            import tierlog

            sink = {"type": "segments", "root": sys.argv[1], "max_open_segments": 1, "id_format": "slug"}
            handler = {"class": "tierlog.TierHandler", "process_events": False, "sink": sink}
            settings = {"version": 1, "handlers": {"tiers": handler}, "root": {"level": "INFO", "handlers": ["tiers"]}}
            settings["disable_existing_loggers"] = False
            log, is_over, counts = logging.getLogger("app"), threading.Event(), [0] * 2

            def work(name):
                while not is_over.is_set():
                    log.info("%d", name, extra={"tier": "action", "project_id": f"p{counts[name] % 3}"})
                    counts[name] += 1

            logging.config.dictConfig(settings)
            threads = [threading.Thread(target=work, args=(name,)) for name in range(2)]
            for thread in threads:
                thread.start()
            for _ in range(10):
                logging.config.dictConfig(settings)
                tierlog.recover(sys.argv[1])
            is_over.set()
            for thread in threads:
                thread.join()
            """

        ended = run(program, root)

        checked = check(root)
        assert (ended.returncode, ended.err) == (0, "")
        assert checked.events
        assert (checked.findings, noted(root, "open"), noted(root, "live")) == ([], [], [])


class TestLocks:
    def test_without_a_lock_nothing_is_continued(self, root):
        """
        Where the lock can't be had, a segment that is closed for want of room is finished.
        """
        root.joinpath(".tierlog").mkdir(parents=True)
        root.joinpath(".tierlog", "live").touch()
        sink = SegmentSink(root, max_open_segments=1)

        for seq in range(4):
            sink.write(*event_line(seq=seq, tier="action", project_id=(ULID, OTHER_ULID)[seq % 2]))

        assert (len(list(finished(root))), tierlog.recover(root)) == (3, Recovered(live=1))
        sink.close()
        assert (len(check(root).files), check(root).findings) == (4, [])

    def test_a_process_with_room_has_none(self, root):
        """
        Nothing is locked or made until a segment is closed for want of room.
        """
        sink = SegmentSink(root, max_open_segments=1)

        sink.write(*event_line())

        assert noted(root, "live") == []
        sink.close()

    def test_what_the_dead_have_left_goes(self, root):
        """
        Recovery takes away the files of processes that have ended, and nothing else, wherever it leads.
        """
        folder = root / ".tierlog" / "live"
        folder.joinpath("folder").mkdir(parents=True)
        victim = root.parent / "victim"
        victim.touch()
        folder.joinpath("dead-00000000").touch()
        folder.joinpath("link").symlink_to(victim)
        os.mkfifo(folder / "pipe")

        tierlog.recover(root)

        assert victim.exists()
        assert {"folder", "link"} <= set(noted(root, "live"))
        assert "dead-00000000" not in noted(root, "live")
