"""
Segments that are shipped as soon as they are finished.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 -- boto3 needs it, and it can't be imported any more when the process ends
import errno
import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tierlog.catalog_config import checked
from tierlog.envelope import Route
from tierlog.layout import Place
from tierlog.options import choice, count, seconds, size
from tierlog.r2._catalog import catalog_writer
from tierlog.r2._daily import daily_task
from tierlog.r2._recover import COMPRESSIONS, noted
from tierlog.r2._store import R2Store
from tierlog.report import report
from tierlog.retention import parse_hold, parse_retention
from tierlog.segments import Segment, SegmentSink
from tierlog.shipping import Attempt, Checkpoints, Destination, Shipping, Task, Upkeep
from tierlog.typing import Clock


__all__ = ["R2Sink"]

_FULL = ("block_shipping_keep", "drop_oldest")
_SPOOL_PERIOD = 1.0  # seconds
_PART_OF_SPOOL = 4  # a segment takes at most so small a part of what the spool may hold


class R2Sink(SegmentSink):
    """
    Segments as of :class:`tierlog.segments.SegmentSink`, shipped to Cloudflare R2 or
    any S3 as soon as they are finished, and deleted here once they are verified there.

    Nothing waits for the network: while it is away, segments stay on the disk.
    Needs ``tierlog[r2]``.

    Args:
        root: The folder in which segments wait.

        bucket: The bucket; it must be there.

        prefix: What keys begin with.

        endpoint_url: Where the bucket is, such as
            ``https://<account>.r2.cloudflarestorage.com``; AWS if None.

        access_key_id: With *secret_access_key*; boto3's own chain if None.

        secret_access_key: See *access_key_id*.

        region: ``auto`` for R2.

        checkpoint_interval: Open segments are stored, too, as they grow, every so
            many **seconds**: what is lost with the whole machine. None: not.

        compression: ``gzip`` or ``zstd`` at upload; None: not.

        max_spool_bytes: What finished and open segments may take of the disk; looked
            at when a segment is begun. None: anything.

        spool_full: What then happens. ``block_shipping_keep``: what is there is kept,
            and new lines go to the emergency path until shipping has made room.
            ``drop_oldest``: the oldest finished segments are deleted, unshipped.

        catalog: SQLAlchemy URL of the catalog; a SQLite file in *root* if None; no
            catalog if false.

        retention: How long segments are kept, locally and remotely: a time such as
            ``"30d"``, or one per tier; None: for ever. Looked at daily at 02:00 UTC,
            by one process of all that share the catalog.

        hold: Projects of which nothing is deleted.

        compact_after: Objects older than this time, such as ``"7d"``, are compressed
            daily, after what is too old has gone; None: not.

        connections: How many segments are shipped at once.

        connect_timeout: For one attempt, **seconds**.

        read_timeout: For one attempt, **seconds**.

        shutdown_timeout: How long the end of the process may wait for the last
            segments, **seconds**.

        durability: As for the segments, and so are the options behind it.

        clock: Returns nanoseconds since the epoch.

    Attributes:
        store: Where they go.

        shutdown_timeout: See above.

    Raises:
        ConfigError: An option can't work, or the root can't be written.

        MissingExtraError: ``tierlog[r2]`` isn't installed.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] = "logs",
        *,
        bucket: str,
        prefix: str = "",
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        region: str = "auto",
        checkpoint_interval: float | str | None = None,
        compression: str | None = None,
        max_spool_bytes: int | str | None = None,
        spool_full: str = "block_shipping_keep",
        catalog: str | bool | None = None,
        retention: Any = "30d",
        hold: Sequence[str] = (),
        compact_after: float | str | None = None,
        connections: int = 4,
        connect_timeout: float | str = 5.0,
        read_timeout: float | str = 30.0,
        shutdown_timeout: float | str = 5.0,
        durability: str = "process",
        writer: str = "append",
        max_bytes: int | str = 16_777_216,
        max_age: float | str = 3600.0,
        max_open_segments: int = 256,
        id_format: str = "ulid",
        build_idle: float | str = 900.0,
        flush_interval: float | str = 0.2,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Clock = time.time_ns,
    ) -> None:
        self.store = R2Store(
            bucket,
            prefix=prefix,
            endpoint_url=endpoint_url,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            region=region,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            connections=connections,
        )
        interval = None if checkpoint_interval is None else seconds("sink.checkpoint_interval", checkpoint_interval, least=0.01)
        packing = None if compression is None else COMPRESSIONS[choice("sink.compression", compression, tuple(COMPRESSIONS))]
        self._max_spool = None if max_spool_bytes is None else size("sink.max_spool_bytes", max_spool_bytes, least=1)
        self._spool_full = choice("sink.spool_full", spool_full, _FULL)
        self.shutdown_timeout = seconds("sink.shutdown_timeout", shutdown_timeout)
        option = checked(catalog)
        kept, held = parse_retention("sink.retention", retention), parse_hold("sink.hold", hold)
        self._shipping: Shipping | None = None
        self._dropped_segments = 0
        most = size("sink.max_bytes", max_bytes, least=1)
        super().__init__(
            root,
            durability=durability,
            writer=writer,
            max_bytes=most if self._max_spool is None else max(1, min(most, self._max_spool // _PART_OF_SPOOL)),
            max_age=max_age,
            max_open_segments=max_open_segments,
            id_format=id_format,
            build_idle=build_idle,
            flush_interval=flush_interval,
            monotonic=monotonic,
        )
        goal = Destination(bucket, prefix, endpoint_url, interval is not None, compression, kept, tuple(sorted(held)))
        noted(self.root, goal)
        self._shipping = Shipping(
            self.root,
            self.store,
            write=catalog_writer(option, self.root),
            packing=packing,
            connections=count("sink.connections", connections),
            has_checkpoints=interval is not None,
            clock=clock,
            monotonic=monotonic,
        )
        tasks = []
        packs_after = None if compact_after is None else seconds("sink.compact_after", compact_after)
        if retention is not None or packs_after is not None:
            daily: dict[str, Any] = {
                "retention": kept,
                "hold": held,
                "compact_after": packs_after,
                "packing": packing or "zst",
                "clock": clock,
            }
            tasks.append(daily_task(self.root, self.store, option, **daily))
        if interval is not None:
            tasks.append(Task("checkpoint", lambda: interval, Checkpoints(self._shipping.uploader, self._open_places).run))
        if self._max_spool is not None and self._spool_full == "drop_oldest":
            tasks.append(Task("spool", lambda: _SPOOL_PERIOD, self._make_room))
        self._upkeep = Upkeep(tasks, monotonic)
        _watch_exit(self)
        self._start_thread()

    @property
    def attempts(self) -> list[Attempt]:
        """
        The last uploads, failed ones included, oldest first.
        """
        return list(self._shipping.attempts) if self._shipping is not None else []

    def drain(self, timeout: float) -> bool:
        """
        Wait, at most *timeout* **seconds**, until every finished segment is shipped;
        tell whether it is.
        """
        return self._shipping is None or self._shipping.drain(timeout)

    def close(self) -> None:
        """
        Finish every segment. They are shipped in the background; if the process is
        ending, this waits for it, at most the *shutdown_timeout*.
        """
        super().close()
        if self._shipping is None:
            return
        self._upkeep.close()
        self._shipping.close()
        self.drain_at_end()

    def drain_at_end(self) -> None:
        """
        If the process is ending and this is closed, wait until everything is shipped,
        as long as all sinks together may.
        """
        if _ends is not None and self._is_closed:
            self.drain(min(self.shutdown_timeout, max(0.0, _ends - time.monotonic())))

    def stats(self) -> Mapping[str, Any]:
        """
        Return what the segments' do, and the counters of shipping.
        """
        shipping = {} if self._shipping is None else self._shipping.stats()
        return {**super().stats(), **shipping, "dropped_segments": self._dropped_segments}

    def _finish(self, segment: Segment) -> None:
        super()._finish(segment)
        if self._shipping is not None:
            self._shipping.add(segment.place)

    def _begun(self, route: Route, line: bytes, now: float) -> Segment:
        if self._max_spool is None or self._spool_full == "drop_oldest":
            return super()._begun(route, line, now)
        room = self._max_spool - self._spool_bytes()
        if room < len(line):
            report("spool", f"{self.root} holds {self._max_spool} bytes that wait to be shipped, which is sink.max_spool_bytes")
            raise OSError(errno.EDQUOT, "sink.max_spool_bytes is reached", str(self.root))
        segment = super()._begun(route, line, now)
        segment.limit = min(segment.limit, room)
        return segment

    def _spool_bytes(self) -> int:
        waiting = 0 if self._shipping is None else self._shipping.backlog_bytes
        return waiting + sum(segment.size for segment in self._all())

    def _open_places(self) -> list[tuple[Place, int]]:
        with self.lock:
            return [(segment.place, segment.size) for segment in self._all()]

    def _make_room(self) -> None:
        if self._max_spool is None or self._shipping is None:
            return
        with self.lock:
            room = max(0, self._max_spool - sum(segment.size for segment in self._all()))
        gone = self._shipping.drop_oldest(room)
        self._dropped_segments += len(gone)
        if gone:
            report("spool dropped", f"{len(gone)} of the oldest segments were deleted unshipped: sink.max_spool_bytes is reached")

    def _start_thread(self) -> None:
        super()._start_thread()
        if self._shipping is not None and not self._is_closed:
            self._shipping.start()
            self._upkeep.start()


_ends: float | None = None
_watched: weakref.WeakSet[R2Sink] = weakref.WeakSet()
_is_registered = False


def _watch_exit(sink: R2Sink) -> None:
    global _is_registered  # noqa: PLW0603 -- hooks can't be taken back
    if not _is_registered:
        atexit.register(_begin_to_end)
        _is_registered = True
    _watched.add(sink)


def _begin_to_end() -> None:
    """
    Note that the process ends.

    :func:`logging.shutdown` runs after this, as it was registered before: it closes
    the handlers, and then their sinks wait. Those that were closed before wait here.
    """
    global _ends  # noqa: PLW0603 -- a process ends once
    _ends = time.monotonic() + max((sink.shutdown_timeout for sink in list(_watched)), default=0.0)
    for sink in list(_watched):
        sink.drain_at_end()
