"""
Lines as they are written, by any process of the host.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush
from types import TracebackType
from typing import Any, NamedTuple, Self

from tierlog.errors import TierlogError
from tierlog.query._cursor import Key
from tierlog.query._filters import Filters
from tierlog.query._folder import Folder
from tierlog.query._followed import Followed, Gone
from tierlog.query._following import Following
from tierlog.query._handles import Handles
from tierlog.query._lines import event_of
from tierlog.query._listing import wanted
from tierlog.query._match import Matcher
from tierlog.query._position import Position, behind, decode_position, encode_position
from tierlog.query._problem import Problem
from tierlog.query._rest import Rest
from tierlog.query._sources import Sources
from tierlog.query._watch import StoreWatch
from tierlog.typing import Clock


__all__ = ["Tail"]

_MS_NS = 1_000_000
_STORE_CLOCK_MS = 600_000  # by how much a store's clock may be behind, when nothing is known of it
_LATELY_MS = 3_600_000  # which files may go on that were finished before it began
_POLL_BYTES = 4_194_304
_LATEST = Filters().until
_FIRST = Key(-1, "", -1)


class _Record(NamedTuple):
    key: Key
    line: bytes
    event: dict[str, Any]


class Tail(Iterator[dict[str, Any]]):
    """
    Events as they are written below the folders of a store, by whichever process, each
    once: whatever becomes of their segment in between.

    What is promised of folders: every line that is whole is delivered, in the order in
    which its process wrote it within one segment, also if the segment is finished,
    recovered, packed, or shipped and taken away meanwhile. What is read at one time is
    sorted; later lines may be older. A line that a process was killed in the middle of
    isn't delivered.

    What is promised of stores: segments that are finished there, of whichever host, are
    found by listing, every *store_poll* seconds in a thread, and are delivered once,
    too, unless they were read here. Those whose writers still have them are not. If
    it begins now, what is older than that is left out of them. Listing takes as many
    requests as there are keys for what is asked, divided by a thousand: it is by day for
    the system tier, and for others if their project or build is given.

    It isn't to be used by two threads at once, but for :meth:`close`.

    Args:
        sources: Where to look.

        filters: What is asked for.

        cursor: Where to go on; from now on if None.

        is_from_now: Whether to begin behind all that is there, if there's no cursor.

        poll: **Seconds** to wait when there was nothing new.

        store_poll: **Seconds** from one listing of the stores to the next, at least.

        stop: Ends the iteration when it is set.

        handles: Opens files.

        clock: Returns nanoseconds since the epoch, as the file system has them.

        monotonic: Returns nanoseconds.

    Attributes:
        caught_up: Whether nothing was left to be read at the last poll.

        skipped: Torn and foreign lines that were met.

        problems: What couldn't be read.

    Raises:
        QueryError: The cursor isn't one that a tail has given.
    """

    def __init__(
        self,
        sources: Sources,
        filters: Filters,
        cursor: str | None,
        *,
        is_from_now: bool = True,
        poll: float = 0.2,
        store_poll: float = 30.0,
        stop: threading.Event | None = None,
        handles: Handles | None = None,
        clock: Clock = time.time_ns,
        monotonic: Clock = time.monotonic_ns,
    ) -> None:
        self.caught_up = self._has_more = False
        self.skipped = 0
        self.problems: list[Problem] = []
        self._clock = clock
        self._monotonic = monotonic
        position = _start(filters, cursor, clock() // _MS_NS, is_from_now=is_from_now)
        since = filters.since if position.is_from_now else max(filters.since, position.since)
        self._filters = filters._replace(since=since, until=_LATEST)
        self._matcher = Matcher(self._filters)
        self._period = poll
        self._is_closed = threading.Event()
        self._stop = stop or self._is_closed
        asked = wanted(self._filters)
        folders = [Folder(root, asked, self.problems, monotonic) for root in sources.roots]
        options: Any = {"floor_ms": position.since, "period": store_poll, "problems": self.problems, "monotonic": monotonic}
        watch = StoreWatch(sources.stores, asked, **options)
        self._following = Following(folders, watch, position, handles or Handles(), self.problems)
        self._resumed: Position | None = position if position.ends else None
        self._group: list[_Record] = []
        self._delivered = 0
        self._begin: Position = position
        self._restored: list[_Record] = []
        self._texts: dict[str, str] = {}
        now_ns = clock()
        self._following.look(now_ns, monotonic())
        if cursor is None and is_from_now:
            self._following.skip_all(now_ns)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        while self._delivered >= len(self._group):
            if self._is_over:
                raise StopIteration
            self._gather()
            if not self._group and not self._has_more:
                self._stop.wait(self._period)
        self._delivered += 1
        return self._group[self._delivered - 1].event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def cursor(self) -> str:
        """
        Where it stands: a tail with this ``cursor=``, and the same filters, of whichever
        process and whenever, goes on behind the last event that was delivered.
        """
        return self.cursor_behind(self._delivered)

    def cursor_behind(self, count: int) -> str:
        """
        Return where it stood behind the first *count* events of the last poll. All but
        the last one of a poll are alike but for their ends.
        """
        if count >= len(self._group) and self._resumed is None:
            return self._text("after", self._following.position())
        last = self._group[count - 1].key if count else self._begin.last
        if last is None:
            return self._text("before", self._begin._replace(ends={}))
        return behind(self._text("within", self._begin._replace(last=None)), last)

    def poll(self) -> list[dict[str, Any]]:
        """
        Return what is new, oldest first, without waiting. It may be a part of it, of
        some megabytes; see :attr:`caught_up`.
        """
        return [record.event for record in self._polled()]

    def poll_lines(self) -> list[bytes]:
        """
        Return what :meth:`poll` does, as the lines that were written, without their
        newlines.
        """
        return [record.line for record in self._polled()]

    def close(self) -> None:
        """
        Let go of all files, and end the iteration.
        """
        self._is_closed.set()
        self._following.let_go()

    def _text(self, name: str, position: Position) -> str:
        if name not in self._texts:
            self._texts[name] = encode_position(position)
        return self._texts[name]

    @property
    def _is_over(self) -> bool:
        return self._stop.is_set() or self._is_closed.is_set()

    def _polled(self) -> list[_Record]:
        if self._delivered >= len(self._group):
            self._gather()
        found = self._group[self._delivered :]
        self._delivered = len(self._group)
        return found

    def _gather(self) -> None:
        """
        Read what is new, as much as is delivered at one time.
        """
        following, resumed = self._following, self._resumed
        following.look(self._clock(), self._monotonic())
        ready = [one for one in following.ready() if resumed is None or one.key in resumed.ends]
        if resumed is None:
            self._texts.clear()
            self._group, self._delivered = [], 0
            self._has_more = bool(ready)
            if ready:
                begin = following.position()
                self._group, ends = self._read(ready, None)
                self._group.sort(key=_key)
                self._begin = begin._replace(ends=ends)
        else:
            self._again(ready, resumed)
        self.caught_up = not (self._has_more or following.is_due or self._resumed)

    def _again(self, ready: list[Followed | Rest], resumed: Position) -> None:
        """
        Read what was read for a poll that wasn't delivered to its end, as soon as all of
        it is found.
        """
        last = resumed.last or _FIRST
        self._restored += [one for one in self._read(ready, resumed.ends)[0] if one.key > last]
        if self._following.is_behind(resumed.ends):
            self._group, self._resumed = sorted(self._restored, key=_key), None
            self._restored = []
            self._has_more = True

    def _read(self, ready: list[Followed | Rest], limits: Mapping[bytes, int] | None) -> tuple[list[_Record], dict[bytes, int]]:
        """
        Read segments, those first whose next line is likely to be the oldest.

        Args:
            ready: The segments.

            limits: How far to read them; as far as is delivered at one time if None.
        """
        found: list[_Record] = []
        ends: dict[bytes, int] = {}
        heap = [(segment.head_ts, number, segment) for number, segment in enumerate(ready)]
        heapify(heap)
        room = _POLL_BYTES
        while heap and (room > 0 or limits is not None):
            _, number, segment = heappop(heap)
            before = segment.offset
            try:
                lines, skipped = segment.take(None if limits is None else limits[segment.key or b""])
            except (Gone, OSError, TierlogError, ValueError, EOFError) as e:
                self._following.failed(segment, e)
                continue
            self.skipped += skipped
            self._following.taken(segment)
            if segment.offset > before:
                found += self._matching(lines, segment.floor_ms)
                heappush(heap, (segment.head_ts, number, segment))
                room -= segment.offset - before
                if segment.key is not None:
                    ends[segment.key] = segment.offset
        self._has_more = bool(heap)
        return found, ends

    def _matching(self, lines: list[bytes], floor_ms: int) -> Iterator[_Record]:
        if self._matcher.is_selective and lines:
            lines = self._matcher.lines(b"\n".join(lines) + b"\n", [])
        since = max(self._filters.since, floor_ms)
        for line in lines:
            event = event_of(line)
            if event is None:
                self.skipped += 1
            elif since <= event["ts"] and self._matcher.accepts(event):
                yield _Record(Key(event["ts"], event["instanceId"], event["seq"]), line, event)


def _key(record: _Record) -> Key:
    return record.key


def _start(filters: Filters, cursor: str | None, now_ms: int, *, is_from_now: bool) -> Position:
    if cursor is not None:
        return decode_position(cursor)
    if is_from_now:
        return Position(now_ms, now_ms - _LATELY_MS, max(0, now_ms - _STORE_CLOCK_MS), {}, is_from_now=True)
    return Position(filters.since, 0, 0, {})
