"""
The application: the parts, joined.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from tierlog.admin._endpoint import Endpoint
from tierlog.admin._guard import Guard
from tierlog.admin._headers import SecurityHeaders, checked_origins
from tierlog.admin._health import Health, checks
from tierlog.admin._jwks import FetchedKeys, GivenKeys
from tierlog.admin._live import Live
from tierlog.admin._openapi import document
from tierlog.admin._problems import ProblemError, problem_response
from tierlog.admin._rates import Rates
from tierlog.admin._routes import endpoints
from tierlog.admin._sealer import Sealer
from tierlog.admin._service import Service, StreamLimits
from tierlog.admin._signer import Signer
from tierlog.admin._static import panel
from tierlog.admin._tokens import Verifier, checked_secret
from tierlog.errors import ConfigError
from tierlog.options import choice, count, seconds
from tierlog.query import LogStore, open_store
from tierlog.typing import Clock


__all__ = ["Admin", "create_app"]


class Admin:
    """
    The ASGI application.
    """

    def __init__(self, app: Starlette, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer a request.
        """
        await self._app(scope, receive, send)

    def stop(self) -> None:
        """
        End all live tails. It is to be called when the server ends, in its event loop.
        """
        self._service.stop()


def create_app(
    store: Any,
    *,
    builds: Any = None,
    jwt_secret: str | bytes | None = None,
    jwks: Any = None,
    jwks_url: str | None = None,
    jwt_audience: str = "tierlog",
    jwt_issuer: str = "tierlog",
    algorithms: Sequence[str] | None = None,
    leeway: float = 30,
    cursor_key: str | bytes | None = None,
    id_format: str = "ulid",
    allow_origins: Sequence[str] = (),
    rate_limit: str = "300/minute",
    rate_storage: str = "memory://",
    max_listeners: int = 200,
    idle_limit: float = 1_800,
    ping: float = 15,
    write_timeout: float = 30,
    clock: Clock = time.time_ns,
) -> Admin:
    """
    Return the application, to be run by any ASGI server, or mounted in another
    application at any path.

    Args:
        store: What is searched: a :class:`tierlog.query.LogStore`, or what
            :func:`tierlog.query.open_store` takes.

        builds: The database with ``project_build_metrics``: an engine of SQLAlchemy or a
            URL; None if there is none.

        jwt_secret: The secret that tokens are signed with (HS256), of at least 32 bytes.

        jwks: The public keys that they are signed with (RS256, ES256, EdDSA), as a JSON
            Web Key Set.

        jwks_url: Where that set is; it is fetched when it is needed, and kept.

        jwt_audience: What a token's ``aud`` must hold.

        jwt_issuer: What its ``iss`` must be.

        algorithms: The only ones that are taken, of those of the keys; all of those if
            None, and HS256 alone with a secret.

        leeway: By how many **seconds** clocks may differ.

        cursor_key: What cursors and tickets are signed with, of at least 32 bytes;
            *jwt_secret* if None, and else a new one in each process, so that a fleet with
            *jwks* needs one.

        id_format: What ids of builds and projects in paths are: ``ulid`` or ``slug``.

        allow_origins: The exact web origins that may ask from a browser.

        rate_limit: How often one subject may ask; an address may four times as often.

        rate_storage: Where that is counted, in the words of the ``limits`` library.

        max_listeners: How many live tails there may be.

        idle_limit: After how many **seconds** without an event one ends.

        ping: After how many **seconds** of silence one says that it is there.

        write_timeout: For how many **seconds** a client may take nothing.

        clock: Returns nanoseconds since the epoch.

    Raises:
        ConfigError: An option can't work.

        QueryError: There's no such store.
    """
    secret = checked_secret(jwt_secret) if jwt_secret is not None else None
    if secret is None and jwks is None and jwks_url is None:
        raise ConfigError("jwt_secret", "is missing; give jwt_secret=, jwks= or jwks_url=, by which tokens are checked")
    if jwks is not None and jwks_url is not None:
        raise ConfigError("jwks_url", "is given beside jwks; give one of them")
    keys = GivenKeys(jwks) if jwks is not None else FetchedKeys(jwks_url) if jwks_url is not None else None
    opened = store if isinstance(store, LogStore) else open_store(store)
    verifier = Verifier(
        secret=secret,
        keys=keys,
        audience=jwt_audience,
        issuer=jwt_issuer,
        algorithms=algorithms,
        leeway=seconds("leeway", leeway),
    )
    key = checked_secret(cursor_key, "cursor_key") if cursor_key is not None else secret or os.urandom(32)
    service = Service(
        store=opened,
        builds=builds,
        verifier=verifier,
        signer=Signer(key),
        rates=Rates(rate_limit, rate_storage, clock=clock),
        health=Health(checks(opened, builds)),
        live=Live(opened, Sealer(key)),
        limits=StreamLimits(
            listeners=count("max_listeners", max_listeners),
            idle=seconds("idle_limit", idle_limit, least=1),
            ping=seconds("ping", ping, least=1),
        ),
        clock=clock,
        write_timeout=seconds("write_timeout", write_timeout, least=1),
    )
    table = endpoints(choice("id_format", id_format, ("ulid", "slug")))
    service.openapi = partial(document, table)
    page, assets = panel()
    routes = [*(_route(one, service) for one in table), Route("/", page, methods=["GET", "HEAD"]), Mount("/panel", assets)]
    middleware = [Middleware(SecurityHeaders)]
    origins = checked_origins(allow_origins)
    if origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=("GET", "HEAD", "POST"),
                allow_headers=(
                    "Authorization",
                    "If-Match",
                    "If-Modified-Since",
                    "If-None-Match",
                    "If-Range",
                    "Last-Event-ID",
                    "Range",
                ),
                expose_headers=("Accept-Ranges", "Content-Range", "ETag", "Retry-After"),
            )
        )
    app = Starlette(routes=routes, middleware=middleware, exception_handlers={HTTPException: _http_problem})
    app.router.redirect_slashes = False  # by the Host that was asked for, and perhaps without TLS
    return Admin(app, service)


def _route(endpoint: Endpoint, service: Service) -> Route:
    return Route(endpoint.path, Guard(endpoint, service), methods=list(endpoint.methods), name=endpoint.name)


async def _http_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- as it is registered
    methods = " or ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
    detail = {404: "there's no such path; /openapi.json lists them", 405: f"this path is asked with {methods}"}
    return problem_response(ProblemError(error.status_code, detail.get(error.status_code, error.detail), headers=error.headers))
