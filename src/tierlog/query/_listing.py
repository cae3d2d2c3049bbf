"""
Which segments there are, below a root and in a store, as far as their names tell.

What a record's tier, day and id are stands in the path, so most of what isn't asked for
is never looked at. What is on the disk is listed before what is in the store: what is
shipped in between is in both, and not in neither.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from tierlog.envelope import DAY_MS, day_of
from tierlog.layout import PACKINGS, SUFFIX, Place, local_path, parse_local, parse_remote, remote_key
from tierlog.query._filters import Filters
from tierlog.query._problem import Problem
from tierlog.stores import Store, Stored


__all__ = ["Listed", "Wanted", "elsewhere", "local_segments", "remote_segments", "wanted"]

_BUILD_TIERS = frozenset(["build", "deploy"])
_PROJECT_TIERS = frozenset(["action", "lifecycle"])
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_PATH_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z", re.ASCII)
_ATTEMPTS = 3
_FEW_DAYS = 40  # more aren't asked for one by one
_MS_NS = 1_000_000
_LATE_MS = DAY_MS  # by how much the clocks of a writer and a store may differ


class Listed(NamedTuple):
    """
    A segment, as it was listed.

    Attributes:
        name: Its path below the root, or its key in the store.

        place: What names it.

        size: Bytes, as stored.

        root: The folder; None if it is in a store.

        store: The store; None if it is in a folder.

        is_open: Whether it may still grow.

        etag: The object's; empty if it is in a folder.

        inode: The file's: another one may take its name. 0 if it is in a store.

        modified_ns: When it was last written to, or put into the store.
    """

    name: str
    place: Place
    size: int
    root: Path | None = None
    store: Store | None = None
    is_open: bool = False
    etag: str = ""
    inode: int = 0
    modified_ns: int = 0


class Wanted(NamedTuple):
    """
    What places must be like.

    Attributes:
        tiers: Any of these.

        first_day: Not before this one, ``YYYY-MM-DD``.

        last_day: Nor after this one.

        since: **Milliseconds** since the epoch; what was stored a day before and
            earlier holds nothing later.

        build_id: That of builds and deploys.

        project_id: That of actions and of what is in ``lifecycle``.
    """

    tiers: tuple[str, ...]
    first_day: str
    last_day: str
    since: int
    build_id: str | None
    project_id: str | None

    def owner(self, tier: str) -> str | None:
        """
        Return the id that places of *tier* must have; any if None.
        """
        if tier in _BUILD_TIERS:
            return self.build_id
        return self.project_id if tier in _PROJECT_TIERS else None

    def has(self, place: Place | None) -> bool:
        """
        Tell whether *place* is like that.
        """
        if place is None or place.tier not in self.tiers:
            return False
        owner = self.owner(place.tier)
        if owner is not None and place.id != owner:
            return False
        return place.day is None or self.first_day <= place.day <= self.last_day


def wanted(filters: Filters) -> Wanted:
    """
    Return what places must be like to hold what is asked for.
    """
    build_id, project_id = filters.ids.get("buildId"), filters.ids.get("projectId")
    tiers = filters.tiers
    if build_id is not None and not _PATH_ID.match(build_id):
        tiers = tuple(tier for tier in tiers if tier not in _BUILD_TIERS)
    if project_id is not None and not _PATH_ID.match(project_id):
        tiers = tuple(tier for tier in tiers if tier not in _PROJECT_TIERS)
    if filters.until <= filters.since:
        tiers = ()
    last = day_of(filters.until - 1) if filters.until > 0 else day_of(0)
    return Wanted(tiers, day_of(filters.since), last, filters.since, build_id, project_id)


def local_segments(root: Path, asked: Wanted, problems: list[Problem]) -> Iterator[Listed]:
    """
    Yield the segments below *root*, in the order in which they move: open files and
    whole ones before the parts of a build. Links, and what has another name, are left out.

    Args:
        root: The folder.

        asked: What places must be like.

        problems: Where it is noted which folders can't be read.
    """
    if not root.is_dir():
        problems.append(Problem(str(root), "isn't there any more"))
        return
    unfinished = _unfinished(root, problems)
    for tier in asked.tiers:
        folder = local_path(Place(tier, "", "x")).partition("/")[0]
        for day in _names(root / folder, problems):
            is_asked = _DAY.match(day) and asked.first_day <= day <= asked.last_day
            if is_asked and not (root / folder / day).is_symlink():
                for path, status in _of_day(root, f"{folder}/{day}", asked.owner(tier), problems):
                    place = parse_local(path)
                    if place is not None and asked.has(place):
                        yield Listed(
                            path,
                            place,
                            status.st_size,
                            root,
                            is_open=path in unfinished,
                            inode=status.st_ino,
                            modified_ns=status.st_mtime_ns,
                        )


def remote_segments(store: Store, asked: Wanted) -> Iterator[Listed]:
    """
    Yield the segments in *store*.

    Raises:
        StoreError: The store didn't answer.
    """
    for tier in asked.tiers:
        for stored in _of_tier(store, tier, asked):
            place = parse_remote(stored.key)
            if place is not None and asked.has(place) and stored.modified_ms >= asked.since - _LATE_MS:
                when = stored.modified_ms * _MS_NS
                yield Listed(stored.key, place, stored.size, store=store, etag=stored.etag, modified_ns=when)


def elsewhere(place: Place, parts: list[Place]) -> list[Place]:
    """
    Return where a segment may be that isn't at *place* any more: packed, taken out of
    its writers' way, or, for a build, in one of *parts*, which its first line names.
    """
    found = [place._replace(packing=packing) for packing in (None, *PACKINGS) if packing != place.packing]
    return found + [part._replace(packing=packing) for part in parts for packing in (None, *PACKINGS)]


def _unfinished(root: Path, problems: list[Problem]) -> set[str]:
    if not _names(root / ".tierlog" / "open", problems):
        return set()
    from tierlog.segments import Journal  # noqa: PLC0415 -- 20 ms, and only where somebody writes

    return {local_path(place) for place in Journal(root).places()}


def _of_day(root: Path, folder: str, owner: str | None, problems: list[Problem]) -> Iterator[tuple[str, os.stat_result]]:
    if owner is None:
        yield from _files(root, folder, problems, depth=1)
        return
    for ending in ("", *(f".{packing}" for packing in PACKINGS)):
        name = f"{folder}/{owner}{SUFFIX}{ending}"
        status = _status(root / name)
        if status is not None:
            yield name, status
    yield from _files(root, f"{folder}/{owner}", problems, depth=0)


def _files(root: Path, folder: str, problems: list[Problem], *, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """
    Yield the files in *folder*, and in those that are in it.
    """
    there = f"{root}/{folder}"  # a Path takes longer than to look
    deeper: dict[str, None] = {}
    seen: set[str] = set()
    for _ in range(_ATTEMPTS):
        before = _changed(there)
        try:
            with os.scandir(there) as entries:
                for entry in entries:
                    if entry.name in seen or entry.is_symlink():
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        deeper[entry.name] = None
                    elif (status := _status(entry)) is not None:
                        seen.add(entry.name)
                        yield f"{folder}/{entry.name}", status
        except OSError as e:
            _note(problems, root / folder, e)
            return
        if _changed(there) == before:  # else what was renamed meanwhile may have been passed over
            break
    if depth:
        for name in deeper:
            yield from _files(root, f"{folder}/{name}", problems, depth=depth - 1)


def _of_tier(store: Store, tier: str, asked: Wanted) -> Iterator[Stored]:
    folder = remote_key(Place(tier, None, "x")).partition("/")[0]
    owner = asked.owner(tier)
    if tier in _BUILD_TIERS:
        yield from store.list(f"{folder}/{owner or ''}")
    elif tier in _PROJECT_TIERS and owner is None:
        yield from store.list(f"{folder}/")
    else:
        prefix = f"{folder}/{owner}/" if owner else f"{folder}/"
        yield from _of_days(store, prefix, asked)


def _of_days(store: Store, prefix: str, asked: Wanted) -> Iterator[Stored]:
    first, last = date.fromisoformat(asked.first_day), date.fromisoformat(asked.last_day)
    if (last - first).days < _FEW_DAYS:
        for number in range((last - first).days + 1):
            yield from store.list(f"{prefix}{first + timedelta(number):%Y/%m/%d}/")
        return
    end = f"{prefix}{last:%Y/%m/%d}0"  # behind all of that day
    for stored in store.list(prefix, after=f"{prefix}{first:%Y/%m/%d}"):
        if stored.key > end:
            return
        yield stored


def _names(folder: Path, problems: list[Problem]) -> list[str]:
    try:
        return [] if folder.is_symlink() else sorted(os.listdir(folder))
    except OSError as e:
        _note(problems, folder, e)
        return []


def _note(problems: list[Problem], folder: Path, error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        problems.append(Problem(str(folder), f"can't be read: {error.strerror or error}"))


def _status(path: os.DirEntry[str] | Path) -> os.stat_result | None:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1
