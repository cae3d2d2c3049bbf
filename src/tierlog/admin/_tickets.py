"""
Tickets: what stands in a token's place where a browser can't send one.

A ticket is good for one path and one query, for whom it was made, and for a minute.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tierlog.admin._endpoint import PREFIX, Asked, path_of
from tierlog.admin._parameters import TICKET
from tierlog.admin._problems import ProblemError
from tierlog.admin._service import Service
from tierlog.admin._tokens import Subject


__all__ = ["LIFETIME", "create", "redeemed"]

LIFETIME = 60
"""For how many **seconds** a ticket is good."""

_PURPOSE = "ticket"
_MOST_BYTES = 16_384
_LOGS = f"{PREFIX}/logs/"


async def create(asked: Asked) -> Response:
    """
    Return a ticket for a path and a query.
    """
    body = bytearray()
    async for chunk in asked.request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ProblemError(413, f"the body has more than {_MOST_BYTES} bytes")
    path, query = _wanted(bytes(body))
    subject = asked.subject
    claims = [int(asked.service.now()) + LIFETIME, subject.name, sorted(subject.scopes), subject.projects, subject.expires]
    text = urlsafe_b64encode(orjson.dumps(claims)).decode()
    ticket = asked.service.signer.sign(_PURPOSE, text, f"{path}?{query}")
    return Response(
        orjson.dumps({"ticket": ticket, "expiresIn": LIFETIME}), 201, {"Cache-Control": "no-store"}, "application/json"
    )


def redeemed(service: Service, request: Request) -> Subject:
    """
    Return whom the ticket in a request's query names.

    Raises:
        ProblemError: It isn't good for this.
    """
    query = [(name, value) for name, value in request.query_params.multi_items() if name != TICKET]
    given = request.query_params.getlist(TICKET)
    bound_to = f"{path_of(request)}?{_canonical(query)}"
    body = service.signer.verify(_PURPOSE, given[0], bound_to) if len(given) == 1 else None
    if body is None:
        raise _refused("the ticket isn't one for this path and query")
    expires, name, scopes, projects, token_expires = orjson.loads(urlsafe_b64decode(body))
    if expires < service.now():
        raise _refused("the ticket has expired; get another one")
    return Subject(name, frozenset(scopes), None if projects is None else tuple(projects), token_expires)


def _wanted(body: bytes) -> tuple[str, str]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ProblemError(400, "the body isn't JSON") from None
    if type(given) is not dict or not given.keys() <= {"path", "query"}:
        raise ProblemError(400, 'the body isn\'t {"path": …, "query": …}')
    path, query = given.get("path"), given.get("query", "")
    if type(path) is not str or not path.startswith(_LOGS) or len(path) > _MOST_BYTES:
        raise ProblemError(400, f"isn't a path below {_LOGS}", parameter="path")
    if type(query) is not str or not (path + query).isprintable():
        raise ProblemError(400, "isn't a query such as 'tier=build&lvl=error'", parameter="query")
    return path, _canonical(parse_qsl(query.removeprefix("?"), keep_blank_values=True))


def _canonical(query: list[tuple[str, Any]]) -> str:
    return urlencode(sorted(query))


def _refused(problem: str) -> ProblemError:
    headers = {"WWW-Authenticate": 'Bearer realm="tierlog", error="invalid_token"'}
    return ProblemError(401, problem, parameter=TICKET, headers=headers)
