"""
Taking a build's finished file out of the writers' way, so that it never changes again.

Any process may continue the one file of a build. Under a name of its own, nobody
does: whoever comes later begins a new file in the old place.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tierlog._platform import OPEN_PLAIN, is_still_at, lock_exclusive, unlock
from tierlog.layout import Place, local_path, parse_local
from tierlog.ndjson import decode
from tierlog.segments._journal import Journal


__all__ = ["claim", "part_of"]

_UNKNOWN = "unknown"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MS_BITS, _ULID_BITS, _ULID_CHARS = 48, 128, 26


def part_of(place: Place, first_line: bytes) -> Place:
    """
    Return the place of the part that begins with *first_line*.

    It depends on nothing else, so that whoever does it again finds the same.
    """
    digest = int.from_bytes(hashlib.sha256(first_line.strip()).digest()[:10], "big")
    try:
        event = decode(first_line)
        instance, ms = str(event["instanceId"]), int(event["ts"])
        if parse_local(local_path(place._replace(instance=instance, ulid="0" * _ULID_CHARS))) is None:
            instance = _UNKNOWN
    except (ValueError, TypeError):
        instance, ms = _UNKNOWN, 0
    number = (min(max(ms, 0), (1 << _MS_BITS) - 1) << 80) | digest
    ulid = "".join(_CROCKFORD[number >> shift & 31] for shift in range(5 * (_ULID_CHARS - 1), -1, -5))
    return place._replace(instance=instance, ulid=ulid)


def claim(root: Path, place: Place) -> Place | None:
    """
    Give a build's finished file its own name, and return its place then.

    Returns:
        None if it is being written, or isn't there any more.

    Raises:
        OSError: It couldn't be renamed.
    """
    path = root / local_path(place)
    try:
        fd = os.open(path, OPEN_PLAIN)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        if not lock_exclusive(fd):
            return None
        try:
            if not is_still_at(fd, path) or Journal(root).has(place):
                return None
            first = next((line for line in file if line.strip()), b"")
            if not first:
                path.unlink()
                return None
            part = part_of(place, first)
            target = root / local_path(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(path, target)
        finally:
            unlock(fd)
    return part
