"""
Whether the folder of the segments can do what it is for.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tierlog._platform import OPEN_READ, lock_exclusive, unlock
from tierlog.doctor._finding import Finding, error, ok, warning
from tierlog.errors import TierlogError
from tierlog.layout import local_path
from tierlog.query import open_store
from tierlog.segments import Journal, finished, is_live, is_own_root
from tierlog.shipping import destination, trouble
from tierlog.typing import Clock


__all__ = ["RootFacts", "file_system", "root_facts", "root_findings"]

_REMOTE = re.compile(r"(nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|davfs\d?|beegfs|gpfs|vboxsf|virtiofs|fuse\..*)\Z")
_IN_MEMORY = frozenset(["tmpfs", "ramfs"])
_LITTLE, _LEAST = 1 << 30, 1 << 26  # bytes
_LITTLE_PART = 0.05
_OLD, _NEW = 3600.0, 1.0  # seconds
_SHOWN = 200
_NS = 1_000_000_000


class RootFacts(NamedTuple):
    """
    What there is to know of a root.

    Attributes:
        path: The folder.

        exists: Whether it is there.

        problem: Why nothing can be written there; None if something can.

        file_system: The type of its file system, None if it isn't known.

        free: **Bytes** that are free.

        size: **Bytes** that there are.

        dead: Segments that processes left open which aren't there any more.

        torn: Torn lines in quarantine.

        ships_to: The bucket that it ships to, None if none is known.

        backlog: How many segments wait to be shipped.

        backlog_age: Since when the oldest waits, **seconds**.

        trouble: Why nothing is shipped at present.

        rerouted: Why records of the last day went to the system tier instead, each
            reason with how often.
    """

    path: str
    exists: bool = True
    problem: str | None = None
    file_system: str | None = None
    free: int = 0
    size: int = 0
    dead: int = 0
    torn: int = 0
    ships_to: str | None = None
    backlog: int = 0
    backlog_age: float = 0.0
    trouble: str | None = None
    rerouted: tuple[tuple[str, int], ...] = ()


def root_findings(facts: RootFacts) -> list[Finding]:
    """
    Return what is wrong with a root.
    """
    return [one for check in _CHECKS for one in check(facts)]


def _writable(facts: RootFacts) -> Iterator[Finding]:
    if facts.problem is not None:
        yield error(
            "root",
            f"{facts.path} can't be written: {facts.problem}",
            "make it a folder that the service's user may write to, or name another root",
        )
    elif facts.exists:
        yield ok("root", f"{facts.path} can be written")
    else:
        yield ok("root", f"{facts.path} isn't there yet, and can be made")


def _where(facts: RootFacts) -> Iterator[Finding]:
    kind = facts.file_system
    if kind is None:
        return
    if _REMOTE.match(kind):
        yield error(
            "file-system",
            f"{facts.path} is on {kind}, over a network or a program: locks and appends of several processes aren't safe",
            "put the root on a disk of this machine; segments are shipped from there",
        )
    elif kind in _IN_MEMORY:
        yield warning(
            "file-system", f"{facts.path} is on {kind}: what isn't shipped is gone at a restart", "put the root on a disk"
        )
    else:
        yield ok("file-system", f"{facts.path} is on {kind}")


def _room(facts: RootFacts) -> Iterator[Finding]:
    if not facts.size:
        return
    free = f"{facts.free / (1 << 20):,.0f} MiB of {facts.size / (1 << 30):,.0f} GiB are free".replace(",", " ")
    mend = "make room; set max_spool_bytes, a shorter retention, or compact_after"
    if facts.free < _LEAST:
        yield error("disk", f"the disk is full: {free}", mend)
    elif facts.free < min(_LITTLE, facts.size * _LITTLE_PART):
        yield warning("disk", f"the disk is nearly full: {free}", mend)
    else:
        yield ok("disk", free)


def _dead(facts: RootFacts) -> Iterator[Finding]:
    if facts.dead:
        what = f"{facts.dead} segment{'s' if facts.dead > 1 else ''} of processes that ended without finishing wait for recovery"
        yield warning("recovery", what, f"tierlog recover --root {facts.path}, or the next start does it")


def _torn(facts: RootFacts) -> Iterator[Finding]:
    if facts.torn:
        lines = f"{facts.torn} torn line{'s' if facts.torn > 1 else ''}"
        what = f"{lines} in {facts.path}/quarantine: records that a kill or a full disk cut"
        yield warning("quarantine", what, "look at them, then delete them")


def _backlog(facts: RootFacts) -> Iterator[Finding]:
    if facts.trouble is not None:
        what, _, mend = facts.trouble.partition("; ")
        yield error("backlog", f"nothing is shipped at present: {what}", mend or "see that the bucket can be reached")
    elif facts.ships_to is not None and facts.backlog and facts.backlog_age >= _OLD:
        yield warning(
            "backlog",
            f"{_waiting(facts.backlog)} to be shipped to {facts.ships_to}, the oldest for {facts.backlog_age / 3600:.0f} h",
            f"see that a process ships, or run tierlog ship --root {facts.path}",
        )
    elif facts.ships_to is not None:
        yield ok("backlog", f"{_waiting(facts.backlog)} to be shipped to {facts.ships_to}")


def _waiting(count: int) -> str:
    return "1 segment waits" if count == 1 else f"{count} segments wait"


def _rerouted(facts: RootFacts) -> Iterator[Finding]:
    for reason, times in facts.rerouted:
        yield warning(
            "ids",
            f"{times} record{'' if times == 1 else 's'} of the last day went to the system tier instead ({reason})",
            'bind the id where they are logged; ids that aren\'t ULIDs need "id_format": "slug" in the sink',
        )


_CHECKS: tuple[Callable[[RootFacts], Iterator[Finding]], ...] = (_writable, _where, _room, _dead, _torn, _backlog, _rerouted)


# -- looking ---------------------------------------------------------------------


def root_facts(root: Path, *, clock: Clock, mounts: str) -> RootFacts:
    """
    Return what there is to know of *root*. Nothing is left there.

    Args:
        root: The folder, which needn't be there.

        clock: Returns nanoseconds since the epoch.

        mounts: What ``/proc/mounts`` says; empty where there's none.
    """
    path = root.absolute()
    above = next((one for one in (path, *path.parents) if one.exists()), path)
    facts = RootFacts(
        str(root),
        exists=path.is_dir(),
        problem=_problem(path, above),
        file_system=file_system(mounts, os.path.realpath(above)),
    )
    try:
        usage = shutil.disk_usage(above)
        facts = facts._replace(free=usage.free, size=usage.total)
    except OSError:
        pass
    return _of_own(path, facts, clock) if is_own_root(path) else facts


def file_system(mounts: str, path: str) -> str | None:
    r"""
    Return the type of the file system that *path* is on.

    >>> file_system("/dev/sda1 / ext4 rw 0 0\nbox:/logs /var/log nfs4 rw 0 0\n", "/var/log/app")
    'nfs4'
    """
    found, longest = None, -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) > 2:  # noqa: PLR2004 -- device, where, type
            where = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1])
            inside = path == where or path.startswith(where.rstrip("/") + "/")
            if inside and len(where) >= longest:
                found, longest = fields[2], len(where)
    return found


def _problem(path: Path, above: Path) -> str | None:
    if not above.is_dir():
        return f"{above} isn't a folder"
    folder = above
    try:
        for folder in chain([above], _newest(path)):
            with tempfile.TemporaryFile(dir=folder):  # permissions alone say too little: root has all of them
                pass
    except OSError as e:
        return f"{folder}: {e.strerror or e}" if folder != path else e.strerror or str(e)
    return None


def _newest(root: Path) -> Iterator[Path]:
    """
    Yield the folders in which segments are made next, as far as they are there: another
    user may have made them.
    """
    if not is_own_root(root):
        return
    for tier in sorted(path for path in root.iterdir() if path.is_dir()):
        yield tier
        yield from sorted(path for path in tier.glob("*-*-*") if path.is_dir())[-1:]


def _of_own(root: Path, facts: RootFacts, clock: Clock) -> RootFacts:
    goal, problem = destination(root), trouble(root)
    waiting = [one.modified for one in finished(root)] if goal is not None else []
    quarantine = root / "quarantine"
    return facts._replace(
        dead=sum(1 for _ in _left_open(root, clock)),
        torn=sum(1 for _ in quarantine.iterdir()) if quarantine.is_dir() else 0,
        ships_to=f"r2://{goal.bucket}/{goal.prefix}".rstrip("/") if goal is not None else None,
        backlog=len(waiting),
        backlog_age=max(0.0, clock() / _NS - min(waiting)) if waiting else 0.0,
        trouble=problem.problem if problem is not None else None,
        rerouted=tuple(sorted(_reasons(root, clock).items())),
    )


def _left_open(root: Path, clock: Clock) -> Iterator[Path]:
    """
    Yield the open segments that nobody has locked or will continue: their process is gone.
    """
    for place in Journal(root).places():
        path = root / local_path(place)
        try:
            fd = os.open(path, OPEN_READ)
        except OSError:
            continue
        try:
            # One that was made a moment ago may be about to be locked.
            if clock() / _NS - os.fstat(fd).st_mtime >= _NEW and lock_exclusive(fd):
                is_dead = not is_live(root, place)
                unlock(fd)
                if is_dead:
                    yield path
        except OSError:
            continue
        finally:
            os.close(fd)


def _reasons(root: Path, clock: Clock) -> dict[str, int]:
    reasons: dict[str, int] = {}
    try:
        found = open_store(root, catalog=False, clock=clock).search(
            tiers="system", since="24h", where={"_tierlog.rerouted": ("exists", True)}, order="desc", limit=_SHOWN
        )
        for event in found:
            reason = str(event["data"]["_tierlog"]["rerouted"])
            reasons[reason] = reasons.get(reason, 0) + 1
    except (TierlogError, OSError):
        return reasons
    return reasons
