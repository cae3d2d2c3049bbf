"""
Rotating local segments: what is written survives the process being killed.

``_policy`` decides when a segment ends, ``_files`` are the two ways to write one,
``_journal`` knows which are unfinished, ``_recover`` mends what was left behind,
and ``_writer`` joins them to a sink.
"""

from __future__ import annotations

from tierlog.segments._recover import recover_segments
from tierlog.segments._writer import SegmentSink


__all__ = ["SegmentSink", "recover_segments"]
