"""
A ``dictConfig`` as a plain description of what is wired to what.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from logging.config import BaseConfigurator
from logging.handlers import QueueHandler
from typing import Any, NamedTuple

from tierlog.errors import ConfigError
from tierlog.handler import TierHandler


__all__ = ["Handler", "Logger", "Setup", "setup_of"]

_HANDLER_WORDS = frozenset(
    ["class", "()", "level", "formatter", "filters", ".", "handlers", "queue", "listener", "respect_handler_level"]
)
_MADE = ("handlers", "filters", "formatters")
_SHIPS = "r2"
_KINDS = {"tier": ("TierHandler", TierHandler), "queue": ("QueueHandler", QueueHandler)}


class Handler(NamedTuple):
    """
    A handler.

    Attributes:
        name: Its name.

        kind: ``tier``: tierlog's; ``queue``: one that hands records to another
            thread; ``other``.

        made_by: What is called to make it; None if that can't be found from here.

        filters: The names of its filters.

        formatter: The name of its formatter.

        targets: The names of the handlers behind the queue, where they are said.

        options: Its other options.
    """

    name: str
    kind: str
    made_by: Any
    filters: tuple[str, ...]
    formatter: str | None
    targets: tuple[str, ...]
    options: Mapping[str, Any]


class Logger(NamedTuple):
    """
    A logger.

    Attributes:
        name: Its name; empty for the root.

        level: Its level as a number; 0 if it has none, and None if that is the root,
            which then stays at WARNING.

        handlers: The names of its handlers.

        propagates: Whether its records go on to the loggers above.
    """

    name: str
    level: int | None
    handlers: tuple[str, ...]
    propagates: bool


class Setup(NamedTuple):
    """
    What a ``dictConfig`` says.

    Attributes:
        handlers: By name.

        loggers: By name, the root's is empty.

        filters: What makes each filter, by name.

        formatters: The mapping of each formatter, by name.

        factories: What makes each handler, filter and formatter, by its setting: what
            is called, or a Python path to it.

        silences: Whether loggers that were there before are switched off.

        is_incremental: Whether it changes levels alone.

        problems: What can't be right in it by itself.
    """

    handlers: Mapping[str, Handler]
    loggers: Mapping[str, Logger]
    filters: Mapping[str, str]
    formatters: Mapping[str, Mapping[str, Any]]
    factories: Mapping[str, Any]
    silences: bool
    is_incremental: bool
    problems: tuple[ConfigError, ...]

    @property
    def tier_handlers(self) -> list[Handler]:
        """
        The handlers that are tierlog's.
        """
        return [one for one in self.handlers.values() if one.kind == "tier"]

    @property
    def ships(self) -> bool:
        """
        Whether one of them ships to a bucket.
        """
        return any(sink.get("type") == _SHIPS for one in self.tier_handlers for sink in sinks_of(one.options.get("sink")))

    def attached(self) -> set[str]:
        """
        Return the names of the handlers that loggers have.
        """
        return {name for logger in self.loggers.values() for name in logger.handlers}

    def is_context_filter(self, name: str) -> bool:
        """
        Tell whether the filter of that name is tierlog's.
        """
        return self.filters.get(name, name).endswith("ContextFilter")

    def is_envelope(self, formatter: str | None) -> bool:
        """
        Tell whether the formatter of that name is tierlog's.
        """
        given = self.formatters.get(formatter or "", {})
        return made_by(given).endswith("EnvelopeFormatter")


def setup_of(config: Mapping[str, Any]) -> Setup:
    """
    Return the description of a ``dictConfig``.

    Raises:
        ConfigError: It isn't one: a table in it is none.
    """
    problems: list[ConfigError] = []
    if config.get("version") != 1:
        problems.append(ConfigError("version", f'is {config.get("version")!r}; a dictConfig has "version": 1'))
    handlers = {name: _handler(name, one, problems) for name, one in _table(config, "handlers").items()}
    loggers = {name: _logger(name, one, problems) for name, one in _table(config, "loggers").items()}
    if isinstance(config.get("root"), Mapping):
        loggers[""] = _logger("", config["root"], problems)
    factories = {setting: factory for kind in _MADE for setting, factory in _factories(config, kind, problems)}
    return Setup(
        handlers,
        loggers,
        {name: made_by(one) for name, one in _table(config, "filters").items()},
        _table(config, "formatters"),
        factories,
        silences=bool(config.get("disable_existing_loggers", True)),
        is_incremental=bool(config.get("incremental", False)),
        problems=tuple(problems),
    )


def made_by(given: Mapping[str, Any]) -> str:
    """
    Return the name of what makes a part.
    """
    factory = given.get("()", given.get("class", ""))
    return factory if isinstance(factory, str) else f"{factory.__module__}.{getattr(factory, '__qualname__', factory)}"


def sinks_of(sink: Any) -> Iterable[Mapping[str, Any]]:
    """
    Yield a sink's description, and those of its parts.
    """
    if sink is None:
        sink = {"type": "segments"}
    if isinstance(sink, Mapping):
        yield sink
        parts = sink.get("sinks")
        for part in parts if isinstance(parts, (list, tuple)) else ():
            yield from sinks_of(part)


def _table(config: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    given = config.get(name, {})
    if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
        raise ConfigError(name, "isn't a table of tables; give each a name and its options")
    return dict(given)


def _factories(config: Mapping[str, Any], kind: str, problems: list[ConfigError]) -> Iterator[tuple[str, Any]]:
    is_incremental = bool(config.get("incremental", False))
    for name, given in _table(config, kind).items():
        word = next((word for word in ("()", "class") if word in given), None)
        if word is not None:
            yield f"{kind}.{name}.{word}", given[word]
        elif kind == "handlers" and not is_incremental:
            problems.append(ConfigError(f"handlers.{name}.class", 'is missing; name one, such as "logging.StreamHandler"'))


def _handler(name: str, given: Mapping[str, Any], problems: list[ConfigError]) -> Handler:
    by = made_by(given)
    _level(f"handlers.{name}.level", given.get("level", 0), problems)
    factory = _resolved(given.get("()", given.get("class")))
    kind = next((kind for kind, (end, base) in _KINDS.items() if by.endswith(end) or _is_a(factory, base)), "other")
    options = {key: value for key, value in given.items() if key not in _HANDLER_WORDS}
    return Handler(name, kind, factory, _names(given, "filters"), given.get("formatter"), _names(given, "handlers"), options)


def _resolved(factory: Any) -> Any:
    if not isinstance(factory, str):
        return factory
    try:
        return BaseConfigurator({}).resolve(factory)
    except (Exception, SystemExit):  # noqa: BLE001 -- it may need what only the service has
        return None


def _is_a(factory: Any, base: type) -> bool:
    return isinstance(factory, type) and issubclass(factory, base)


def _logger(name: str, given: Mapping[str, Any], problems: list[ConfigError]) -> Logger:
    setting = f"loggers.{name}.level" if name else "root.level"
    level = _level(setting, given.get("level", 0), problems) if name or given.get("level") is not None else None
    return Logger(name, level, _names(given, "handlers"), given.get("propagate", True) is not False)


def _level(setting: str, given: Any, problems: list[ConfigError]) -> int:
    names = logging.getLevelNamesMapping()
    if isinstance(given, str):
        if given not in names:
            problems.append(ConfigError.unknown(setting, f"there's no level {given!r}", names, given=given.upper()))
        return names.get(given, logging.INFO)
    return given if isinstance(given, int) else 0


def _names(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = given.get(key) or ()
    if not isinstance(found, (list, tuple)):
        return ()
    return tuple(one if isinstance(one, str) else f"ext://{type(one).__module__}.{type(one).__qualname__}" for one in found)
