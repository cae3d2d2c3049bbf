"""
The way of a record from a log call to a sink.

Everything that depends on the context alone is worked out once and kept with the
context; the lock is held for the number, the line and the write only.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from tierlog import _fork
from tierlog.context import EMPTY, IDS, Context, current
from tierlog.envelope import DATA_MAX_BYTES, LEVELS, Head, Route, level_name, make_head
from tierlog.exceptions import exception_data
from tierlog.ndjson import LINE, dump_data, dump_text, fit, truncate
from tierlog.plain import text_of, unwrap
from tierlog.report import emergency, report
from tierlog.typing import Clock, Commit, Sink


__all__ = ["Pipeline", "RedactsValues", "Stamp", "new_instance_id"]

_REMEMBERED = 1_024
_LONG_CHARS = 65_536
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PLAIN_ARGS = frozenset([str, int, float, bool, type(None)])
_CONTAINERS = (dict, list, tuple, set, frozenset)
_BYTES = (bytes, bytearray, memoryview)
_HEAD_NAMES = (*IDS, "tier", "kind")
_EMPTY = b"{}"

_STANDARD = tuple(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
_STANDARD_COUNT = len(_STANDARD)
_LAST_STANDARD = _STANDARD[-1]
_NOT_EXTRA = frozenset([*_STANDARD, "message", "asctime", "taskName", "_tierlog"])

_FIELDS = {
    **{name: name for name in (*IDS, "tier", "kind", "src")},
    **{"projectId": "project_id", "buildId": "build_id", "userId": "user_id", "reqId": "req_id"},
}
_get_ident = threading.get_ident


class RedactsValues(Protocol):
    """
    What hides secrets; see :class:`tierlog.redact.Redactor`.
    """

    def text(self, text: str, /) -> str:
        """
        Return *text* as it may be written.
        """

    def data(self, value: Any, /) -> Any:
        """
        Return a copy of *value* of exact builtins, as it may be written.
        """

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule.
        """


class Stamp:
    """
    What a filter noted on a record that a queue would take from it.

    Attributes:
        context: The ids of the thread that logged.

        message: The message without the exception's text behind it.

        exc: The exception as data.

        stack: The stack as text.
    """

    __slots__ = ("context", "exc", "message", "stack")

    def __init__(self, context: Context, message: str, exc: dict[str, Any] | None, stack: str | None) -> None:
        self.context = context
        self.message = message
        self.exc = exc
        self.stack = stack


def new_instance_id(name: str) -> str:
    """
    Return ``{name}-`` and eight random Crockford characters.
    """
    return f"{name}-{''.join(_CROCKFORD[byte & 31] for byte in os.urandom(8))}"


class Pipeline:
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

        on_start: Called before the first record of a forked child.
    """

    fork_order = 0

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
        self._sink_write = sink.write
        self._text = redactor.text
        self._data = redactor.data
        self._name = name
        self._default_tier = default_tier
        self._id_format = id_format
        self._clock = clock
        self._exc_locals = exc_locals
        self.on_start: Callable[[], None] | None = None
        self._is_announced = True
        self._sources: dict[str, bytes] = {}
        self._begin_anew(instance_id or new_instance_id(name))
        _fork.watch(self)

    # -- what comes in -------------------------------------------------------------

    def event(
        self,
        ms: int,
        context: Context,
        lvl: str,
        src: str,
        msg: Any,
        data: Any,
        *,
        tier: str | None = None,
        kind: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Write one event; never raise.

        Args:
            ms: Its time, milliseconds since the epoch.

            context: The ids bound where it was made.

            lvl: One of the four.

            src: Its source.

            msg: Its message; anything.

            data: Its payload; anything.

            tier: Its tier; the context's, or the default, if None.

            kind: Its kind; the context's, or the tier's default, if None.

            fields: Ids that stand instead of the context's.
        """
        if context.is_muted:
            return
        try:
            if fields:
                head = self._own_head(ms, context, lvl, tier, kind, fields)
            else:
                found = context.heads.get((self._key, tier, kind, lvl))
                head = found if found is not None and found[2] <= ms < found[3] else self._shared_head(ms, context, lvl, tier, kind)
            self._write(ms, head, self._sources.get(src) or self._source(src), msg, data)
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._salvage(ms, lvl, msg, e)

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
                context = current() if record.thread in {None, _get_ident()} else EMPTY
            else:
                context = stamp if type(stamp) is Context else stamp.context
            if context.is_muted:
                return
            names = list(attributes)
            if names[_STANDARD_COUNT - 1] == _LAST_STANDARD:
                del names[:_STANDARD_COUNT]
            extra = _picked(attributes, names) if names else None
            levelno = record.levelno
            lvl = LEVELS.get(levelno)
            if lvl is None or record.exc_info or record.exc_text or record.stack_info or type(stamp) is Stamp:
                self._rich_record(record, context, lvl or level_name(levelno), extra, stamp)
                return
            self.call(int(record.created * 1000), context, lvl, record.name, record.msg, record.args, extra)
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._salvage(self._clock() // 1_000_000, "error", record.msg, e)

    def call(
        self,
        ms: int,
        context: Context,
        lvl: str,
        name: str,
        msg: Any,
        args: Any,
        extra: Mapping[str, Any] | None,
    ) -> None:
        """
        Write what a log call was given; never raise.

        Args:
            ms: Its time, milliseconds since the epoch.

            context: The ids bound where it was made.

            lvl: One of the four.

            name: The logger's name.

            msg: Its message or format.

            args: The format's arguments; none if empty.

            extra: Its ``extra``.
        """
        try:
            data = fields = None
            if extra:
                if len(extra) == 1 and type(extra.get("data")) is dict:
                    data = extra["data"]
                else:
                    fields, data = _split(extra)
            if args:
                msg, data = self._formatted(msg, args, data)
            src = context.src or name
            if not fields:
                self.event(ms, context, lvl, src, msg, data)
                return
            src = text_of(fields.pop("src", src))
            tier, kind = fields.pop("tier", None), fields.pop("kind", None)
            self.event(ms, context, lvl, src, msg, data, tier=tier, kind=kind, fields=fields)
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._salvage(ms, lvl, msg, e)

    # -- on the way ----------------------------------------------------------------

    def _write(self, ms: int, head: Head, src: bytes, msg: Any, data: Any) -> None:
        if type(msg) is not str:
            msg = self._message(msg)
        text = self._text(msg)
        if len(text) > _LONG_CHARS:
            text = self._cut(text)
        message = dump_text(text)
        notes = head[4]
        if data is not None or notes:
            plain = self._data({} if data is None else data)
            if type(plain) is not dict:
                plain = {"data": plain}
            if notes:
                self._add_notes(plain, notes)
            body = dump_data(plain)
            if len(body) + len(message) > DATA_MAX_BYTES:
                body = fit(message, plain)
                self._truncated += 1
        else:
            body = _EMPTY
        self._put(ms, head, src, message, body)

    def _put(self, ms: int, head: Head, src: bytes, message: bytes, body: bytes) -> None:
        """
        Number the line and write it, in one step as far as others can see.
        """
        commit = None
        lock = self._lock
        lock.acquire()
        try:
            if self._is_writing:  # a signal handler or finalizer logs in the middle of a write
                self._deferred.append((ms, head, src, message, body))
                return
            self._is_writing = True
            seq = self._seq
            self._seq = seq + 1
            line = LINE % (ms, head[0], seq, src, message, body)
            try:
                commit = self._sink_write(line, head[1])
            except BaseException as e:
                self._lost(line, e)
                if not isinstance(e, Exception):
                    raise
            finally:
                self._is_writing = False
        finally:
            lock.release()
        if self._deferred:
            self._put_deferred()
        if commit is not None:
            self._commit(commit)

    def _put_deferred(self) -> None:
        while self._deferred:
            self._put(*self._deferred.pop(0))

    def _commit(self, commit: Commit) -> None:
        try:
            commit()
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            self._sync_failures += 1
            self._last_error = repr(e)
            report("sync", f"a written line may not survive power loss: {e!r}")

    def _lost(self, line: bytes, error: BaseException) -> None:
        """
        Count an accepted line that the sink didn't keep, and save it to stderr.
        """
        reason = errno.errorcode.get(error.errno or 0, "oserror").lower() if isinstance(error, OSError) else type(error).__name__
        self._dropped[reason] = self._dropped.get(reason, 0) + 1
        self._last_error = repr(error)
        report(f"lost {reason}", f"a record could not be written ({error!r}); it follows on this stream, and is counted")
        emergency(line)

    def _salvage(self, ms: int, lvl: str, msg: Any, error: Exception) -> None:
        """
        Write a line for a record that could not be made into one.
        """
        try:
            self._last_error = repr(error)
            report("salvage", f"a record could only be kept in part: {error!r}")
            text = self._text(msg if type(msg) is str else f"<{type(msg).__name__}>")
            head = self._shared_head(ms, EMPTY, lvl, None, None)
            notes = {"_tierlog": {"error": f"{type(error).__name__} while the record was made"}}
            self._put(ms, head, self._source("tierlog"), dump_text(truncate(text)), dump_data(notes))
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            report("lost", f"a record was lost: {e!r}")

    def _message(self, msg: Any) -> str:
        """
        Return a message that isn't a string as one; containers redacted inside.
        """
        plain = unwrap(msg)
        return text_of(self._shown(plain) if type(plain) in {dict, list} else msg)

    def _shown(self, value: Any) -> Any:
        """
        Return what stands for a container in a text: itself if it holds no secret.
        """
        plain = self._data(value)
        given = list(value) if isinstance(value, (tuple, set, frozenset)) else value
        return value if plain == given else plain

    def _cut(self, text: str) -> str:
        cut = truncate(text)
        if cut is not text:
            self._truncated += 1
        return cut

    def _formatted(self, msg: Any, args: Any, data: Any) -> tuple[str, Any]:
        """
        Return the message with its arguments, and the data with those that didn't fit.
        """
        template = msg if type(msg) is str else self._message(msg)
        try:
            if type(args) is not tuple:
                return template % (self._shown(args) if isinstance(args, _CONTAINERS) else args), data
            for arg in args:
                if type(arg) not in _PLAIN_ARGS:
                    return self._formatted_carefully(template, args), data
            return template % args, data
        except Exception as e:  # noqa: BLE001 -- wrong arguments are no reason to lose a record
            notes = {"_tierlog": {"format_error": f"{type(e).__name__}: {text_of(e)}", "args": args}}
            return template, {**data, **notes} if type(data) is dict else notes if data is None else {"data": data, **notes}

    def _formatted_carefully(self, template: str, args: tuple[Any, ...]) -> str:
        shown = tuple(self._shown(arg) if isinstance(arg, _CONTAINERS) else text_of(arg) if isinstance(arg, _BYTES) else arg for arg in args)
        try:
            return template % shown
        except Exception:  # noqa: BLE001 -- an argument's own __str__
            return template % tuple(arg if type(arg) in _PLAIN_ARGS else text_of(arg) for arg in shown)

    def _rich_record(
        self,
        record: logging.LogRecord,
        context: Context,
        lvl: str,
        extra: Mapping[str, Any] | None,
        stamp: Stamp | None,
    ) -> None:
        """
        Write a record that has more to say than its message.
        """
        added: dict[str, Any] = {}
        if record.levelno not in LEVELS:
            added["level"] = record.levelname
        msg, args, stack = record.msg, record.args, record.stack_info
        if type(stamp) is Stamp:
            msg, args, stack = stamp.message, None, stamp.stack
            added |= {"exc": stamp.exc} if stamp.exc else {}
        elif record.exc_info and (error := _raised(record.exc_info)) is not None:
            added["exc"] = exception_data(error, with_locals=self._exc_locals)
        elif record.exc_text:
            added["exc"] = {"text": record.exc_text}
        if stack:
            added["stack"] = stack
        merged = dict(extra or {})
        own = merged.get("data")
        merged["data"] = {**own, **added} if type(own) is dict else {**({} if own is None else {"data": own}), **added}
        self.call(int(record.created * 1000), context, lvl, record.name, msg, args, merged)

    # -- what is worked out once ---------------------------------------------------

    def _source(self, src: str) -> bytes:
        if len(self._sources) >= _REMEMBERED:
            self._sources.clear()
        part = self._sources[src] = b',"src":' + dump_text(self._text(text_of(src)[:512]))
        return part

    def _shared_head(self, ms: int, context: Context, lvl: str, tier: str | None, kind: str | None) -> Head:
        self._announce()
        fields = context.fields()
        fields |= {name: value for name, value in (("tier", tier), ("kind", kind)) if value is not None}
        head = self._made_head(ms, fields, lvl)
        if len(context.heads) >= _REMEMBERED:
            context.heads.clear()
        context.heads[self._key, tier, kind, lvl] = head
        return head

    def _own_head(
        self, ms: int, context: Context, lvl: str, tier: str | None, kind: str | None, fields: Mapping[str, Any]
    ) -> Head:
        merged = {**context.fields(), **fields}
        merged |= {name: value for name, value in (("tier", tier), ("kind", kind)) if value is not None}
        key: Any = (lvl, *map(merged.get, _HEAD_NAMES))
        if not all(type(part) is str or part is None for part in key):
            return self._made_head(ms, merged, lvl)
        head = self._heads.get(key)
        if head is None or not head.starts <= ms < head.ends:
            self._announce()
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            head = self._heads[key] = self._made_head(ms, merged, lvl)
        return head

    def _made_head(self, ms: int, fields: Mapping[str, Any], lvl: str) -> Head:
        return make_head(
            ms,
            self.instance_id,
            fields,
            lvl,
            default_tier=self._default_tier,
            id_format=self._id_format,
            redact=self._text,
        )

    def _announce(self) -> None:
        if not self._is_announced:
            self._is_announced = True
            if self.on_start is not None:
                self.on_start()

    def _add_notes(self, data: dict[str, Any], notes: Mapping[str, Any]) -> None:
        own = data.get("_tierlog")
        data["_tierlog"] = {**own, **notes} if type(own) is dict else dict(notes)
        reason = notes.get("rerouted")
        if reason is not None:
            with self._lock:
                self._rerouted[reason] = self._rerouted.get(reason, 0) + 1

    # -- what is asked of it -------------------------------------------------------

    def now_ms(self) -> int:
        """
        Return the time, in milliseconds since the epoch.
        """
        return self._clock() // 1_000_000

    def stats(self) -> dict[str, Any]:
        """
        Return the counters of this stream; ``accepted`` is ``written`` plus all of
        ``dropped``.
        """
        with self._lock:
            ask = getattr(self.sink, "stats", None)
            sink: dict[str, Any] = dict(ask()) if ask is not None else {}
            dropped = dict(self._dropped)
            for reason, count in sink.pop("dropped", {}).items():
                dropped[reason] = dropped.get(reason, 0) + count
            return {
                "accepted": self._seq,
                "written": self._seq - sum(dropped.values()),
                "dropped": dropped,
                "redactions": self.redactor.counts(),
                "truncated": self._truncated,
                "rerouted": dict(self._rerouted),
                "sync_failures": self._sync_failures,
                "last_error": self._last_error,
                **sink,
            }

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Begin a stream of its own.
        """
        self._begin_anew(new_instance_id(self._name))
        self._is_announced = False

    def _begin_anew(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self._key = object()  # what earlier heads were kept under is of no use now
        self._heads: dict[tuple[Any, ...], Head] = {}
        self._lock = threading.RLock()
        self._is_writing = False
        self._deferred: list[tuple[int, Head, bytes, bytes, bytes]] = []
        self._seq = 0
        self._dropped: dict[str, int] = {}
        self._truncated = 0
        self._rerouted: dict[str, int] = {}
        self._sync_failures = 0
        self._last_error: str | None = None


def _picked(attributes: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: attributes[name] for name in names if name not in _NOT_EXTRA}


def _split(extra: Mapping[Any, Any]) -> tuple[dict[str, Any], Any]:
    """
    Return what of *extra* fills the envelope, and what is data.
    """
    fields: dict[str, Any] = {}
    rest: dict[Any, Any] = {}
    for key, value in extra.items():
        name = _FIELDS.get(key) if type(key) is str else None
        if name is None:
            rest[key] = value
        else:
            fields[name] = value
    data = rest.get("data")
    if isinstance(data, dict):
        del rest["data"]
        # What both name stays: the payload's under its name, the other beside it.
        rest = {**{f"{key}~2" if key in data else key: value for key, value in rest.items()}, **data}
    return fields, rest or None


def _raised(exc_info: Any) -> BaseException | None:
    found = exc_info[1] if type(exc_info) is tuple and len(exc_info) > 1 else exc_info
    return found if isinstance(found, BaseException) else None
