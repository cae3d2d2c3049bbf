"""
The parts of a line, of what is given to a log call.

What depends on the context alone is worked out once and kept with the context, where the
part in C finds it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from tierlog._fork import ForkSafeLock
from tierlog.context import Context
from tierlog.envelope import DATA_MAX_BYTES, Head, with_notes
from tierlog.extra import split_extra
from tierlog.heads import Heads
from tierlog.messages import PLAIN_ARGS, Messages, with_args
from tierlog.ndjson import dump_data, dump_text, fit, truncate
from tierlog.tracing import MODULE as OPENTELEMETRY
from tierlog.tracing import modules, with_trace
from tierlog.typing import RedactsValues


__all__ = ["Parts", "Preparer"]

Parts = tuple[Head, bytes, bytes, bytes]
"""Head, source, message and data of a line."""

_LONG_BYTES = 65_536  # what is longer may have to be cut
_EMPTY = b"{}"
_OBJECT = ord("{")
_dumps = orjson.dumps


class Preparer:
    """
    Works out the parts of one instance's lines.

    Args:
        instance_id: Of the lines.

        default_tier: The tier of a record that names none.

        id_format: As for :func:`tierlog.envelope.valid_id`.

        redactor: Hides secrets.

        announce: Called before a head is made.

    Attributes:
        known: What the part in C looks at: key, sources and redactor.

        truncated: How many records were cut.

        rerouted: By reason, how many are elsewhere than they ask for.
    """

    def __init__(
        self,
        instance_id: str,
        *,
        default_tier: str,
        id_format: str,
        redactor: RedactsValues,
        announce: Callable[[], None],
    ) -> None:
        self._text = redactor.text
        self._data = redactor.data
        self._announce = announce
        self._messages = Messages(self._data)
        self._heads = Heads(instance_id, default_tier=default_tier, id_format=id_format, redact=self._text)
        self._key = self._heads.key
        self._sources = self._heads.sources
        self._guard = ForkSafeLock()
        self.known = (self._key, self._sources, redactor)
        self.truncated = 0
        self.rerouted: dict[str, int] = {}

    def head(self, ms: int, context: Context, lvl: str, tier: str | None, kind: str | None) -> Head:
        """
        Return the head for records of a context.
        """
        self._announce()
        return self._heads.head(ms, context, lvl, tier, kind, None)

    def source(self, name: str) -> bytes:
        """
        Return a source as the part of a line.
        """
        return self._sources.get(name) or self._heads.source(name)

    def count_truncated(self, records: int) -> None:
        """
        Count records that were cut before.
        """
        with self._guard:
            self.truncated += records

    def parts(  # noqa: C901, PLR0912 -- the hot path, and one function: here a call costs what three checks do
        self,
        ms: int,
        context: Context,
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
    ) -> Parts | None:
        """
        Return the parts of an event's line, of what :meth:`tierlog.pipeline.Pipeline.event`
        takes; None if it is about tierlog's own work.
        """
        if extra:
            if len(extra) == 1 and "data" in extra and type(extra["data"]) is dict:
                data = extra["data"]
            else:
                fields, data = split_extra(extra)
                named_src, tier, kind = fields.pop("src", None), fields.pop("tier", None), fields.pop("kind", None)
        if args:
            for arg in args:
                if type(arg) not in PLAIN_ARGS or type(msg) is not str or type(args) is not tuple:
                    msg, data = self._messages.formatted(msg, args, data)
                    break
            else:
                try:
                    msg = msg % args
                except Exception as e:  # noqa: BLE001 -- wrong arguments are no reason to lose a record
                    data = with_args(data, args, e)
        if OPENTELEMETRY in modules:
            data = with_trace(data)
        head = None if fields else context.heads.get((self._key, tier, kind, lvl))
        if head is None or not head[2] <= ms < head[3]:
            if context.is_muted:
                return None
            self._announce()
            head = self._heads.head(ms, context, lvl, tier, kind, fields)
        text = self._text(msg if type(msg) is str else self._messages.text(msg))
        try:
            message = _dumps(text)
            body = _EMPTY if data is None else _dumps(self._data(data)) if type(data) is dict else None
        except TypeError:  # lone surrogates, numbers beyond 64 bits
            body = None
        # A redactor that gave up gives a text.
        if body is None or body[0] != _OBJECT or head[4] is not None or len(message) + len(body) > _LONG_BYTES:
            message, body = self._careful(text, data, head[4])
        name = named_src or context.src or src
        return head, self._sources.get(name) or self._heads.source(name), message, body

    def _careful(self, text: str, data: Any, notes: Mapping[str, Any] | None) -> tuple[bytes, bytes]:
        """
        Return message and data as JSON, whatever they are and however long.
        """
        cut = truncate(text)
        message = dump_text(cut)
        plain = self.noted(self._data(data), notes)
        body = dump_data(plain)
        if len(body) + len(message) > DATA_MAX_BYTES:
            body = fit(message, plain)
            self.truncated += 1
        elif cut is not text:
            self.truncated += 1
        return message, body

    def noted(self, data: Any, notes: Mapping[str, Any] | None, records: int = 1) -> dict[str, Any]:
        """
        Return *data*, which is nobody else's, as a dict with *notes* in it: that of so
        many *records*.
        """
        found: dict[str, Any] = data if type(data) is dict else {} if data is None else {"data": data}
        if notes is not None:
            own = found.get("_tierlog")
            found["_tierlog"] = with_notes(own, notes)
        reason = notes.get("rerouted") if notes is not None else None
        if reason is not None and reason.startswith("no tier"):
            reason = "unknown tier"  # as few labels as there are reasons
        if reason is not None:
            with self._guard:
                self.rerouted[reason] = self.rerouted.get(reason, 0) + records
        return found
