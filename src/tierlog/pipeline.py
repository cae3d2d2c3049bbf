"""
The way of a record from a log call to a sink.

The lock is held for the number, the line and the write only.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tierlog import _fork
from tierlog.context import EMPTY, Context, current
from tierlog.emitter import Emitter, PlainEmitter
from tierlog.envelope import Route
from tierlog.extra import LAST_STANDARD, STANDARD_COUNT, extras, with_more
from tierlog.filter import Stamp
from tierlog.kinds import LEVELS, level_name
from tierlog.parts import Parts, Preparer
from tierlog.plain import text_of
from tierlog.report import emergency, report
from tierlog.typing import Clock, Commit, RedactsValues, Sink


__all__ = ["Pipeline", "new_instance_id"]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MOST_GENERATIONS = 3  # of records that were made in the middle of writing one
_ONLY_DATA = ["data"]
_get_ident = threading.get_ident


def new_instance_id(name: str) -> str:
    """
    Return ``{name}-`` and eight random Crockford characters.
    """
    return f"{name}-{''.join(_CROCKFORD[byte & 31] for byte in os.urandom(8))}"


class Pipeline(Emitter):
    """
    One stream of ``seq``: its instance, its numbers, its counters, its sink.

    Args:
        sink: Where the lines go.

        name: What ``instanceId`` begins with.

        instance_id: The whole ``instanceId``; made from *name* if None.

        default_tier: The tier of a record that names none.

        id_format: As for :func:`tierlog.envelope.valid_id`.

        redactor: Hides secrets.

        clock: Returns nanoseconds since the epoch.

        exc_locals: Whether exceptions carry the locals of their frames.

    Attributes:
        instance_id: ``instanceId`` of this process's lines.

        preparer: Works out the parts of lines.

        clock: Returns nanoseconds since the epoch.

        on_start: Called before the first record of a forked child.
    """

    fork_order = 2  # after the sink, whose lock it may share

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        redactor: RedactsValues,
        instance_id: str | None = None,
        default_tier: str = "system",
        id_format: str = "ulid",
        clock: Clock = time.time_ns,
        exc_locals: bool = False,
    ) -> None:
        self.sink = sink
        self.redactor = redactor
        # A sink that has a lock lends it, so that one is taken for a line, not two.
        self._sink_write: Callable[[bytes, Route], Commit | None] = getattr(sink, "write_locked", sink.write)
        self._sink_meet: Callable[[], object] = getattr(sink, "meet", _go_on)
        self._text = redactor.text
        self._name = name
        self._default_tier = default_tier
        self._id_format = id_format
        self.clock = clock
        self._exc_locals = exc_locals
        self.on_start: Callable[[], None] | None = None
        self._is_announced = True
        self._begin_anew(instance_id or new_instance_id(name))
        _fork.watch(self)

    def _begin_anew(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self.preparer = Preparer(
            instance_id,
            default_tier=self._default_tier,
            id_format=self._id_format,
            redactor=self.redactor,
            announce=self._announce,
        )
        self._known = self.preparer.known
        self._lock: Any = getattr(self.sink, "lock", None) or threading.RLock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._guard = _fork.ForkSafeLock()  # of the counters that aren't counted under the lock
        self._is_writing = False
        self._salvaging = threading.local()
        self._deferred: list[tuple[int, int, Parts]] = []
        self._generation = 0  # of the record that is written now: 0, or one more than of the one it interrupted
        self._recursions = 0
        self._seq = 0
        self._dropped: dict[str, int] = {}
        self._sync_failures = 0
        self._last_error: str | None = None

    # -- what comes in -------------------------------------------------------------

    def event(
        self,
        ms: int,
        context: Context,
        lvl: str,
        src: str,
        msg: Any,
        args: Any = None,
        extra: Mapping[Any, Any] | None = None,
        data: Any = None,
        tier: str | None = None,
        kind: str | None = None,
        fields: Mapping[str, Any] | None = None,
        named_src: Any = None,
    ) -> None:
        """
        Write one event, as :meth:`emit` does; never raise.
        """
        self.emit(ms, context, lvl, src, msg, args, extra, data, tier, kind, fields, named_src)

    def record(self, record: logging.LogRecord) -> None:
        """
        Write one record; never raise.
        """
        try:
            attributes = record.__dict__
            stamp = attributes.get("_tierlog")
            if stamp is None:
                # A record that another thread made, taken from a queue, has
                # nothing to do with what is bound here.
                thread = record.thread
                context = current() if thread is None or thread == _get_ident() else EMPTY
            else:
                context = stamp if type(stamp) is Context else stamp.context
            names = list(attributes)
            if names[STANDARD_COUNT - 1] == LAST_STANDARD:
                del names[:STANDARD_COUNT]
            extra = None
            if names:
                extra = {"data": record.data} if names == _ONLY_DATA else extras(attributes, names)  # type: ignore[attr-defined]
            lvl = LEVELS.get(record.levelno)
            msg, args = record.msg, record.args
            if lvl is None or record.exc_info or record.exc_text or record.stack_info or type(stamp) is Stamp:
                extra = with_more(record, extra, stamp, with_locals=self._exc_locals)
                lvl = lvl or level_name(record.levelno)
                if type(stamp) is Stamp and not record.exc_info and not record.stack_info:  # a queue has taken them
                    msg, args = stamp.message, None
            self.emit(int(record.created * 1000), context, lvl, record.name, msg, args, extra, None, None, None, None, None)
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._salvage(self.now_ms(), "error", getattr(record, "msg", ""), None, e)

    # -- on the way ----------------------------------------------------------------

    _work_out = PlainEmitter.emit  # what the part in C leaves to Python

    def _defer(self, ms: int, parts: Parts) -> None:
        self._deferred.append((self._generation + 1, ms, parts))

    def _afterwards(self, commit: Commit | None) -> None:
        """
        Do what had to wait until the lock was free.
        """
        while self._deferred and not self._generation:
            try:
                self._generation, ms, parts = self._deferred.pop(0)
            except IndexError:  # another thread was first
                break
            try:
                if self._generation > _MOST_GENERATIONS:
                    self._recursions += 1
                    report("recursion", "a sink that logs each time it writes was stopped")
                else:
                    self._write(ms, parts)
            finally:
                self._generation = 0
        if commit is not None:
            self._commit(commit)

    def _commit(self, commit: Commit) -> None:
        try:
            commit()
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._sync_failures += 1
            self._last_error = self._told(e)
            report("sync", f"a written line may not survive power loss: {self._last_error}")

    def _lost(self, line: bytes, route: Route, error: BaseException) -> None:
        """
        Count an accepted line that the sink didn't keep, and save it to stderr.
        """
        holds = getattr(self.sink, "holds", None)
        if not isinstance(error, Exception) and (not line or (holds is not None and holds(line, route))):
            return  # interrupted before it was numbered, or after it was written
        reason = errno.errorcode.get(error.errno or 0, "oserror").lower() if isinstance(error, OSError) else type(error).__name__
        self._dropped[reason] = self._dropped.get(reason, 0) + 1
        self._last_error = self._told(error)
        report(f"lost {reason}", f"a record could not be written ({self._last_error}); it follows on this stream, and is counted")
        emergency(line)

    def _salvage(self, ms: int | None, lvl: str, msg: Any, data: Any, error: Exception) -> None:
        """
        Write a line for a record that could not be made into one: with its data
        at first, without if that is what fails.
        """
        self._last_error = told = self._told(error)
        attempt = getattr(self._salvaging, "attempt", 0)
        if attempt > 1:
            report("unwritable", f"a record was lost: {told}")
            return
        report("salvage", f"a record could only be kept in part: {told}")
        notes: dict[str, Any] = {"_tierlog": {"error": type(error).__name__}}
        if attempt == 0 and data is not None:
            notes["data"] = data
        self._salvaging.attempt = attempt + 1
        try:
            text = msg if type(msg) is str else text_of(msg) if attempt == 0 else f"<{type(msg).__name__}>"
            self.emit(ms, None, lvl, "tierlog", text, None, None, notes, None, None, None, None)
        finally:
            self._salvaging.attempt = attempt

    def _told(self, error: BaseException) -> str:
        """
        Return what *error* says, without its secrets: it may be anybody's.
        """
        try:
            return self._text(repr(error))
        except Exception:  # noqa: BLE001 -- nor does this raise
            return type(error).__name__

    def _announce(self) -> None:
        if not self._is_announced:
            self._is_announced = True
            if self.on_start is not None:
                self.on_start()

    # -- what is asked of it -------------------------------------------------------

    def now_ms(self) -> int:
        """
        Return the time, in milliseconds since the epoch.
        """
        return self.clock() // 1_000_000

    def stats(self) -> dict[str, Any]:
        """
        Return the counters of this stream; ``accepted`` is ``written`` plus all of
        ``dropped``.
        """
        with self._guard:
            sink = self._sink_stats()
            dropped = dict(self._dropped)
            for reason, count in sink.pop("dropped", {}).items():
                dropped[reason] = dropped.get(reason, 0) + count
            return {
                "accepted": self._seq,
                "written": self._seq - sum(dropped.values()),
                "dropped": dropped,
                "redactions": self.redactor.counts(),
                "truncated": self.preparer.truncated,
                "rerouted": dict(self.preparer.rerouted),
                "sync_failures": self._sync_failures,
                "recursions": self._recursions,
                "last_error": self._last_error,
                **sink,
            }

    def _sink_stats(self) -> dict[str, Any]:
        ask = getattr(self.sink, "stats", None)
        try:
            return dict(ask()) if ask is not None else {}
        except Exception as e:  # noqa: BLE001 -- somebody else's sink keeps nobody from asking or closing
            self._last_error = self._told(e)
            return {}

    @property
    def is_writing(self) -> bool:
        """
        Whether a line is being written at this moment.
        """
        return self._is_writing

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        lock: _fork.Lock = self._lock
        return lock

    def after_fork_in_child(self) -> None:
        """
        Begin a stream of its own.
        """
        self._begin_anew(new_instance_id(self._name))
        self._is_announced = False


def _go_on() -> None:
    """
    Do nothing, for a sink that has nothing to do where threads meet.
    """
