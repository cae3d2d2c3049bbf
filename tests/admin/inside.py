"""
Asking an application without a server.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import httpx


__all__ = ["ask", "client"]


@contextmanager
def client(app, *, root_path=""):
    """
    Give ``get(path, token, **more)``, whose calls share one event loop.
    """
    with asyncio.Runner() as runner:

        def get(path, token=None, *, method="GET", headers=(), **more):
            given = [*headers, *([("authorization", f"Bearer {token}")] if token is not None else [])]

            async def asked():
                transport = httpx.ASGITransport(app, root_path=root_path, raise_app_exceptions=True)
                async with httpx.AsyncClient(transport=transport, base_url="http://test") as session:
                    return await session.request(method, path, headers=given, **more)

            return runner.run(asked())

        yield get


def ask(app, path, token=None, *, root_path="", **more):
    """
    Return the answer to one request.
    """
    with client(app, root_path=root_path) as get:
        return get(path, token, **more)
