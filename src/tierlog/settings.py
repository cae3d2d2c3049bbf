"""
What :func:`tierlog.configure` was told, by its arguments and by the environment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from tierlog.errors import ConfigError
from tierlog.options import boolean


__all__ = ["HANDLER_OPTIONS", "OWN_OPTIONS", "Settings", "from_environment", "parse", "sink_type"]

HANDLER_OPTIONS = ("instance_name", "instance_id", "default_tier", "redact", "exc_locals", "process_events")
"""Options that are the handler's."""

OWN_OPTIONS = ("level", "fast", "sink", "type")
"""Options that are nobody else's; the rest are the segments' own."""

_PREFIX = "TIERLOG_"
# Those of context.to_env(), of tierlog serve and of the installation.
_NOT_SETTINGS = frozenset(["project_id", "build_id", "user_id", "req_id", "jwt_secret", "pure"])
_BOOLEANS = frozenset(["exc_locals", "process_events", "fast"])


class Settings(NamedTuple):
    """
    Everything there is to configure, sorted by whose it is.

    Attributes:
        level: Level of the root logger.

        fast: Whether loggers and records are to be of tierlog's cheaper classes.

        handler: Options of the handler.

        sink: The sink's description.
    """

    level: int
    fast: bool
    handler: dict[str, Any]
    sink: Any


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the options that ``TIERLOG_*`` variables set, by their names.

    >>> from_environment({"TIERLOG_ROOT": "/var/log/app", "HOME": "/root"})
    {'root': '/var/log/app'}
    """
    names = {key: key.removeprefix(_PREFIX).lower() for key in environ if key.startswith(_PREFIX)}
    return {name: environ[key] for key, name in names.items() if name not in _NOT_SETTINGS and environ[key]}


def parse(options: Mapping[str, Any]) -> Settings:
    """
    Sort and check *options*.

    Raises:
        ConfigError: One can't work. Those of the sink are checked by the sink.
    """
    given = {name: boolean(name, value) if name in _BOOLEANS else value for name, value in options.items()}
    handler = {name: given.pop(name) for name in HANDLER_OPTIONS if name in given}
    handler.setdefault("process_events", True)
    level = _level(given.pop("level", "INFO"))
    fast = given.pop("fast", True)
    sink = given.pop("sink", None)
    if sink is None:
        sink = {**given, "type": sink_type(given)}
    elif given:
        name = next(iter(given))
        raise ConfigError(name, "is an option of the sink, which is given whole as 'sink'; put it there")
    return Settings(level, fast, handler, sink)


def sink_type(options: Mapping[str, Any]) -> str:
    """
    Return the type of the sink that *options* are for: what ``type`` says; else
    ``r2`` if they name a bucket, and ``segments`` if not.
    """
    return str(options.get("type") or ("r2" if "bucket" in options else "segments"))


def _level(given: Any) -> int:
    value = given.strip().upper() if isinstance(given, str) else given
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    names = logging.getLevelNamesMapping()
    if isinstance(value, str) and value in names:
        return names[value]
    if type(value) is int:
        return value
    raise ConfigError.unknown("level", f"there's no {given!r}", names, given=str(value))
