"""
Counting: the numbers are those of parsing every line, whoever knows them.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from conftest import ULID
from queried import DAY, HOUR, LEVELS, NOW, catalogued, everything, files, ship, some, write
from tierlog.blocks import BLOCK_BYTES
from tierlog.errors import QueryError
from tierlog.query import _count, open_store
from tierlog.testing import MemoryStore


HOUR_START = NOW // HOUR * HOUR


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


def counts(events, *by, ok=lambda event: True):
    """
    Return how many events there are by some fields.
    """
    fields = {
        "hour": lambda e: e["ts"] // HOUR * HOUR,
        "project_id": lambda e: e["projectId"],
        "instance": lambda e: e["instanceId"],
    }
    return Counter(tuple(fields.get(name, lambda e: e[name])(event) for name in by) for event in events if ok(event))  # noqa: B023


def everything_found(root):
    """
    Return what is found without a catalog.
    """
    return list(open_store(root, catalog=False).search())


@pytest.mark.parametrize("is_catalogued", [False, True], ids=["scan", "catalog"])
@pytest.mark.parametrize(
    ("by", "asked", "ok"),
    [
        pytest.param(["tier", "lvl", "hour"], {}, lambda e: True, id="all"),
        pytest.param(["lvl"], {"tiers": ["build", "system"]}, lambda e: e["tier"] in {"build", "system"}, id="tiers"),
        pytest.param(["tier"], {"levels": "error"}, lambda e: e["lvl"] == "error", id="levels"),
        pytest.param(
            ["hour"],
            {"since": HOUR_START + HOUR, "until": HOUR_START + 3 * HOUR},
            lambda e: HOUR_START + HOUR <= e["ts"] < HOUR_START + 3 * HOUR,
            id="hours",
        ),
        pytest.param(
            ["tier", "lvl"],
            {"since": NOW + 100_000, "until": NOW + 7_000_001},
            lambda e: NOW + 100_000 <= e["ts"] <= NOW + 7_000_000,
            id="parts-of-hours",
        ),
        pytest.param(["kind", "project_id"], {"project_id": ULID}, lambda e: e["projectId"] == ULID, id="id"),
        pytest.param(
            ["instance", "src"],
            {"text": "ERROR", "where": {"deep.even": True}},
            lambda e: "ERROR" in e["msg"] and e["data"]["deep"]["even"],
            id="content",
        ),
        pytest.param([], {}, lambda e: True, id="in-total"),
    ],
)
def test_counts(root, is_catalogued, by, asked, ok):
    """
    Each number is that of the oracle, with a catalog and without.
    """
    write(root, some(150, step=120_000), max_bytes=10_000)
    write(root, some(70, step=90_000), name="api")
    if is_catalogued:
        catalogued(root)

    found = open_store(root).count(by, **asked)

    assert found == counts(everything(root), *by, ok=ok)
    assert (found.skipped, found.problems) == (0, [])


def test_by_day(root):
    """
    Records are counted by the UTC date, too.
    """
    write(root, some(30, step=DAY // 10))

    found = open_store(root).count("day")

    assert sum(found.values()) == 30
    assert set(found) == {(path.parts[-2],) for path in files(root) if "system" in path.parts}


def test_the_catalog_answers_alone(root):
    """
    What the catalog knows is not read.
    """
    write(root, some(60))
    catalogued(root)
    expected = counts(everything(root), "tier", "lvl", "hour")
    for path in files(root):
        path.write_bytes(b"?" * path.stat().st_size)

    assert open_store(root).count(("tier", "lvl", "hour")) == expected


@pytest.mark.parametrize(("by", "is_needed"), [("lvl", True), ("src", False)])
def test_damaged_details(root, by, is_needed):
    """
    A segment whose details can't be read is counted by its lines, which is told; where they
    aren't needed, they aren't looked at. The catalog still answers for the others.
    """
    write(root, some(60))
    catalogued(root)
    expected = counts(everything(root), by)
    with closing(sqlite3.connect(root / ".tierlog" / "catalog.sqlite")) as connection, connection:
        connection.execute("UPDATE tierlog_segments SET details = x'01' WHERE tier = 'system'")
    for path in files(root) if is_needed else ():
        if "system" not in path.parts:
            path.write_bytes(b"?" * path.stat().st_size)

    found = open_store(root).count(by)

    assert found == expected
    assert [one.name for one in found.problems] == [str(root / ".tierlog" / "catalog.sqlite")] * is_needed


@pytest.mark.parametrize("is_catalogued", [False, True], ids=["scan", "catalog"])
def test_an_hour_is_cut_between_two_blocks(root, is_catalogued):
    """
    What is before the time that is asked for isn't counted, also where a block of a segment ends
    just there.
    """
    write(
        root,
        [(HOUR_START + n * 60_000, "system", "info", {}, f"record {n}", {"more": "x" * 60_000}) for n in range(9)],
        max_bytes=9_000_000,
    )
    if is_catalogued:
        catalogued(root)
    since = HOUR_START + 4 * 60_000 + 30_000
    assert next(iter(files(root))).stat().st_size > 2 * BLOCK_BYTES

    for at in (since, since + 60_000, since + 120_000, since + HOUR):
        asked = {"since": at, "until": at + HOUR}
        assert open_store(root).count("hour", **asked) == counts(everything(root), "hour", ok=lambda e: e["ts"] >= at)  # noqa: B023


def test_lines_in_the_usual_form_are_not_parsed(root, monkeypatch):
    """
    Blocks are counted by their bytes.
    """
    write(root, some(60))
    expected = counts(everything(root), "tier", "lvl")
    monkeypatch.setattr(_count, "event_of", None)

    assert open_store(root).count() == expected


def test_torn_lines_and_needles_in_data(root):
    """
    Torn lines aren't counted but told, and a level in the data counts for nothing.
    """
    write(root, [(NOW + n, "system", LEVELS[n % 4], {}, '"lvl":"error",', {"lvl": "error", "ts": NOW}) for n in range(20)])
    expected = counts(everything(root), "lvl")
    path = files(root)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3][:-20] + b"\n", b"no line\n", *lines[3:]]))

    found = open_store(root).count("lvl")

    assert found == expected
    assert found.skipped == 2


@pytest.mark.parametrize("end", ["", "\r"], ids=["LF", "CRLF"])
def test_the_catalog_knows_no_torn_lines(root, end):
    """
    The catalog counts what a search finds: no line that was torn behind its head, and all that
    end as those of another system.
    """
    write(root, some(20, step=1))
    path = files(root)[0]
    lines = path.read_bytes().decode().splitlines()
    path.write_bytes("".join(f"{line}{end}\n" for line in [*lines, lines[0][:-2], lines[0][:-20]]).encode())
    catalogued(root)

    assert open_store(root).count() == counts(everything_found(root), "tier", "lvl")


@pytest.mark.parametrize("ts", [1_000_500, NOW, 50_000_000_000_000])
def test_the_catalog_knows_lines_in_another_spelling(root, ts):
    """
    What somebody else has spelt, or was written by a clock that is wrong, is found and counted with
    a catalog, too.
    """
    write(root, some(20, step=1))
    path = next(path for path in files(root) if "system" in path.parts)
    other = {**json.loads(path.read_bytes().splitlines()[0]), "ts": ts, "seq": 10_000}
    path.write_bytes(path.read_bytes() + json.dumps(other).encode() + b"\n")
    catalogued(root)

    found = list(open_store(root).search())

    assert other in found
    assert open_store(root).count() == counts(everything_found(root), "tier", "lvl")
    assert sum(open_store(root).count().values()) == 21


@pytest.mark.parametrize("field", ["tier", "kind", "lvl", "src", "projectId", "reqId"])
def test_what_has_no_text_for_a_text_is_foreign(root, field):
    """
    A line of others that has a list where a text belongs isn't counted but told.
    """
    write(root, some(20))
    path = next(path for path in files(root) if "system" in path.parts)
    before = open_store(root).count(["kind", "src", "project_id", "req_id"])
    odd = {**json.loads(path.read_bytes().splitlines()[0]), field: []}
    path.write_bytes(path.read_bytes() + json.dumps(odd, separators=(",", ":")).encode() + b"\n")

    found = open_store(root).count(["kind", "src", "project_id", "req_id"])

    assert (found, found.skipped) == (before, 1)


def test_folder_and_store(root):
    """
    What is in both is counted once, and so is a build's file that has two names meanwhile.
    """
    write(root, some(90))
    events, store = everything(root), MemoryStore()
    before = {path: path.read_bytes() for path in files(root)}
    ship(root, store)
    for path, body in before.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    assert open_store([root, store]).count() == counts(events, "tier", "lvl")
    assert open_store(store).count() == counts(events, "tier", "lvl")


def test_shipped_meanwhile(root, monkeypatch):
    """
    Segments that go to the store while they are counted are counted once.
    """
    write(root, some(90))
    events, store = everything(root), MemoryStore()
    blocks = _count.Scan.blocks

    def late(scan, source):
        if files(root):
            ship(root, store)
        return blocks(scan, source)

    monkeypatch.setattr(_count.Scan, "blocks", late)

    found = open_store([root, store]).count()

    assert found == counts(events, "tier", "lvl")
    assert found.problems == []


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"by": "colour"}, "by"),
        ({"by": 5}, "by"),
        ({"by": [["tier"]]}, "by"),
        ({"limit": 5}, "limit"),
        ({"order": "asc"}, "order"),
        ({"cursor": "x"}, "cursor"),
        ({"levels": "x"}, "levels"),
    ],
)
def test_wrong_questions(tmp_path, asked, parameter):
    """
    What can't be counted is refused.
    """
    with pytest.raises(QueryError) as caught:
        open_store(tmp_path).count(**asked)

    assert caught.value.parameter == parameter
