"""
Counters of several streams as one, and as text for Prometheus.

The text follows the exposition format, version 0.0.4:
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


__all__ = ["merged", "prometheus_text"]

_SHIPPING = ("shipped", "pending", "failed")
_HIGHEST = frozenset(["oldest_unshipped_age"])

_HELP = {
    "accepted": ("records_accepted_total", "counter", "Records that were given a number."),
    "written": ("records_written_total", "counter", "Records that a sink kept."),
    "dropped": ("records_dropped_total", "counter", "Records that no sink kept, by reason."),
    "redactions": ("redactions_total", "counter", "Secrets hidden, by rule."),
    "truncated": ("records_truncated_total", "counter", "Records that were cut to fit."),
    "rerouted": ("records_rerouted_total", "counter", "Records that went to the system tier instead, by reason."),
    "sync_failures": ("sync_failures_total", "counter", "Lines written whose sync failed."),
    "recursions": ("records_recursive_total", "counter", "Records that a sink made by writing, and that were left out."),
    "torn_lines": ("torn_lines_total", "counter", "Torn lines moved to quarantine."),
    "segments": ("segments", "gauge", "Segments of this process, by state."),
    "shipped": ("segments_shipped_total", "counter", "Segments that are in the remote store, verified."),
    "pending": ("segments_pending", "gauge", "Finished segments that are not shipped yet."),
    "failed": ("uploads_failed_total", "counter", "Uploads that failed; each is tried again."),
    "shipped_bytes": ("shipped_bytes_total", "counter", "Bytes of the objects shipped."),
    "upload_seconds": ("upload_seconds_total", "counter", "Time that uploads took, all connections together."),
    "backlog_bytes": ("backlog_bytes", "gauge", "Bytes of finished segments that are not shipped yet."),
    "oldest_unshipped_age": ("oldest_unshipped_age_seconds", "gauge", "Age of the oldest segment that is not shipped yet."),
    "dropped_segments": ("segments_dropped_total", "counter", "Finished segments deleted unshipped for want of room."),
}
_LABELS = {"dropped": "reason", "redactions": "rule", "rerouted": "reason", "segments": "state"}


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Add up the counters of *parts*; of texts, the last one that is there stays.
    """
    total: dict[str, Any] = {"accepted": 0, "written": 0, "dropped": {}, **dict.fromkeys(_SHIPPING, 0)}
    for part in parts:
        for name, value in part.items():
            have = total.get(name)
            if value is None:
                total.setdefault(name, None)
            elif isinstance(value, Mapping):
                total[name] = _added(have or {}, value)
            elif name in _HIGHEST:
                total[name] = max(have or 0, value)
            elif isinstance(value, (int, float)):
                total[name] = (have or 0) + value
            else:
                total[name] = value
    return total


def _added(have: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: have.get(name, 0) + more.get(name, 0) for name in {**have, **more}}


def prometheus_text(stats: Mapping[str, Any]) -> str:
    """
    Return *stats* in Prometheus' text form.
    """
    lines = []
    for name, (metric, kind, text) in _HELP.items():
        value = stats.get(name)
        if value is None:
            continue
        full = f"tierlog_{metric}"
        lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
        if isinstance(value, Mapping):
            lines += [f'{full}{{{_LABELS[name]}="{_escaped(key)}"}} {value[key]}' for key in sorted(value)]
        else:
            lines.append(f"{full} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
