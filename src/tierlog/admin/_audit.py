"""
Every read is an event: who read what, from where, and how much of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from tierlog.admin._endpoint import Endpoint
from tierlog.admin._service import Service
from tierlog.admin._tokens import Subject
from tierlog.events import log_event


__all__ = ["Reading"]

_SRC = "admin"
_LONG = "stream"
_REFUSED_FROM = 400
_REFUSED = frozenset([401, 403, 429])
_TOO_MANY, _GONE, _FAILED = 429, 499, 500  # 499: who asked has gone, as proxies note it


class Reading:
    """
    A request, from when it came to when its answer ended.

    Attributes:
        subject: Who asks; None as long as that isn't known.

        values: What for.

        response: The answer.

        is_left: Whether who asked went away before there was one.
    """

    def __init__(self, endpoint: Endpoint, request: Request, service: Service) -> None:
        self._endpoint = endpoint
        self._request = request
        self._service = service
        self._began = time.monotonic()
        self._status = 0
        self._sent = 0
        self.subject: Subject | None = None
        self.values: Mapping[str, Any] = {}
        self.response: Any = None
        self.is_left = False

    def sent(self, message: Mapping[str, Any]) -> None:
        """
        Count what is sent.
        """
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._endpoint.name == _LONG and self._status < _REFUSED_FROM:
                self._note("listens")  # it may be long until that ends
        elif message["type"] == "http.response.body" and self._request.method != "HEAD":
            self._sent += len(message.get("body", b""))

    def end(self) -> None:
        """
        Write the event.
        """
        self._status = self._status or (_GONE if self.is_left else _FAILED)
        self._service.count(self._endpoint.name, self._status)
        if self._endpoint.scope is None:
            return
        if self._status in _REFUSED:
            self._refused()
        elif self._endpoint.is_noted:
            self._note("read")

    def _refused(self) -> None:
        """
        Note that it was refused; of what comes too often, only the first.
        """
        data, user = self._data()
        who = f"{data['from']} {user}"
        if self._status != _TOO_MANY or self._service.is_first_refusal(who):
            log_event("system", "auth", "warn", f"refused: {data['what']}", data, user_id=user, src=_SRC)

    def _note(self, verb: str) -> None:
        data, user = self._data()
        # What isn't there mustn't come to be by being asked for.
        is_found = data.get("lines") or getattr(self.response, "is_found", False)
        project = self.values.get("projectId") if is_found else None
        tier = "action" if project else "system"
        log_event(tier, "action", "info", f"{verb}: {data['what']}", data, project_id=project, user_id=user, src=_SRC)

    def _data(self) -> tuple[dict[str, Any], str | None]:
        """
        Return what is told of it, and whom it is of.
        """
        data: dict[str, Any] = {
            "who": self.subject.name if self.subject is not None else None,
            "what": f"{self._request.method} {self._endpoint.path}",
            "asked": dict(self.values),
            "from": self._request.client.host if self._request.client else None,
            "status": self._status,
            "bytes": self._sent,
            "durationMs": round((time.monotonic() - self._began) * 1_000),
        }
        lines = getattr(self.response, "lines_sent", None)
        if lines is not None:
            data["lines"] = lines
        return data, (self.subject.name or None) if self.subject is not None else None
