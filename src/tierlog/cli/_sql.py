"""
``tierlog sql``.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

import click
import orjson
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from tierlog import analytics
from tierlog.analytics import Question, Result, clickhouse, counts, percentiles, rates
from tierlog.cli._errors import WrongUse
from tierlog.cli._inert import inert
from tierlog.cli._read_options import PLACE, asked, opened, part_options, place_options, time_options, wrong_use
from tierlog.cli._reading import UNREAD, tell, tell_if_empty
from tierlog.cli._stopping import stopped_by_kill
from tierlog.cli._store_options import chosen
from tierlog.cli._terminal import make_console
from tierlog.cli._waiting import waiting
from tierlog.errors import QueryError


__all__ = ["sql"]

_F = TypeVar("_F", bound=Callable[..., Any])
_SHOWN = 1_000  # rows of a table, whose widths are those of all
_NARROW = 12  # columns of a terminal, for each of a table that has more than fit
_JSON = orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
_NAMES = {"sql": "QUERY", "per": "--rate", "field": "--percentiles", "memory_limit": "--memory-limit", "bucket": "--store"}
_RIGHT = frozenset(["BIGINT", "HUGEINT", "UBIGINT", "INTEGER", "DOUBLE", "FLOAT"])
_OF_JSON = re.compile(r"Failed to cast value|Malformed JSON|Could not convert string|\(JSON\)")
_JSON_HINT = "; data is JSON: compare texts, as in data->>'status' = '500', and reckon with try_cast(data->>'ms' as double)"
_WHOLE = re.compile(r"TIME(STAMP)?\b.*|TIMESTAMP_\w+|DATE|\w*INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*|BOOLEAN")  # never in two lines
_EPILOG = """\b
Examples:
  tierlog sql "select lvl, count(*) from events group by 1" --since 2h
  tierlog sql "select data->>'region' as region, max(ts) from events group by 1" --tier deploy
  tierlog sql --count-by tier,lvl --csv
  tierlog sql --rate hour --by lvl --since 24h
  tierlog sql --percentiles data.durationMs --by project_id
  tierlog sql --rate day --dialect clickhouse --cluster logs --store r2://my-logs
"""


def _options(function: _F) -> _F:
    for option in reversed(
        (
            click.option("--count-by", metavar="FIELDS", help="Count by tier, lvl, project_id, hour, data.region, …"),
            click.option("--rate", metavar="STEP", help="Count in each minute, hour or day, and per second."),
            click.option("--percentiles", metavar="FIELD", help="p50, p95 and p99 of a number such as data.durationMs."),
            click.option("--by", metavar="FIELDS", help="With --rate and --percentiles: in groups, as of --count-by."),
            click.option("--approximate", is_flag=True, help="With --percentiles: about right, in little memory."),
        )
    ):
        function = option(function)
    return function


@click.command(epilog=_EPILOG)
@click.argument("query", required=False)
@_options
@part_options
@time_options
@click.option("--utc", is_flag=True, help="Take times without a zone for UTC.")
@place_options
@click.option("--json", "form", flag_value="json", help="One JSON object a row; so it is in a pipe.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, with the names first.")
@click.option("--table", "form", flag_value="table", help="A table; so it is on a terminal.")
@click.option("--memory-limit", metavar="SIZE", default="1GB", show_default=True, help="For DuckDB; the rest is on the disk.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", default=4, show_default=True, help="For DuckDB.")
@click.option(
    "--dialect",
    type=click.Choice(["duckdb", "clickhouse"]),
    default="duckdb",
    help="clickhouse: print the question for it, instead of asking DuckDB.",
)
@click.option("--cluster", metavar="NAME", help="With ClickHouse: the cluster that shares the work.")
@click.option("--collection", metavar="NAME", help="With ClickHouse: the named collection with the bucket and its keys.")
def sql(*, query: str | None, form: str | None, memory_limit: str, threads: int, **given: Any) -> None:
    """
    Ask a question in SQL, of the relation events.

    QUERY is SQL as DuckDB speaks it, '-' for what is on standard input. The columns of
    events are ts, ts_ms, instanceId, tier, kind, lvl, projectId, buildId, userId, reqId,
    seq, src, msg and data, which is JSON. What lies in the root and in the bucket that
    it ships to is one; nothing else can be read, and nothing can be written. Times are
    in UTC. --tier, --since and the like leave out segments before they are read.

    Exit codes: 0 done; 2 wrong usage, or something couldn't be read: what could be is
    in the answer, and what is missing is told on standard error; 130 stopped; 141
    nobody reads the output any more.
    """
    dialect, cluster, collection = given.pop("dialect"), given.pop("cluster"), given.pop("collection")
    by = "--by" if given["count_by"] is None else "--count-by"
    with _wrong_use(by):
        question = _question(query, given)
    names = ("tiers", "kinds", "levels", "project_id", "build_id", "user_id", "req_id", "since", "until")
    filters = asked({name: given.pop(name) for name in names}, is_utc=given.pop("utc"))
    if dialect == "clickhouse":
        with _wrong_use(by):
            bucket = "" if collection is not None else _bucket(given)
            click.echo(clickhouse(question, bucket, cluster=cluster, collection=collection, **filters))
        return
    if cluster is not None or collection is not None:
        raise WrongUse(f"--{'cluster' if cluster is not None else 'collection'}: is ClickHouse's; give --dialect clickhouse, too")
    store = opened(given)
    with stopped_by_kill():
        with _wrong_use(by), waiting("reading"):
            result = analytics.sql(store, question, memory_limit=memory_limit, threads=threads, **filters)
        with result:
            _FORMS[form or ("table" if sys.stdout.isatty() else "json")](result)
            tell(result.problems, result.skipped)
            if result.problems:
                click.get_current_context().exit(UNREAD)
            if result.row_count <= 1:  # as of a count
                tell_if_empty(store)


@contextmanager
def _wrong_use(by: str) -> Generator[None]:
    """
    Tell what can't be asked by the names of the options; *by* is that of groups.
    """
    names = {**_NAMES, "by": by}
    try:
        with wrong_use():
            yield
    except WrongUse as e:
        cause = e.__cause__
        if isinstance(cause, QueryError) and cause.parameter in names:
            hint = _JSON_HINT if cause.parameter == "sql" and _OF_JSON.search(cause.problem) else ""
            raise WrongUse(f"{names[cause.parameter]}: {cause.problem}{hint}") from cause
        raise


def _question(query: str | None, given: dict[str, Any]) -> Question | str:
    """
    Take what is asked for out of *given*, and return the question.
    """
    count_by, rate, field = given.pop("count_by"), given.pop("rate"), given.pop("percentiles")
    by, approximate = given.pop("by"), given.pop("approximate")
    if sum(one is not None for one in (query, count_by, rate, field)) != 1:
        raise WrongUse("one question at a time: give a QUERY, --count-by, --rate or --percentiles")
    if by is not None and rate is None and field is None:
        raise WrongUse("--by: goes with --rate and --percentiles")
    if approximate and field is None:
        raise WrongUse("--approximate: goes with --percentiles")
    groups = [name.strip() for name in (by or "").split(",") if name.strip()]
    if count_by is not None:
        return counts([name.strip() for name in count_by.split(",") if name.strip()])
    if rate is not None:
        return rates(rate, groups)
    if field is not None:
        return percentiles(field, groups, approximate=approximate)
    return sys.stdin.read() if query == "-" else str(query)


def _bucket(given: dict[str, Any]) -> str:
    """
    Return the URL of the bucket that a command is about.
    """
    urls = [store for store in given["stores"] if "://" in store]
    if urls:
        return str(urls[0])
    options = chosen(**{name: given[name] for name in PLACE}).options
    if not options.get("bucket"):
        raise WrongUse("--dialect: ClickHouse reads the bucket, and it isn't known which; name the --bucket or a --store")
    place = "/".join(part for part in (options["bucket"], str(options.get("prefix") or "").strip("/")) if part)
    endpoint = options.get("endpoint_url")
    return f"{str(endpoint).rstrip('/')}/{place}" if endpoint else f"r2://{place}"


def _show_json(result: Result) -> None:
    is_json = [kind == "JSON" for kind in result.types]
    for row in result:
        values = [
            orjson.Fragment(value) if parsed and value is not None else value for value, parsed in zip(row, is_json, strict=True)
        ]
        fields = dict(zip(result.columns, values, strict=True))
        try:
            line = orjson.dumps(fields, _plain, _JSON)
        except orjson.JSONEncodeError:  # a number of more than 64 bits, or an odd key of a map
            line = orjson.dumps(_fitting(fields), _plain, _JSON)
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _show_csv(result: Result) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(result)
    sys.stdout.flush()


def _show_table(result: Result) -> None:
    names = [inert(name) for name in result.columns]
    rows = [["" if value is None else inert(_told(value)) for value in row] for row in islice(result, _SHOWN)]
    console = make_console()
    widths = [max(map(cell_len, column)) for column in zip(names, *rows, strict=True)]
    is_whole = [_WHOLE.fullmatch(kind) is not None for kind in result.types]
    least = [width if whole else min(width, _NARROW) for width, whole in zip(widths, is_whole, strict=True)]
    if sum(widths) + 2 * len(names) > console.width < max(_NARROW * len(names), sum(least) + 2 * len(names)):
        _show_records(names, rows)
    else:
        table = Table(box=None, pad_edge=False)
        for name, kind, whole in zip(names, result.types, is_whole, strict=True):
            justify: JustifyMethod = "right" if kind in _RIGHT else "left"
            table.add_column(Text(name), justify=justify, overflow="fold", no_wrap=whole)
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    if result.row_count > _SHOWN:
        click.echo(f"{result.row_count - _SHOWN} more rows; --json and --csv give all of them", err=True)


def _show_records(names: list[str], rows: list[list[str]]) -> None:
    """
    Show rows one below the other, as all of their columns don't stand beside each other.
    """
    width = max(map(cell_len, names))
    for number, row in enumerate(rows, 1):
        click.echo(f"-- {number}")
        for name, value in zip(names, row, strict=True):
            click.echo(f"{name}{' ' * (width - cell_len(name))}  {value}".rstrip(" "))


def _told(value: Any) -> str:
    return f"{value:.6g}" if type(value) is float else str(value)


def _plain(value: Any) -> Any:
    """
    Return as something that JSON has what it hasn't.
    """
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    return value.hex() if isinstance(value, bytes) else str(value)


def _fitting(value: Any) -> Any:
    """
    Return a value with its integers and keys written out.
    """
    if isinstance(value, (list, tuple)):
        return [_fitting(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _fitting(one) for key, one in value.items()}
    return orjson.Fragment(str(value)) if type(value) is int else value


_FORMS: dict[str, Callable[[Result], None]] = {"json": _show_json, "csv": _show_csv, "table": _show_table}
