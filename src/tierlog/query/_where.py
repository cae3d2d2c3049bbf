"""
Conditions on what stands in ``data``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tierlog.errors import QueryError
from tierlog.ndjson import dump_text


__all__ = ["OPERATORS", "Condition", "conditions"]

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "contains", "exists")
"""What a value may be compared by."""

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_PAIR = 2
_MOST_DIGITS = 18  # no list is longer, and of very many digits Python makes no number
_MISSING = object()


class Condition(NamedTuple):
    """
    What a value in ``data`` must be like.

    Attributes:
        path: The names that lead to it; a number leads into a list.

        op: One of :data:`OPERATORS`.

        value: What it is compared with.
    """

    path: tuple[str, ...]
    op: str
    value: Any

    def holds(self, data: Any) -> bool:
        """
        Tell whether *data* meets it. What isn't there meets ``!=`` and ``exists`` false.
        """
        found = _at(data, self.path)
        if self.op == "exists":
            return (found is not _MISSING) is self.value
        if found is _MISSING:
            return self.op == "!="
        if self.op in _ORDERS:
            return (
                _kind(found) == _kind(self.value) and _kind(found) in {"number", "text"} and _ORDERS[self.op](found, self.value)
            )
        if self.op == "contains":
            return _contains(found, self.value)
        return _same(found, self.value) is (self.op == "=")

    @property
    def needle(self) -> bytes | None:
        """
        Bytes that every line has that meets it; None if nothing is known of such lines.
        """
        if self.op == "!=" or (self.op == "exists" and not self.value):
            return None
        if self.path[-1].isdecimal():  # it may be a place in a list
            return None
        name = dump_text(self.path[-1]) + b":"
        if self.op == "=" and type(self.value) is str:
            return name + dump_text(self.value)
        return name


def conditions(where: object) -> tuple[Condition, ...]:
    """
    Return the conditions of *where*: a mapping of dotted paths below ``data`` to values,
    or to pairs of an operator and a value.

    Raises:
        QueryError: It isn't one.

    >>> conditions({"status": (">=", 500)})
    (Condition(path=('status',), op='>=', value=500),)
    """
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        raise QueryError("where", f"{where!r} isn't a mapping of paths in data, such as {{'status': 500}}")
    return tuple(_condition(path, value) for path, value in where.items())


def _condition(path: object, value: object) -> Condition:
    names = tuple(path.split(".")) if isinstance(path, str) else ()
    if not names or not all(names):
        raise QueryError("where", f"{path!r} isn't a path in data, such as 'request.status'")
    op = "="
    if isinstance(value, (tuple, list)) and len(value) == _PAIR and isinstance(value[0], str):
        if value[0] not in OPERATORS:
            raise QueryError("where", f"{path}: there's no operator {value[0]!r}; there are {' '.join(OPERATORS)}")
        op, value = value
    is_plain = value is None or type(value) in {bool, int, float, str}
    if (op == "exists" and type(value) is not bool) or (op in _ORDERS and _kind(value) not in {"number", "text"}) or not is_plain:
        raise QueryError("where", f"{path}: {op} can't be asked with {value!r}; give a text, a number, true, false or null")
    return Condition(names, op, value)


def _at(data: Any, path: tuple[str, ...]) -> Any:
    found = data
    for name in path:
        if isinstance(found, dict):
            found = found.get(name, _MISSING)
        elif isinstance(found, list) and name.isdecimal() and len(name) <= _MOST_DIGITS and int(name) < len(found):
            found = found[int(name)]
        else:
            return _MISSING
    return found


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _same(found: object, value: object) -> bool:
    return _kind(found) == _kind(value) and found == value


def _contains(found: object, value: object) -> bool:
    if isinstance(found, str):
        return isinstance(value, str) and value in found
    if isinstance(found, list):
        return any(_same(one, value) for one in found)
    return isinstance(found, dict) and isinstance(value, str) and value in found
