"""
What every event goes through, in C if that was built.

The type in C has what is here, and answers the usual case by itself: where all there is to
know of an event is known already, its parts are looked up, not worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tierlog.context import Context, current
from tierlog.envelope import Route
from tierlog.ndjson import LINE
from tierlog.parts import Parts, Preparer
from tierlog.typing import Clock, Commit


__all__ = ["Emitter", "PlainEmitter"]


class PlainEmitter:
    """
    What gives lines their numbers and writes them, one at a time. The rest is
    :class:`tierlog.pipeline.Pipeline`'s.

    Attributes:
        clock: Returns nanoseconds since the epoch.

        now_ms: Returns its time in milliseconds.

        preparer: Works out the parts of lines.
    """

    clock: Clock
    now_ms: Callable[[], int]
    preparer: Preparer
    _lock: Any
    _acquire: Callable[[], object]
    _release: Callable[[], object]
    _known: tuple[object, ...]
    _deferred: list[tuple[int, int, Parts]]
    _sink_write: Callable[[bytes, Route], Commit | None]
    _sink_meet: Callable[[], object]
    _seq: int
    _is_writing: bool
    _salvage: Callable[[int | None, str, Any, Any, Exception], None]
    _defer: Callable[[int, Parts], None]
    _lost: Callable[[bytes, Route, BaseException], None]
    _afterwards: Callable[[Commit | None], None]
    _came: Any = None  # the time of the record that came last, an object that no other record has

    def emit(
        self,
        ms: int | None,
        context: Context | None,
        lvl: str,
        src: str,
        msg: Any,
        args: Any,
        extra: Mapping[Any, Any] | None,
        data: Any,
        tier: str | None,
        kind: str | None,
        fields: Mapping[str, Any] | None,
        named_src: Any,
        /,
    ) -> None:
        """
        Write one event; never raise.

        This is the hot path.

        Args:
            ms: Its time, milliseconds since the epoch; now if None.

            context: The ids bound where it was made; those bound here if None.

            lvl: One of the four.

            src: Its source, unless the context or *extra* names one.

            msg: Its message, or the format of *args*; anything.

            args: The format's arguments; none if empty.

            extra: A log call's ``extra``: data, and what fills the envelope.

            data: Its payload, where there's no *extra*; anything.

            tier: Its tier; the context's, or the default, if None.

            kind: Its kind; the context's, or the tier's default, if None.

            fields: Ids that stand instead of the context's.

            named_src: Its source, whatever the context says.
        """
        try:
            ms = self.now_ms() if ms is None else ms
            context = current() if context is None else context
            parts = self.preparer.parts(ms, context, lvl, src, msg, args, extra, data, tier, kind, fields, named_src)
            if parts is not None:
                self._write(ms, parts)
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._salvage(ms, lvl, msg, extra if data is None else data, e)

    def _write(self, ms: int, parts: Parts) -> None:
        """
        Give a line its number, and write it.
        """
        head, source, message, body = parts
        commit = None
        self._came = ms
        # "with", since an exception out of a signal handler can't come between
        # taking a lock and its block.
        with self._lock:
            if self._is_writing:  # a signal handler or a finalizer logs in the middle of a write
                self._defer(ms, parts)
                return
            line = b""
            try:
                self._is_writing = True
                seq = self._seq
                line = LINE % (ms, head[0], seq, source, message, body)
                self._seq = seq + 1
                commit = self._sink_write(line, head[1])
            except BaseException as e:
                self._lost(line, head[1], e)
                if not isinstance(e, Exception):
                    raise
            finally:
                self._is_writing = False
        is_met = self._came is not ms  # while this one was written, another thread came to the lock
        if commit is not None or self._deferred:
            self._afterwards(commit)
        if is_met:
            self._sink_meet()


try:
    from tierlog._speedups import Emitter
    from tierlog._speedups import current as known

    if known is not current:
        raise ImportError("another interpreter's")  # noqa: TRY301 -- as good as not there
except ImportError:  # or there was no C compiler
    Emitter = PlainEmitter  # type: ignore[misc, assignment]
