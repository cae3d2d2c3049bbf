"""
The id of a request in its headers, if there is one that can be believed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


__all__ = ["request_id"]

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
