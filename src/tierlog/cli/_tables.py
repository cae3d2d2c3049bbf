"""
A file of options that the command line names.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tierlog.cli._errors import WrongUse
from tierlog.errors import ConfigError
from tierlog.options import SHIPPING_OPTIONS, parameter_names
from tierlog.settings import HANDLER_OPTIONS, OWN_OPTIONS


__all__ = ["check_table", "read_table"]

_DICT_CONFIG = (
    "version",
    "formatters",
    "filters",
    "handlers",
    "loggers",
    "root",
    "incremental",
    "disable_existing_loggers",
)
_HANDLER = ("class", "level", "formatter", "filters", "sink", ".", *HANDLER_OPTIONS)


def read_table(path: Path, hint: str = "TOML needs a name that ends in .toml") -> Any:
    """
    Return what is in the file at *path*, which is TOML if its name says so, else JSON.

    Args:
        path: The file.

        hint: What to do if it is neither.

    Raises:
        WrongUse: It can't be read, or isn't what its name says.
    """
    is_toml = path.suffix == ".toml"
    try:
        text = path.read_text("utf-8")
        return tomllib.loads(text) if is_toml else json.loads(text)
    except OSError as e:
        raise WrongUse(f"--config: '{path}' can't be read ({e.strerror or e}), name a file that can") from e
    except (ValueError, RecursionError) as e:  # the latter: far too many brackets
        # The place alone: what the error quotes may be a secret.
        said = f"line {e.lineno}" if isinstance(e, json.JSONDecodeError) else str(e).partition("\n")[0]
        raise WrongUse(f"--config: '{path}' isn't {'TOML' if is_toml else 'JSON'} ({said}); {hint}") from e


def check_table(path: Path, given: Mapping[str, Any]) -> None:
    """
    Check the names in what the file at *path* configures: a ``dictConfig``, or options of
    :func:`tierlog.configure`. One that is misspelt would lead to another folder.

    Raises:
        WrongUse: One of them means nothing.
    """
    try:
        if "handlers" in given or "version" in given:
            _check_dict_config(given)
        else:
            known = [*OWN_OPTIONS, *HANDLER_OPTIONS, *_sink_names("segments"), *SHIPPING_OPTIONS]
            _check("", given, known, ("handlers",))
            _check_sink("sink", given.get("sink"))
    except ConfigError as e:
        raise WrongUse(f"--config: '{path}' can't be right: {e}") from e


def _check_dict_config(given: Mapping[str, Any]) -> None:
    _check("", given, _DICT_CONFIG)
    handlers = given.get("handlers")
    if not isinstance(handlers, Mapping):
        return
    for name, handler in handlers.items():
        if isinstance(handler, Mapping) and handler.get("class") in {"tierlog.TierHandler", "tierlog.handler.TierHandler"}:
            _check(f"handlers.{name}", handler, _HANDLER)
            _check_sink(f"handlers.{name}.sink", handler.get("sink"))
    loggers = given.get("loggers")
    users = {"root": given.get("root"), **(loggers if isinstance(loggers, Mapping) else {})}
    for user, logger in users.items():
        names = logger.get("handlers") if isinstance(logger, Mapping) else None
        for name in names if isinstance(names, list) else ():
            if name not in handlers:
                raise ConfigError.unknown(f"{user}.handlers", f"there's no handler {name!r}", map(str, handlers), given=str(name))


def _check_sink(setting: str, sink: Any) -> None:
    if not isinstance(sink, Mapping):
        return
    if sink.get("type") in {"segments", "r2"}:
        _check(setting, sink, _sink_names(str(sink["type"])))
    parts = sink.get("sinks")
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        _check_sink(f"{setting}.sinks[{number}]", part)


def _sink_names(kind: str) -> list[str]:
    from tierlog.segments import SegmentSink  # noqa: PLC0415 -- only where a file is read

    return ["type", *sorted(parameter_names(SegmentSink)), *(SHIPPING_OPTIONS if kind == "r2" else ()), "clock"]


def _check(setting: str, given: Mapping[str, Any], known: Iterable[str], hints: Iterable[str] = ()) -> None:
    for name in given:
        if name not in known:
            raise ConfigError.unknown(
                f"{setting}.{name}" if setting else name, "there's no such name", [*known, *hints], given=name
            )
