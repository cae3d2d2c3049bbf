"""
Whether records reach a handler, once, and with their ids.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from tierlog.doctor._finding import Finding, error, of_error, ok, warning
from tierlog.doctor._setup import Handler, Setup, sinks_of


__all__ = ["wiring_findings"]

_BOTO = ("boto3", "botocore", "s3transfer", "urllib3")
_FILTER = '"filters": {"context": {"()": "tierlog.ContextFilter"}}'


def wiring_findings(setup: Setup, *, uses_boto: bool) -> list[Finding]:
    """
    Return what is wrong with how a configuration joins its parts.

    Args:
        setup: The configuration.

        uses_boto: Whether boto3 is used, though no sink here says so.
    """
    found = [of_error("configuration", one) for one in setup.problems]
    if setup.is_incremental:
        return [*found, ok("logging", "the configuration is incremental: it changes levels alone")]
    for check in _CHECKS:
        found += check(setup)
    return [*found, *_debug(setup, uses_boto=uses_boto)]


def _references(setup: Setup) -> Iterator[Finding]:
    for name, handler in setup.handlers.items():
        if handler.formatter is not None and handler.formatter not in setup.formatters:
            yield _undefined(f"handlers.{name}.formatter", handler.formatter, "formatters")
        for one in handler.filters:
            if one not in setup.filters and not one.startswith(("ext://", "cfg://")):
                yield _undefined(f"handlers.{name}.filters", one, "filters")
        for one in handler.targets:
            if one not in setup.handlers:
                yield _undefined(f"handlers.{name}.handlers", one, "handlers")
    for name, logger in setup.loggers.items():
        for one in logger.handlers:
            if one not in setup.handlers:
                yield _undefined(f"loggers.{name}.handlers" if name else "root.handlers", one, "handlers")


def _undefined(setting: str, name: str, table: str) -> Finding:
    return error(
        "logging", f"{setting} names {name!r}, which isn't in {table}: dictConfig refuses it", f"add {name!r} to {table}"
    )


def _existing(setup: Setup) -> Iterator[Finding]:
    if setup.silences:
        yield warning(
            "existing-loggers",
            "disable_existing_loggers is true, which it is unless it is said: loggers made before, as at import, fall silent",
            '"disable_existing_loggers": false',
        )


def _used(setup: Setup) -> Iterator[Finding]:
    if not setup.tier_handlers and not any(setup.is_envelope(one.formatter) for one in setup.handlers.values()):
        yield error("handler", "no handler is tierlog's: nothing is written", 'add a handler with "class": "tierlog.TierHandler"')
    behind = {one.name for one in _behind(setup)}
    for handler in setup.tier_handlers:
        if handler.name not in setup.attached() and handler.name not in behind:
            yield error(
                "handler",
                f"handlers.{handler.name} is no logger's: nothing reaches it",
                f'"root": {{"level": "INFO", "handlers": ["{handler.name}"]}}',
            )
        elif handler.name not in behind:
            yield ok("handler", f"handlers.{handler.name} is tierlog's, and loggers write to it")


def _twice(setup: Setup) -> Iterator[Finding]:
    for name, logger in setup.loggers.items():
        if name and logger.propagates:
            for above in _above(setup, name):
                for one in set(logger.handlers) & set(setup.loggers[above].handlers):
                    yield warning(
                        "doubled",
                        f"records of {name!r} reach handlers.{one} twice: by itself and by {above or 'root'!r}",
                        f'take {one!r} from loggers.{name}.handlers, or give that "propagate": false',
                    )


def _levels(setup: Setup) -> Iterator[Finding]:
    said = [logger.level for logger in setup.loggers.values() if logger.level is not None and (logger.level or not logger.name)]
    if setup.attached() and not said:
        yield warning(
            "level",
            "no logger has a level, and the root stays at WARNING: what is logged at debug and info isn't written",
            '"root": {"level": "INFO", "handlers": […]}',
        )


def _above(setup: Setup, name: str) -> Iterator[str]:
    while name:
        name = name.rpartition(".")[0]
        if name in setup.loggers:
            yield name
            if not setup.loggers[name].propagates:
                return


def _behind(setup: Setup) -> list[Handler]:
    """
    Return the handlers behind a queue that write envelopes: those that it names, else
    those that no logger has.
    """
    queues = [one for one in setup.handlers.values() if one.kind == "queue"]
    if not queues:
        return []
    named = {name for one in queues for name in one.targets}
    attached = setup.attached()
    writing = [one for one in setup.handlers.values() if one.kind == "tier" or setup.is_envelope(one.formatter)]
    return [one for one in writing if (one.name in named if named else one.name not in attached)]


def _queues(setup: Setup) -> Iterator[Finding]:
    behind = _behind(setup)
    for queue in (one for one in setup.handlers.values() if one.kind == "queue"):
        mine = [one for one in behind if not queue.targets or one.name in queue.targets]
        if not mine:
            continue
        names = ", ".join(f"handlers.{one.name}" for one in mine)
        if any(setup.is_context_filter(one) for one in queue.filters):
            yield ok("context-filter", f"handlers.{queue.name} stamps the ids before the queue to {names}")
            continue
        has_late = any(setup.is_context_filter(name) for one in mine for name in one.filters)
        where = "is behind the queue instead of in front of it" if has_late else "is missing in front of the queue"
        yield error(
            "context-filter",
            f"the ContextFilter {where}: {names} would have the ids of the listener's thread, not of the one that logs",
            f'give handlers.{queue.name} "filters": ["context"], with {_FILTER}',
        )


def _filters(setup: Setup) -> Iterator[Finding]:
    behind = {one.name for one in _behind(setup)}
    for handler in setup.tier_handlers:
        if handler.name not in behind and not any(setup.is_context_filter(one) for one in handler.filters):
            yield ok(
                "context-filter",
                f"handlers.{handler.name} has no ContextFilter: it reads the ids itself, as long as no queue is put before it",
            )


def _redaction(setup: Setup) -> Iterator[Finding]:
    given = {f"handlers.{one.name}.redact": one.options.get("redact", "on") for one in setup.tier_handlers}
    for name, one in setup.formatters.items():
        if setup.is_envelope(name):
            given[f"formatters.{name}.redact"] = one.get("redact", "on")
    for setting, value in given.items():
        if value is False or value == "off":
            yield warning("redact", f"{setting} is off: secrets are written as they come", 'take it out, or set it to "on"')


def _id_formats(setup: Setup) -> Iterator[Finding]:
    formats: dict[str, str] = {}
    for handler in setup.tier_handlers:
        for sink in sinks_of(handler.options.get("sink")):
            if sink.get("type") in {"segments", "r2"}:
                formats[f"handlers.{handler.name}.sink.id_format"] = str(sink.get("id_format", "ulid"))
    for name, given in setup.formatters.items():
        if setup.is_envelope(name):
            formats[f"formatters.{name}.id_format"] = str(given.get("id_format", "ulid"))
    if len(set(formats.values())) > 1:
        said = ", ".join(f"{setting} is {value}" for setting, value in formats.items())
        yield warning("ids", f"{said}: a record's tier depends on who writes it", "use one id_format in all")


_CHECKS: tuple[Callable[[Setup], Iterator[Finding]], ...] = (
    _references,
    _existing,
    _used,
    _levels,
    _twice,
    _queues,
    _filters,
    _redaction,
    _id_formats,
)


def _debug(setup: Setup, *, uses_boto: bool) -> Iterator[Finding]:
    root = setup.loggers.get("")
    if root is None or root.level is None or root.level > logging.DEBUG or not (uses_boto or setup.ships):
        return
    loud = [name for name in _BOTO if name not in setup.loggers or setup.loggers[name].level in range(logging.DEBUG + 1)]
    if loud:
        quiet = ", ".join(f'"{name}": {{"level": "INFO"}}' for name in loud)
        yield warning(
            "debug",
            f"root is at DEBUG with boto3 in use: {', '.join(loud)} log dozens of records for each of your requests",
            f'"loggers": {{{quiet}}}',
        )
