"""
Following what is written: every whole line, once, whatever becomes of its segment meanwhile.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from children import finish, start, until
from conftest import OTHER_ULID, ULID
from queried import NOW, THIRD_ULID, TIERS, everything, files, numbers, some, write
from strategies import ulids  # noqa: F401 -- its profile: nothing here is timed
from tierlog import recover
from tierlog.compaction import compact
from tierlog.context import EMPTY
from tierlog.errors import QueryError, StoreError
from tierlog.handler import TierHandler
from tierlog.layout import parse_local
from tierlog.query import Tail, _folder, _following, _handles, _past, _watch, open_store
from tierlog.query._filters import Filters
from tierlog.query._whole import whole
from tierlog.segments import Journal, SegmentSink, claim
from tierlog.shipping import Ledger
from tierlog.shipping._upload import Uploader
from tierlog.testing import MemoryStore


PROGRAM = """
import sys, time
from pathlib import Path
from tierlog.handler import TierHandler
from tierlog.context import EMPTY
from tierlog.segments import SegmentSink

root, name, writer, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
sink = SegmentSink(root, max_bytes=30_000, writer=writer)
handler = TierHandler(sink=sink, instance_name=name)
ids = {"project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVRZ"}
tiers = ["system", "build", "action", "deploy"]
print("ready", flush=True)
for n in range(count):
    handler.pipeline.event(time.time_ns() // 1_000_000, EMPTY, "info", "app", f"{name} {n}", data={"n": n}, tier=tiers[n % 4], fields=ids)
    if n % 1_000 == 999:
        sink.end_build("01BX5ZZKBKACTAV9WEVGEMMVRZ")
handler.close()
"""


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="children")
def _children():
    """
    Start processes that log, and leave none behind.
    """
    started = []

    def begin(*args):
        started.append(start(PROGRAM, *args))
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture(name="soon")
def _soon(monkeypatch):
    """
    Let what was finished between two polls be looked for in each poll.
    """
    monkeypatch.setattr(_folder, "_SHARE", 0)


def ship_finished(root, store, packing=None):
    """
    Ship what is finished, as the shipper does.
    """
    uploader = Uploader(root, store, Ledger(root), packing=packing)
    for path in files(root):
        place = parse_local(path.relative_to(root).as_posix())
        if not Journal(root).has(place) and (settled := uploader.settled(place)) is not None:
            uploader.upload(settled)


def drained(tail, count=None):
    """
    Return what a tail gives until it has caught up and, if given, *count* events are there.
    """
    found = []

    def has_all():
        found.extend(tail.poll())
        return tail.caught_up and (count is None or len(found) >= count)

    until(has_all, patience=20)
    return found


def in_order(events):
    """
    Return events in the order of queries.
    """
    return sorted(events, key=lambda event: (event["ts"], event["instanceId"], event["seq"]))


def stored(store):
    """
    Return all events in a store.
    """
    lines = [line for one in store.list() for line in store.get(one.key).splitlines()]
    return [orjson.loads(line) for line in lines]


class TestProcesses:
    @pytest.mark.usefixtures("soon")
    def test_what_several_processes_write_comes_once(self, root, children):
        """
        What two processes write by either writer, into segments that rotate all the time and are shipped and taken away
        at once, comes once, though the tail is left at random places and another one goes on from its cursor.
        """
        root.mkdir()
        store, chance, found = MemoryStore(), random.Random(5), []
        cursor = open_store([root, store]).tail().cursor
        writers = [children(root, name, writer, 4_000) for name, writer in (("a", "append"), ("b", "mmap"))]

        def follow():
            nonlocal cursor
            with open_store([root, store]).tail(cursor=cursor, store_poll=0) as tail:
                for turn in range(3):
                    events = tail.poll()
                    kept = len(events) if turn < 2 else chance.randrange(len(events) + 1)
                    found.extend(events[:kept])
                    cursor = tail.cursor_behind(kept)
                    ship_finished(root, store)
            return all(writer.poll() is not None for writer in writers) and len(found) >= 8_000

        until(follow, patience=30)

        for writer in writers:
            finish(writer)
        ship_finished(root, store)
        assert files(root) == []
        assert sorted(numbers(found)) == sorted(numbers(stored(store)))
        assert len(found) == 8_000

    @pytest.mark.parametrize("writer", ["append", "mmap"])
    def test_a_process_that_is_killed(self, root, writer, children):
        """
        Of a process that was killed, all whole lines come, before and after its segments are mended.
        """
        root.mkdir()
        tail = open_store(root).tail()
        process = children(root, "a", writer, 10**7)
        found = []
        until(lambda: len(found) > 3_000 or found.extend(tail.poll()))

        os.killpg(process.pid, signal.SIGKILL)
        finish(process)
        found += drained(tail)
        before = len(found)
        recover(root=str(root))
        time_of_mending = drained(tail)

        assert sorted(numbers(found + time_of_mending)) == sorted(numbers(everything(root)))
        assert before == len(found)
        assert time_of_mending == []
        assert tail.problems == []


class Machine:
    """
    A folder and a store in which everything happens, followed by one tail after the other.
    """

    def __init__(self, root, *, is_stored, is_held):
        self.root, self.store = root, MemoryStore()
        self.where = [root, self.store] if is_stored else root
        self.is_held = is_held
        self.handlers, self.found, self.count = {}, [], 0
        root.mkdir()
        self.tail = self.opened()

    def opened(self, cursor=None):
        return open_store(self.where).tail(cursor=cursor, store_poll=0)

    def write(self, name, writer, count):
        if name not in self.handlers:
            sink = SegmentSink(self.root, max_bytes=2_500, writer=writer)
            self.handlers[name] = TierHandler(sink=sink, instance_name=name)
        for _ in range(count):
            self.count += 1
            ids = {"project_id": [ULID, OTHER_ULID][self.count % 2], "build_id": [ULID, THIRD_ULID][self.count % 2]}
            tier, now = TIERS[self.count % 5], time.time_ns() // 10**6
            self.handlers[name].pipeline.event(now, EMPTY, "info", "app", "x" * (self.count % 90), tier=tier, fields=ids)

    def close(self, name):
        if name in self.handlers:
            self.handlers.pop(name).close()

    def claim(self):
        for path in files(self.root):
            place = parse_local(path.relative_to(self.root).as_posix())
            if place.instance is None and not Journal(self.root).has(place):
                claim(self.root, place)

    def ship(self, packing):
        ship_finished(self.root, self.store, packing)

    def compact(self, packing):
        compact(self.root, None, packing=packing, older_than=0, clock=lambda: time.time_ns() + 10 * 86_400 * 10**9)

    def poll(self):
        self.found += self.tail.poll()

    def resume(self, part):
        events = self.tail.poll()
        kept = len(events) * part // 4
        self.found += events[:kept]
        cursor = self.tail.cursor_behind(kept)
        self.tail.close()
        self.tail = self.opened(cursor)


_steps = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("ab"), st.sampled_from(["append", "mmap"]), st.integers(1, 25)),
    st.tuples(st.just("close"), st.sampled_from("ab")),
    st.tuples(st.just("claim")),
    st.tuples(st.just("ship"), st.sampled_from([None, "gz", "zst"])),
    st.tuples(st.just("compact"), st.sampled_from(["gz", "zst"])),
    st.tuples(st.just("poll")),
    st.tuples(st.just("resume"), st.integers(0, 4)),
)


class TestMachine:
    @given(steps=st.lists(_steps, min_size=4, max_size=30), is_held=st.booleans(), is_stored=st.booleans())
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_whatever_happens(self, steps, is_held, is_stored):
        """
        Whatever is written, ended, renamed, packed and shipped between polls, and wherever a tail is left and another one
        goes on: each record comes once.
        """
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(_folder, "_SHARE", 0)
            patch.setattr(_folder, "_FRESH_NS", 50_000_000)
            patch.setattr(_following, "_SLACK_MS", 50)
            for module in (_following, _past, _watch):
                patch.setattr(module, "STORE_SLACK_MS", 50)
            if not is_held:
                patch.setattr(_handles, "_MOST", 0)
            machine = Machine(Path(folder, "logs"), is_stored=is_stored, is_held=is_held)

            for name, *args in steps:
                if is_stored or name != "ship":
                    getattr(machine, name)(*args)
            for name in "ab":
                machine.close(name)
            until(lambda: machine.poll() or (machine.tail.caught_up and len(machine.found) >= machine.count), patience=10)

            assert sorted(numbers(machine.found)) == sorted(numbers(open_store([machine.root, machine.store]).search()))
            assert machine.tail.problems == []
            assert machine.tail.skipped == 0


class TestWhere:
    def test_from_now(self, root):
        """
        What was there before isn't delivered, also where the segment goes on.
        """
        handler = write(root, some(20), is_closed=False)
        tail = open_store(root).tail()

        assert drained(tail) == []
        handler.pipeline.event(NOW, EMPTY, "info", "app", "new", tier="system")

        assert [event["msg"] for event in tail.poll()] == ["new"]
        handler.close()

    def test_since(self, root):
        """
        From a time on, what is there is delivered first, and then what comes.
        """
        write(root, some(40))
        handler = write(root, some(30, step=700), name="api", is_closed=False)

        tail = open_store(root).tail(since=NOW + 10_000)
        before = drained(tail)
        handler.pipeline.event(NOW + 90_000, EMPTY, "info", "app", "new", tier="system")

        assert in_order(before) == [event for event in everything(root) if NOW + 10_000 <= event["ts"] < NOW + 90_000]
        assert [event["msg"] for event in drained(tail, 1)] == ["new"]
        handler.close()

    @pytest.mark.parametrize(
        "asked",
        [
            pytest.param({"tiers": ["build", "action"]}, id="tiers"),
            pytest.param({"levels": "error", "kinds": "log"}, id="level-and-kind"),
            pytest.param({"project_id": ULID, "user_id": "u3"}, id="ids"),
            pytest.param({"build_id": THIRD_ULID, "tiers": "build"}, id="build"),
            pytest.param({"text": "error", "case": False}, id="text"),
            pytest.param({"where": {"n": (">=", 30), "deep.even": True}}, id="data"),
        ],
    )
    def test_filters(self, root, asked):
        """
        The filters are those of a search.
        """
        root.mkdir()
        tail = open_store(root).tail(**asked)

        write(root, some(80))

        found = in_order(drained(tail))
        assert found
        assert found == list(open_store(root).search(**asked))

    def test_events_and_lines(self, root):
        """
        A poll gives events, or the lines they were written as.
        """
        write(root, some(30))
        lines = [line for path in files(root) for line in path.read_bytes().splitlines()]

        found = open_store(root).tail(since=0).poll_lines()

        assert sorted(found) == sorted(lines)
        assert [orjson.loads(line) for line in found] == open_store(root).tail(since=0).poll()

    @pytest.mark.parametrize(
        ("asked", "parameter"),
        [
            ({"until": "1h"}, "until"),
            ({"limit": 3}, "limit"),
            ({"order": "desc"}, "order"),
            ({"tier": "build"}, "tier"),
            ({"cursor": "no"}, "cursor"),
            ({"cursor": 7}, "cursor"),
            ({"cursor": "AQ" * 40}, "cursor"),
            ({"cursor": "AAAA.BBBB"}, "cursor"),
        ],
    )
    def test_what_cannot_be_asked(self, root, asked, parameter):
        """
        What can't be followed is told by name.
        """
        root.mkdir()

        with pytest.raises(QueryError) as caught:
            open_store(root).tail(**asked)

        assert caught.value.parameter == parameter


class TestEnd:
    def test_it_waits_until_it_is_stopped(self, root):
        """
        The iteration waits for events, and ends when it is told to, and when it is closed.
        """
        handler = write(root, some(10), is_closed=False)
        stop = threading.Event()
        tail = open_store(root).tail(poll=0.01, stop=stop)
        found = []
        thread = threading.Thread(target=lambda: found.extend(tail), daemon=True)
        thread.start()

        handler.pipeline.event(NOW, EMPTY, "info", "app", "new", tier="system")
        until(lambda: found)
        stop.set()
        thread.join(10)

        assert not thread.is_alive()
        assert [event["msg"] for event in found] == ["new"]
        with open_store(root).tail(poll=600) as closed:
            closed.close()
            assert list(closed) == []
        handler.close()

    def test_a_cursor_stands_behind_what_was_taken(self, root):
        """
        While events are taken one by one, the cursor goes with them.
        """
        write(root, some(30))
        tail = open_store(root).tail(since=0)

        found = [next(tail) for _ in range(11)]
        found += open_store(root).tail(cursor=tail.cursor).poll()

        assert found == everything(root)


class TestLines:
    LINE = b'{"ts":1790000000000,"instanceId":"a","tier":"system","kind":"log","lvl":"info","projectId":null,"buildId":null,"userId":null,"reqId":null,"seq":%d,"src":"a","msg":"m","data":{}}'

    def test_a_line_comes_when_it_is_whole(self, root):
        """
        A part of a line isn't delivered, until the rest is there.
        """
        handler = write(root, [], is_closed=False)
        handler.pipeline.event(NOW, EMPTY, "info", "app", "first", tier="system")
        tail = open_store(root).tail()
        line = self.LINE % 7
        with open(files(root)[0], "ab", buffering=0) as file:
            file.write(line[:50])
            before = tail.poll()
            file.write(line[50:])
            between = tail.poll()
            file.write(b"\n")

        assert before == between == []
        assert [event["seq"] for event in tail.poll()] == [7]
        handler.close()

    def test_a_line_that_is_being_copied(self, root):
        """
        Of a mapped file, where a line is only partly there, nothing is passed over: it comes, in its order, when it is
        complete.
        """
        handler = write(root, [], is_closed=False)
        handler.pipeline.event(NOW, EMPTY, "info", "app", "first", tier="system")
        path = files(root)[0]
        tail = open_store(root).tail()
        start, lines = path.stat().st_size, [self.LINE % n + b"\n" for n in (1, 2, 3)]
        with open(path, "rb+", buffering=0) as file:
            file.truncate(start)
            file.seek(start)
            file.write(b"\n" * 900)
            file.seek(start)
            file.write(lines[0] + lines[1][:60] + b"\n" * 40 + lines[1][100:])
            first = [event["seq"] for event in tail.poll()]
            second = [event["seq"] for event in tail.poll()]
            file.seek(start)
            file.write(b"".join(lines))

        assert (first, second) == ([1], [])
        assert [event["seq"] for event in tail.poll()] == [2, 3]
        assert tail.skipped == 0
        handler.close()

    def test_torn_lines_are_counted(self, root):
        """
        What stays torn is passed over as soon as a line behind it was seen twice; a whole line behind a part is delivered.
        """
        handler = write(root, [], is_closed=False)
        handler.pipeline.event(NOW, EMPTY, "info", "app", "first", tier="system")
        tail = open_store(root).tail()
        with open(files(root)[0], "ab", buffering=0) as file:
            file.write(b'{"ts":17\nnonsense\n' + b'{"ts":179' + self.LINE % 5 + b"\n" + self.LINE % 6 + b"\n")

        found = tail.poll() + tail.poll()

        assert [event["seq"] for event in found] == [5, 6]
        assert tail.skipped == 3
        handler.close()

    @given(cut=st.integers(1, 400))
    @settings(max_examples=30)
    def test_nothing_is_passed_over_in_a_growing_file(self, cut):
        """
        Wherever a copy is interrupted, only whole lines are taken of a file that still grows.
        """
        lines = [self.LINE % n + b"\n" for n in (1, 2)]
        body = b"".join(lines)
        block = body[: cut % len(body)] + b"\n" * 500

        found = whole(block, is_final=False, was_stuck=False)

        assert found.lines == [line[:-1] for line in lines if body.index(line) + len(line) - 1 <= cut % len(body)]
        assert found.skipped == 0


class TestManySegments:
    @pytest.mark.parametrize("most", [512, 20], ids=["held", "not-held"])
    def test_more_than_a_process_keeps_open(self, root, monkeypatch, most):
        """
        Of 300 projects that are logged at once, through 256 open files, everything comes, also where few files can be kept
        open by the reader.
        """
        monkeypatch.setattr(_handles, "_MOST", most)
        root.mkdir()
        tail = open_store(root).tail(tiers="action")
        handler = write(root, [], is_closed=False, id_format="slug", max_bytes=10**6)

        found = []
        for turn in range(2):
            for n in range(300):
                handler.pipeline.event(NOW + n, EMPTY, "info", "app", f"{turn}", tier="action", fields={"project_id": f"p{n}"})
            found += tail.poll()

        assert len(found) == len(set(numbers(found))) == 600
        handler.close()

    def test_what_is_over_is_forgotten(self, root, soon, monkeypatch):
        """
        Segments that were finished a while ago, or taken away, take no memory, nor room in the cursor.
        """
        monkeypatch.setattr(_past, "_HOUR_MS", 0)
        monkeypatch.setattr(_folder, "_LATER_NS", 0)
        root.mkdir()
        clock = [time.time_ns()]
        store = open_store(root)
        tail = Tail(store._sources, Filters(), None, clock=lambda: clock[0])
        write(root, some(400, step=0), max_bytes=900)
        found = drained(tail, 400)
        long = tail.cursor

        for path in files(root):
            if "system" in path.parts:
                path.unlink()
        for seconds in (3_600, 1):
            clock[0] += seconds * 10**9
            tail.poll()

        assert len(found) == 400
        assert len(long) > 2_000
        assert len(tail.cursor) < 200
        assert open_store(root).tail(cursor=tail.cursor).poll() == []
        assert len(tail._following._files) == 0
        assert len(tail._following._past.done) <= 6

    def test_a_cursor_stays_short(self, root):
        """
        However much was finished within the last minute, a cursor names little of it, and goes on behind all of it.
        """
        write(root, some(400, step=0), max_bytes=900)
        lately = time.time_ns() - 20 * 10**9
        for path in files(root):
            os.utime(path, ns=(lately, lately))
        now, since = open_store(root).tail(), open_store(root).tail(since=0)
        cursors = [now.cursor]
        assert len(drained(since, 400)) == 400
        until(lambda: len(since.cursor) < 1_100 or since.poll())
        cursors.append(since.cursor)

        handler = write(root, some(10), name="other")

        assert [len(cursor) < 1_100 for cursor in cursors] == [True, True]
        found = [drained(open_store(root).tail(cursor=cursor), 10) for cursor in cursors]
        assert [[seq for _, seq in numbers(events)] for events in found] == [list(range(10))] * 2
        handler.close()

    def test_the_first_look_holds_nothing_up(self, root, monkeypatch):
        """
        However long the first look took, what comes and is finished right after it is found by the next poll.
        """
        write(root, some(20))
        ticks = iter(range(0, 10**15, 30 * 10**9))
        frozen: list[int] = []
        tail = Tail(open_store(root)._sources, Filters(), None, monotonic=lambda: frozen[0] if frozen else next(ticks))
        frozen.append(next(ticks) - 30 * 10**9)

        write(root, some(10), name="other")

        assert len(tail.poll()) == 10
        assert tail.caught_up

    def test_a_poll_with_nothing_new_lists_nothing(self, root, monkeypatch):
        """
        When nothing was written, a poll looks at the open files and at one folder, and lists none.
        """
        monkeypatch.setattr(_folder, "_FRESH_NS", 0)
        handler = write(root, some(50), is_closed=False, max_bytes=10**6)
        tail = open_store(root).tail()
        drained(tail)

        def refuse(*_):
            raise AssertionError("a folder was listed")

        monkeypatch.setattr(os, "scandir", refuse)
        monkeypatch.setattr(os, "listdir", refuse)

        assert [tail.poll() for _ in range(5)] == [[]] * 5
        assert tail.caught_up
        monkeypatch.undo()
        handler.close()


class TestGone:
    def test_taken_away_before_it_was_read(self, root, monkeypatch):
        """
        A segment that was taken away, and is nowhere else, is a problem that names it.
        """
        monkeypatch.setattr(_handles, "_MOST", 0)
        handler = write(root, some(10), is_closed=False, max_bytes=10**6)
        tail = open_store(root).tail(tiers="system")
        path = next(path for path in files(root) if "system" in path.parts)
        handler.pipeline.event(NOW, EMPTY, "info", "app", "lost", tier="system")

        path.unlink()

        assert tail.poll() == []
        until(lambda: tail.poll() or tail.problems)
        assert [problem.name for problem in tail.problems] == [path.relative_to(root).as_posix()]
        handler.close()

    def test_a_file_that_is_open_is_read_to_its_end(self, root):
        """
        What was written to a segment right before it was shipped and taken away is delivered without the store.
        """
        handler = write(root, some(10), is_closed=False)
        tail = open_store(root).tail()
        handler.pipeline.event(NOW, EMPTY, "info", "app", "last", tier="system")
        handler.close()

        ship_finished(root, MemoryStore())

        assert files(root) == []
        assert [event["msg"] for event in tail.poll()] == ["last"]
        assert tail.problems == []

    def test_a_build_that_begins_anew(self, root, monkeypatch, soon):
        """
        A build's file that was taken away, and one that has its name, and its number, are two.
        """
        monkeypatch.setattr(_handles, "_MOST", 0)
        root.mkdir()
        store, found = MemoryStore(), []
        tail = open_store([root, store]).tail(tiers="build", store_poll=0)

        now = time.time_ns() // 10**6 + 1_000  # what is of before it began isn't taken from the store
        for turn in range(4):
            write(root, [(now + turn, "build", "info", {"build_id": ULID}, "x" * 10, {})], name=f"w{turn}")
            found += tail.poll()
            ship_finished(root, store)

        found += drained(tail, 4 - len(found))
        assert [event["ts"] for event in in_order(found)] == [now, now + 1, now + 2, now + 3]


class TestStores:
    def test_another_host(self, root, tmp_path):
        """
        Segments that another host has shipped are delivered, once; those that ended before it began aren't.
        """
        store, other = MemoryStore(), tmp_path / "other"
        root.mkdir()
        write(other, some(30))
        ship_finished(other, store)
        tail = open_store([root, store]).tail(store_poll=0)
        now = time.time_ns() // 10**6 + 1_000

        write(other, some(30, start=now), name="api")
        ship_finished(other, store, "zst")
        found = drained(tail, 30)

        assert sorted(event["ts"] for event in found) == [now + n * 1_000 for n in range(30)]
        with open_store([root, store]).tail(cursor=tail.cursor, store_poll=0) as resumed:
            assert drained(resumed) == []

    def test_since(self, root):
        """
        From a time on, what is in the store comes, too, and what is in both comes once.
        """
        write(root, some(60))
        events, store = everything(root), MemoryStore()
        kept = {path: path.read_bytes() for path in files(root) if "projects" in path.parts}
        ship_finished(root, store)
        for path, body in kept.items():
            path.write_bytes(body)

        tail = open_store([root, store]).tail(since=NOW, store_poll=0)
        found = drained(tail, 60)
        found += drained(tail)

        assert in_order(found) == events

    def test_one_that_does_not_answer(self, root):
        """
        A store that doesn't answer is told once, and hinders nothing.
        """

        class Broken(MemoryStore):
            def list(self, prefix="", /, *, after=""):
                raise StoreError("the network is down; try again", code="EndpointConnectionError")

        root.mkdir()
        tail = open_store([root, Broken("r2://there")]).tail(store_poll=0)
        write(root, some(20))

        found = drained(tail, 20)
        until(lambda: tail.poll() or tail.problems)

        assert len(found) == 20
        assert [(problem.name, problem.problem) for problem in tail.problems] == [
            ("r2://there", "the network is down; try again")
        ]
