"""
What one line is: its keys, its order, and what is checked before it is written.

The line is made of a *head*, which depends on the context, the tier, the kind
and the level alone and is worked out once, and of what each record adds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any, Final, NamedTuple

import orjson

from tierlog.context import IDS, id_text
from tierlog.kinds import TIERS, default_kind, is_kind


__all__ = [
    "DATA_MAX_BYTES",
    "DAY_MS",
    "ID_FORMATS",
    "KEYS",
    "LINE_MAX_BYTES",
    "MSG_MAX_BYTES",
    "TRUNCATED",
    "Head",
    "Route",
    "day_of",
    "line_ms",
    "make_head",
    "short_text",
    "valid_id",
    "with_notes",
]

KEYS: Final = (
    "ts",
    "instanceId",
    "tier",
    "kind",
    "lvl",
    "projectId",
    "buildId",
    "userId",
    "reqId",
    "seq",
    "src",
    "msg",
    "data",
)
"""Keys of the envelope, version 1, in the order in which they stand."""

MSG_MAX_BYTES: Final = 262_144
"""Largest ``msg``, in bytes of UTF-8, mark included."""

LINE_MAX_BYTES: Final = 2_097_152
"""Largest line, in bytes, newline included."""

DATA_MAX_BYTES: Final = LINE_MAX_BYTES - 65_536
"""Room for ``msg`` and ``data`` together as JSON; the rest is the head's."""

TRUNCATED: Final = "[TRUNCATED]"
"""How a text ends that was cut."""

DAY_MS: Final = 86_400_000

ID_FORMATS: Final = ("ulid", "slug")
"""Which ids may become parts of a path; see :func:`valid_id`."""

_MAX_CHARS = 512
_LOOKED_AT = 8_192
_UNSAFE_TAIL = 1_024
_MAX_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_PATH_ID: Final = {"build": "build_id", "deploy": "build_id", "action": "project_id", "lifecycle": "project_id"}
_CAMEL: Final = {"project_id": "projectId", "build_id": "buildId", "user_id": "userId", "req_id": "reqId"}


class Route(NamedTuple):
    """
    What a sink may want to know of a line without parsing it.

    Attributes:
        tier: The tier in whose place the line belongs.

        day: UTC date of the record, ``YYYY-MM-DD``.

        id: The build's or project's id that is part of the path, None for the
            system tier.

        instance: ``instanceId`` of the line.

        lvl: ``lvl`` of the line.

        key: Equal for the lines that go to the same segment; interned, so that
            comparing is cheap.
    """

    tier: str
    day: str
    id: str | None
    instance: str
    lvl: str
    key: str


class Head(NamedTuple):
    """
    The part of a line that many records share.

    Attributes:
        middle: JSON from after ``ts`` to the colon after ``"seq"``.

        route: Where the line goes.

        starts: First millisecond of the day for which the route holds.

        ends: First millisecond after it.

        notes: What ``data._tierlog`` says, None if there's nothing to say.
    """

    middle: bytes
    route: Route
    starts: int
    ends: int
    notes: Mapping[str, Any] | None


def with_notes(own: Any, notes: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the notes of a line: those that its data has by now, and *notes*.
    """
    if type(own) is not dict:
        return dict(notes)
    invalid = own.get("invalid")
    more = {"invalid": {**invalid, **notes["invalid"]}} if type(invalid) is dict and "invalid" in notes else {}
    return {**own, **notes, **more}


def valid_id(value: str, id_format: str) -> bool:
    """
    Tell whether *value* may become a part of a path.

    Args:
        value: The id.

        id_format: ``ulid`` (upper case, as in the ULID specification,
            https://github.com/ulid/spec) or ``slug``.
    """
    return (_SLUG if id_format == "slug" else _ULID).match(value) is not None


def short_text(text: str, redact: Callable[[str], str]) -> str:
    """
    Return *text* redacted, and at most 512 characters long after that.
    """
    clean = redact(text[:_LOOKED_AT])
    if len(text) >= _LOOKED_AT:
        clean = clean[:-_UNSAFE_TAIL]  # where a secret may have been cut, and not been known for one
    return clean[:_MAX_CHARS]


def day_of(ms: int) -> str:
    """
    Return the UTC date of *ms*, milliseconds since the epoch.

    >>> day_of(1_700_000_000_000)
    '2023-11-14'
    """
    return datetime.fromtimestamp(ms // 1000, UTC).date().isoformat()


def line_ms(line: bytes) -> int:
    """
    Return the ``ts`` of a line that this module's keys begin.

    >>> line_ms(b'{"ts":1700000000000,"instanceId":"a"}')
    1700000000000
    """
    return int(line[6 : line.index(b",", 6)])


def make_head(
    ms: int,
    instance: str,
    fields: Mapping[str, object],
    lvl: str,
    *,
    default_tier: str,
    id_format: str,
    redact: Callable[[str], str],
) -> Head:
    """
    Check and render what a record shares with others of its kind.

    Nothing is refused: a tier whose id is missing or malformed becomes the
    system tier, a malformed kind the tier's default, and the head's notes say so.

    Args:
        ms: The record's time, in **milliseconds** since the Unix epoch.

        instance: ``instanceId``.

        fields: Any of the ids, ``tier`` and ``kind``; missing ones are null.

        lvl: ``lvl``.

        default_tier: The tier of a record that names none.

        id_format: As for :func:`valid_id`.

        redact: Hides secrets in a text.
    """
    notes: dict[str, Any] = {}
    ids = _checked_ids(fields, id_format, redact, notes)
    given = fields.get("tier")
    tier = _checked_tier(default_tier if given is None else given, ids, notes, redact)
    kind = fields.get("kind")
    if not is_kind(kind):
        if kind is not None:
            _reject(notes, "kind", short_text(id_text(kind) or "", redact))
        kind = default_kind(tier)
    starts = min(max(ms, 0), _MAX_MS) // DAY_MS * DAY_MS
    day = day_of(starts)
    path_id = ids[_PATH_ID[tier]] if tier in _PATH_ID else None
    shared = tier in {"build", "deploy"}
    key = intern(f"{tier}/{day}/{path_id}/{'' if shared else instance}")
    route = Route(tier, day, path_id, instance, lvl, key)
    values = {"instanceId": instance, "tier": tier, "kind": kind, "lvl": lvl}
    values.update((_CAMEL[name], ids[name]) for name in IDS)
    middle = b"," + orjson.dumps(values)[1:-1] + b',"seq":'
    return Head(middle, route, starts, starts + DAY_MS, notes or None)


def _checked_ids(
    fields: Mapping[str, object], id_format: str, redact: Callable[[str], str], notes: dict[str, Any]
) -> dict[str, str | None]:
    ids: dict[str, str | None] = {}
    for name in IDS:
        text = id_text(fields.get(name))
        if text is not None:
            text = short_text(text.encode("utf-8", "backslashreplace").decode(), redact) or None
        if text is not None and name in {"project_id", "build_id"} and not valid_id(text, id_format):
            _reject(notes, _CAMEL[name], text)
            text = None
        ids[name] = text
    return ids


def _checked_tier(tier: object, ids: Mapping[str, str | None], notes: dict[str, Any], redact: Callable[[str], str]) -> str:
    tier = str.__str__(tier) if isinstance(tier, str) else tier  # an enum's member, too
    if type(tier) is not str or tier not in TIERS:
        notes["rerouted"] = f"no tier is called {short_text(id_text(tier) or '', redact)!a}"
        return "system"
    needed = _PATH_ID.get(tier)
    if needed is not None and ids[needed] is None:
        name = _CAMEL[needed]
        why = "isn't valid" if name in notes.get("invalid", ()) else "is missing"
        notes["rerouted"] = f"{tier}: {name} {why}"
        return "system"
    return tier


def _reject(notes: dict[str, Any], name: str, value: str) -> None:
    notes.setdefault("invalid", {})[name] = value
