"""
Where the bytes of a tier live, locally and remotely, and the exact inverse.

Both renderings are of one :class:`Place`; every other module asks this one and
takes no path apart by itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple


__all__ = ["PACKINGS", "SUFFIX", "Place", "local_path", "parse_local", "parse_remote", "remote_key"]

SUFFIX = ".ndjson"

PACKINGS = ("gz", "zst")
"""How a compressed segment's name may end, behind :data:`SUFFIX` and a dot."""

_FOLDERS = {
    "system": "system",
    "build": "builds",
    "deploy": "deploys",
    "action": "projects",
    "lifecycle": "lifecycle",
}
_TIERS = {folder: tier for tier, folder in _FOLDERS.items()}
_BY_BUILD = frozenset(["build", "deploy"])

_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_ID = r"(?P<id>[A-Za-z0-9_-]{1,64})"
_END = r"\.ndjson(?:\.(?P<packing>gz|zst))?\Z"
_SEGMENT = rf"(?P<instance>[A-Za-z0-9][A-Za-z0-9_.-]*)-(?P<ulid>{_ULID}){_END}"
_DAY = r"(?P<day>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))"
_SLASHED = r"(?P<year>\d{4})/(?P<month>0[1-9]|1[0-2])/(?P<date>0[1-9]|[12]\d|3[01])"

_LOCAL = (
    re.compile(rf"(?P<folder>system)/{_DAY}/{_SEGMENT}", re.ASCII),
    re.compile(rf"(?P<folder>builds|deploys)/{_DAY}/{_ID}{_END}", re.ASCII),
    re.compile(rf"(?P<folder>builds|deploys|projects|lifecycle)/{_DAY}/{_ID}/{_SEGMENT}", re.ASCII),
)
_REMOTE = (
    re.compile(rf"(?P<folder>system)/{_SLASHED}/{_SEGMENT}", re.ASCII),
    re.compile(rf"(?P<folder>builds|deploys)/{_ID}{_END}", re.ASCII),
    re.compile(rf"(?P<folder>builds|deploys)/{_ID}/{_SEGMENT}", re.ASCII),
    re.compile(rf"(?P<folder>projects|lifecycle)/{_ID}/{_SLASHED}/{_SEGMENT}", re.ASCII),
)


class Place(NamedTuple):
    """
    What names a segment.

    Attributes:
        tier: One of the five tiers.

        day: UTC date ``YYYY-MM-DD``; None for a build's or deploy's remote
            object, which has none in its key.

        id: The build's or project's id; None for the system tier.

        instance: The writer's ``instanceId``; None for a build's or deploy's
            one file. A part of such a file, beside it, has one.

        ulid: The segment's own id; None where *instance* is.

        packing: How it is compressed: ``gz``, ``zst``, or None if it isn't.
    """

    tier: str
    day: str | None = None
    id: str | None = None
    instance: str | None = None
    ulid: str | None = None
    packing: str | None = None

    @property
    def is_part(self) -> bool:
        """
        Whether it is one part of what belongs to a build or deploy.
        """
        return self.tier in _BY_BUILD and self.instance is not None


def local_path(place: Place) -> str:
    """
    Return the path of *place* below the root, with ``/`` between its parts.

    >>> local_path(Place("build", "2026-11-22", "01J00000000000000000000000"))
    'builds/2026-11-22/01J00000000000000000000000.ndjson'
    """
    parts = [_FOLDERS[place.tier], place.day]
    if place.instance is None:
        parts.append(f"{place.id}{_end(place)}")
    else:
        parts += [place.id] if place.id else []
        parts.append(f"{place.instance}-{place.ulid}{_end(place)}")
    return "/".join(str(part) for part in parts)


def remote_key(place: Place) -> str:
    """
    Return the key of *place* in a bucket, without the bucket's prefix.

    >>> remote_key(Place("action", "2026-11-22", "p1", "web", "01J00000000000000000000000"))
    'projects/p1/2026/11/22/web-01J00000000000000000000000.ndjson'
    """
    parts = [_FOLDERS[place.tier]]
    parts += [place.id] if place.id and place.instance is not None else []
    if place.tier not in _BY_BUILD and place.day:
        parts += place.day.split("-")
    parts.append(f"{place.id if place.instance is None else f'{place.instance}-{place.ulid}'}{_end(place)}")
    return "/".join(parts)


def parse_local(path: str) -> Place | None:
    """
    Return the place that :func:`local_path` renders as *path*, None if there's none.
    """
    return _parse(_LOCAL, path)


def parse_remote(key: str) -> Place | None:
    """
    Return the place that :func:`remote_key` renders as *key*, None if there's none.
    """
    return _parse(_REMOTE, key)


def _parse(patterns: tuple[re.Pattern[str], ...], path: str) -> Place | None:
    for pattern in patterns:
        if match := pattern.match(path):
            found = match.groupdict()
            day = found.get("day") or ("-".join(match.group("year", "month", "date")) if "year" in found else None)
            names = [found.get(name) for name in ("id", "instance", "ulid", "packing")]
            return Place(_TIERS[found["folder"]], day, *names)
    return None


def _end(place: Place) -> str:
    return f"{SUFFIX}.{place.packing}" if place.packing else SUFFIX
