"""
What a request is to a log: its id, its start and its one end.

The adapters of :mod:`tierlog.asgi`, :mod:`tierlog.wsgi`, :mod:`tierlog.django` and
:mod:`tierlog.flask` say what happens; what that means is decided here.
"""

from __future__ import annotations

from tierlog.request_ids import request_id
from tierlog.requests._decide import outcome
from tierlog.requests._request import KEY, Part, Request, Requests, annotate, current_request


__all__ = ["KEY", "Part", "Request", "Requests", "annotate", "current_request", "outcome", "request_id"]
