"""
Whether the options of handlers, formatters and sinks can work, without leaving a trace.

Segments are tried in a folder that is taken away again; what would ship is checked
part by part, as it would begin to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import entry_points
from importlib.util import find_spec
from logging.config import BaseConfigurator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tierlog.catalog_config import checked
from tierlog.doctor._finding import Finding, error, of_error, ok
from tierlog.doctor._setup import Handler, Setup
from tierlog.errors import ConfigError, MissingExtraError, TierlogError
from tierlog.formatter import EnvelopeFormatter
from tierlog.handler import TierHandler
from tierlog.options import check_names, choice, count, parameter_names, seconds, size
from tierlog.retention import parse_hold, parse_retention
from tierlog.segments import SegmentSink
from tierlog.sink_config import ENTRY_POINTS, check_handler_names, make_sink
from tierlog.stream import stream_options


__all__ = ["option_findings"]

_RESOLVED = ("ext://", "cfg://")
_STREAM = ("instance_name", "instance_id", "default_tier", "redact")
_FULL = ("block_shipping_keep", "drop_oldest")
_PACKINGS = ("gzip", "zstd")
_FORMATTER_WORDS = ("()", "class", "format", "datefmt", "style", "validate", "defaults", ".")


def option_findings(setup: Setup) -> list[Finding]:
    """
    Return which options can't work.
    """
    found: list[Finding] = []
    for setting, factory in setup.factories.items():
        found += _tried("logging", partial(_try_import, setting, factory))
    for handler in setup.handlers.values():
        found += _tried("logging", partial(_try_file, handler))
    for handler in setup.tier_handlers:
        setting, given = f"handlers.{handler.name}", _plain(handler.options)
        found += _tried("handler", partial(_try_handler, setting, given, handler.made_by))
        found += _tried("sink", partial(_try_sink, f"{setting}.sink", given.get("sink")))
    for name, options in setup.formatters.items():
        if setup.is_envelope(name):
            given = {key: value for key, value in _plain(options).items() if key not in _FORMATTER_WORDS}
            found += _tried("formatter", partial(_try_formatter, f"formatters.{name}", given))
    if setup.tier_handlers and not found:
        found.append(ok("sink", f"the options of {', '.join(f'handlers.{one.name}' for one in setup.tier_handlers)} can work"))
    return found


def _tried(check: str, attempt: Callable[[], None]) -> list[Finding]:
    try:
        attempt()
    except ExceptionGroup as e:
        return [of_error(check, one) for one in e.exceptions if isinstance(one, TierlogError)]
    except TierlogError as e:
        return [of_error(check, e)]
    except Exception as e:  # noqa: BLE001 -- whatever a part of somebody else's raises
        return [error(check, f"can't be made: {type(e).__name__}: {e}", "correct its options")]
    return []


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the options without those that only ``dictConfig`` can look up.
    """
    return {name: value for name, value in given.items() if not (isinstance(value, str) and value.startswith(_RESOLVED))}


def _check_each(setting: str, given: Mapping[str, Any], factory: Callable[..., object], check: Any = check_names) -> None:
    """
    Check the names of options, and tell of all that there aren't.
    """
    wrong: list[ConfigError] = []
    for name in given:
        try:
            check(setting, {name: given[name]}, factory)
        except ConfigError as e:
            wrong.append(e)
    if wrong:
        raise ExceptionGroup("options that there aren't", wrong)


def _try_handler(setting: str, given: dict[str, Any], made_by: Any) -> None:
    _check_each(setting, given, made_by if callable(made_by) else TierHandler, check_handler_names)
    _try_stream(given)


def _try_formatter(setting: str, given: dict[str, Any]) -> None:
    _check_each(setting, given, EnvelopeFormatter)
    _try_stream(given)


def _try_stream(given: dict[str, Any]) -> None:
    options = {"instance_name": None, "instance_id": None, "default_tier": "system", "id_format": "ulid", "redact": "on"}
    stream_options(**{**options, **{name: given[name] for name in given if name in {*_STREAM, "id_format"}}})


def _try_sink(setting: str, sink: Any) -> None:
    given = {"type": "segments"} if sink is None else sink
    if not isinstance(given, Mapping):
        return
    options = {str(name): value for name, value in _plain(given).items()}
    kind, factory = options.pop("type", None), options.pop("()", None)
    if factory is not None:
        _try_import(f"{setting}.()", factory)
    elif kind == "segments":
        _check_each(setting, options, SegmentSink)
        _try_segments(options)
    elif kind == "r2":
        _try_r2(setting, options)
    elif kind == "tee":
        for number, part in enumerate(options.get("sinks") or ()):
            _try_sink(f"{setting}.sinks[{number}]", part)
    elif kind in {"stream", "memory"} or kind is None:
        make_sink(given, setting).close()
    elif kind not in {point.name for point in entry_points(group=ENTRY_POINTS)}:
        make_sink(given, setting)  # which says what there is


def _try_import(setting: str, factory: Any) -> None:
    if callable(factory) or str(factory).startswith(_RESOLVED):
        return
    try:
        BaseConfigurator({}).resolve(str(factory))
    except (ImportError, AttributeError, ValueError) as e:
        raise ConfigError(setting, f"{factory!r} can't be imported ({e.__cause__ or e}); name a callable that can") from e
    except (Exception, SystemExit):  # noqa: BLE001 -- its module is there, and needs what only the service has
        return


def _try_file(handler: Handler) -> None:
    name = handler.options.get("filename")
    if handler.kind == "other" and isinstance(name, str) and not name.startswith(_RESOLVED):
        folder = Path(name).absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"handlers.{handler.name}.filename", f"there's no folder {str(folder)!r}; make it")


def _try_segments(options: dict[str, Any]) -> None:
    with TemporaryDirectory(prefix="tierlog-doctor-") as folder:
        SegmentSink(**{**options, "root": folder}).close()


def _try_r2(setting: str, options: dict[str, Any]) -> None:
    from tierlog.r2 import R2Sink, R2Store  # noqa: PLC0415 -- an extra: only on demand

    _check_each(setting, options, R2Sink)
    if "bucket" not in options:
        raise ConfigError(f"{setting}.bucket", "is missing; name the bucket")
    R2Store(**{name: value for name, value in options.items() if name in parameter_names(R2Store)})
    _try_segments({name: value for name, value in options.items() if name in parameter_names(SegmentSink)})
    for name, check in _SHIPPING.items():
        if options.get(name) is not None:
            check(f"sink.{name}", options[name])
    if options.get("compression") == "zstd":
        _need("zstandard", "zstd")
    if str(checked(options.get("catalog"))).startswith("postgresql"):
        _need("psycopg", "db")


_SHIPPING: Mapping[str, Callable[[str, Any], object]] = {
    "checkpoint_interval": lambda setting, value: seconds(setting, value, least=0.01),
    "compression": lambda setting, value: choice(setting, value, _PACKINGS),
    "max_spool_bytes": lambda setting, value: size(setting, value, least=1),
    "spool_full": lambda setting, value: choice(setting, value, _FULL),
    "shutdown_timeout": seconds,
    "compact_after": seconds,
    "connections": count,
    "retention": parse_retention,
    "hold": parse_hold,
}


def _need(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError(extra)
