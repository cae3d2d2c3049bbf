"""
Queries: every record that is asked for, once, in order, wherever it is and whatever moves.
"""

from __future__ import annotations

import gzip
import io
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import zstandard

from conftest import OTHER_ULID, ULID
from queried import DAY, HOUR, NOW, THIRD_ULID, catalogued, everything, files, lines_of, numbers, some, write
from tierlog.errors import QueryError
from tierlog.packing import pack_file
from tierlog.query import open_store
from tierlog.query._cursor import Key, encode_cursor
from tierlog.segments import Journal


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


def _framed(body):
    packed = io.BytesIO()
    pack_file(io.BytesIO(body), packed, "zst")
    return packed.getvalue()


class TestAnswers:
    def test_all_of_it_in_order(self, root):
        """
        Records of all tiers, of two processes, come in the order of time, instance and number.
        """
        write(root, some(80), name="web")
        write(root, some(50, step=700), name="api")

        found = list(open_store(root).search())

        assert found == everything(root)
        assert len(found) == 130

    def test_newest_first(self, root):
        """
        The other order is exactly the reverse.
        """
        write(root, some(80))
        write(root, some(50, step=700), name="api")

        assert list(open_store(root).search(order="desc")) == everything(root)[::-1]

    def test_records_of_one_millisecond_are_in_the_order_of_their_numbers(self, root):
        """
        Many records of one time, in segments of several tiers, come by instance and number.
        """
        write(root, some(200, step=0))
        write(root, some(40, step=0), name="api")

        assert list(open_store(root).search()) == everything(root)
        assert list(open_store(root).search(order="desc")) == everything(root)[::-1]
        assert b"".join(open_store(root).search().lines()) == lines_of(everything(root))

    def test_left_early(self, root):
        """
        A search may be left at any time, also as a context.
        """
        write(root, some(80))

        with open_store(root).search() as search:
            first = next(search)

        assert first == everything(root)[0]
        assert list(search) == []

    def test_export_of_the_newest_first(self, root):
        """
        An export has the order that is asked for, and goes on behind a cursor.
        """
        write(root, some(80, step=0))
        write(root, some(50, step=700), name="api")
        store, newest = open_store(root), everything(root)[::-1]
        page = store.search(order="desc", limit=11)

        assert b"".join(store.search(order="desc").lines()) == lines_of(newest)
        assert b"".join(page.lines()) == lines_of(newest[:11])
        assert b"".join(store.search(order="desc", cursor=page.cursor).lines()) == lines_of(newest[11:])

    def test_times_that_step_back(self, root):
        """
        Files whose times step back far are put in order.
        """
        events = [(NOW + n * 7_919 * 1_000 % HOUR, *rest) for n, (_, *rest) in enumerate(some(300))]
        write(root, events, max_bytes=60_000)

        assert list(open_store(root).search()) == everything(root)

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            pytest.param({"tiers": "build"}, lambda e: e["tier"] == "build", id="tier"),
            pytest.param({"tiers": ["action", "system"]}, lambda e: e["tier"] in {"action", "system"}, id="tiers"),
            pytest.param({"levels": "error"}, lambda e: e["lvl"] == "error", id="level"),
            pytest.param({"levels": ["warn", "error"]}, lambda e: e["lvl"] in {"warn", "error"}, id="levels"),
            pytest.param({"levels": ["info", "debug"]}, lambda e: e["lvl"] in {"info", "debug"}, id="common-levels"),
            pytest.param({"kinds": ["line", "log"]}, lambda e: e["kind"] in {"line", "log"}, id="kinds"),
            pytest.param(
                {"kinds": "line", "levels": "warn"}, lambda e: e["kind"] == "line" and e["lvl"] == "warn", id="neighbours"
            ),
            pytest.param({"project_id": ULID}, lambda e: e["projectId"] == ULID, id="project"),
            pytest.param({"build_id": THIRD_ULID}, lambda e: e["buildId"] == THIRD_ULID, id="build"),
            pytest.param({"user_id": "u3"}, lambda e: e["userId"] == "u3", id="user"),
            pytest.param({"req_id": "r"}, lambda e: False, id="request"),
            pytest.param({"project_id": "../etc"}, lambda e: False, id="not-in-a-path"),
            pytest.param(
                {"project_id": ULID, "levels": "error", "tiers": ["action", "build"]},
                lambda e: e["projectId"] == ULID and e["lvl"] == "error" and e["tier"] in {"action", "build"},
                id="several",
            ),
            pytest.param({"since": NOW + 10_000}, lambda e: e["ts"] >= NOW + 10_000, id="since"),
            pytest.param({"until": NOW + 10_000}, lambda e: e["ts"] < NOW + 10_000, id="until"),
            pytest.param(
                {"since": NOW + 10_000, "until": NOW + 20_001}, lambda e: NOW + 10_000 <= e["ts"] <= NOW + 20_000, id="span"
            ),
            pytest.param({"since": NOW + 10_000, "until": NOW + 10_000}, lambda e: False, id="empty-span"),
            pytest.param({"text": "error"}, lambda e: "error" in e["msg"], id="text"),
            pytest.param({"text": 'say "no"'}, lambda e: 'say "no"' in e["msg"], id="quotes"),
            pytest.param({"text": "and \\ s"}, lambda e: "and \\ s" in e["msg"], id="backslash"),
            pytest.param({"text": "ERROR\n"}, lambda e: "ERROR\n" in e["msg"], id="newline"),
            pytest.param({"text": "Grüße"}, lambda e: "Grüße" in e["msg"], id="not-ascii"),
            pytest.param({"text": ""}, lambda e: True, id="no-text"),
            pytest.param({"text": "gRÜSSE, error", "case": False}, lambda e: False, id="sharp-s"),
            pytest.param({"text": "GRÜßE, error", "case": False}, lambda e: "Grüße, ERROR" in e["msg"], id="caseless"),
            pytest.param({"text": 'SAY "', "case": False}, lambda e: 'say "' in e["msg"], id="caseless-quote"),
            pytest.param({"text": "école", "case": False}, lambda e: "ÉCOLE" in e["msg"], id="caseless-not-ascii"),
            pytest.param({"text": "É", "case": False}, lambda e: "ÉCOLE" in e["msg"], id="caseless-nothing-ascii"),
            pytest.param({"text": r"after \d+ ms$", "regex": True}, lambda e: re.search(r"after \d+ ms$", e["msg"]), id="regex"),
            pytest.param(
                {"text": r"^record \d*1 ", "regex": True}, lambda e: re.search(r"^record \d*1 ", e["msg"]), id="anchored"
            ),
            pytest.param(
                {"text": r"(timeout|hello)", "regex": True}, lambda e: re.search(r"timeout|hello", e["msg"]), id="choice"
            ),
            pytest.param(
                {"text": r"TIME.UT", "regex": True, "case": False}, lambda e: "timeout" in e["msg"], id="caseless-regex"
            ),
            pytest.param({"text": r"x*", "regex": True}, lambda e: True, id="regex-of-nothing"),
            pytest.param({"text": r"ERROR\v", "regex": True}, lambda e: "ERROR\n" in e["msg"], id="vertical-space"),
            pytest.param({"text": r"ERROR[\v]", "regex": True}, lambda e: "ERROR\n" in e["msg"], id="set-of-vertical-space"),
            pytest.param(
                {"text": r"d{2}|(after \d{1,3}( ms){1,3}$)", "regex": True}, lambda e: "timeout" in e["msg"], id="counted"
            ),
            pytest.param({"text": "error.{0,200}ms", "regex": True}, lambda e: "timeout" in e["msg"], id="counted-anything"),
            pytest.param({"text": "[0-9a-f]{32,64}|x{99}", "regex": True}, lambda e: "x" * 99 in e["msg"], id="counted-digits"),
            pytest.param({"text": "X" * 300, "case": False}, lambda e: "x" * 300 in e["msg"], id="caseless-long"),
            pytest.param({"text": '"' * 3_000, "case": False}, lambda e: False, id="caseless-long-quotes"),
            pytest.param({"where": {"deep.list." + "9" * 5_000: 1}}, lambda e: False, id="place-beyond-all-lists"),
            pytest.param({"where": {"n": 5}}, lambda e: e["data"]["n"] == 5, id="where"),
            pytest.param({"where": {"n": (">=", 50)}}, lambda e: e["data"]["n"] >= 50, id="at-least"),
            pytest.param(
                {"where": {"n": ("<", 5), "deep.even": True}}, lambda e: e["data"]["n"] < 5 and e["data"]["n"] % 2 == 0, id="both"
            ),
            pytest.param({"where": {"deep.list.0": 7}}, lambda e: e["data"]["n"] == 7, id="in-a-list"),
            pytest.param({"where": {"deep.list": ("contains", "a")}}, lambda e: True, id="contains"),
            pytest.param({"where": {"deep.none": ("exists", False)}}, lambda e: True, id="exists-not"),
            pytest.param({"where": {"deep.none": ("exists", True)}}, lambda e: False, id="exists"),
            pytest.param({"where": {"deep.even": ("!=", True)}}, lambda e: e["data"]["n"] % 2, id="unlike"),
            pytest.param({"where": {"n": True}}, lambda e: False, id="true-is-no-number"),
        ],
    )
    @pytest.mark.parametrize("is_catalogued", [False, True], ids=["scan", "catalog"])
    def test_filters(self, root, asked, expected, is_catalogued):
        """
        What is asked for is delivered and nothing else, newest first, too, with a catalog and without.
        """
        write(root, some())
        if is_catalogued:
            catalogued(root)

        store = open_store(root)

        wanted = [event for event in everything(root) if expected(event)]
        assert list(store.search(**asked)) == wanted
        assert list(store.search(**asked, order="desc", limit=7)) == wanted[::-1][:7]
        assert b"".join(store.search(**asked).lines()) == lines_of(wanted)

    def test_a_needle_elsewhere_is_no_answer(self, root):
        """
        An id that stands in a message or in the data only is not taken for that of the record.
        """
        needle = f'"projectId":"{OTHER_ULID}","buildId"'
        write(
            root,
            [(NOW, "system", "info", {"project_id": ULID}, needle, {"projectId": OTHER_ULID, "buildId": None, "lvl": "error"})],
        )

        store = open_store(root)

        assert list(store.search(project_id=OTHER_ULID)) == []
        assert list(store.search(levels="error")) == []
        assert len(list(store.search(project_id=ULID))) == 1

    def test_named_questions(self, root):
        """
        A build's log, a deploy's, a project's actions, and all of a project.
        """
        write(root, some())
        store, events = open_store(root), everything(root)

        assert list(store.build(ULID)) == [e for e in events if e["tier"] == "build" and e["buildId"] == ULID]
        assert list(store.deploy(ULID)) == [e for e in events if e["tier"] == "deploy" and e["buildId"] == ULID]
        mine = [e for e in events if e["projectId"] == ULID]
        assert list(store.project(ULID)) == [e for e in mine if e["tier"] in {"action", "lifecycle"}]
        assert list(store.project(ULID, NOW + 20_000, NOW + 30_000)) == [
            e for e in mine if e["tier"] in {"action", "lifecycle"} and NOW + 20_000 <= e["ts"] < NOW + 30_000
        ]
        assert list(store.timeline(ULID)) == mine
        assert (
            list(store.build(ULID, levels="error", limit=1, order="desc"))
            == [e for e in events[::-1] if e["tier"] == "build" and e["buildId"] == ULID and e["lvl"] == "error"][:1]
        )

    def test_several_days(self, root):
        """
        Records of several days come in order, and days that aren't asked for aren't read.
        """
        write(root, some(40, step=DAY // 10))
        events = everything(root)
        first = files(root)[0]
        first.write_bytes(b"torn")

        search = open_store(root).search(since=events[-1]["ts"] // DAY * DAY)

        assert list(search) == [event for event in events if event["ts"] // DAY == events[-1]["ts"] // DAY]
        assert search.skipped == 0

    def test_times_before_now(self, root):
        """
        A duration is one before now, by the store's clock.
        """
        write(root, some())
        store = open_store(root, clock=lambda: (NOW + 59_000) * 1_000_000)

        assert [event["ts"] for event in store.search(since="2s")] == [NOW + 57_000, NOW + 58_000, NOW + 59_000]

    def test_nothing_is_in_an_empty_folder(self, tmp_path):
        """
        A folder without segments has no records, and that is no error.
        """
        search = open_store(tmp_path).search()

        assert list(search) == []
        assert (search.skipped, search.problems, search.cursor) == (0, [], None)

    def test_a_root_that_has_gone(self, tmp_path):
        """
        A root that was taken away after the store was opened isn't an empty one.
        """
        root = tmp_path / "logs"
        root.mkdir()
        store = open_store(root)
        root.rmdir()

        search = store.search()

        assert list(search) == []
        assert search.problems == [(str(root), "isn't there any more")]


class TestBadLines:
    def test_torn_and_foreign_lines_are_counted(self, root):
        """
        Whatever isn't a record is skipped and counted; the lines around it are delivered.
        """
        write(root, some(20))
        events = everything(root)
        path = next(path for path in files(root) if "system" in path.parts)
        lines = path.read_bytes().splitlines(keepends=True)
        bad = [
            b'{"ts":1790000000000,"instanceId":"we\n',
            b"not ours\n",
            b"\n",
            b"   \n",
            b'{"a":1}\n',
            b"\xff\xfe\x00\n",
            lines[0][:-30] + lines[1],
        ]
        path.write_bytes(lines[0] + b"".join(bad) + b"  " + b"".join(lines[1:]) + b'{"ts":17900')

        search = open_store(root).search()

        assert list(search) == events
        assert search.skipped == 6
        assert search.problems == []

    @pytest.mark.parametrize(
        "filters", [{}, {"levels": "info"}, {"kinds": "log"}, {"text": "n"}, {"where": {"a": 1}}, {"user_id": "u"}]
    )
    def test_lines_with_values_of_other_types(self, root, filters):
        """
        A foreign line may have anything where an envelope has texts: it disturbs no question.
        """
        write(root, some(20))
        asked = {**filters, "tiers": ["system"]}
        before = list(open_store(root).search(**asked))
        path = next(path for path in files(root) if "system" in path.parts)
        line = orjson.loads(path.read_bytes().splitlines()[0])
        odd = [{name: value} for name in ("tier", "kind", "lvl", "src", "userId", "data") for value in ({}, [1], None, 7)]
        path.write_bytes(path.read_bytes() + b"".join(orjson.dumps({**line, "src": "odd", **one}) + b"\n" for one in odd))

        found = [event for event in open_store(root).search(**asked) if event["src"] not in ("odd", {}, [1], None, 7)]

        assert found == before

    def test_exports_have_lines_of_other_systems(self, root):
        """
        Lines that end as those of Windows, or with blanks, are exported as they are delivered.
        """
        write(root, some(20))
        events, path = everything(root), files(root)[0]
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n", 1) + b'{"ts":1790000000000,"instanceId":"we\r\n')

        search = open_store(root).search()
        exported = [orjson.loads(line) for line in b"".join(search.lines()).splitlines()]

        assert exported == list(open_store(root).search()) == events
        assert search.skipped == 1

    def test_exports_leave_torn_lines_out(self, root):
        """
        Lines that aren't parsed are torn if their end is missing.
        """
        write(root, some(20))
        events = everything(root)
        with open(files(root)[0], "ab") as file:
            file.write(b'{"ts":1790000000000,"instanceId":"we\nnot ours\n')

        search = open_store(root).search()

        assert b"".join(search.lines()) == lines_of(events)
        assert search.skipped == 2

    @pytest.mark.parametrize("ts", [0, 12_345, 999_999_999_999, 10_000_000_000_000, 253_402_300_799_999])
    def test_times_of_other_lengths(self, root, ts):
        """
        Records of 1970, or of the year 9999, stand where they belong.
        """
        write(root, some(10))
        write(root, [(ts, "system", "info", {}, "odd", {})], name="odd")

        assert list(open_store(root).search()) == everything(root)
        assert list(open_store(root).search(order="desc")) == everything(root)[::-1]
        assert b"".join(open_store(root).search().lines()) == lines_of(everything(root))
        assert [
            event["msg"]
            for event in open_store(root).search(
                since=ts, until=min(ts + 1, 253_402_300_799_999) if ts < 253_402_300_799_999 else None
            )
        ] == ["odd"]

    def test_a_record_longer_than_a_block(self, root):
        """
        Lines of hundreds of kilobytes are read whole.
        """
        write(root, [(NOW + n, "system", "info", {}, "y" * 250_000, {"z": "z" * (n * 100_000)}) for n in range(9)])

        assert list(open_store(root).search()) == everything(root)

    def test_a_damaged_segment_is_a_problem(self, root):
        """
        What can't be unpacked is told, as far as it can it is delivered, and so is all else.
        """
        write(root, some(40))
        events = everything(root)
        path = next(path for path in files(root) if "system" in path.parts)
        body = path.read_bytes()
        path.unlink()
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(body)[:-20])

        search = open_store(root).search()
        found = list(search)

        assert [problem.name for problem in search.problems] == [path.relative_to(root).as_posix() + ".gz"]
        assert "too early" in search.problems[0].problem
        lost = set(numbers(orjson.loads(line) for line in body.splitlines()))
        assert set(numbers(events)) - set(numbers(found)) <= lost

    @pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress), ("zst", _framed)])
    def test_a_packed_segment_that_breaks_off(self, root, ending, pack):
        """
        All records that can be unpacked are delivered, but for one that is cut in two; that the
        rest is missing is told.
        """
        write(root, [(NOW + n, "system", "info", {}, f"record {n * n * n}", {"n": n}) for n in range(3_000)], max_bytes=2_000_000)
        events = everything(root)
        [path] = files(root)
        packed = pack(path.read_bytes())
        path.unlink()
        path.with_name(f"{path.name}.{ending}").write_bytes(packed[: len(packed) // 2])

        search = open_store(root).search()
        found = list(search)

        assert found == events[: len(found)]
        assert len(events) // 4 < len(found) < len(events)
        assert search.skipped <= 1
        assert [problem.problem for problem in search.problems] == ["can't be read: it ends too early"]

    def test_a_folder_that_cannot_be_read_is_a_problem(self, root, monkeypatch):
        """
        A folder that can't be listed is told; what is in others is delivered.
        """
        write(root, some(20))
        scandir = os.scandir

        def refusing(path):
            if "system" in Path(path).parts:
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        search = open_store(root).search()

        assert list(search) == [event for event in everything(root) if event["tier"] != "system"]
        assert [problem.problem for problem in search.problems] == ["can't be read: Permission denied"]

    def test_links_are_not_followed(self, root, tmp_path):
        """
        A link among the segments leads nowhere.
        """
        write(root, some(10))
        events = everything(root)
        path = files(root)[-1]
        os.symlink(path, path.with_name("x-01ARZ3NDEKTSV4RRFFQ69G5FAV.ndjson"))

        assert list(open_store(root).search()) == events


class TestOpenSegments:
    @pytest.mark.parametrize("writer", ["append", "mmap"])
    def test_open_segments_are_read(self, root, writer):
        """
        What was logged a moment ago is found, while its segment is open.
        """
        handler = write(root, some(30), is_closed=False, writer=writer, max_bytes=1_000_000)

        search = open_store(root).search()

        assert [event["data"]["n"] for event in search] == list(range(30))
        assert search.skipped == 0
        assert list(Journal(root).places())
        handler.close()

    def test_a_line_that_is_being_written_is_not_torn(self, root):
        """
        The last line of an open segment may be half there: it isn't counted.
        """
        handler = write(root, some(5), is_closed=False, max_bytes=1_000_000)
        path = next(path for path in files(root) if "system" in path.parts)
        with open(path, "ab") as file:
            file.write(b'{"ts":1790000000009,"instanceId":"we')

        search = open_store(root).search()

        assert len(list(search)) == 5
        assert search.skipped == 0
        handler.close()


class TestCursor:
    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_pages(self, root, order):
        """
        Page after page gives each record once, in order.
        """
        write(root, some(100, step=0))
        write(root, some(100, step=300), name="api")
        store, found, cursor = open_store(root), [], None

        for _ in range(50):
            search = store.search(order=order, limit=7, cursor=cursor, levels=["info", "error"])
            page = list(search)
            found += page
            cursor = search.cursor
            if not page:
                break

        expected = [event for event in everything(root) if event["lvl"] in {"info", "error"}]
        assert found == (expected if order == "asc" else expected[::-1])

    def test_what_is_written_meanwhile_comes_later(self, root):
        """
        A cursor at the end goes on with what is written after it.
        """
        write(root, some(20))
        first = open_store(root).search()
        before = list(first)
        write(root, some(20, start=NOW + HOUR), name="api")

        after = list(open_store(root).search(cursor=first.cursor))

        assert before + after == everything(root)

    def test_after_an_export(self, root):
        """
        An export has a cursor, too.
        """
        write(root, some(20))
        search = open_store(root).search()

        b"".join(search.lines())

        assert list(open_store(root).search(cursor=search.cursor)) == []

    def test_of_a_search_without_answers(self, root):
        """
        A search that finds nothing more keeps the cursor that it began with.
        """
        write(root, some(20))
        first = open_store(root).search(limit=3)
        list(first)

        again = open_store(root).search(cursor=first.cursor, text="nobody said this")

        assert list(again) == []
        assert again.cursor == first.cursor


class TestWrongQuestions:
    @pytest.mark.parametrize(
        ("asked", "parameter"),
        [
            ({"tiers": "sytem"}, "tiers"),
            ({"tiers": []}, "tiers"),
            ({"tiers": 5}, "tiers"),
            ({"levels": ["fatal"]}, "levels"),
            ({"kinds": "No Kind"}, "kinds"),
            ({"kinds": []}, "kinds"),
            ({"project_id": 5}, "project_id"),
            ({"project_id": ""}, "project_id"),
            ({"since": "yesterdayish"}, "since"),
            ({"since": 1.5}, "since"),
            ({"since": True}, "since"),
            ({"until": -1}, "until"),
            ({"until": "2026-13-01"}, "until"),
            ({"since": NOW, "until": NOW - 1}, "until"),
            ({"text": 5}, "text"),
            ({"text": "(", "regex": True}, "text"),
            ({"text": r"(a)\1", "regex": True}, "text"),
            ({"text": r"(?=a)b", "regex": True}, "text"),
            ({"where": "a=1"}, "where"),
            ({"where": {"": 1}}, "where"),
            ({"where": {"a": ("~", 1)}}, "where"),
            ({"where": {"a": ("<", True)}}, "where"),
            ({"where": {"a": {"b": 1}}}, "where"),
            ({"text": "deploy\0ing", "regex": True}, "text"),
            ({"text": r"\w{1,300}x\w{1,300}y", "regex": True}, "text"),
            ({"text": r"(\w{1,60}\W){1,60}x", "regex": True}, "text"),
            ({"text": r"(?<word>\p{L}{1,60}\h){1,60}x", "regex": True}, "text"),
            ({"text": r"\Qa\E{1,60}b{1,60}", "regex": True}, "text"),
            ({"text": "a{99999999999999}", "regex": True}, "text"),
            ({"limit": -1}, "limit"),
            ({"limit": "5"}, "limit"),
            ({"order": "newest"}, "order"),
            ({"cursor": "nonsense"}, "cursor"),
            ({"cursor": "é"}, "cursor"),
            ({"cursor": 5}, "cursor"),
            ({"cursor": encode_cursor(Key(10**18, "x", 1), "asc")}, "cursor"),
            ({"cursor": encode_cursor(Key(-1, "x", 1), "asc")}, "cursor"),
        ],
    )
    def test_are_refused_at_once(self, tmp_path, asked, parameter):
        """
        What can't be asked raises one clear error that names the argument, before anything is read.
        """
        with pytest.raises(QueryError) as caught:
            open_store(tmp_path).search(**asked)

        assert caught.value.parameter == parameter
        assert "\n" not in str(caught.value)

    def test_a_cursor_of_the_other_order(self, root):
        """
        A cursor is one of its order.
        """
        write(root, some(5))
        search = open_store(root).search(limit=1)
        list(search)

        with pytest.raises(QueryError, match="order='asc'"):
            open_store(root).search(cursor=search.cursor, order="desc")

    def test_the_nearest_name_is_told(self, tmp_path):
        """
        An error of a name says which one may have been meant.
        """
        with pytest.raises(QueryError, match="did you mean 'system'"):
            open_store(tmp_path).search(tiers="sytem")

    def test_misspelt_filter(self, tmp_path):
        """
        A filter that there isn't names the nearest.
        """
        with pytest.raises(QueryError, match="did you mean 'levels'"):
            open_store(tmp_path).search(level="error")

    @pytest.mark.parametrize(
        ("place", "problem"),
        [
            ("nowhere", "no folder"),
            ([], "empty"),
            (5, "neither"),
            ("ftp://x/y", "scheme 'ftp'"),
            ("r2://key:secret@bucket/x", "credentials"),
            ("r2://bucket?secret_access_key=s3cr3t", "secret_access_key="),
            ("r2://bucket?endpoint=x", "endpoint_url"),
        ],
    )
    def test_stores_that_cannot_be(self, place, problem):
        """
        What is no store raises one clear line, and no secret is in it.
        """
        with pytest.raises(QueryError, match=problem) as caught:
            open_store(place)

        assert "s3cr3t" not in str(caught.value)
        assert ":secret" not in str(caught.value)


class TestTimes:
    @pytest.mark.parametrize(
        "given",
        [
            1_789_999_200_000,
            "1789999200000",
            datetime(2026, 9, 21, 14, tzinfo=UTC),
            datetime(2026, 9, 21, 14),
            "2026-09-21T14:00:00Z",
            "2026-09-21T16:00:00+02:00",
            "2026-09-21 14:00",
            "800s",
            "13m20s",
        ],
        ids=str,
    )
    def test_forms(self, root, given):
        """
        All of these are the same time.
        """
        write(root, [(1_789_999_200_000 + n, "system", "info", {}, str(n), {}) for n in (-1, 0, 1)])

        found = open_store(root, clock=lambda: NOW * 10**6).search(since=given)

        assert [event["msg"] for event in found] == ["0", "1"]
