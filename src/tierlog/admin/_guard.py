"""
What stands before each endpoint: who asks, whether they may, whether now, and what for.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from tierlog.admin._audit import Reading
from tierlog.admin._endpoint import Asked, Endpoint
from tierlog.admin._parameters import TICKET, read_parameters
from tierlog.admin._problems import ProblemError, problem_response
from tierlog.admin._service import Service
from tierlog.admin._streaming import ClientGoneError, unless_gone
from tierlog.admin._tickets import redeemed
from tierlog.admin._tokens import Subject
from tierlog.errors import QueryError, TierlogError
from tierlog.report import report


__all__ = ["Guard"]

_ANYBODY = Subject("", frozenset(), ())
_MISSING = 'Bearer realm="tierlog"'
_NAMES = {
    "tiers": "tier", "kinds": "kind", "levels": "lvl", "project_id": "projectId", "build_id": "buildId",
    "user_id": "userId", "req_id": "reqId", "failure_stage": "failureStage", "before": "cursor",
}  # fmt: skip


class Guard:
    """
    An ASGI application that asks an endpoint.
    """

    def __init__(self, endpoint: Endpoint, service: Service) -> None:
        self._endpoint = endpoint
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer a request.
        """
        request = Request(scope, receive)
        reading = Reading(self._endpoint, request, self._service)

        async def counted(message: MutableMapping[str, Any]) -> None:
            reading.sent(message)
            await send(message)

        try:
            try:
                response = await self._answer(request, reading)
            except ProblemError as e:
                response = problem_response(e)
            except QueryError as e:
                name = _NAMES.get(e.parameter, e.parameter)
                response = problem_response(ProblemError(400, e.problem, parameter=name))
            except (ClientGoneError, ClientDisconnect):
                reading.is_left = True
                return
            except (TierlogError, OSError) as e:
                report("admin", f"{self._endpoint.name}: {type(e).__name__}: {e}")
                detail = "the logs, or the database of builds, can't be read at present; the server's log says why"
                response = problem_response(ProblemError(503, detail, headers={"Retry-After": "5"}))
            reading.response = response
            await response(scope, receive, counted)
        finally:
            reading.end()

    async def _answer(self, request: Request, reading: Reading) -> Any:
        endpoint, service = self._endpoint, self._service
        subject = _ANYBODY
        if endpoint.scope is not None:
            address = request.client.host if request.client else "unknown"
            await service.rates.check_address(address)
            try:
                subject = reading.subject = await self._subject(request)
            except ProblemError as e:
                if e.status == 401:  # noqa: PLR2004
                    await service.rates.check_failure(address)
                raise
            await service.rates.check_subject(subject.name)
            if not subject.may(endpoint.scope):
                headers = {"WWW-Authenticate": f'{_MISSING}, error="insufficient_scope", scope="{endpoint.scope}"'}
                raise ProblemError(403, f"the token doesn't allow {endpoint.scope}", headers=headers)
        values = read_parameters(endpoint.parameters, request.path_params, request.query_params.multi_items())
        reading.values = values
        answering = endpoint.run(Asked(service, request, subject, values))
        return await (answering if endpoint.body is not None else unless_gone(request.receive, answering))

    async def _subject(self, request: Request) -> Subject:
        given = request.headers.getlist("authorization")
        if not given and self._endpoint.has_ticket and TICKET in request.query_params:
            return redeemed(self._service, request)
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip():
            raise ProblemError(401, "give a token: 'Authorization: Bearer …'", headers={"WWW-Authenticate": _MISSING})
        return await self._service.verifier.subject(token.strip())
