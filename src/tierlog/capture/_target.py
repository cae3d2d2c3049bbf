"""
Where the records of a command go: to the handler that events go to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tierlog.batch import write_lines
from tierlog.context import Context, restore, unbind
from tierlog.events import log_event
from tierlog.handler import all_handlers
from tierlog.kinds import LEVELS, known
from tierlog.redact import Copier, Redactor
from tierlog.typing import RedactsValues


__all__ = ["Records", "redactor_in_use"]

_NUMBERS = {name: number for number, name in LEVELS.items()}
_EVENT_KINDS = {"build": "meta", "system": "meta"}
_SRC = "capture"


def redactor_in_use() -> RedactsValues | None:
    """
    Return what hides secrets here, None if that is switched off.
    """
    if not all_handlers:
        return Redactor()
    redactor = all_handlers[-1].pipeline.redactor
    return None if type(redactor) is Copier else redactor


class Records(NamedTuple):
    """
    What the records of one command have in common.

    Attributes:
        context: The ids.

        tier: Their tier.

        kind: The kind of its lines; the tier's default if None.

        src: The producer; each line's stream if None.
    """

    context: Context
    tier: str
    kind: str | None
    src: str | None

    def lines(self, lvl: str, src: str, texts: list[str], data: Mapping[str, Any], *, truncated: int = 0) -> int:
        """
        Write one record for each text, which is redacted and cut already, and return
        how many were lost.
        """
        handler = all_handlers[-1] if all_handlers else None
        kind = self.kind or ("line" if "line" in known(self.tier) else None)
        if handler is None or not handler.has_plain_filters():
            self._each(lvl, src, texts, data, kind)
        elif handler.level <= _NUMBERS[lvl] and not self.context.is_muted:
            return write_lines(
                handler.pipeline, self.context, lvl, src, texts, data, tier=self.tier, kind=kind, truncated=truncated
            )
        return 0

    def event(self, lvl: str, msg: str, data: Mapping[str, Any], kind: str | None = None) -> None:
        """
        Write an event about the command.
        """
        token = restore(self.context)
        try:
            log_event(self.tier, kind or _EVENT_KINDS.get(self.tier), lvl, msg, data, src=self.src or _SRC)
        finally:
            unbind(token)

    def _each(self, lvl: str, src: str, texts: list[str], data: Mapping[str, Any], kind: str | None) -> None:
        token = restore(self.context)
        try:
            for text in texts:
                log_event(self.tier, kind, lvl, text, dict(data), src=src)
        finally:
            unbind(token)
