"""
What the environment says, and what is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tierlog.doctor._finding import Finding, error, ok, warning


__all__ = ["surroundings_findings"]

_CHECKSUM = "AWS_REQUEST_CHECKSUM_CALCULATION"
_OLDEST = (1, 36)
_INSTALL = "pip install --upgrade 'tierlog[r2]'"


def surroundings_findings(environ: Mapping[str, str], *, ships: bool, botocore: str | None) -> list[Finding]:
    """
    Return what is wrong around the process.

    Args:
        environ: The environment's variables.

        ships: Whether segments are to be shipped to a bucket.

        botocore: The version that is installed; None if none is.
    """
    return list(_shipping(environ, botocore)) if ships else []


def _shipping(environ: Mapping[str, str], botocore: str | None) -> Iterator[Finding]:
    if botocore is None:
        yield error("extras", "segments are to be shipped, and boto3 isn't installed", _INSTALL)
        return
    if tuple(map(int, re.findall(r"\d+", botocore)[:2])) < _OLDEST:
        what = f"botocore {botocore} can't leave out the checksums that R2 refuses"
        yield error("checksums", what, _INSTALL)
    elif environ.get(_CHECKSUM, "").lower() == "when_supported":
        yield warning(
            "checksums",
            f"{_CHECKSUM} is when_supported: tierlog's own uploads go without, other clients' are refused by R2",
            f"{_CHECKSUM}=when_required",
        )
    else:
        yield ok("checksums", f"botocore {botocore} leaves out the checksums that R2 refuses")
