"""
Any Python value as exact builtins, without ever raising.

The encoder must only see exact builtin types: given a user's object it can kill
the process, for example when a ``tzinfo`` raises. One level is unwrapped at a
time, so that whoever walks the tree decides how deep it goes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from types import MappingProxyType
from typing import Any


__all__ = ["MAX_ITEMS", "encodable", "free_name", "key_text", "text_of", "unwrap"]

MAX_ITEMS = 300_000
"""Most items taken of one record's data; 2 MiB can't hold many more."""

_MAX_CHARS = 4_194_304  # what is longer can't reach a line; see redact
_INT_DIGITS_BITS = 14_000  # str() refuses more than 4 300 digits
_HEX_BITS = 1 << 20
_WORD = 1 << 64
_MAX_KEY = 65_536  # written are 1 024, cut after redaction
_JSON_NAMES = {None: "null", True: "true", False: "false"}


def text_of(value: object) -> str:
    """
    Return ``str(value)``, or the best there is if that raises.
    """
    for render in (_str, repr, object.__repr__):
        try:
            return str.__str__(render(value))[:_MAX_CHARS]
        except Exception:  # noqa: BLE001, S112 -- whatever a user's __str__ does
            continue
    return f"<{type(value).__name__}>"


def _str(value: object) -> str:
    cls = type(value)
    if issubclass(cls, str):
        return str.__str__(value)
    if issubclass(cls, (bytes, bytearray, memoryview)):
        return _bytes_text(value)
    if issubclass(cls, int) and cls is not bool:
        return str(_int(value))
    if issubclass(cls, BaseException):
        return f"{cls.__name__}: {value}".removesuffix(": ")
    return str(value)


def key_text(key: object) -> str:
    """
    Return a dict's *key* as JSON would name it.
    """
    if key is None or key is True or key is False:
        return _JSON_NAMES[key]
    if type(key) is not str:
        plain = unwrap(key)
        key = plain if type(plain) is str else text_of(plain)
    return key[:_MAX_KEY]


def free_name(taken: Mapping[str, Any], name: str) -> str:
    """
    Return *name*, or with a number behind it if it is *taken*.

    >>> free_name({"a": 1, "a~2": 2}, "a")
    'a~3'
    """
    if name not in taken:
        return name
    number = len(taken) + 1  # mostly free at once, however many have the name
    while f"{name}~{number}" in taken:
        number += 1
    return f"{name}~{number}"


def unwrap(value: Any) -> Any:
    """
    Return *value* as an exact ``str``, ``int``, ``float``, ``bool``, ``None``,
    ``dict`` or ``list``; what the latter two hold is left as it is.

    Iterators are not consumed, and nothing that was given is changed.
    """
    cls = type(value)
    try:
        for bases, convert in _CONVERTERS:
            if issubclass(cls, bases):
                return convert(value)
        return _by_shape(cls, value)
    except Exception:  # noqa: BLE001 -- a user's methods raise what they like
        return text_of(value)


def encodable(value: Any) -> Any:
    r"""
    Return a tree of exact builtins so that the encoder takes it.

    JSON here has no lone surrogates (they become ``\udc80`` in letters) and no
    integers beyond 64 bits (they become strings).
    """
    cls = type(value)
    if cls is str:
        return value.encode("utf-8", "backslashreplace").decode()
    if cls is int:
        return value if -(_WORD >> 1) <= value < _WORD else str(_int(value))
    if cls is list:
        return [encodable(item) for item in value]
    if cls is dict:
        encoded: dict[str, Any] = {}
        for key, item in value.items():
            encoded[free_name(encoded, encodable(key))] = encodable(item)
        return encoded
    return value


def _int(value: Any) -> int | str:
    number: int = value if type(value) is int else int.__index__(value)
    bits = number.bit_length()
    if bits < _INT_DIGITS_BITS:
        return number
    return hex(number) if bits < _HEX_BITS else f"<int of {bits} bits>"


def _float(value: Any) -> float | str:
    number = float.__float__(value)
    if math.isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"  # noqa: PLR0124


def _bytes_text(value: Any) -> str:
    return bytes(value)[:_MAX_CHARS].decode("utf-8", "backslashreplace")


def _mapping(value: Any) -> dict[Any, Any]:
    return {key: value[key] for key in islice(iter(value), MAX_ITEMS)}


def _tuple(value: Any) -> list[Any] | dict[str, Any]:
    items = tuple.__getitem__(value, slice(None))
    names = getattr(type(value), "_fields", None)
    if type(names) is tuple and len(names) == len(items) and all(type(name) is str for name in names):
        return dict(zip(names, items, strict=True))
    return list(items)


def _iterated(value: Any) -> list[Any]:
    return list(islice(iter(value), MAX_ITEMS))


def _iso(value: Any) -> str:
    return str.__str__(value.isoformat())


_CONVERTERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (type(None), lambda _: None),
    (str, str.__str__),
    (bool, lambda value: value),
    (dict, lambda value: value.copy() if type(value) is dict else dict(dict.items(value))),
    (list, lambda value: list.__getitem__(value, slice(None))),
    (tuple, _tuple),
    ((set, frozenset), lambda value: list(set(value))),
    ((bytes, bytearray, memoryview), _bytes_text),
)


def _by_shape(cls: type, value: Any) -> Any:  # noqa: PLR0911 -- one line a shape
    module = cls.__module__.partition(".")[0]
    modules = {base.__module__ for base in cls.__mro__}
    if "datetime" in modules and hasattr(cls, "isoformat"):
        return _iso(value)
    if "enum" in modules:
        plain = value.value
        return plain if type(plain) in {str, int, bool} else str(value)
    if issubclass(cls, int):
        return _int(value)
    if issubclass(cls, float):
        return _float(value)
    if hasattr(cls, "__dataclass_fields__"):
        return {name: getattr(value, name, None) for name in list(cls.__dataclass_fields__)}
    if module == "numpy":
        return _numpy(value)
    if module in {"collections", "array"} and hasattr(cls, "append"):
        return _iterated(value)
    if issubclass(cls, MappingProxyType) or issubclass(cls, Mapping):
        return _mapping(value)
    return _iterated(value) if issubclass(cls, AbstractSet) else text_of(value)


def _numpy(value: Any) -> Any:
    if getattr(value, "ndim", 0):
        return _iterated(value)
    plain = value.item()
    return text_of(value) if type(plain).__module__ == "numpy" else unwrap(plain)
