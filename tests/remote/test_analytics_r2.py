"""
SQL over real object stores: DuckDB, and ClickHouse itself, give the same answers.
"""

from __future__ import annotations

import json
from itertools import count

import chdb
import pytest

from conftest import OTHER_ULID, ULID
from queried import DAY, NOW, everything, files, ship, some, write
from tierlog.analytics import clickhouse, counts, percentiles, rates, sql
from tierlog.query import open_store
from tierlog.r2 import R2Store


_numbers = count()
PACKINGS = [None, "zst", "gz"]
WHOLE = "SELECT * EXCEPT(ts, data) FROM events ORDER BY ts_ms, seq"


def keys_of(options):
    return options["access_key_id"], options["secret_access_key"]


def url_of(options):
    return f"{options['endpoint_url'].rstrip('/')}/{options['bucket']}/{options['prefix']}"


def by_clickhouse(question, options, **asked):
    """
    Return the rows that ClickHouse answers, by name.
    """
    text = clickhouse(question, url_of(options), credentials=keys_of(options), **asked)
    answer = str(chdb.query(f"{text}\nSETTINGS output_format_json_quote_64bit_integers = 0", "JSONEachRow"))
    return [json.loads(line) for line in answer.splitlines()]


def by_duckdb(question, options, **asked):
    """
    Return the rows that DuckDB answers, by name, with times as ClickHouse writes them.
    """
    result = sql(open_store(R2Store(**options)), question, threads=2, **asked)
    assert (result.skipped, result.problems) == (0, [])
    return [
        {name: value.strftime("%F %T") if name in {"hour", "day"} else value for name, value in row.items()}
        for row in result.dicts()
    ]


@pytest.fixture(name="bucket", scope="module")
def _bucket(moto, tmp_path_factory):
    """
    Return where a part of moto's bucket is with plain and packed segments of two days,
    and the events in them.
    """
    root = tmp_path_factory.mktemp("logs")
    write(root, some(150, step=800_000), max_bytes=20_000)
    events = everything(root)
    options = {**moto.options, "prefix": f"analytics-{next(_numbers)}"}
    store = R2Store(**options)
    for number, packing in enumerate(PACKINGS):
        ship(root, store, packing=packing, only=lambda place: place.instance is None or ord(place.ulid[-1]) % 3 == number)  # noqa: B023
    assert files(root) == []
    return options, events


FEW = {"since": NOW + DAY // 2, "until": NOW + DAY, "project_id": ULID, "tiers": ["action", "build"]}


@pytest.mark.parametrize(
    ("question", "filters"),
    [
        pytest.param(counts(["hour", "project_id", "data.deep.even"]), {}, id="counts"),
        pytest.param(counts(["hour", "project_id", "data.deep.even"]), FEW, id="counts-of-few"),
        pytest.param(rates("day", "lvl"), {"build_id": OTHER_ULID, "levels": ["warn", "error"]}, id="rates-of-a-build"),
        pytest.param(percentiles("data.n", "tier", at=[0.5, 0.9, 0.999]), {}, id="percentiles"),
        pytest.param("WITH few AS (SELECT * FROM events WHERE lvl = 'info') SELECT count(*) AS n FROM few", FEW, id="sql"),
    ],
)
def test_both_answer_alike(bucket, question, filters):
    """
    A question has the same answer from both, whatever is left out.
    """
    options, _ = bucket

    found = by_clickhouse(question, options, **filters)

    assert found == [pytest.approx(row) for row in by_duckdb(question, options, **filters)]
    assert found


def test_the_numbers_are_those_of_count(bucket):
    """
    Both count what LogStore.count() does.
    """
    options, events = bucket

    found = by_clickhouse(counts(), options)

    known = open_store(R2Store(**options)).count()
    assert {(row["tier"], row["lvl"]): row["count"] for row in found} == known
    assert sum(known.values()) == len(events)


def test_clickhouse_has_the_same_columns(bucket):
    """
    A row of events is what was written.
    """
    options, events = bucket

    found = by_clickhouse(WHOLE, options)

    assert found == [
        {"ts_ms": event["ts"], **{name: event[name] for name in list(event)[1:-1]}}
        for event in sorted(events, key=lambda e: (e["ts"], e["seq"]))
    ]


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_simulator_of_r2(r2, tmp_path, packing):
    """
    DuckDB reads what is in R2, and so does ClickHouse by its key, torn lines left out.
    """
    root = tmp_path / "logs"
    write(root, some(60), max_bytes=100_000)
    events, store = everything(root), R2Store(**r2)
    path = next(path for path in files(root) if path.parent.parent.name == "system")
    path.write_bytes(path.read_bytes() + b'{"ts":1790000000000,"inst\n')
    ship(root, store, packing=packing)
    (key,) = [one.key for one in store.list("system/")]

    result = sql(open_store(store), "SELECT count(*) FROM events")
    found = by_clickhouse("SELECT count(*) AS n, max(seq) AS last FROM events", r2, keys=[key])

    own = [event for event in events if event["tier"] == "system"]
    assert (list(result), result.skipped, result.problems) == ([(60,)], 1, [])
    assert found == [{"n": len(own), "last": max(event["seq"] for event in own)}]
