"""
The ids of OpenTelemetry's current span, where a program uses it.

Only what is imported already is asked: nothing is loaded for it, and a program without
OpenTelemetry pays a look into a dict. Names and forms are those of OpenTelemetry's log
data model in JSON: ``trace_id`` of 32 and ``span_id`` of 16 hexadecimal digits.
"""

from __future__ import annotations

import sys
from typing import Any


__all__ = ["MODULE", "modules", "trace_ids", "with_trace"]

MODULE = "opentelemetry.trace"
"""It is there in :data:`modules` if OpenTelemetry is used."""

modules = sys.modules


def trace_ids() -> dict[str, str]:
    """
    Return ``trace_id`` and ``span_id`` of the current span; nothing if there's none.
    """
    try:
        span = modules[MODULE].get_current_span().get_span_context()
        if span.is_valid:
            return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    except Exception:  # noqa: BLE001 -- a log call never raises
        pass  # half imported, or something of that name
    return {}


def with_trace(data: Any) -> Any:
    """
    Return *data* with the ids of the current span, unless it has some.
    """
    ids = trace_ids()
    if not ids:
        return data
    own = data if type(data) is dict else {} if data is None else {"data": data}
    return own if "trace_id" in own else {**own, **ids}
