"""
Lines into rotating segments that survive a kill.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tierlog import _fork
from tierlog.envelope import ID_FORMATS, Route
from tierlog.layout import local_path
from tierlog.options import choice, count, seconds, size
from tierlog.report import emergency, report
from tierlog.segments._appender import Appender
from tierlog.segments._held import CAN_HOLD
from tierlog.segments._opener import Opener, check_writable
from tierlog.segments._policy import Policy
from tierlog.segments._recover import recover_segments
from tierlog.segments._segment import Segment
from tierlog.segments._sweeper import Sweeper
from tierlog.typing import Commit


__all__ = ["SegmentSink"]

_BATCH_BYTES = 65_536
_HELD_LINES = 1_024  # some five milliseconds, for which the interpreter lets a thread run anyway
_PAUSE = 200e-6  # seconds
_FULL = frozenset([errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)])


class SegmentSink(Appender):
    """
    Rotating NDJSON files below one root, one place per tier, id and day.

    Safe to share between threads and handlers; a forked child begins its own
    segments. What processes that were killed left behind is mended first.

    Times are in **seconds** and sizes in bytes; ``"1h"`` and ``"16MiB"`` are
    taken too.

    Args:
        root: The folder; made if it isn't there.

        durability: ``process``: a line survives SIGKILL once the call returned.
            ``batch``: up to *flush_interval* may be lost, errors flush at once.
            ``disk``: a line survives power loss once the call returned.

        writer: ``append``: one ``write`` per line. ``mmap``: a copy into a
            mapping of the file, cheaper and as safe; the file ends in newlines
            while it is open.

        max_bytes: A segment ends before it is larger.

        max_age: A segment ends after this.

        max_open_segments: More are closed, least recently used first, and
            continued when their next line comes.

        id_format: ``ulid`` or ``slug``: which ids may become parts of a path.

        build_idle: A build's file ends when no line came for this long.

        flush_interval: See *durability*.

        monotonic: Returns seconds, as :func:`time.monotonic` does.

    Attributes:
        recovered: What the mending did.

        lock: Held while a line is written; a thread may take it again.

    Raises:
        ConfigError: An option can't work, or the root can't be written.
    """

    fork_order = 1

    def __init__(
        self,
        root: str | os.PathLike[str] = "logs",
        *,
        durability: str = "process",
        writer: str = "append",
        max_bytes: int | str = 16_777_216,
        max_age: float | str = 3600.0,
        max_open_segments: int = 256,
        id_format: str = "ulid",
        build_idle: float | str = 900.0,
        flush_interval: float | str = 0.2,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = Path(root).absolute()
        self.durability = choice("sink.durability", durability, ("process", "batch", "disk"))
        self.writer = choice("sink.writer", writer, ("append", "mmap"))
        self.id_format = choice("sink.id_format", id_format, ID_FORMATS)
        self._policy = Policy(
            size("sink.max_bytes", max_bytes, least=1),
            seconds("sink.max_age", max_age, least=0.001),
            seconds("sink.build_idle", build_idle, least=0.001),
        )
        self._max_open = count("sink.max_open_segments", max_open_segments)
        self._flush_interval = seconds("sink.flush_interval", flush_interval, least=0.001)
        self._monotonic = monotonic
        self._is_closed = False
        self._begin_anew()
        self._keep: Callable[[Segment, bytes, Route], Commit | None] | None
        self._keep = {"process": None, "batch": self._keep_later, "disk": self._keep_synced}[durability]
        check_writable(self.root)
        self.recovered = recover_segments(self.root)
        _fork.watch(self)

    def write(self, event_line: bytes, route: Route) -> Commit | None:
        """
        Append the line to the segment of its *route*.

        Raises:
            OSError: The disk didn't take it; no part of it is left.
        """
        with self.lock:
            return self.write_locked(event_line, route)

    def _write_otherwise(self, event_line: bytes, route: Route) -> Commit | None:
        """
        Append the line wherever it belongs, for a caller who has the lock.
        """
        if self._is_busy:  # this very thread is in the middle of a flush, say, and was interrupted
            self._held.append((event_line, route))
            return None
        now = self._monotonic()
        length = len(event_line)
        segment = self._last
        if segment is None or segment.key is not route[5]:
            segment = self._other(route.key)
        if segment is None or now >= segment.due or segment.size + length > segment.limit:
            segment = self._turn(segment, route, event_line, now)
        segment.used = now
        if self._keep is not None:
            return self._keep(segment, event_line, route)
        put = segment.put
        if self._held_lines > 0:
            self._held_lines -= 1
            put = segment.put_held or put
        try:
            written = put(event_line)
            if written != length:
                segment.complete(event_line, written)
            segment.size += length
        except OSError as e:
            self._write_elsewhere(segment, event_line, e)
        return None

    def _write_elsewhere(self, segment: Segment, line: bytes, error: OSError) -> None:
        replacement = self._replacement(segment, line, error)
        replacement.write(line)
        replacement.size += len(line)

    def meet(self) -> None:
        """
        Keep out of the way, after a line, of a thread that wants the lock for its own.

        Two things make threads that log together cost several times what one does:
        a write that lets the others run, and a lock that is handed to one who can't
        run yet. So the next lines are written without letting others run, and this
        thread pauses, while those that wait have their turn.
        """
        if self.durability == "disk" or not CAN_HOLD:
            return  # who waits for the disk shares that
        if self.durability == "process" and self.writer == "append":
            self._held_lines = _HELD_LINES
        time.sleep(_PAUSE)

    def room_locked(self, route: Route) -> float:
        """
        Return how many bytes of lines of *route* may be written by one call; 0 if each
        line needs a call of its own. For a caller who has the lock.
        """
        segment = self._open.get(route.key)
        if segment is None or self._is_busy or self.durability == "batch":
            return 0
        return segment.limit - segment.size

    def holds(self, event_line: bytes, route: Route) -> bool:
        """
        Tell, after a write that was interrupted, whether the line is kept.
        """
        with self.lock:
            segment = self._open.get(route.key)
            return segment is not None and segment.ends_with(event_line)

    def end_build(self, build_id: str) -> None:
        """
        Finish the files of a build: no more lines of it are expected here.
        """
        with self._undisturbed():
            for segment in self._all():
                if segment.is_shared and segment.place.id == build_id:
                    self._finish(segment)

    def sweep(self) -> None:
        """
        Finish the segments whose time is over, and write what is buffered.

        A thread does so by itself; this is for those who control the clock.
        """
        with self._undisturbed():
            now = self._monotonic()
            for segment in self._all():
                if self._policy.is_over(now, segment.due, segment.used, is_shared=segment.is_shared):
                    self._finish(segment)
                else:
                    self._write_buffer(segment)

    def flush(self) -> None:
        """
        Bring every buffered line to its file.
        """
        with self._undisturbed():
            for segment in self._all():
                self._write_buffer(segment)

    def close(self) -> None:
        """
        Finish every segment, and stop the thread.

        A line written after this is kept: in a new segment, by appending.
        """
        self._sweeper.stop()
        with self._undisturbed():
            self._is_closed = True
            self._opener.is_mapped = False  # after this, nobody cuts the filler
            for segment in self._all():
                self._finish(segment)
            self._opener.release()

    def stats(self) -> Mapping[str, Any]:
        """
        Return the segments ``open``, ``finished`` and ``recovered``, the
        ``torn_lines`` of those, and ``dropped``: by reason, the lines lost after
        :meth:`write` had taken them.
        """
        with self.lock:
            return {
                "segments": {
                    "open": len(self._open),
                    "finished": self._finished,
                    "recovered": self.recovered.segments,
                },
                "torn_lines": self.recovered.torn,
                "dropped": dict(self._dropped),
            }

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self.lock

    def after_fork_in_child(self) -> None:
        """
        Let go of the parent's segments.
        """
        for segment in self._open.values():
            segment.abandon()
        self._opener.abandon()
        self._begin_anew()

    def __del__(self) -> None:
        # Lines that were written after close() are in segments nobody else ends.
        if getattr(self, "_open", None) or getattr(self, "_parked", None):
            try:
                self.close()
            except (AttributeError, TypeError):  # at its end the interpreter takes modules away; the next start does it
                pass

    def _begin_anew(self) -> None:
        self.lock = threading.RLock()
        self._sweeper = Sweeper(self, self._flush_interval if self.durability == "batch" else self._policy.period)
        is_mapped = self.writer == "mmap" and not self._is_closed
        self._opener = Opener(self.root, self._policy, is_mapped=is_mapped, is_synced=self.durability == "disk")
        self._is_busy = False
        self._held_lines = 0
        self._held: list[tuple[bytes, Route]] = []
        self._last: Segment | None = None
        self._open: dict[str, Segment] = {}  # least recently used first
        self._parked: dict[str, Segment] = {}
        self._dropped: dict[str, int] = {}
        self._finished = 0

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """
        Hold the lock, and hold back the lines of a signal handler until the end.
        """
        with self.lock:
            was_busy, self._is_busy = self._is_busy, True
            try:
                yield
            finally:
                self._is_busy = was_busy
                while self._held and not was_busy:
                    line, route = self._held.pop(0)
                    try:
                        self.write_locked(line, route)
                    except OSError as e:
                        self._lost([line], e)

    def _all(self) -> list[Segment]:
        return [*self._open.values(), *self._parked.values()]

    def _other(self, key: str) -> Segment | None:
        """
        Return the open segment of *key*, the most recently used one from now on.
        """
        segment = self._open.pop(key, None)
        if segment is not None:
            self._open[key] = self._last = segment
        return segment

    def _keep_later(self, segment: Segment, line: bytes, route: Route) -> None:
        segment.buffer.append(line)
        segment.size += len(line)
        if route.lvl == "error" or sum(map(len, segment.buffer)) >= _BATCH_BYTES or self._is_closed:
            self._write_buffer(segment)

    def _keep_synced(self, segment: Segment, line: bytes, _route: Route) -> Commit:
        try:
            segment.write(line)
        except OSError as e:
            segment = self._replacement(segment, line, e)
            segment.write(line)
        segment.size += len(line)
        return segment.promise_sync()

    def _write_buffer(self, segment: Segment) -> None:
        lines, segment.buffer = segment.buffer, []
        if not lines:
            return
        batch = b"".join(lines)
        try:
            segment.write(batch)
        except OSError as e:
            try:
                replacement = self._replacement(segment, batch, e)
                replacement.write(batch)
                replacement.size += len(batch)
            except OSError as final:
                self._lost(lines, final)

    def _lost(self, lines: list[bytes], error: OSError) -> None:
        reason = errno.errorcode.get(error.errno or 0, "oserror").lower()
        self._dropped[reason] = self._dropped.get(reason, 0) + len(lines)
        report("batch", f"{len(lines)} buffered lines could not be written ({error}); they follow here, and are counted")
        emergency(b"".join(lines))

    def _replacement(self, segment: Segment, line: bytes, error: OSError) -> Segment:
        """
        Return a segment that may take what *segment* didn't, or raise *error*.

        A file that reached a limit of its own is no use for later lines; one on a
        full disk is, once there's room again. Of any other error nothing is known,
        and a new file is the safest place for what comes next.
        """
        if segment.is_shared or (error.errno in _FULL and not segment.is_torn):
            raise error
        self._finish(segment)
        if error.errno != errno.EFBIG:
            raise error
        return self._turn(None, segment.route, line, self._monotonic())

    def _turn(self, segment: Segment | None, route: Route, line: bytes, now: float) -> Segment:
        """
        Return the segment for the next line of *route*, after finishing *segment*.
        """
        if segment is not None:
            self._finish(segment)
        if len(self._open) >= self._max_open:
            self._park(next(iter(self._open.values())))
        fresh = self._resumed(route, line, now) or self._begun(route, line, now)
        self._open[fresh.key] = self._last = fresh
        self._start_thread()
        return fresh

    def _begun(self, route: Route, line: bytes, now: float) -> Segment:
        return self._opener.begin(route, line, now)

    def _resumed(self, route: Route, line: bytes, now: float) -> Segment | None:
        parked = self._parked.pop(route.key, None)
        if parked is None or self._opener.resume(parked, line, now):
            return parked
        self._finish(parked)
        return None

    def _start_thread(self) -> None:
        if not self._is_closed:
            self._sweeper.start()

    def _park(self, segment: Segment) -> None:
        """
        Close the file of *segment* until its next line.
        """
        self._write_buffer(segment)
        if not self._opener.may_park(segment):
            self._finish(segment)
        elif self._leave(segment):
            segment.park()
            self._parked[segment.key] = segment

    def _finish(self, segment: Segment) -> None:
        """
        End *segment*: it gets no more lines.
        """
        self._write_buffer(segment)
        self._leave(segment)
        self._finished += 1
        try:
            segment.finish()
        except OSError as e:
            report("finish", f"{local_path(segment.place)} could not be finished ({e}); the next start mends it")

    def _leave(self, segment: Segment) -> bool:
        if self._last is segment:
            self._last = None
        was_open = self._open.get(segment.key) is segment
        for segments in (self._open, self._parked):
            if segments.get(segment.key) is segment:
                del segments[segment.key]
        return was_open
