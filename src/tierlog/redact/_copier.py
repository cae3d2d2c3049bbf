"""
The walk that copies a record's data to exact builtins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tierlog.plain import MAX_ITEMS, free_name, key_text, text_of, unwrap
from tierlog.redact._keys import is_count


__all__ = ["KEY_MARK", "REMEMBERED", "REMEMBERED_CHARS", "WITHHELD", "Copier"]

REMEMBERED = 8_192  # entries in each memory of what is clean
REMEMBERED_CHARS = 64
WITHHELD = "[WITHHELD]"
KEY_MARK = "[REDACTED:key]"
_MAX_DEPTH = 100
_MAX_KEY = 1_024
_AS_THEY_ARE = frozenset([int, bool, type(None)])
_TOO_DEEP = "[TOO DEEP]"
_CYCLE = "[CYCLE]"
_TRUNCATED = "[TRUNCATED]"

_NUMBERS = frozenset([int, float])
_PAIR_TYPES = frozenset([list, tuple])
_NAME_KEYS = ("name", "key", "header", "field", "variable", "Name", "Key", "ParameterKey")
_PROGRAMS = frozenset(["curl", "docker", "ldapsearch", "mysql", "mysqladmin", "mysqldump", "podman", "redis-cli", "sshpass"])
_VALUE_KEYS = frozenset(["value", "Value", "ParameterValue"])
_TELLING_KEYS = _VALUE_KEYS | {"loc", "kty"}
_PARTS_OF_JWK = ("d", "p", "q", "dp", "dq", "qi", "k")

_Parents = tuple[int, ...]


class _Walk:
    """
    One walk over one value.

    Attributes:
        room: How many more items may be taken.

        texts: Where in the copy texts are that must be looked at: a container and
            the index or key in it.
    """

    __slots__ = ("room", "texts")

    def __init__(self) -> None:
        self.room = MAX_ITEMS
        self.texts: list[tuple[Any, Any]] = []


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
                if self._is_plain(own):
                    return own
                value = own
            walk = _Walk()
            top = [self._dict(value, (), walk) if type(value) is dict else self._value(value, (), walk)]
            if type(top[0]) is str:
                walk.texts.append((top, 0))
            if walk.texts:
                self._look_at(walk.texts)
            return top[0]
        except RecursionError:  # the caller's own stack is nearly full
            return _TOO_DEEP
        except Exception:  # noqa: BLE001 -- not looked at means not written
            return WITHHELD

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

    def _value(self, value: Any, parents: _Parents, walk: _Walk) -> Any:
        """
        Return a copy of *value*; a text isn't looked at yet, its holder must see to that.
        """
        cls = type(value)
        if cls is str or cls in _AS_THEY_ARE or (cls is float and math.isfinite(value)):
            return value
        if id(value) in parents:
            return _CYCLE
        if len(parents) >= _MAX_DEPTH:
            return _TOO_DEEP
        inner = unwrap(value)
        within = (*parents, id(value))
        if type(inner) is dict:
            return self._dict(inner, within, walk)
        if type(inner) is list:
            return self._list(inner, within, walk)
        return inner

    def _dict(self, own: dict[Any, Any], parents: _Parents, walk: _Walk) -> dict[str, Any]:
        """
        Copy *own*, which nobody else has, in place if its keys may stay.
        """
        clean_keys, clean_texts = self._clean_keys, self._clean_texts
        for key in own:
            if type(key) is not str or key not in clean_keys:
                return self._rekeyed(own, parents, walk)
        walk.room -= len(own)
        if walk.room < 0:
            own = _shortened(own, walk)
        for key, value in own.items():
            cls = type(value)
            if cls is str:
                if value not in clean_texts:
                    walk.texts.append((own, key))
            elif cls not in _AS_THEY_ARE:
                own[key] = copy = self._value(value, parents, walk)
                if type(copy) is str:
                    walk.texts.append((own, key))
        return own

    def _rekeyed(self, given: dict[Any, Any], parents: _Parents, walk: _Walk) -> dict[str, Any]:
        if "value" in given or "Value" in given or "ParameterValue" in given:  # no look at a key's own hash: it may raise
            self._hide_pair(given)
        if "loc" in given and "input" in given:
            self._hide_input(given)
        if "kty" in given and self.is_sensitive("private_key"):
            self._hide_all(given, _PARTS_OF_JWK)
        memory = self._clean_keys  # before the look: a new secret brings a new memory
        out: dict[str, Any] = {}
        for key, value in given.items():
            if walk.room <= 0:
                out["_truncated"] = _TRUNCATED
                break
            walk.room -= 1
            name = key_text(key)
            is_sensitive = self.is_sensitive(name)
            clean = self.text(name)
            # Beside these, fields are looked at each time: what is harmless alone may not be together.
            if clean == name and not is_sensitive and len(name) <= REMEMBERED_CHARS and name not in _TELLING_KEYS:
                self._remember(memory, name)
            if len(clean) > _MAX_KEY:
                clean = clean[: _MAX_KEY - len(_TRUNCATED)] + _TRUNCATED
            free = free_name(out, clean)
            if is_sensitive and not _says_nothing(name, value):
                out[free] = self._hidden(value)
                continue
            out[free] = copy = self._value(value, parents, walk)
            if type(copy) is str:
                walk.texts.append((out, free))
        return out

    def _list(self, own: list[Any], parents: _Parents, walk: _Walk) -> list[Any]:
        out: list[Any] = []
        if own and type(own[0]) is str and own[0].rpartition("/")[2] in _PROGRAMS:
            own = self._command(own)
        are_pairs = all(type(one) in _PAIR_TYPES and len(one) == 2 for one in own)  # noqa: PLR2004
        hides_next = False
        for value in own:
            if walk.room <= 0:
                out.append(_TRUNCATED)
                break
            walk.room -= 1
            if hides_next and type(value) is str and not value.startswith("-"):
                out.append(self._hidden(value))
                hides_next = False
                continue
            copy = self._value(value, parents, walk)
            if are_pairs and _is_named(copy) and self.is_sensitive(copy[0]) and not _says_nothing(copy[0], copy[1]):
                copy[1] = self._hidden(copy[1])
            if type(copy) is str:
                walk.texts.append((out, len(out)))
                # An option of a command line, whose value is the next item.
                hides_next = copy.startswith("-") and "=" not in copy and self.is_sensitive(copy)
            out.append(copy)
        return out

    def _command(self, own: list[Any]) -> list[Any]:
        """
        Return a command line with its arguments looked at as behind the program and the option before.
        """
        program = own[0].rpartition("/")[2]
        out, before = own[:1], [program]
        for value in own[1:]:
            is_text = type(value) is str and not value.startswith("--")
            out.append(self._argument(f"{' '.join(before)} ", value) if is_text else value)
            before = [program, *(["login"] if "login" in out[1:2] else []), text_of(out[-1])[:_MAX_KEY]]
        return out

    def _argument(self, before: str, value: str) -> str:
        whole = before + value.replace(" ", "_")  # as in quotes
        shown = self.text(whole)
        if " " in value:
            return self._hidden(value) if shown != whole and self.text(value) == value else value
        return shown.removeprefix(before) if shown.startswith(before) else value

    def _hide_pair(self, own: dict[Any, Any]) -> None:
        """
        Hide the ``value`` in *own*, which nobody else has, if its ``name`` is that of a secret.
        """
        for name_key in _NAME_KEYS:
            name = own.get(name_key)
            if type(name) is str and self.is_sensitive(name):
                self._hide_all(own, _VALUE_KEYS, name)
                return

    def _hide_input(self, own: dict[Any, Any]) -> None:
        """
        Hide the ``input`` in *own*, an error of validation, if its ``loc`` is where a secret stands.
        """
        where = own["loc"]
        if type(where) in _PAIR_TYPES and type(own["input"]) is not dict:
            name = next((one for one in where if type(one) is str and self.is_sensitive(one)), None)
            if name is not None:
                self._hide_all(own, ("input",), name)

    def _hide_all(self, own: dict[Any, Any], keys: Iterable[str], name: str = "") -> None:
        for key in keys:
            if key in own and not _says_nothing(name, own[key]):
                own[key] = self._hidden(own[key])

    def _hidden(self, value: Any) -> str:  # noqa: ARG002 -- the interface of a redactor
        return KEY_MARK

    def _look_at(self, places: list[tuple[Any, Any]]) -> None:
        """
        Redact the texts at *places*, each a container and its index or key.
        """

    def _remember(self, memory: set[str], text: str) -> None:
        if len(memory) >= REMEMBERED:
            memory.clear()
        memory.add(text)


def _is_named(pair: Any) -> bool:
    """
    Tell that *pair*, a copy of two things, begins with a name; a mark may stand in its place.
    """
    return type(pair) is list and type(pair[0]) is str


def _says_nothing(name: str, value: Any) -> bool:
    """
    Tell that *value*, of a sensitive *name*, says at most whether there is a secret, or how many.
    """
    if value is None or value is True or value is False:
        return True
    return (type(value) is str and not value) or (type(value) in _NUMBERS and is_count(name))


def _shortened(own: dict[str, Any], walk: _Walk) -> dict[str, Any]:
    for key in list(own)[walk.room :]:
        del own[key]
    own["_truncated"] = _TRUNCATED
    walk.room = 0
    return own
