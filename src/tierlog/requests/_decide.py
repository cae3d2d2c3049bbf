"""
What a request's headers and its end mean, without any state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tierlog.plain import text_of


__all__ = ["SERVER_ERROR", "outcome", "request_id"]

SERVER_ERROR = 500
"""The least status that says that the server is wrong."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}\Z")
_TRACE = r"(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT = re.compile(rf"(?:00-{_TRACE}|(?!00|ff)[0-9a-f]{{2}}-{_TRACE}(?:-.*)?)\Z")


def request_id(given: Sequence[str], traceparents: Sequence[str] = ()) -> str | None:
    """
    Return the request's id of a request's headers, None if there is no well-formed one.

    A name that stands there twice has no meaning, and none is taken from it.

    >>> request_id(["req-7f3a"])
    'req-7f3a'
    >>> request_id(["a b"], ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"])
    '4bf92f3577b34da6a3ce929d0e0e4736'

    Args:
        given: Values of ``X-Request-ID``: at most 128 letters, digits and ``._:/+=@-``.

        traceparents: Values of ``traceparent``, as the W3C defines it.
    """
    if len(given) == 1 and _WELL_FORMED.match(given[0].strip()):
        return given[0].strip()
    match = _TRACEPARENT.match(traceparents[0].strip()) if len(traceparents) == 1 else None
    return match[1] or match[2] if match else None


def outcome(
    *, status: int | None, error: BaseException | None, is_complete: bool, is_disconnected: bool
) -> tuple[str, str, str | None]:
    """
    Return how a request ended (``success``, ``error`` or ``cancelled``), the level of
    that, and why, unless the status says it.

    Args:
        status: The response's; None if it never began.

        error: What the application raised.

        is_complete: Whether the whole response was given to the server.

        is_disconnected: Whether the client went away before it was: nobody gets what is
            said after that.
    """
    if error is not None and not isinstance(error, Exception):
        return "cancelled", "warn", type(error).__name__
    if is_disconnected:
        return "cancelled", "warn", "the client has gone"
    if error is not None:
        return "error", "error", text_of(error) or type(error).__name__
    if status is None:
        return "error", "error", "there was no response"
    if not is_complete:
        return "error", "error", "the response wasn't finished"
    return ("error", "error", None) if status >= SERVER_ERROR else ("success", "info", None)
