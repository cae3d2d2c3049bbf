"""
The same questions, written for ClickHouse over the bucket.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tierlog.analytics._dialects import CLICKHOUSE
from tierlog.analytics._events import COLUMNS
from tierlog.analytics._filters import check, conditions
from tierlog.analytics._questions import Question
from tierlog.envelope import KEYS
from tierlog.errors import QueryError
from tierlog.layout import SUFFIX, Place, remote_key
from tierlog.query._filters import Filters, filters
from tierlog.query._listing import Wanted, wanted
from tierlog.typing import Clock


__all__ = ["clickhouse"]

_TYPES = {"VARCHAR": "String", "BIGINT": "Int64"}
_BUILD_TIERS = frozenset(["build", "deploy"])
_FEW = 40  # days, or months, that are named one by one
_FILES = f"*{SUFFIX}*"
_WITH = re.compile(r"\s*with\s+(?!recursive\b)", re.IGNORECASE)
_MS_NS = 1_000_000


def clickhouse(
    question: Question | str,
    bucket: str,
    *,
    keys: Iterable[str] | None = None,
    cluster: str | None = None,
    credentials: tuple[str, str] | None = None,
    collection: str | None = None,
    clock: Clock = time.time_ns,
    **asked: Any,
) -> str:
    """
    Return a question as SQL for ClickHouse, which reads the bucket itself.

    No secret is in it unless *credentials* are given: the server's own configuration
    or a named collection has them.

    Args:
        question: One of this package's questions, or SQL over ``events``, whose columns
            are those of :func:`tierlog.analytics.sql`; its functions are ClickHouse's.

        bucket: Where the segments are: ``https://host/bucket/prefix``, or a store's URL
            such as ``r2://bucket/prefix?endpoint_url=https://…``.

        keys: Keys of segments, or globs of them, below *bucket*; what the filters leave
            over if None.

        cluster: The cluster whose machines share the work, with ``s3Cluster``.

        credentials: Access key id and secret access key, to be written into the text.

        collection: A named collection of the server's, which has the URL up to the
            bucket's prefix, and the credentials. *bucket* may then be empty.

        clock: Returns nanoseconds since the epoch.

        asked: ``tiers``, ``kinds``, ``levels``, ``project_id``, ``build_id``, ``user_id``,
            ``req_id``, ``since`` and ``until``, as for :meth:`tierlog.query.LogStore.search`.

    Raises:
        QueryError: It can't be asked for.
    """
    check(asked)
    found = filters(now_ms=clock() // _MS_NS, **asked)
    source = _Source(_url(bucket) if collection is None else "", cluster, credentials, collection)
    given = None if keys is None else list(keys)
    if given is not None:
        alone, shared = [key for key in given if not _is_shared(key)], [key for key in given if _is_shared(key)]
    else:
        asked_for = wanted(found)
        alone, shared = list(_globs(asked_for, is_shared=False)), list(_globs(asked_for, is_shared=True))
    relation = _events(source, alone, shared, found)
    text = question.sql(CLICKHOUSE) if isinstance(question, Question) else question.strip().rstrip(";")
    own = _WITH.match(text)
    return f"WITH events AS (\n{relation}\n){f', {text[own.end() :]}' if own else f'{chr(10)}{text}'}"


class _Source:
    """
    Writes down the table functions that read the bucket.
    """

    def __init__(self, url: str, cluster: str | None, credentials: tuple[str, str] | None, collection: str | None) -> None:
        if collection is not None and not collection.isidentifier():
            raise QueryError("collection", f"{collection!r} isn't the name of a named collection")
        if collection is not None and credentials is not None:
            raise QueryError("credentials", "are the named collection's; leave them out")
        self._url = url
        self._cluster = cluster
        self._credentials = credentials
        self._collection = collection

    def lines(self, keys: list[str]) -> str:
        """
        Return the lines of the objects that are meant by *keys*.
        """
        return "\nUNION ALL\n".join(f"SELECT line FROM {self._table(key)}" for key in keys)

    def _table(self, key: str) -> str:
        text = CLICKHOUSE.text
        arguments = [] if self._cluster is None else [text(self._cluster)]
        if self._collection is not None:
            arguments += [self._collection, f"filename = {text(key)}", "format = 'LineAsString'", "structure = 'line String'"]
        else:
            arguments += [text(f"{self._url}/{key}"), *map(text, self._credentials or ()), "'LineAsString'", "'line String'"]
        return f"{'s3' if self._cluster is None else 's3Cluster'}({', '.join(arguments)})"


def _events(source: _Source, alone: list[str], shared: list[str], found: Filters) -> str:
    """
    Return the events as a relation with DuckDB's columns.
    """
    parts = []
    if alone:
        parts.append(_parsed(source.lines(alone)))
    if shared:  # what there is of one build may overlap
        parts.append(f"{_parsed(source.lines(shared))}\nLIMIT 1 BY ts_ms, instanceId, seq")
    if not parts:
        parts.append(_parsed("SELECT '' AS line"))
    united = "\nUNION ALL\n".join(f"SELECT * FROM (\n{part}\n)" for part in parts)
    return f"SELECT * FROM (\n{united}\n) WHERE {conditions(found, CLICKHOUSE)}"


def _parsed(lines: str) -> str:
    """
    Return the whole lines' columns. What is torn, or isn't ours, has no such parts.
    """
    kinds = ", ".join(f"{name} Nullable({_TYPES[kind]})" for name, kind in COLUMNS.items() if kind in _TYPES)
    columns = [f"e.{name} AS {name}" for name in KEYS[1:-1]]
    return (
        "SELECT fromUnixTimestamp64Milli(assumeNotNull(e.ts), 'UTC') AS ts, e.ts AS ts_ms, "
        f"{', '.join(columns)}, JSONExtractRaw(line, 'data') AS data\n"
        f"FROM (SELECT line, JSONExtract(line, 'Tuple({kinds})') AS e FROM (\n{lines}\n))\n"
        "WHERE e.ts IS NOT NULL AND e.instanceId IS NOT NULL AND e.tier IS NOT NULL AND e.lvl IS NOT NULL AND e.seq IS NOT NULL"
    )


def _globs(asked: Wanted, *, is_shared: bool) -> Iterator[str]:
    """
    Yield what the keys of the segments look like.
    """
    for tier in asked.tiers:
        folder = remote_key(Place(tier, None, "x")).partition("/")[0]
        owner = asked.owner(tier) or "*"
        if (tier in _BUILD_TIERS) != is_shared:
            continue
        if is_shared:
            yield f"{folder}/{owner if owner != '*' else ''}{_FILES if owner == '*' else f'{SUFFIX}*'}"
            yield f"{folder}/{owner}/{_FILES}"
        else:
            yield f"{folder}/{'' if tier == 'system' else f'{owner}/'}{_days(asked)}/{_FILES}"


def _days(asked: Wanted) -> str:
    first, last = date.fromisoformat(asked.first_day), date.fromisoformat(asked.last_day)
    if (last - first).days < _FEW:
        return _either([f"{first + timedelta(number):%Y/%m/%d}" for number in range((last - first).days + 1)])
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    if len(months) <= _FEW:
        return _either([f"{month // 12:04}/{month % 12 + 1:02}" for month in months]) + "/*"
    return "*/*/*"


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{{{','.join(names)}}}"


def _is_shared(key: str) -> bool:
    return any(key.startswith(remote_key(Place(tier, None, "x")).partition("/")[0] + "/") for tier in _BUILD_TIERS)


def _url(bucket: str) -> str:
    parts = urlsplit(bucket)
    if "@" in parts.netloc:
        raise QueryError("bucket", "has credentials in its URL; give credentials=, or leave them to the server")
    if parts.scheme in {"http", "https"} and parts.netloc:
        return bucket.rstrip("/")
    if parts.scheme == "r2" and parts.netloc:
        endpoint = dict(parse_qsl(parts.query)).get("endpoint_url", "").rstrip("/")
        prefix = unquote(parts.path).strip("/")
        host = f"{endpoint}/{parts.netloc}" if endpoint else f"https://{parts.netloc}.s3.amazonaws.com"
        return f"{host}/{prefix}".rstrip("/")
    raise QueryError("bucket", f"{bucket!r} isn't a bucket's URL, such as https://host/bucket/prefix or r2://bucket/prefix")
