"""
The OpenAPI document, made of the same table as the routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tierlog._version import __version__
from tierlog.admin._endpoint import Endpoint
from tierlog.admin._parameters import TICKET, Parameter
from tierlog.admin._problems import MEDIA_TYPE


__all__ = ["document"]

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "parameter": {"type": "string", "description": "The parameter that is wrong."},
    },
}
_TICKET = Parameter(TICKET, "A ticket, where no Authorization header can be sent.", {"type": "string", "minLength": 1})
_TEXTS = {
    200: "What is asked for.",
    201: "It was made.",
    206: "A part of it.",
    304: "It is as it was.",
    400: "A parameter is wrong.",
    401: "There's no valid token.",
    403: "The token doesn't allow it.",
    404: "There's no such thing.",
    405: "It isn't asked that way.",
    412: "It isn't that any more.",
    413: "The body is too large.",
    416: "There's no such range.",
    429: "There were too many requests.",
    503: "It isn't possible at present.",
}
_OPEN, _GUARDED = (400, 404, 405, 503), (400, 401, 403, 404, 405, 429, 503)


def document(table: Sequence[Endpoint], server: str) -> bytes:
    """
    Return the document.

    Args:
        table: The endpoints.

        server: The path that the application is mounted at.
    """
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        for method in endpoint.methods:
            paths.setdefault(endpoint.path, {})[method.lower()] = _operation(endpoint, method)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "tierlog", "version": __version__},
            "servers": [{"url": server or "/"}],
            "paths": paths,
            "components": {
                "schemas": {"Problem": _PROBLEM},
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
        }
    )


def _operation(endpoint: Endpoint, method: str) -> dict[str, Any]:
    given = [*endpoint.parameters, *endpoint.headers, *([_TICKET] if endpoint.has_ticket else [])]
    operation: dict[str, Any] = {
        "operationId": endpoint.name if method == endpoint.methods[0] else f"{endpoint.name}{method.capitalize()}",
        "summary": endpoint.summary,
        "parameters": [_parameter(one) for one in given],
        "responses": _responses(endpoint),
    }
    if endpoint.scope is not None:
        operation["security"] = [{"bearer": []}, {}] if endpoint.has_ticket else [{"bearer": []}]
        operation["description"] = f"Needs the scope {endpoint.scope}."
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    return operation


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    responses = {str(status): _response(status, content) for status, content in endpoint.answers.items()}
    problem = {MEDIA_TYPE: {"$ref": "#/components/schemas/Problem"}}
    for status in _OPEN if endpoint.scope is None else _GUARDED:
        responses.setdefault(str(status), _response(status, problem))
    for status in (412, 416) if "206" in responses else (413,) if endpoint.body is not None else ():
        responses[str(status)] = _response(status, problem)
    return dict(sorted(responses.items()))


def _response(status: int, content: Mapping[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": _TEXTS[status]}
    if content:
        response["content"] = {media_type: {"schema": schema} if schema else {} for media_type, schema in content.items()}
    return response


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.text,
        "required": parameter.place == "path",
        "schema": parameter.schema,
    }
    if parameter.schema["type"] == "array":
        found |= {"style": "form", "explode": True}
    return found
