"""
What every answer says to browsers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tierlog.errors import ConfigError


__all__ = ["SecurityHeaders", "checked_origins"]

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?\Z|https?://\[[0-9a-f:]+\](:\d{1,5})?\Z", re.ASCII)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """
    Adds the headers that an answer doesn't have.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass a request on.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def checked_origins(origins: Sequence[str]) -> list[str]:
    """
    Return the origins that may ask from a browser.

    Raises:
        ConfigError: One isn't an origin, or is all of them.
    """
    if isinstance(origins, str):
        raise ConfigError("allow_origins", "is a text; give a list of origins such as ['https://admin.example.com']")
    for one in origins:
        if one == "*":
            raise ConfigError("allow_origins", "'*' would let any page read logs; name the exact origins")
        if not _ORIGIN.match(one):
            raise ConfigError("allow_origins", f"{one!r} isn't an origin such as 'https://admin.example.com'")
    return list(origins)
