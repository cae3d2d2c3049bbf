"""
Values of options: checked once, where they come in, with errors that say what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tierlog.errors import ConfigError


__all__ = ["SHIPPING_OPTIONS", "boolean", "check_names", "choice", "count", "parameter_names", "seconds", "size"]

SHIPPING_OPTIONS = (
    "bucket",
    "prefix",
    "endpoint_url",
    "access_key_id",
    "secret_access_key",
    "region",
    "checkpoint_interval",
    "compression",
    "max_spool_bytes",
    "spool_full",
    "catalog",
    "retention",
    "hold",
    "compact_after",
    "connections",
    "connect_timeout",
    "read_timeout",
    "shutdown_timeout",
)
"""Options that segments have where they are shipped to a ``bucket``: known without the extra that ships."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*\Z", re.IGNORECASE)
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?\s*\Z", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST = 32  # characters
_LONGEST_TIME = 1e9  # seconds; more is as good as never
_REFUSED = "unknown"  # what a parameter is called that takes any name only to refuse it in a clear line
_TRUE = frozenset(["1", "true", "yes", "on"])
_FALSE = frozenset(["0", "false", "no", "off"])


def choice(setting: str, value: object, known: Sequence[str]) -> str:
    """
    Return *value*, one of *known*.

    Raises:
        ConfigError: It isn't.
    """
    if type(value) is str and value in known:
        return value
    raise ConfigError.unknown(setting, f"there's no {value!r}", known, given=str(value))


def size(setting: str, value: object, *, least: int = 0) -> int:
    """
    Return *value* in bytes: a whole number, or a string such as ``"16MiB"``.

    >>> size("sink.max_bytes", "16MiB")
    16777216

    Raises:
        ConfigError: It is neither, or below *least*.
    """
    number: object = value
    if isinstance(value, str) and (match := _SIZE.match(value)) and len(value) <= _LONGEST:
        base = 1024 if match[3] else 1000
        number = int(float(match[1]) * base ** _POWERS[match[2].lower()])
    if type(number) is not int or number < least:
        raise ConfigError(setting, f"{value!r} isn't a size of at least {least} bytes, such as 16777216 or '16MiB'")
    return number


def seconds(setting: str, value: object, *, least: float = 0.0) -> float:
    """
    Return *value* in seconds: a number, or a string such as ``"1h"``.

    >>> seconds("sink.max_age", "1h")
    3600.0

    Raises:
        ConfigError: It is neither, or below *least*.
    """
    number: object = value
    if isinstance(value, str) and (match := _TIME.match(value)):
        number = float(match[1]) * _SECONDS[(match[2] or "s").lower()]
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not least <= number <= _LONGEST_TIME:
        raise ConfigError(setting, f"{value!r} isn't a time of at least {least:g} seconds, such as 3600 or '1h'")
    return float(number)


def count(setting: str, value: object, *, least: int = 1) -> int:
    """
    Return *value*, a whole number of at least *least*.

    Raises:
        ConfigError: It isn't.
    """
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if type(number) is not int or number < least:
        raise ConfigError(setting, f"{value!r} isn't a whole number of at least {least}")
    return number


def boolean(setting: str, value: object) -> bool:
    """
    Return *value*: a bool, or a string such as ``"on"`` or ``"0"``.

    Raises:
        ConfigError: It is neither.
    """
    text = value.strip().lower() if isinstance(value, str) else value
    if isinstance(text, bool):
        return text
    if isinstance(text, str) and (text in _TRUE or text in _FALSE):
        return text in _TRUE
    raise ConfigError(setting, f"{value!r} isn't a yes or a no; use true or false")


def check_names(setting: str, options: Mapping[str, Any], factory: Callable[..., object], *, more: Sequence[str] = ()) -> None:
    """
    Check that *factory* takes every one of *options*, or that it is one of *more*.

    Raises:
        ConfigError: It doesn't; it names the nearest option that there is.
    """
    import inspect  # noqa: PLC0415 -- 8 ms, and only to configure

    parameters = inspect.signature(factory).parameters.values()
    if any(one.kind is one.VAR_KEYWORD and one.name != _REFUSED for one in parameters):
        return
    known = [*more, *(one.name for one in parameters if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD})]
    for name in options:
        if name not in known:
            raise ConfigError.unknown(f"{setting}.{name}" if setting else name, "there's no such option", known)


def parameter_names(factory: Callable[..., object]) -> set[str]:
    """
    Return the names of the parameters of *factory*.
    """
    import inspect  # noqa: PLC0415 -- 8 ms, and only to configure

    return set(inspect.signature(factory).parameters)
