"""
Reading: what was logged, from folders and stores as one ordered stream.

A record's way to who asks: ``_filters`` says what is asked for, ``_listing`` which
segments there are by their names and ``_index`` what the catalog knows of them,
``_sources`` joins both; ``_open`` reads bytes, ``_match`` finds lines in them and
``_scan`` makes pieces whose times are known; ``_merge`` puts pieces in order and
``_search`` delivers events;
``_count`` counts them. ``_store`` is what programs call.
"""

from __future__ import annotations

from tierlog.query._count import Counts
from tierlog.query._problem import Problem
from tierlog.query._search import Search
from tierlog.query._store import LogStore, Segment, open_store


__all__ = ["Counts", "LogStore", "Problem", "Search", "Segment", "open_store"]
