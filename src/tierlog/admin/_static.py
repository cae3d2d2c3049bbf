"""
The panel's files.
"""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send


__all__ = ["PANEL_POLICY", "panel"]

PANEL_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the panel's page may load and do: nothing but what is of this service; no text becomes HTML or a script."""

_FOLDER = Path(__file__).parent / "panel"
_PAGE = "index.html"
_LEAST_BYTES = 1_000


def panel(folder: Path = _FOLDER) -> tuple[ASGIApp, ASGIApp]:
    """
    Return what serves the page, and what serves the files that belong to it.
    """
    files = _Files(directory=folder)
    return GZipMiddleware(_Page(files), _LEAST_BYTES), GZipMiddleware(files, _LEAST_BYTES)


class _Page:
    def __init__(self, files: _Files) -> None:
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._files.get_response(_PAGE, scope)
        await response(scope, receive, send)


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\x00" in path or any(part.startswith((".", "_")) for part in path.split("/") if part != "."):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = PANEL_POLICY
        return response
