"""
Segments in Cloudflare R2, or any S3. Needs ``tierlog[r2]``.
"""

from __future__ import annotations

from tierlog.r2._recover import Done, ship
from tierlog.r2._sink import R2Sink
from tierlog.r2._store import R2Store


__all__ = ["Done", "R2Sink", "R2Store", "ship"]
