"""
One query by one contestant, in a process of its own: ``query_contestants.py NAME QUERY ROOT BUILD``.

It prints how many records it found, so that nobody is fast by finding less.
"""

from __future__ import annotations

import sys
from pathlib import Path


try:
    from stringzilla import count  # to count is no part of what is measured
except ImportError:
    count = bytes.count

from query_corpus import BUSY, COMMON_TEXT, RARE, RARE_TEXT, START


HOUR_MS = 3_600_000
SINCE, UNTIL = START + 10 * HOUR_MS, START + 11 * HOUR_MS
NEWEST = 200
QUERIES = {
    "Q1": "rare project and level=error, newest 200",
    "Q1b": "busy project and level=error, newest 200",
    "Q2": "one build, in order",
    "Q3": "one hour, all tiers, in order",
    "Q4": "count by tier, level, hour",
    "Q5": "rare text in msg, newest 200",
    "Q5b": "common text, newest 200",
    "Q6": "export everything, in order",
}


def tierlog(query: str, root: Path, build: str, *, catalog: bool | None) -> int:
    from tierlog.query import open_store

    store = open_store(root, catalog=None if catalog else False)
    newest = {"order": "desc", "limit": NEWEST}
    if query == "Q4":
        return sum(store.count(("tier", "lvl", "hour")).values())
    search = {
        "Q1": lambda: store.search(project_id=RARE, levels="error", **newest),
        "Q1b": lambda: store.search(project_id=BUSY, levels="error", **newest),
        "Q2": lambda: store.build(build),
        "Q3": lambda: store.search(since=SINCE, until=UNTIL),
        "Q5": lambda: store.search(text=RARE_TEXT, **newest),
        "Q5b": lambda: store.search(text=COMMON_TEXT, **newest),
        "Q6": store.search,
    }[query]()
    return sum(count(lines, b"\n") for lines in search.lines())


def duckdb(query: str, root: Path, build: str, *, by_columns: bool) -> int:
    """
    DuckDB in both of its formulations: typed columns, and lines that are filtered as text
    before they are parsed.
    """
    import duckdb

    files = f"'{root}/*/**/*.ndjson*'"
    kinds = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    columns = f"read_ndjson({files}, columns={{{kinds}}})"
    lines = (
        f"read_csv({files}, columns={{line: 'VARCHAR'}}, header=false, delim=E'\\x01', quote='', escape='', auto_detect=false,"
        " max_line_size=4000000)"
    )
    ts = "CAST(substr(line, 7, 13) AS BIGINT)"

    def value(name: str) -> str:
        return name if by_columns else ts if name == "ts" else f"json_extract_string(line, '$.{name}')"

    def where(**wanted: str) -> str:
        exact = [f"{value(name)} = '{one}'" for name, one in wanted.items()]
        quick = [] if by_columns else [f'contains(line, \'"{name}":"{one}"\')' for name, one in wanted.items()]
        return " AND ".join([*quick, *exact])

    def text(one: str) -> str:
        return f"contains(msg, '{one}')" if by_columns else f"contains(line, '{one}') AND contains({value('msg')}, '{one}')"

    number = "seq" if by_columns else "CAST(json_extract(line, '$.seq') AS BIGINT)"
    keys = [value("ts"), value("instanceId"), number]
    what = "*" if by_columns else "line"
    source = columns if by_columns else lines
    newest = "ORDER BY " + ", ".join(f"{key} DESC" for key in keys) + f" LIMIT {NEWEST}"
    ordered = "ORDER BY " + ", ".join(keys)
    start = f"SELECT {what} FROM {source}"
    sql = {
        "Q1": f"{start} WHERE {where(projectId=RARE, lvl='error')} {newest}",
        "Q1b": f"{start} WHERE {where(projectId=BUSY, lvl='error')} {newest}",
        "Q2": f"{start} WHERE {where(buildId=build, tier='build')} {ordered}",
        "Q3": f"{start} WHERE {value('ts')} >= {SINCE} AND {value('ts')} < {UNTIL} {ordered}",
        "Q4": f"SELECT {value('tier')} t, {value('lvl')} l, {value('ts')} // {HOUR_MS} h, count(*) n FROM {source} GROUP BY ALL",
        "Q5": f"{start} WHERE {text(RARE_TEXT)} {newest}",
        "Q5b": f"{start} WHERE {text(COMMON_TEXT)} {newest}",
        "Q6": f"{start} {ordered}",
    }[query]
    connection = duckdb.connect()
    if query in {"Q3", "Q6"}:
        form = "json" if by_columns else "csv, HEADER false, QUOTE '', DELIM E'\\x01', ESCAPE ''"
        return connection.execute(f"COPY ({sql}) TO '/dev/null' (FORMAT {form})").fetchone()[0]
    rows = connection.execute(sql).fetchall()
    return sum(row[3] for row in rows) if query == "Q4" else len(rows)


_COLUMNS = {
    "ts": "BIGINT",
    **dict.fromkeys(["instanceId", "tier", "kind", "lvl", "projectId", "buildId", "userId", "reqId"], "VARCHAR"),
    "seq": "BIGINT",
    "src": "VARCHAR",
    "msg": "VARCHAR",
    "data": "JSON",
}


def command(name: str, query: str, root: Path, build: str) -> list[str] | None:
    """
    Return the command of a contestant that isn't Python's; None if it can't answer.
    """
    if name == "rg":
        prefixes = sorted({str(ms)[:6] for ms in range(SINCE, UNTIL, 60_000)})
        pattern = {
            "Q1": f'"lvl":"error","projectId":"{RARE}"',
            "Q1b": f'"lvl":"error","projectId":"{BUSY}"',
            "Q2": f'"tier":"build".*"buildId":"{build}"',
            "Q3": '^\\{"ts":(' + "|".join(prefixes) + ")",
            "Q5": RARE_TEXT,
            "Q5b": COMMON_TEXT,
        }.get(query)
        return pattern and ["rg", "--no-filename", "--no-line-number", "--no-ignore", "-e", pattern, str(root)]
    if name == "sort":
        every = f"find {root} -name '*.ndjson' -print0 | xargs -0 cat | LC_ALL=C sort -S 1G"
        return ["sh", "-c", every] if query == "Q6" else None
    condition = {
        "Q1": f'.projectId == "{RARE}" and .lvl == "error"',
        "Q2": f'.buildId == "{build}" and .tier == "build"',
        "Q3": f".ts >= {SINCE} and .ts < {UNTIL}",
        "Q5": f'.msg | contains("{RARE_TEXT}")',
    }.get(query)
    return condition and ["sh", "-c", f"find {root} -name '*.ndjson' -print0 | xargs -0 jq -c 'select({condition})'"]


if __name__ == "__main__":
    contestant, asked, folder, one_build = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    if contestant in {"tierlog", "tierlog-catalog"}:
        print(tierlog(asked, folder, one_build, catalog=contestant == "tierlog-catalog"))
    else:
        print(duckdb(asked, folder, one_build, by_columns=contestant == "duck-columns"))
