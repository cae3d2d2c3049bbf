"""
A sink from what a configuration says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from tierlog.errors import ConfigError, MissingExtraError
from tierlog.options import SHIPPING_OPTIONS, check_names, parameter_names
from tierlog.sinks import MemorySink, StreamSink, TeeSink
from tierlog.typing import Sink


__all__ = ["ENTRY_POINTS", "check_handler_names", "make_sink"]

ENTRY_POINTS = "tierlog.sinks"
"""The entry-point group in which others add their sinks."""

_OWN: dict[str, Callable[..., Sink]] = {
    "stream": StreamSink,
    "memory": MemorySink,
    "tee": TeeSink,
}
_METHODS = ("write", "flush", "close")


def make_sink(given: Any, setting: str = "sink") -> Sink:
    """
    Return the sink that *given* describes.

    Args:
        given: ``{"type": "segments", …}``: one of tierlog's own or of the
            entry-point group ``tierlog.sinks``, with its options;
            ``{"()": "my.Sink", …}``: any callable, with its arguments; or a sink.

        setting: What errors call it.

    Raises:
        ConfigError: It describes none.
    """
    if not isinstance(given, Mapping):
        return _checked(given, setting)
    options = {str(key): given[key] for key in given}
    factory = options.pop("()", None)
    kind = options.pop("type", None)
    if factory is not None:
        make = _imported(factory, f"{setting}.()")
    elif kind is not None:
        make = _registered(kind, f"{setting}.type")
        lone = next((name for name in options if kind == "segments" and name in SHIPPING_OPTIONS), None)
        if lone is not None:
            raise ConfigError(
                f"{setting}.{lone}", "goes with a bucket to ship to: the sink's type is 'r2' then, and it has a 'bucket'"
            )
        check_names(setting, options, make)
    else:
        raise ConfigError(setting, "says neither which 'type' of sink it is nor which '()' makes it")
    if make is TeeSink:
        parts = options.get("sinks")
        if not isinstance(parts, (list, tuple)):
            raise ConfigError(f"{setting}.sinks", f"{parts!r} isn't a list of sinks")
        options["sinks"] = [make_sink(parts[number], f"{setting}.sinks[{number}]") for number in range(len(parts))]
    try:
        return _checked(make(**options), setting)
    except ConfigError:
        raise
    except (TypeError, ValueError) as e:
        raise ConfigError(setting, f"can't be made: {e}") from e


def check_handler_names(setting: str, options: Mapping[str, Any], factory: Callable[..., object]) -> None:
    """
    Check that *factory*, which makes a handler, takes every one of *options*.

    Raises:
        ConfigError: It doesn't; it says so of those that are the sink's, and names the
            nearest of the others.
    """
    from tierlog.segments import SegmentSink  # noqa: PLC0415 -- not for those who write to a stream

    sinks = ({*SHIPPING_OPTIONS, "type", "sinks"} | parameter_names(SegmentSink)) - parameter_names(factory)
    for name in options:
        if name in sinks:
            raise ConfigError(f"{setting}.{name}" if setting else name, "is an option of the sink; put it into 'sink'")
    check_names(setting, options, factory)


def _registered(kind: object, setting: str) -> Callable[..., Any]:
    if kind == "segments":
        from tierlog.segments import SegmentSink  # noqa: PLC0415 -- not for those who write to a stream

        return SegmentSink
    if kind in _OWN:
        return _OWN[str(kind)]
    from importlib.metadata import entry_points  # noqa: PLC0415 -- 20 ms, and only for sinks of extras and of others

    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if kind not in found:
        raise ConfigError.unknown(setting, f"there's no sink {kind!r}", {"segments", *_OWN, *found}, given=str(kind))
    try:
        loaded: Callable[..., Any] = found[str(kind)].load()
    except MissingExtraError:
        raise
    except Exception as e:
        raise ConfigError(setting, f"{found[str(kind)].value} can't be loaded: {e}") from e
    return loaded


def _imported(name: object, setting: str) -> Callable[..., Any]:
    if callable(name):
        return name
    module, _, attribute = str(name).rpartition(".")
    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as e:
        raise ConfigError(setting, f"{name!r} can't be imported: {e}") from e
    return found


def _checked(sink: Any, setting: str) -> Sink:
    missing = [name for name in _METHODS if not callable(getattr(sink, name, None))]
    if missing:
        raise ConfigError(setting, f"{sink!r} isn't a sink: it has no {', '.join(missing)}")
    made: Sink = sink
    return made
