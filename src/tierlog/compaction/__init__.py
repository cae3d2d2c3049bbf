"""
Old segments packed: written, verified, and only then put in the place of the plain ones.

``_local`` packs one file and ``_remote`` one object, ``_likeness`` compares a packed
segment with a plain one, ``_rows`` tells the catalog, ``_outcome`` is the report, and
``_compact`` looks for what is old enough.
"""

from __future__ import annotations

from tierlog.compaction._compact import OLDER_THAN, compact
from tierlog.compaction._outcome import Compacted, CompactionError, Failure, Packed
from tierlog.compaction._rows import CatalogLike


__all__ = ["OLDER_THAN", "CatalogLike", "Compacted", "CompactionError", "Failure", "Packed", "compact"]
