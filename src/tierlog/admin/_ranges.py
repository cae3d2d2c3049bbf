"""
Conditional and ranged requests, as RFC 9110 has them (sections 13 and 14).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from email.utils import formatdate, parsedate_to_datetime
from functools import partial

from anyio import CapacityLimiter
from starlette.datastructures import Headers
from starlette.responses import Response

from tierlog.admin._blob import Blob, media_type
from tierlog.admin._problems import ProblemError
from tierlog.admin._streaming import PiecesResponse, in_thread


__all__ = ["blob_response", "range_of"]

_BLOCK_BYTES = 262_144
_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,20})-(\d{0,20})|-(\d{1,20}))[ \t]*\Z", re.ASCII | re.IGNORECASE)
_TAGS = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_NOT_MODIFIED, _FAILED, _UNSATISFIABLE = 304, 412, 416


def blob_response(blob: Blob, method: str, headers: Headers, scans: CapacityLimiter, *, write_timeout: float) -> Response:
    """
    Return what of *blob* is asked for: a range only by GET.

    Raises:
        ProblemError: It isn't what the request has it to be, or has no such range.
    """
    said = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{blob.name}"',
        "ETag": blob.etag,
        "Last-Modified": formatdate(blob.modified, usegmt=True),
    }
    if "if-match" in headers and not _is_among(blob.etag, headers["if-match"], is_strong=True):
        raise ProblemError(_FAILED, "the segment isn't that any more", parameter="If-Match", headers={"ETag": blob.etag})
    if _is_known(blob, headers):
        return Response(None, _NOT_MODIFIED, {name: said[name] for name in ("Cache-Control", "ETag", "Last-Modified")})
    wanted = None
    if method == "GET" and "range" in headers and headers.get("if-range", blob.etag) == blob.etag:
        wanted = range_of(headers["range"], blob.size)
    if wanted is None:
        return _BlobResponse(200, said, blob, (0, blob.size), scans, write_timeout=write_timeout)
    start, end = wanted
    said["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    return _BlobResponse(206, said, blob, wanted, scans, write_timeout=write_timeout)


def range_of(header: str, size: int) -> tuple[int, int] | None:
    """
    Return the first byte that is asked for, and the one behind the last; None if all are:
    several ranges, and what is no range, are passed over.

    >>> range_of("bytes=0-4", 100), range_of("bytes=-5", 100), range_of("bytes=0-1,5-6", 100)
    ((0, 5), (95, 100), None)

    Raises:
        ProblemError: There's nothing there.
    """
    match = _RANGE.match(header)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start = int(first)
        end = min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise ProblemError(
            _UNSATISFIABLE, f"there are {size} bytes", parameter="Range", headers={"Content-Range": f"bytes */{size}"}
        )
    return start, end


def _is_known(blob: Blob, headers: Headers) -> bool:
    """
    Tell whether who asks has it already.
    """
    if "if-none-match" in headers:
        return _is_among(blob.etag, headers["if-none-match"])
    if "if-modified-since" in headers and not blob.is_open:  # else it may have grown in that second
        try:
            return parsedate_to_datetime(headers["if-modified-since"]).timestamp() >= int(blob.modified)
        except (ValueError, TypeError, OverflowError):
            return False
    return False


def _is_among(etag: str, given: str, *, is_strong: bool = False) -> bool:
    if given.strip() == "*":
        return True
    return any(tag[1] == etag and not (is_strong and tag[0].startswith("W/")) for tag in _TAGS.finditer(given))


class _BlobResponse(PiecesResponse):
    """
    Bytes of a segment.
    """

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        blob: Blob,
        wanted: tuple[int, int],
        scans: CapacityLimiter,
        *,
        write_timeout: float,
    ) -> None:
        length = {"Content-Length": str(wanted[1] - wanted[0])}
        super().__init__(status, {**headers, **length}, media_type(blob.place), write_timeout=write_timeout)
        self._blob = blob
        self._wanted = wanted
        self._scans = scans

    async def pieces(self) -> AsyncGenerator[bytes]:
        """
        Yield the bytes.
        """
        at, end = self._wanted
        while at < end:
            block = await in_thread(partial(self._blob.read, at, min(at + _BLOCK_BYTES, end)), self._scans)
            if not block:
                raise OSError("a segment has become shorter")
            yield block
            at += len(block)

    def closed(self) -> None:
        """
        Close it.
        """
        self._blob.close()
