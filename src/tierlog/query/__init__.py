"""
Reading: what was logged, from folders and stores as one ordered stream.

A record's way to who asks: ``_filters`` says what is asked for, ``_listing`` which
segments there are by their names and ``_index`` what the catalog knows of them,
``_sources`` joins both; ``_open`` reads bytes, ``_match`` finds lines in them, ``_forms``
proves what many lines are like at once, and ``_scan`` makes pieces whose times are known;
``_merge`` puts pieces in order and ``_search`` delivers events; ``_count`` counts them.

What is written later: ``_folder`` notices segments, ``_followed`` reads them as they grow,
``_whole`` tells which lines are whole, ``_position`` is a cursor, and ``_tail`` delivers
events. ``_opening`` and ``_store`` are what programs call. ``_builds`` asks the database which builds
there are.
"""

from __future__ import annotations

from tierlog.query._builds import builds, builds_cursor
from tierlog.query._count import Counts
from tierlog.query._opening import open_store
from tierlog.query._problem import Problem
from tierlog.query._search import Search
from tierlog.query._store import LogStore, Segment
from tierlog.query._tail import Tail


__all__ = ["Counts", "LogStore", "Problem", "Search", "Segment", "Tail", "builds", "builds_cursor", "open_store"]
