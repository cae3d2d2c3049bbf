"""
Proof that nothing is lost: every segment read, every number and hash looked at.

``_numbers`` are the numbers of a stream in a bit each, ``_lines`` reads a segment's
lines, ``_chain`` follows the hashes from segment to segment, ``_streams`` says which
numbers are missing and why, ``_findings`` is the report; ``_scan`` reads what is on the
disk and in the store, and ``_verify`` looks again at what may still have been moving.
"""

from __future__ import annotations

from tierlog.verify._findings import Finding, Verified
from tierlog.verify._verify import verify


__all__ = ["Finding", "Verified", "verify"]
