"""
SQL: the answers are those of parsing every line, and nothing but the segments can be read.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from statistics import quantiles

import orjson
import pytest
import zstandard

from conftest import OTHER_ULID, ULID
from queried import DAY, HOUR, NOW, catalogued, everything, files, numbers, ship, some, write
from tierlog.analytics import clickhouse, counts, percentiles, rates, sql
from tierlog.analytics._frames import is_cut_off
from tierlog.errors import MissingExtraError, QueryError, StoreError
from tierlog.layout import parse_local, remote_key
from tierlog.packing import UnpackingError, open_plain, pack_file
from tierlog.query import open_store
from tierlog.stores import Put
from tierlog.testing import MemoryStore


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="logs", scope="module")
def _logs(tmp_path_factory):
    """
    Return a store over logs of six hours, and the events in it.
    """
    root = tmp_path_factory.mktemp("logs")
    write(root, some(200, step=120_000), max_bytes=10_000)
    return open_store(root), everything(root)


def asked(store, question, **more):
    """
    Ask, and return the rows of an answer in which nothing is missing.
    """
    result = sql(store, question, threads=1, **more)
    assert (result.skipped, result.problems) == (0, [])
    return list(result)


# -- what is read ------------------------------------------------------------------


@pytest.mark.parametrize("packing", [None, "gz", "zst"])
def test_folder_and_bucket_are_one(root, packing):
    """
    What is here and what is shipped, plain or packed, is one relation.
    """
    write(root, some(80))
    events, store = everything(root), MemoryStore()
    ship(root, store, packing=packing, only=lambda place: place.tier not in {"action", "system"})
    assert files(root)

    found = asked(open_store([root, store]), "SELECT instanceId, seq FROM events ORDER BY ts_ms, instanceId, seq")

    assert found == numbers(events)


def test_what_is_in_two_places_counts_once(root):
    """
    A segment that is here and in the bucket is read once, also if a build has it as one
    file here, and in parts there.
    """
    write(root, some(80))
    events, store = everything(root), MemoryStore()
    kept = {path: path.read_bytes() for path in files(root)}
    ship(root, store)
    for path, content in kept.items():
        path.write_bytes(content)
    part = next(one.key for one in store.list("builds/"))
    body = store.get(part).splitlines(keepends=True)
    folder = root / "builds" / datetime.fromtimestamp(NOW / 1000, UTC).date().isoformat() / ULID
    folder.mkdir(exist_ok=True)
    (folder / "web-01-01BX5ZZKBKACTAV9WEVGEMMVRZ.ndjson").write_bytes(b"".join(body[:2]))

    found = asked(open_store([root, store]), "SELECT instanceId, seq FROM events ORDER BY ts_ms, instanceId, seq")

    assert found == numbers(events)


def test_columns_have_types(logs):
    """
    A row has the envelope's values; ts is a time with a zone, and data is JSON.
    """
    store, events = logs

    result = sql(store, "SELECT * FROM events ORDER BY ts_ms, seq LIMIT 1")
    (row,) = result.dicts()

    event = events[0]
    assert list(row) == ["ts", "ts_ms", *list(event)[1:]]
    assert row["ts"] == datetime.fromtimestamp(event["ts"] / 1000, UTC)
    assert row["ts_ms"] == event["ts"]
    assert orjson.loads(row["data"]) == event["data"]
    assert {name: row[name] for name in list(event)[1:-1]} == {name: event[name] for name in list(event)[1:-1]}
    assert result.types[0] == "TIMESTAMP WITH TIME ZONE"


def test_data_is_asked_by_its_paths(logs):
    """
    What is in data can be asked for as DuckDB does it.
    """
    store, events = logs

    found = asked(store, "SELECT sum((data->>'n')::INT) FROM events WHERE (data->'deep'->>'even') = 'true'")

    assert found == [(sum(event["data"]["n"] for event in events if event["data"]["deep"]["even"]),)]


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param({}, id="none"),
        pytest.param({"tiers": ["build", "system"], "levels": "error"}, id="tiers-and-levels"),
        pytest.param({"project_id": ULID, "since": NOW + HOUR + 1, "until": NOW + 3 * HOUR}, id="project-and-times"),
        pytest.param({"build_id": OTHER_ULID, "kinds": ["log", "line"], "user_id": "u3"}, id="ids-and-kinds"),
        pytest.param({"since": NOW + 30 * DAY}, id="nothing"),
    ],
)
@pytest.mark.parametrize("is_catalogued", [False, True], ids=["scan", "catalog"])
def test_filters(root, logs, filters, is_catalogued):
    """
    The filters are those of a search, and its numbers are the same.
    """
    store = logs[0]
    if is_catalogued:
        write(root, some(100, step=240_000))
        catalogued(root)
        store = open_store(root)

    found = asked(store, counts(["tier", "lvl", "instance"]), **filters)

    assert {row[:3]: row[3] for row in found} == store.count(["tier", "lvl", "instance"], **filters)


class Noted(MemoryStore):
    """
    A store that knows what was read of it, and that fails for some of it.
    """

    def __init__(self):
        super().__init__()
        self.read, self.closed = set(), ""

    def get(self, key, start=0, end=None):
        self.read.add(key.partition("/")[0])
        if key == self.closed:
            raise StoreError("the bucket is closed", code="Closed")
        return super().get(key, start, end)


def test_what_is_left_out_is_not_read(root):
    """
    Filters leave out segments by their names.
    """
    write(root, some(40))
    store = Noted()
    ship(root, store)

    asked(open_store(store), counts(), tiers=["action", "system"])

    assert store.read == {"projects", "system"}


def test_torn_and_foreign_lines_are_counted(root):
    """
    What isn't a whole line of ours is left out and counted, whatever it is; what is
    empty isn't.
    """
    write(root, some(40), max_bytes=1_000_000)
    events = everything(root)
    path = next(path for path in files(root) if path.parent.parent.name == "system")
    line = orjson.dumps({**events[0], "seq": 10**6, "msg": "x" * 3_000_000})
    junk = [b'{"ts":17', b"hello", b"[1]", b'{"a":1}', b'{"ts":"x","seq":[]}', b"\xff\xfe", b'{"ts":1,"msg":"\xff"}', b"\0" * 99]
    path.write_bytes(b"\n\n" + b"\n".join(junk) + b"\n" + path.read_bytes() + b"\r\n" + line + b"\n" * 70_000 + b"\0" * 3_000_000)

    result = sql(open_store(root), counts("tier"))

    assert dict(result) == {**Counter(event["tier"] for event in events), "system": 9}
    assert (result.skipped, result.problems) == (len(junk) + 1, [])


@pytest.mark.parametrize("writer", ["append", "mmap"])
def test_open_segments(root, writer):
    """
    What is being written is there, too.
    """
    handler = write(root, some(30), is_closed=False, writer=writer, max_bytes=1_000_000)

    found = asked(open_store(root), "SELECT count(*), count(DISTINCT seq) FROM events")

    handler.close()
    assert found == [(30, 30)]


def test_what_moves_meanwhile_is_found(root):
    """
    Segments that are shipped between being listed and being read are read all the same.
    """
    write(root, some(60))
    events = everything(root)

    class Shipping(MemoryStore):
        is_done = False

        def list(self, prefix="", *, after=""):
            if not self.is_done:
                self.is_done = True
                ship(root, self)
            return super().list(prefix, after=after)

    found = asked(open_store([root, Shipping()]), "SELECT instanceId, seq FROM events ORDER BY ts_ms, instanceId, seq")

    assert files(root) == []
    assert found == numbers(events)


def test_what_cannot_be_read_is_told(root):
    """
    A damaged segment is read as far as it goes, an object that the store doesn't give is
    left out, and both are named.
    """
    write(root, some(300), max_bytes=100_000)
    store, events = Noted(), everything(root)
    ship(root, store, only=lambda place: place.tier == "action")
    store.closed = next(iter(store.list())).key
    closed = [orjson.loads(line) for line in MemoryStore.get(store, store.closed).splitlines()]
    path = next(path for path in files(root) if path.parent.parent.name == "system")
    packed = path.with_name(f"{path.name}.gz")
    with path.open("rb") as plain, packed.open("wb") as file:
        pack_file(plain, file, "gz")
    packed.write_bytes(packed.read_bytes()[:-300])
    path.unlink()

    result = sql(open_store([root, store]), "SELECT tier, seq FROM events")
    found = list(result)

    expected = {(event["tier"], event["seq"]) for event in events} - {(event["tier"], event["seq"]) for event in closed}
    assert {one for one in found if one[0] != "system"} == {one for one in expected if one[0] != "system"}
    assert 0 < len({one for one in found if one[0] == "system"} & expected) < 60
    assert sorted(problem.problem for problem in result.problems) == ["can't be read: it ends too early", "the bucket is closed"]
    assert {problem.name for problem in result.problems} == {packed.relative_to(root).as_posix(), store.closed}


@pytest.mark.parametrize("is_shipped", [False, True], ids=["folder", "bucket"])
def test_a_zstandard_segment_that_breaks_off_is_told(root, is_shipped):
    """
    What is left of a Zstandard segment is in the answer, and that it ends too early is told, though
    DuckDB takes it for whole.
    """
    write(root, [(NOW + n, "system", "info", {}, f"record {n * n * n}", {}) for n in range(3_000)], max_bytes=2_000_000)
    store, [path] = MemoryStore(), files(root)
    key = f"{path.relative_to(root).as_posix()}.zst"
    body = _framed(path.read_bytes())
    path.unlink()
    cut = body[: len(body) * 2 // 3]
    if is_shipped:
        key = remote_key(parse_local(key))
        store.put(Put(key, cut, len(cut), hashlib.md5(cut).hexdigest(), {}))
    else:
        path.with_name(f"{path.name}.zst").write_bytes(cut)

    result = sql(open_store(store if is_shipped else root), "SELECT count(*) FROM events")
    [(number,)] = result

    assert [(problem.name, problem.problem) for problem in result.problems] == [(key, "can't be read: it ends too early")]
    assert 0 < number < 3_000


def _is_cut_off(body):
    return is_cut_off(lambda number, offset: body[offset : offset + number], len(body))


def _can_be_read(body):
    try:
        open_plain(io.BytesIO(body), "zst").read()
    except UnpackingError:
        return False
    return True


def _framed(body):
    packed = io.BytesIO()
    pack_file(io.BytesIO(body), packed, "zst")
    return packed.getvalue()


def _unsized(body):
    return zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(bytes(300_000) + body)


def _skipping(body):
    return b"\x51\x2a\x4d\x18\x05\x00\x00\x00skip!" + zstandard.compress(body) + b"\x50\x2a\x4d\x18\x00\x00\x00\x00"


@pytest.mark.parametrize("pack", [zstandard.compress, _framed, _unsized, _skipping], ids=["one", "blocks", "unsized", "skipping"])
def test_whole_zstandard_is_told_from_what_was_cut(pack):
    """
    Whoever packed it: a file is cut off where what reads it finds that it ends too early.
    """
    whole = pack(b"".join(b"%d %d\n" % (n, n * n * n) for n in range(60_000)))

    sizes = [*range(0, len(whole), 4_999), *range(len(whole) - 20, len(whole) + 1)]
    wrong = [size for size in sizes if _is_cut_off(whole[:size]) is _can_be_read(whole[:size])]

    assert wrong == []
    assert not _is_cut_off(whole)


# -- what may be asked -------------------------------------------------------------


def everything_below(root):
    return sorted(path for path in root.rglob("*") if not path.name.endswith(("-shm", "-wal")))  # SQLite's, which reads


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('{root}/.tierlog/catalog.sqlite')",
        "SELECT * FROM read_ndjson('{other}')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x')",
        "COPY (SELECT 1) TO '{root}/x'",
        "ATTACH '{root}/x'",
        "INSTALL httpfs",
        "SET threads = 1",
        "CREATE TABLE x AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1) AS a, (SELECT 2",
        "SELECT nope FROM events",
        "SELCT",
        "",
        "SELECT CAST('x' AS INT)",
    ],
)
def test_nothing_else_can_be_done(root, query):
    """
    What isn't a question to the events is refused in one line, and nothing was written.
    """
    write(root, some(10))
    catalogued(root)
    before = everything_below(root)
    other = next(path for path in files(root) if "builds" in path.parts)

    with pytest.raises(QueryError) as e:
        sql(open_store(root), query.format(root=root, other=other), tiers="system")

    assert e.value.parameter == "sql"
    assert "\n" not in e.value.problem
    assert everything_below(root) == before


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"memory_limit": "much"}, "memory_limit"),
        ({"memory_limit": "20MB", "threads": 1}, "memory_limit"),
        ({"threads": 0}, "threads"),
        ({"text": "x"}, "text"),
        ({"tiers": "x"}, "tiers"),
        ({"since": "x"}, "since"),
    ],
)
def test_options_that_cannot_work(logs, options, parameter):
    """
    A wrong option is named, and too little memory, too.
    """
    with pytest.raises(QueryError) as e:
        sql(logs[0], "SELECT a.msg FROM events a, range(9999) ORDER BY 1", **options)

    assert e.value.parameter == parameter


def test_nothing_is_left_behind(logs, tmp_path, monkeypatch):
    """
    What didn't fit into memory is gone with the answer, with one that failed, and with
    one that nobody wanted.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with sql(logs[0], "SELECT * FROM events") as result:
        next(result)
        during = list(tmp_path.iterdir())
    with pytest.raises(QueryError):
        sql(logs[0], "SELECT nope FROM events")

    sql(logs[0], "SELECT * FROM events")

    assert len(during) == 1
    assert list(result) == []
    assert list(tmp_path.iterdir()) == []


def test_order_and_names_are_kept(logs):
    """
    Rows come in the order that was asked for; two columns of one name are two.
    """
    result = sql(logs[0], 'SELECT seq, seq, lvl AS "my lvl" FROM events ORDER BY seq DESC -- newest;\n;')

    assert result.columns[0] == "seq"
    assert result.columns[2] == "my lvl"
    assert (len(result.columns), result.row_count) == (3, 200)
    assert [row[0] for row in result] == list(range(199, -1, -1))


def test_without_the_extra(logs, monkeypatch):
    """
    Who hasn't the extra is told which one it is.
    """
    for name in [name for name in sys.modules if name.startswith("tierlog.analytics._")]:
        if name.rpartition(".")[2] in {"_asking", "_engine", "_files"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(MissingExtraError, match=r"tierlog\[sql\]"):
        sql(logs[0], counts())


# -- questions ---------------------------------------------------------------------


def test_counts(logs):
    """
    Events are counted by columns, by time and by what is in data.
    """
    store, events = logs

    found = asked(store, counts(["hour", "lvl", "project_id", "data.deep.even"]))

    def key(event):
        hour = datetime.fromtimestamp(event["ts"] // HOUR * 3600, UTC)
        return hour, event["lvl"], event["projectId"], str(event["data"]["deep"]["even"]).lower()

    assert {row[:4]: row[4] for row in found} == Counter(map(key, events))
    assert found == sorted(found)


def test_rates(logs):
    """
    Rates are counts in each step of time, and per second.
    """
    store, events = logs

    found = asked(store, rates("hour"))

    hours = Counter(event["ts"] // HOUR * 3600 for event in events)
    assert found == [(datetime.fromtimestamp(hour, UTC), count, count / 3600) for hour, count in sorted(hours.items())]


def test_percentiles(logs):
    """
    Percentiles are those of the numbers in data, exact or about right.
    """
    store, events = logs

    exact = asked(store, percentiles("data.n", "lvl"))
    about = asked(store, percentiles("data.n", "lvl", at=[0.5], approximate=True))
    texts = asked(store, percentiles("data.deep.list"))

    for lvl, count, *values in exact:
        own = quantiles([event["data"]["n"] for event in events if event["lvl"] == lvl], n=100, method="inclusive")
        assert count == 50
        assert values == pytest.approx([own[49], own[94], own[98]])
    assert [row[2] for row in about] == pytest.approx([row[2] for row in exact], rel=0.1)
    assert texts == [(0, None, None, None)]


@pytest.mark.parametrize(
    ("ask", "parameter"),
    [
        pytest.param(lambda: counts("nope"), "by", id="field"),
        pytest.param(lambda: counts([3]), "by", id="no-text"),
        pytest.param(lambda: counts("data."), "by", id="no-path"),
        pytest.param(lambda: rates("week"), "per", id="step"),
        pytest.param(lambda: percentiles("durationMs"), "field", id="not-in-data"),
        pytest.param(lambda: percentiles("data.n", at=[95]), "at", id="percent"),
        pytest.param(lambda: percentiles("data.n", at=[]), "at", id="none"),
        pytest.param(lambda: clickhouse(counts(), "my-logs"), "bucket", id="no-url"),
        pytest.param(lambda: clickhouse(counts(), "https://id:key@host/my-logs"), "bucket", id="keys-in-url"),
        pytest.param(lambda: clickhouse(counts(), "", collection="a b"), "collection", id="collection"),
        pytest.param(lambda: clickhouse(counts(), "https://host/b", limit=3), "limit", id="filter"),
    ],
)
def test_questions_that_cannot_be_asked(ask, parameter):
    """
    A wrong part of a question is named when it is made.
    """
    with pytest.raises(QueryError) as e:
        ask()

    assert e.value.parameter == parameter


# -- ClickHouse --------------------------------------------------------------------

BUCKET = "r2://my-logs/prod?endpoint_url=https://host"


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        pytest.param({"tiers": "system"}, ["system/*/*/*/*.ndjson*"], id="all-days"),
        pytest.param({"tiers": "system", "since": NOW, "until": NOW + 1}, ["system/2026/09/21/*.ndjson*"], id="one-day"),
        pytest.param(
            {"tiers": "action", "project_id": ULID, "since": NOW, "until": NOW + DAY},
            [f"projects/{ULID}/{{2026/09/21,2026/09/22}}/*.ndjson*"],
            id="two-days-of-a-project",
        ),
        pytest.param(
            {"tiers": "lifecycle", "since": NOW, "until": NOW + 99 * DAY},
            ["lifecycle/*/{2026/09,2026/10,2026/11,2026/12}/*/*.ndjson*"],
            id="months",
        ),
        pytest.param({"tiers": "build"}, ["builds/*.ndjson*", "builds/*/*.ndjson*"], id="builds"),
        pytest.param(
            {"tiers": "deploy", "build_id": ULID}, [f"deploys/{ULID}.ndjson*", f"deploys/{ULID}/*.ndjson*"], id="one-build"
        ),
    ],
)
def test_clickhouse_reads_what_is_asked_for(filters, keys):
    """
    Tiers, days and ids leave out objects by their keys.
    """
    text = clickhouse(counts(), BUCKET, **filters)

    assert [part.partition("'")[0] for part in text.split("https://host/my-logs/prod/")[1:]] == keys


def test_clickhouse_has_no_secrets_unless_given():
    """
    Keys are in the text if they are asked for, and nowhere else; a cluster and a named
    collection stand where they belong, and a text can't end before its end.
    """
    plain = clickhouse(counts(), BUCKET, tiers="system", user_id="o'\\", keys=["system/a.ndjson"])
    keyed = clickhouse(counts(), BUCKET, credentials=("id", "secret"), keys=["system/a.ndjson"])
    named = clickhouse(counts(), "", collection="logs", cluster="all", keys=["system/a.ndjson"])

    assert "FROM s3('https://host/my-logs/prod/system/a.ndjson', 'LineAsString', 'line String')" in plain
    assert "userId = 'o\\'\\\\'" in plain
    assert "FROM s3('https://host/my-logs/prod/system/a.ndjson', 'id', 'secret', 'LineAsString', 'line String')" in keyed
    assert "s3Cluster('all', logs, filename = 'system/a.ndjson', format = 'LineAsString', structure = 'line String')" in named
