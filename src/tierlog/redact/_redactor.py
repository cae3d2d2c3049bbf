"""
The walk that copies a record's data to exact builtins and redacts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tierlog._fork import ForkSafeLock
from tierlog.plain import MAX_ITEMS, free_name, key_text, unwrap
from tierlog.redact._keys import is_sensitive
from tierlog.redact._text import TextRedactor
from tierlog.typing import RedactsValues


__all__ = ["Copier", "Guarded", "Redactor"]

_MAX_DEPTH = 100
_REMEMBERED = 8_192  # entries in each memory of what is clean
_REMEMBERED_CHARS = 64
_MAX_KEY = 1_024
_AS_THEY_ARE = frozenset([int, bool, type(None)])
_TOO_DEEP = "[TOO DEEP]"
_CYCLE = "[CYCLE]"
_TRUNCATED = "[TRUNCATED]"
_WITHHELD = "[WITHHELD]"
_KEY_MARK = "[REDACTED:key]"

_Parents = tuple[int, ...]


class Copier:
    """
    Copies values to exact builtins and hides nothing: what ``redact="off"`` means.
    """

    def __init__(self) -> None:
        self._clean_keys: set[str] = set()
        self._clean_texts: set[str] = set()

    def text(self, text: str) -> str:
        """
        Return *text* as it may be written.
        """
        return text

    def data(self, value: Any) -> Any:
        """
        Return a copy of *value* of exact builtins, whatever it is.

        It never raises, never changes *value* and ends: cycles, depth beyond
        100 and items beyond 300 000 are cut and marked.
        """
        try:
            if type(value) is dict:
                own = value.copy()
                return own if self._is_plain(own) else self._dict(own, (), [MAX_ITEMS])
            return self._value(value, (), [MAX_ITEMS])
        except RecursionError:  # the caller's own stack is nearly full
            return _TOO_DEEP
        except Exception:  # noqa: BLE001 -- not looked at means not written
            return _WITHHELD

    def _is_plain(self, own: dict[Any, Any]) -> bool:
        """
        Tell that nothing in *own* has to be looked at closer.
        """
        clean_keys, clean_texts = self._clean_keys, self._clean_texts
        for key, value in own.items():
            if type(key) is not str or key not in clean_keys:
                return False
            cls = type(value)
            if cls is str:
                if value not in clean_texts:
                    return False
            elif cls is float:
                if value - value != 0.0:  # not finite
                    return False
            elif cls not in _AS_THEY_ARE:
                return False
        return True

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule.
        """
        return {}

    def is_sensitive(self, name: str) -> bool:  # noqa: ARG002 -- the interface of a redactor
        """
        Tell whether the value of a field called *name* is hidden.
        """
        return False

    def _value(self, value: Any, parents: _Parents, room: list[int]) -> Any:  # noqa: PLR0911 -- one line a type
        cls = type(value)
        if cls is str:
            return self.text(value)
        if cls in _AS_THEY_ARE or (cls is float and math.isfinite(value)):
            return value
        if id(value) in parents:
            return _CYCLE
        if len(parents) >= _MAX_DEPTH:
            return _TOO_DEEP
        inner = unwrap(value)
        within = (*parents, id(value))
        if type(inner) is dict:
            return self._dict(inner, within, room)
        if type(inner) is list:
            return self._list(inner, within, room)
        return self.text(inner) if type(inner) is str else inner

    def _dict(self, own: dict[Any, Any], parents: _Parents, room: list[int]) -> dict[str, Any]:
        """
        Copy *own*, which nobody else has, in place if its keys may stay.

        *room* is how many more items may be taken.
        """
        clean_keys, clean_texts = self._clean_keys, self._clean_texts
        for key in own:
            if type(key) is not str or key not in clean_keys:
                return self._rekeyed(own, parents, room)
        room[0] -= len(own)
        if room[0] < 0:
            own = _shortened(own, room)
        for key, value in own.items():
            cls = type(value)
            if cls is str:
                if value not in clean_texts:
                    own[key] = self._remembered_text(value)
            elif cls not in _AS_THEY_ARE:
                own[key] = self._value(value, parents, room)
        return own

    def _rekeyed(self, given: dict[Any, Any], parents: _Parents, room: list[int]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in given.items():
            if room[0] <= 0:
                out["_truncated"] = _TRUNCATED
                break
            room[0] -= 1
            name = key_text(key)
            is_sensitive = self.is_sensitive(name)
            clean = self.text(name)
            if clean == name and not is_sensitive and len(name) <= _REMEMBERED_CHARS:
                self._remember(self._clean_keys, name)
            if len(clean) > _MAX_KEY:
                clean = clean[: _MAX_KEY - len(_TRUNCATED)] + _TRUNCATED
            says_nothing = value is None or value is True or value is False or (type(value) is str and not value)
            hides = is_sensitive and not says_nothing
            out[free_name(out, clean)] = self._hidden(value) if hides else self._value(value, parents, room)
        return out

    def _list(self, own: list[Any], parents: _Parents, room: list[int]) -> list[Any]:
        out = []
        for value in own:
            if room[0] <= 0:
                out.append(_TRUNCATED)
                break
            room[0] -= 1
            out.append(self._value(value, parents, room))
        return out

    def _hidden(self, value: Any) -> str:  # noqa: ARG002 -- the interface of a redactor
        return _KEY_MARK

    def _remembered_text(self, text: str) -> str:
        """
        Do what :meth:`text` does, and remember a short one that is clean: values
        repeat, messages seldom do.
        """
        clean = self.text(text)
        if clean is text and len(text) <= _REMEMBERED_CHARS:
            self._remember(self._clean_texts, text)
        return clean

    def _remember(self, memory: set[str], text: str) -> None:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        memory.add(text)


class Redactor(Copier):
    """
    Hides secrets in texts and in data.

    Safe to share between threads. A text that can't be looked at because the
    redaction itself fails is withheld, never passed on.

    Args:
        keys: More names of fields whose value is hidden, in any case style.

        allow_keys: Names of fields whose value stays, whatever they look like.
    """

    def __init__(self, *, keys: Iterable[str] = (), allow_keys: Iterable[str] = ()) -> None:
        super().__init__()
        self._keys = frozenset(map(_flat, keys))
        self._allowed = frozenset(map(_flat, allow_keys))
        self._counts: dict[str, int] = {}
        self._lock = ForkSafeLock()
        self._texts = TextRedactor(self._count)
        self._is_clean = self._texts.is_clean
        self._sensitive: dict[str, bool] = {}

    def text(self, text: str) -> str:
        """
        Return *text* with every secret in it replaced by ``[REDACTED:rule]``.

        >>> Redactor().text("password=hunter2 for bob")
        'password=[REDACTED:password] for bob'
        """
        try:
            return text if self._is_clean(text) else self._texts.hide(text)
        except Exception:  # noqa: BLE001 -- not looked at means not written
            self._count("withheld")
            return _WITHHELD

    def is_sensitive(self, name: str) -> bool:
        """
        Tell whether the value of a field called *name* is hidden.
        """
        known = self._sensitive.get(name)
        if known is None:
            flat = _flat(name)
            known = flat not in self._allowed and (flat in self._keys or is_sensitive(name))
            if len(self._sensitive) >= _REMEMBERED:
                self._sensitive.clear()
            if len(name) <= _REMEMBERED_CHARS:
                self._sensitive[name] = known
        return known

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule; ``key`` for those hidden
        for the name of their field, ``withheld`` for texts not looked at.
        """
        with self._lock:
            return dict(self._counts)

    def _hidden(self, value: Any) -> str:  # noqa: ARG002
        self._count("key")
        return _KEY_MARK

    def _count(self, rule: str) -> None:
        with self._lock:
            self._counts[rule] = self._counts.get(rule, 0) + 1


def _flat(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _shortened(own: dict[str, Any], room: list[int]) -> dict[str, Any]:
    for key in list(own)[room[0] :]:
        del own[key]
    own["_truncated"] = _TRUNCATED
    room[0] = 0
    return own


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
            return clean if type(clean) is str else _WITHHELD
        except Exception:  # noqa: BLE001 -- not looked at means not written
            self._withheld += 1
            return _WITHHELD

    def data(self, value: Any) -> Any:
        """
        Return a copy of *value* of exact builtins, as it may be written.
        """
        try:
            return self._copier.data(self._redactor.data(self._copier.data(value)))
        except Exception:  # noqa: BLE001 -- not looked at means not written
            self._withheld += 1
            return _WITHHELD

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule.
        """
        counts = getattr(self._redactor, "counts", None)
        found: dict[str, int] = dict(counts()) if counts is not None else {}
        return {**found, "withheld": self._withheld} if self._withheld else found
