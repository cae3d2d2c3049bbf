"""
An entry as rows of the tables, and back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tierlog.details import hash_of, pack, unpack
from tierlog.facts import IDS, Facts
from tierlog.layout import Place


__all__ = ["OWNERS", "Entry", "entry_of", "expired_row", "hash_of", "id_rows", "level_rows", "segment_row", "sorted_by_key"]

OWNERS: Mapping[str, tuple[str, ...]] = {"projectId": ("action", "lifecycle"), "buildId": ("build", "deploy"), "userId": ()}
"""Of which tiers the place's id is that id."""

_MOST = (1 << 63) - 1  # of a column of numbers
_LVL_CHARS, _NAME_CHARS = 64, 512


class Entry(NamedTuple):
    """
    A finished segment.

    Attributes:
        key: Its path below the root if *state* is ``local``, else its key in the store.

        place: What names it, with its day, also for builds.

        state: ``local``, ``shipped``, or ``expired``: it was deleted by age, and is
            kept for its numbers and hashes, without ids and blocks.

        stored_bytes: Bytes as stored.

        etag: The object's; empty if *state* is ``local``.

        prev_sha256: SHA-256 of the segment of its instance before it; empty if there
            is none.

        facts: What it holds.

        frames: Stored bytes of each Zstandard frame, which is a block; nothing if it
            isn't packed so.
    """

    key: str
    place: Place
    state: str
    stored_bytes: int
    etag: str
    prev_sha256: str
    facts: Facts
    frames: tuple[int, ...] = ()


def segment_row(entry: Entry) -> dict[str, Any]:
    """
    Return the row of the segment, without ``id``.
    """
    place, facts = entry.place, entry.facts
    first, last, _ = facts.seqs.get(facts.instance, (None, None, 0))
    return {
        "key": entry.key,
        "state": entry.state,
        "tier": place.tier,
        "day": place.day,
        "owner_id": place.id,
        "writer": place.instance,
        "ulid": place.ulid,
        "packing": place.packing,
        "instance": _text(facts.instance, _NAME_CHARS),
        "size": facts.size,
        "stored_bytes": entry.stored_bytes,
        "lines": facts.lines,
        "first_ts": facts.first_ts,
        "last_ts": facts.last_ts,
        "first_seq": None if first is None else min(first, _MOST),
        "last_seq": None if last is None else min(last, _MOST),
        "step_back": facts.step_back,
        "etag": entry.etag,
        "md5": facts.md5,
        "sha256": facts.sha256,
        "prev_sha256": entry.prev_sha256,
        "details": pack(facts, entry.frames),
    }


def entry_of(row: Any) -> Entry:
    """
    Return the entry that *row*, of the segments, is of.

    Raises:
        ValueError: Its details are damaged.
    """
    details = unpack(row.details, row.first_ts)
    return Entry(
        key=row.key,
        place=Place(row.tier, row.day, row.owner_id, row.writer, row.ulid, row.packing),
        state=row.state,
        stored_bytes=row.stored_bytes,
        etag=row.etag,
        prev_sha256=row.prev_sha256,
        facts=Facts(
            size=row.size,
            lines=row.lines,
            first_ts=row.first_ts,
            last_ts=row.last_ts,
            step_back=row.step_back,
            sha256=row.sha256,
            md5=row.md5,
            instance=details.instance,
            seqs=details.seqs,
            levels=details.levels,
            ids=details.ids,
            blocks=details.blocks,
        ),
        frames=details.frames,
    )


def expired_row(entry: Entry) -> Entry:
    """
    Return *entry* as it is when its segment was deleted by age.
    """
    return entry._replace(state="expired", facts=entry.facts._replace(ids={}, blocks=()), frames=())


def id_rows(entry: Entry, segment: int) -> list[dict[str, int]]:
    """
    Return the rows of the ids that stand in the segment whose row is *segment*.
    """
    known = entry.facts.ids
    hashes = {hash_of(name, None) for name in IDS if name not in known}
    hashes |= {hash_of(name, value) for name, masks in known.items() for value in masks}
    return [{"hash": number, "first_ts": entry.facts.first_ts, "segment": segment} for number in sorted(hashes)]


def level_rows(entry: Entry, segment: int) -> list[dict[str, Any]]:
    """
    Return the rows of the lines by hour and level.
    """
    counts: Counter[tuple[int, str]] = Counter()
    for (hour, lvl), lines in entry.facts.levels.items():
        counts[hour, _text(lvl, _LVL_CHARS)] += lines
    return [{"segment": segment, "hour": hour, "lvl": lvl, "lines": lines} for (hour, lvl), lines in counts.items()]


def _text(value: object, most: int) -> str:
    """
    Return a value from a line, which may be a foreign one, as any database takes it.
    """
    return str(value).replace("\0", "?").encode("ascii", "backslashreplace").decode()[:most]


def sorted_by_key(entries: Iterable[Entry]) -> list[Entry]:
    """
    Return the last one of each key, in an order in which no two processes wait for
    each other.
    """
    return sorted({entry.key: entry for entry in entries}.values(), key=lambda entry: entry.key)
