"""
Logs to be searched, for the tests of queries, and what parsing every line says of them.
"""

from __future__ import annotations

import orjson

from conftest import OTHER_ULID, ULID
from tierlog.catalog import Catalog, rebuild, sqlite_url
from tierlog.context import EMPTY
from tierlog.handler import TierHandler
from tierlog.layout import parse_local
from tierlog.shipping import Ledger
from tierlog.shipping._upload import Uploader


__all__ = [
    "DAY", "HOUR", "LEVELS", "NOW", "THIRD_ULID", "TIERS",
    "catalogued", "everything", "files", "lines_of", "numbers", "ship", "some", "write",
]  # fmt: skip

THIRD_ULID = "01BX5ZZKBKACTAV9WEVGEMMVS0"
NOW = 1_790_000_000_000
HOUR = 3_600_000
DAY = 86_400_000
TIERS = ["system", "build", "deploy", "action", "lifecycle"]
LEVELS = ["debug", "info", "warn", "error"]
MESSAGES = ["hello", 'say "no"', "Grüße, ERROR\n", "error: timeout after 30 ms", "tab\tand \\ slash", "", "ÉCOLE", "x" * 300]


def write(root, events, *, name="web", is_closed=True, **options):
    """
    Log events, given as ``(ms, tier, level, ids, message, data)``, and return the handler.
    """
    clock = iter(range(NOW * 10**6, (NOW + 100 * DAY) * 10**6, 10**3))
    sink = {"type": "segments", "root": str(root), "max_bytes": 1_500, **options}
    handler = TierHandler(sink=sink, instance_name=name, clock=lambda: next(clock))
    for ms, tier, lvl, ids, msg, data in events:
        handler.pipeline.event(ms, EMPTY, lvl, "app", msg, data=data, tier=tier, fields=ids)
    if is_closed:
        handler.close()
    return handler


def some(count=60, *, step=1_000, start=NOW):
    """
    Return events of all tiers, levels and ids in turn.
    """
    return [
        (
            start + n * step,
            TIERS[n % 5],
            LEVELS[n % 4],
            {"project_id": [ULID, OTHER_ULID][n % 2], "build_id": [ULID, OTHER_ULID, THIRD_ULID][n % 3], "user_id": f"u{n % 7}"},
            f"record {n} {MESSAGES[n % len(MESSAGES)]}",
            {"n": n, "deep": {"even": n % 2 == 0, "list": [n, "a"]}},
        )
        for n in range(count)
    ]


def files(root):
    """
    Return the paths of all segments below a root.
    """
    found = [path for path in root.rglob("*") if path.is_file() and parse_local(path.relative_to(root).as_posix())]
    return sorted(found)


def everything(*roots):
    """
    Return all events below the roots, in order: the oracle parses every line.
    """
    events = {}
    for root in roots:
        for path in files(root):
            for line in path.read_bytes().rpartition(b"\n")[0].split(b"\n"):  # the last may just be written
                if line.strip():
                    event = orjson.loads(line)
                    events[event["ts"], event["instanceId"], event["seq"]] = event
    return [events[key] for key in sorted(events)]


def ship(root, store, *, packing=None, only=lambda place: True):
    """
    Ship the finished segments, as the shipper does, and return what was shipped.
    """
    uploader = Uploader(root, store, Ledger(root), packing=packing)
    done = []
    for path in files(root):
        place = parse_local(path.relative_to(root).as_posix())
        if only(place):
            settled = uploader.settled(place)
            done.append(uploader.upload(settled).shipped)
    return done


def numbers(events):
    """
    Return what names events.
    """
    return [(event["instanceId"], event["seq"]) for event in events]


def lines_of(events):
    """
    Return events as the lines that they were written as.
    """
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


def catalogued(root, store=None):
    """
    Make the catalog of a root.
    """
    catalog = Catalog(sqlite_url(root))
    rebuild(catalog, root, store)
    catalog.close()
