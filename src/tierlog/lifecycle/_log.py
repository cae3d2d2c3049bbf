"""
The log that transitions go to, and are looked for in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tierlog._platform import OPEN_PLAIN, lock_exclusive, unlock
from tierlog.context import EMPTY
from tierlog.envelope import day_of, valid_id
from tierlog.handler import TierHandler, handlers
from tierlog.layout import Place, local_path, parse_local, parse_remote, remote_key
from tierlog.lifecycle._event import Event, Transition, event_of
from tierlog.ndjson import decode
from tierlog.packing import UnpackingError, open_plain
from tierlog.report import report


__all__ = ["Log"]

_SRC = "lifecycle"
_FILE = "lifecycle"
_ID_BYTES = 16
_PAUSE = 0.01  # seconds
_NO_ULID = "0" * 26


class Log:
    """
    What a handler writes to.

    Args:
        handler: The handler.

        fallback: What a log without a folder is called, which lives as long as this process.

    Attributes:
        instance: The ``instanceId`` of what is written now.

        is_kept: Whether lines can be looked for.
    """

    def __init__(self, handler: TierHandler, fallback: str) -> None:
        self._handler = handler
        self._pipeline = handler.pipeline
        self.instance = self._pipeline.instance_id
        sinks = getattr(self._pipeline.sink, "sinks", (self._pipeline.sink,))
        kept: list[Any] = [one for one in sinks if isinstance(getattr(one, "root", None), Path)]
        self._root: Path | None = kept[0].root if kept else None
        self._store: Any = getattr(kept[0], "store", None) if kept else None
        self._id_format: str = getattr(kept[0], "id_format", "ulid") if kept else "ulid"
        self._seen: dict[tuple[Any, Place], set[tuple[str, str]]] = {}
        self._fallback = fallback
        self.is_kept = bool(kept)

    @classmethod
    def current(cls, given: TierHandler | None, fallback: str) -> Log | None:
        """
        Return the log of *given*, or of the handler made last; None if there is none.
        """
        found = given or next(reversed(handlers()), None)
        return None if found is None else cls(found, fallback)

    @contextmanager
    def turn(self, patience: float) -> Iterator[str | None]:
        """
        Be the only one, of all processes of this log, for the length of a block; get the
        log's name, which it keeps over restarts, or None if it couldn't be in time.

        Args:
            patience: For how many **seconds** to try.
        """
        if self._root is None:
            yield self._fallback
            return
        (self._root / ".tierlog").mkdir(parents=True, exist_ok=True)
        fd = os.open(self._root / ".tierlog" / _FILE, OPEN_PLAIN | os.O_CREAT, 0o666)
        try:
            if not _locked(fd, patience):
                yield None
                return
            try:
                yield _name(fd)
            finally:
                unlock(fd)
        finally:
            os.close(fd)

    def write(self, transition: Transition, now_ms: int) -> None:
        """
        Write the event of *transition*.
        """
        event: Event = event_of(transition, now_ms)
        self._pipeline.event(
            event.ms, EMPTY, event.lvl, _SRC, event.msg, data=event.data, tier="lifecycle", kind=event.kind, fields=event.ids
        )

    def flush(self) -> None:
        """
        Bring what was written to where it survives this process.
        """
        self._handler.flush()

    def losses(self) -> int:
        """
        Return how many lines the handler couldn't keep so far.
        """
        return sum(self._handler.stats()["dropped"].values())

    def has(self, transition: Transition) -> bool:
        """
        Tell whether the event of *transition* was written by who has claimed it, before
        this log was asked for the first time.

        Raises:
            OSError: It isn't known.
        """
        known = self._pipeline.redactor.data({"key": transition.key, "table": transition.source})
        wanted = (known["key"], known["table"])
        places = list(self._places(transition))
        # On the disk first: lines move from there to the store.
        return any(wanted in self._keys(where, place) for where in (self._root, self._store) if where for place in places)

    def _places(self, transition: Transition) -> Iterator[Place]:
        """
        Yield where the event may be: by its day, or that of the claim if the database's
        clock was ahead; in the system tier if its project has no valid id.
        """
        project = transition.project_id
        for day in sorted({day_of(transition.at_ms), day_of(transition.claimed_ms or transition.at_ms)}):
            if project is not None and valid_id(project, self._id_format):
                yield Place("lifecycle", day, project, transition.claim_instance, _NO_ULID)
            else:
                yield Place("system", day, None, transition.claim_instance, _NO_ULID)

    def _keys(self, where: Any, place: Place) -> set[tuple[str, str]]:
        """
        Return what is known by which key in the segments at *place*.
        """
        found = self._seen.get((where, place))
        if found is None:
            lines = _local(where, place) if isinstance(where, Path) else _remote(where, place)
            found = self._seen[where, place] = {key for line in lines if (key := _key(line)) is not None}
        return found


def _key(line: bytes) -> tuple[str, str] | None:
    if b'"lifecycle"' not in line or not line.endswith(b"\n"):  # a torn one is taken away when it is recovered
        return None
    try:
        data = decode(line)["data"]
        return data["key"], data["table"]
    except (ValueError, KeyError, TypeError):
        return None


def _remote(store: Any, place: Place) -> Iterator[bytes]:
    for stored in list(store.list(remote_key(place).partition(_NO_ULID)[0])):
        found = parse_remote(stored.key)
        if found is not None:
            yield from _read(store.open(stored.key), found.packing)


def _local(root: Path, place: Place) -> Iterator[bytes]:
    path = root / local_path(place)
    prefix = path.name.partition(_NO_ULID)[0]
    try:
        names = sorted(os.listdir(path.parent))
    except FileNotFoundError:
        return
    for name in names:
        found = parse_local((path.parent / name).relative_to(root).as_posix()) if name.startswith(prefix) else None
        if found is not None:
            try:
                file = (path.parent / name).open("rb")
            except FileNotFoundError:  # it was shipped meanwhile
                continue
            yield from _read(file, found.packing)


def _read(file: BinaryIO, packing: str | None) -> Iterator[bytes]:
    with open_plain(file, packing) as plain:
        try:
            yield from plain
        except UnpackingError as e:
            report("lifecycle damaged", f"a segment that may have an event is damaged ({e}); what it holds isn't known")


def _locked(fd: int, patience: float) -> bool:
    end = time.monotonic() + patience
    while not lock_exclusive(fd):
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def _name(fd: int) -> str:
    """
    Return what stands in the file, or write it.
    """
    name = os.read(fd, 2 * _ID_BYTES).decode("ascii", "replace")
    if len(name) < 2 * _ID_BYTES:
        name = os.urandom(_ID_BYTES).hex()
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, name.encode())
    return name
