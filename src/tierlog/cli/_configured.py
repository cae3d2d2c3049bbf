"""
The user's configuration of logging, from where it stands, as a ``dictConfig``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from tierlog.cli._errors import WrongUse
from tierlog.cli._tables import read_table
from tierlog.runtime import check_option_names
from tierlog.settings import parse


__all__ = ["Configured", "configured", "of_options"]

_FILES = (".json", ".toml")
_USUAL = ("LOGGING", "LOGGING_CONFIG", "LOG_CONFIG", "logging_config", "log_config")
_DJANGO = "DJANGO_SETTINGS_MODULE"


class Configured(NamedTuple):
    """
    A configuration, and where it comes from.

    Attributes:
        where: Where it stands, as a sentence.

        config: The ``dictConfig``.
    """

    where: str
    config: Mapping[str, Any]


def configured(config: str | None, django: str | None, environ: Mapping[str, str]) -> Configured | None:
    """
    Return the configuration that the command line names, or the environment; None if
    neither names one.

    Args:
        config: A file, or a Python path such as ``shop.settings:LOGGING``.

        django: A settings module.

        environ: The environment's variables.

    Raises:
        WrongUse: It can't be read.

        ConfigError: It holds options that can't work.
    """
    if config is not None:
        file, _, attribute = config.partition(":")
        if file.endswith(".py"):
            path = ".".join(part for part in Path(file).with_suffix("").parts if part not in {"", ".", "/"})
            raise WrongUse(f"--config: '{config}' is a file of Python; name the module: {path}:{attribute or 'LOGGING'}")
        given = _of_file(Path(config)) if Path(config).suffix in _FILES or Path(config).is_file() else _of_python(config)
        return Configured(f"{config} was read", _as_dict_config(given, config))
    module = django or environ.get(_DJANGO)
    if module is None:
        return None
    name = f"{module}:LOGGING"
    where = f"{name} was read, as {'--django' if django else _DJANGO} says"
    return Configured(where, _as_dict_config(_of_python(name, "--django"), name))


def of_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the ``dictConfig`` of what :func:`tierlog.configure` does with *options*.

    Raises:
        ConfigError: One can't work.
    """
    check_option_names(options)
    settings = parse(options)
    handler = {"class": "tierlog.TierHandler", "filters": ["context"], **settings.handler, "sink": settings.sink}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "tierlog.ContextFilter"}},
        "handlers": {"configure": handler},
        "root": {"level": settings.level, "handlers": ["configure"]},
    }


def _as_dict_config(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise WrongUse(f"--config: '{where}' isn't a mapping; name a dictConfig")
    for table in _tables(given):
        if isinstance(table.get("handlers"), Mapping):
            return {"version": 1, **table} if table is not given else table
    for path in (("tool", "tierlog"), ("tierlog",)):
        table = given
        for name in path:
            table = table.get(name, {}) if isinstance(table, Mapping) else {}
        if isinstance(table, Mapping) and table:
            return of_options(table)
    if "version" in given or not given:
        return given
    if "tool" in given:  # a pyproject.toml
        raise WrongUse(f"--config: '{where}' has neither handlers nor [tool.tierlog]; name a file that configures logging")
    return of_options(given)


def _tables(given: Mapping[str, Any], depth: int = 4) -> Iterator[Mapping[str, Any]]:
    yield given
    for inner in given.values():
        if isinstance(inner, Mapping) and depth:
            yield from _tables(inner, depth - 1)


def _of_file(path: Path) -> Any:
    return read_table(path, "name a JSON or TOML file, or a Python path")


def _of_python(path: str, option: str = "--config") -> Any:
    """
    Return what a Python path leads to, with the folder one stands in among those that
    are looked through, as where the service is started.
    """
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module, _, name = path.partition(":")
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as e:
        above, _, last = module.rpartition(".")
        if name or not above or e.name != module:
            raise WrongUse(f"{option}: '{path}' can't be imported ({e}); name a module that can be, from this folder") from e
        return _of_python(f"{above}:{last}", option)
    except (Exception, SystemExit) as e:
        raise WrongUse(f"{option}: '{path}' can't be imported ({type(e).__name__}: {e}); mend the module") from e
    names = [name] if name else [one for one in _USUAL if hasattr(found, one)]
    if not names:
        raise WrongUse(f"{option}: '{module}' has none of {', '.join(_USUAL)}; say which, as {module}:NAME")
    for part in names[0].split("."):
        if not hasattr(found, part):
            raise WrongUse(f"{option}: '{module}' has no {names[0]!r}; name a dictConfig in it")
        found = getattr(found, part)
    return found
