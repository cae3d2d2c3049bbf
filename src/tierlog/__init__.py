"""
Structured, crash-safe, redacted logging for multi-tenant platforms.

An extension of :mod:`logging`: :class:`ContextFilter`, :class:`EnvelopeFormatter`
and :class:`TierHandler` turn records into one NDJSON envelope in five tiers.
"""

from __future__ import annotations

from tierlog._version import __version__
from tierlog.actions import action
from tierlog.context import bind, bound, unbind
from tierlog.errors import ConfigError, MissingExtraError, TierlogError
from tierlog.events import build, log_event
from tierlog.filter import ContextFilter
from tierlog.formatter import EnvelopeFormatter
from tierlog.handler import TierHandler
from tierlog.jobs import job
from tierlog.logger import get_logger
from tierlog.runtime import configure, flush, prometheus, recover, shutdown, stats


__all__ = [
    "ConfigError",
    "ContextFilter",
    "EnvelopeFormatter",
    "MissingExtraError",
    "TierHandler",
    "TierlogError",
    "__version__",
    "action",
    "bind",
    "bound",
    "build",
    "configure",
    "flush",
    "get_logger",
    "job",
    "log_event",
    "prometheus",
    "recover",
    "shutdown",
    "stats",
    "unbind",
]
