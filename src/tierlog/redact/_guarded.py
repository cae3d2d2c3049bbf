"""
A redactor of somebody else's, which may fail.
"""

from __future__ import annotations

from typing import Any

from tierlog.redact._copier import WITHHELD, Copier
from tierlog.typing import RedactsValues


__all__ = ["Guarded"]


class Guarded:
    """
    A redactor of somebody else's, which may fail: then nothing is passed on.

    Args:
        redactor: What has ``text``, ``data`` and ``counts``.
    """

    def __init__(self, redactor: RedactsValues) -> None:
        self._redactor = redactor
        self._copier = Copier()
        self._withheld = 0

    def text(self, text: str) -> str:
        """
        Return *text* as it may be written.
        """
        try:
            clean = self._redactor.text(text)
            return clean if type(clean) is str else WITHHELD
        except Exception:  # noqa: BLE001 -- not looked at means not written
            self._withheld += 1
            return WITHHELD

    def data(self, value: Any) -> Any:
        """
        Return a copy of *value* of exact builtins, as it may be written.
        """
        try:
            return self._copier.data(self._redactor.data(self._copier.data(value)))
        except Exception:  # noqa: BLE001 -- not looked at means not written
            self._withheld += 1
            return WITHHELD

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule.
        """
        counts = getattr(self._redactor, "counts", None)
        found: dict[str, int] = dict(counts()) if counts is not None else {}
        return {**found, "withheld": self._withheld} if self._withheld else found
