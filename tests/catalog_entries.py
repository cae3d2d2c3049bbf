"""
Entries of a catalog, for its tests and their child processes.
"""

from __future__ import annotations

import io

import orjson

from tierlog.catalog import Entry
from tierlog.facts import facts_of
from tierlog.layout import Place, local_path, remote_key


__all__ = ["START", "entry", "facts", "keys", "line"]

START = 1_700_000_000_000


def line(seq=0, ms=0, instance="web-00000000", lvl="info", project=None, build=None, user=None, msg="hello"):
    """
    Return one line of a segment.
    """
    head = {"ts": START + ms, "instanceId": instance, "tier": "system", "kind": "log", "lvl": lvl}
    ids = {"projectId": project, "buildId": build, "userId": user, "reqId": None}
    return orjson.dumps({**head, **ids, "seq": seq, "src": "test", "msg": msg, "data": {}}) + b"\n"


def facts(*lines):
    """
    Return what a segment of these lines holds.
    """
    return facts_of(io.BytesIO(b"".join(lines)))


def entry(number=0, *, tier="system", id=None, day="2026-11-22", state="shipped", ms=None, lines=None, **about):  # noqa: A002
    """
    Return an entry that has a place of its own for each number.
    """
    at = number * 1000 if ms is None else ms
    place = Place(tier, day, id, "web-00000000", f"01J{number:023d}")
    held = facts(*(lines or [line(number * 10 + n, at + n, **about) for n in range(3)]))
    key = local_path(place) if state == "local" else remote_key(place)
    return Entry(key, place, state, held.size // 2, "" if state == "local" else held.md5, "ab" * 32 if number else "", held)


def keys(entries):
    """
    Return the keys of entries.
    """
    return [one.key for one in entries]
