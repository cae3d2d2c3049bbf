"""
What a request's end means, without any state.
"""

from __future__ import annotations

from tierlog.plain import text_of


__all__ = ["SERVER_ERROR", "outcome"]

SERVER_ERROR = 500
"""The least status that says that the server is wrong."""


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
        return "error", "error", text_of(error)
    if status is None:
        return "error", "error", "there was no response"
    if not is_complete:
        return "error", "error", "the response wasn't finished"
    return ("error", "error", None) if status >= SERVER_ERROR else ("success", "info", None)
