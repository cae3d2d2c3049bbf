"""
Rotating local segments: what is written survives the process being killed.

``_policy`` decides when a segment ends, ``_files`` are the two ways to write one,
``_journal`` knows which are unfinished and ``_finished`` which aren't, ``_live`` keeps
neighbours from those that are closed for the moment only, ``_recover`` mends what was
left behind, ``_claim`` takes a build's file out of its writers' way, ``_opener`` opens
segments, ``_sweeper`` is the thread, and ``_writer`` joins them to a sink.
"""

from __future__ import annotations

from tierlog.segments._claim import claim, part_of
from tierlog.segments._finished import FOLDERS, Found, finished, is_own_root
from tierlog.segments._journal import Journal
from tierlog.segments._live import is_live
from tierlog.segments._recover import recover_segments
from tierlog.segments._segment import Segment
from tierlog.segments._writer import SegmentSink


__all__ = [
    "FOLDERS",
    "Found",
    "Journal",
    "Segment",
    "SegmentSink",
    "claim",
    "finished",
    "is_live",
    "is_own_root",
    "part_of",
    "recover_segments",
]
