"""
The part of a line that depends on little: worked out once, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tierlog.context import IDS, Context
from tierlog.envelope import Head, make_head, short_text
from tierlog.ndjson import dump_text
from tierlog.plain import text_of


__all__ = ["Heads"]

_REMEMBERED = 1_024
_HEAD_NAMES = (*IDS, "tier", "kind")


class Heads:
    """
    Heads and sources of one instance.

    Args:
        instance_id: Of the lines.

        default_tier: The tier of a record that names none.

        id_format: As for :func:`tierlog.envelope.valid_id`.

        redact: Hides secrets in a text.

    Attributes:
        key: What a context keeps its heads under, with what else they depend on.

        sources: Known sources, each as the part of a line.
    """

    def __init__(self, instance_id: str, *, default_tier: str, id_format: str, redact: Callable[[str], str]) -> None:
        self._instance_id = instance_id
        self._default_tier = default_tier
        self._id_format = id_format
        self._redact = redact
        self.key = object()
        self.sources: dict[str, bytes] = {}
        self._heads: dict[tuple[Any, ...], Head] = {}

    def source(self, given: Any) -> bytes:
        """
        Return a source as the part of a line.
        """
        src = text_of(given)
        if len(self.sources) >= _REMEMBERED:
            self.sources.clear()
        part = self.sources[src] = b',"src":' + dump_text(short_text(src, self._redact))
        return part

    def head(
        self, ms: int, context: Context, lvl: str, tier: str | None, kind: str | None, fields: Mapping[str, Any] | None
    ) -> Head:
        """
        Return the head for a record, and remember it.
        """
        merged: dict[str, Any] = {**context.fields(), **(fields or {})}
        merged |= {name: value for name, value in (("tier", tier), ("kind", kind)) if value is not None}
        memory, key = (
            (self._heads, (lvl, *map(merged.get, _HEAD_NAMES))) if fields else (context.heads, (self.key, tier, kind, lvl))
        )
        if not all(type(part) is str or part is None for part in key[1:]):
            return self._made(ms, merged, lvl)
        head = memory.get(key)
        if head is None or not head.starts <= ms < head.ends:
            if len(memory) >= _REMEMBERED:
                memory.clear()
            head = memory[key] = self._made(ms, merged, lvl)
        return head

    def _made(self, ms: int, fields: Mapping[str, Any], lvl: str) -> Head:
        return make_head(
            ms,
            self._instance_id,
            fields,
            lvl,
            default_tier=self._default_tier,
            id_format=self._id_format,
            redact=self._redact,
        )
