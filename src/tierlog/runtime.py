"""
Joining the parts, and what is said to all of them at once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tierlog.errors import ConfigError
from tierlog.filter import ContextFilter
from tierlog.handler import TierHandler, handlers
from tierlog.logger import upgrade_all
from tierlog.metrics import merged, prometheus_text
from tierlog.options import SHIPPING_OPTIONS, check_names, parameter_names, seconds
from tierlog.record import install_record_factory
from tierlog.settings import HANDLER_OPTIONS, OWN_OPTIONS, from_environment, parse, sink_type
from tierlog.steps import contained
from tierlog.typing import Recovered


__all__ = ["check_option_names", "configure", "flush", "prometheus", "recover", "shutdown", "stats"]

_configured: list[TierHandler] = []


def configure(**options: Any) -> TierHandler:
    """
    Set logging up in one line: a :class:`tierlog.TierHandler` on the root logger.

    Options that aren't given are taken from the environment, from ``TIERLOG_``
    and the option's name in capitals, for example ``TIERLOG_ROOT``. Called again,
    it puts a new handler in the place of its last one; nothing is lost meanwhile.

    Args:
        options: ``level`` (``INFO``) of the root logger; ``instance_name``,
            ``instance_id``, ``default_tier``, ``redact``, ``exc_locals`` and
            ``process_events`` (on) as for :class:`tierlog.TierHandler`;
            ``fast`` (on): whether :mod:`logging` makes its loggers and records of
            tierlog's cheaper classes; and either ``sink``, as for the
            handler, or the options of :class:`tierlog.segments.SegmentSink`,
            such as ``root``, or, with a ``bucket``, of :class:`tierlog.r2.R2Sink`.

    Returns:
        The handler.

    Raises:
        ConfigError: An option can't work; nothing has changed then.
    """
    environment = from_environment(os.environ)
    try:
        check_option_names({**{name: options[name] for name in ("type", "bucket") if name in options}, **environment})
    except ConfigError as e:
        how = "" if e.setting in SHIPPING_OPTIONS else " (as a variable, in capitals)"
        raise ConfigError(f"TIERLOG_{e.setting.upper()}", f"{e.problem}{how}") from None
    check_option_names({**{name: environment[name] for name in ("type", "bucket") if name in environment}, **options})
    settings = parse({**environment, **options})
    handler = TierHandler(sink=settings.sink, **settings.handler)
    handler.addFilter(ContextFilter())
    root = logging.getLogger()
    if _configured and _configured[0] in root.handlers:
        # In its place at once: a record in between must find one of them, not both.
        root.handlers[root.handlers.index(_configured[0])] = handler
    else:
        root.addHandler(handler)
    root.setLevel(settings.level)
    if settings.fast:
        install_record_factory()
        upgrade_all()
    before, _configured[:] = list(_configured), [handler]
    for one in before:
        root.removeHandler(one)
        contained("a sink's close", one.close)
    return handler


def check_option_names(given: Mapping[str, Any]) -> None:
    """
    Check that each of the options *given* to :func:`configure` is one.

    Raises:
        ConfigError: One isn't; it names the nearest option that there is.
    """
    if sink_type(given) not in {"segments", "r2"}:
        return  # the sink says so itself
    own = [*OWN_OPTIONS, *HANDLER_OPTIONS]
    factory = _factory(given)
    known = {*own, *parameter_names(factory)}
    for name in given:
        if name in known:
            continue
        if name in SHIPPING_OPTIONS:
            raise ConfigError(name, "goes with a bucket to ship to; name it, too (bucket=, or TIERLOG_BUCKET)")
        raise ConfigError.unknown(name, "there's no such option", {*known, *SHIPPING_OPTIONS})


def _factory(given: Mapping[str, Any]) -> Callable[..., object]:
    if sink_type(given) == "r2":
        from tierlog.r2 import R2Sink  # noqa: PLC0415 -- an extra: only on demand

        return R2Sink
    from tierlog.segments import SegmentSink  # noqa: PLC0415 -- not at import: see tierlog.handler

    return SegmentSink


def stats() -> dict[str, Any]:
    """
    Return the counters of all handlers of this process, added up.

    ``accepted`` is ``written`` plus all of ``dropped``, which counts by reason;
    ``shipped``, ``pending`` and ``failed`` count segments, ``backlog_bytes`` is what
    waits and ``oldest_unshipped_age`` since when, in seconds; ``redactions`` count by
    rule, ``rerouted`` by reason; ``truncated``, ``sync_failures``, ``segments``
    by state, ``torn_lines`` and ``last_error``.
    """
    return merged(contained("a sink's stats", handler.stats) or {} for handler in handlers())


def prometheus() -> str:
    """
    Return :func:`stats` in Prometheus' text form.
    """
    return prometheus_text(stats())


def flush() -> None:
    """
    Bring every buffered line to where it belongs.
    """
    for handler in handlers():
        contained("a sink's flush", handler.flush)


def shutdown(timeout: float = 5.0) -> None:
    """
    Finish all segments, as :func:`logging.shutdown` does at exit, and ship them.

    What is logged later is kept all the same.

    Args:
        timeout: **Seconds**; handlers that aren't closed by then stay as they
            are: no line of theirs is lost, recovery finishes their segments. What
            isn't shipped by then is shipped at the next start.
    """
    end = time.monotonic() + seconds("timeout", timeout)
    for handler in handlers():
        if time.monotonic() > end:
            return
        contained("a sink's close", handler.close)
        drain = getattr(handler.pipeline.sink, "drain", None)
        if drain is not None:
            contained("a sink's drain", partial(drain, max(0.0, end - time.monotonic())))


def recover(root: str | os.PathLike[str] = "logs", *, timeout: float | str = 60.0, **options: Any) -> Recovered:
    """
    Finish what processes that were killed left behind, and ship what waits, as a
    start does.

    Segments that a live process has open are left alone. It may be killed itself
    and run again.

    Args:
        root: The folder of the segments.

        timeout: For how many **seconds** to try to ship.

        options: Options of the sink. Without a ``bucket``, nothing is shipped, and
            only their names are checked.

    Raises:
        ConfigError: There is no such folder, or no such option.
    """
    from pathlib import Path  # noqa: PLC0415

    from tierlog.segments import recover_segments  # noqa: PLC0415 -- not at import: see tierlog.handler

    check_names("", options, _factory(options))
    folder = Path(root)
    if not folder.is_dir():
        raise ConfigError("root", f"there's no folder {str(folder)!r}")
    recovered = recover_segments(folder.absolute())
    if sink_type(options) != "r2":
        return recovered
    from tierlog.r2 import ship  # noqa: PLC0415 -- an extra: only on demand

    (folder / ".tierlog").mkdir(exist_ok=True)
    known = {name: options[name] for name in options if name in parameter_names(ship)}
    done = ship(folder, timeout=timeout, **known)
    return recovered._replace(shipped=done.shipped, pending=done.pending, problem=done.problem)
