"""
What is old enough to go, and its deletion: on the disk and in the store.

``_limits`` says what is old and what is held, and knows neither disk nor store;
``_local`` and ``_remote`` delete, ``_gone`` notes until when what is missing may have
gone by age, ``_cleaned`` is the report, and ``_cleanup`` joins them.
"""

from __future__ import annotations

from tierlog.retention._catalog import CatalogLike, EntryLike
from tierlog.retention._cleaned import FATES, Amount, Cleaned
from tierlog.retention._cleanup import cleanup
from tierlog.retention._gone import gone_before
from tierlog.retention._limits import DEFAULT, parse_hold, parse_retention
from tierlog.retention._remote import tier_prefix


__all__ = [
    "DEFAULT",
    "FATES",
    "Amount",
    "CatalogLike",
    "Cleaned",
    "EntryLike",
    "cleanup",
    "gone_before",
    "parse_hold",
    "parse_retention",
    "tier_prefix",
]
