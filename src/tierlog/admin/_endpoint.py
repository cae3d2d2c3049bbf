"""
What an endpoint is, and what it is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tierlog.admin._parameters import Parameter
from tierlog.admin._service import Service
from tierlog.admin._tokens import Subject


__all__ = ["PREFIX", "Asked", "Endpoint"]

PREFIX = "/v1/admin"
"""What the paths of the API begin with."""


class Asked(NamedTuple):
    """
    A request, as far as it was checked.

    Attributes:
        service: What answers need.

        request: The request.

        subject: Who asks; nobody in particular where anybody may.

        values: The parameters that were given, by their names.
    """

    service: Service
    request: Request
    subject: Subject
    values: Mapping[str, Any]


class Endpoint(NamedTuple):
    """
    A path, what it takes, and what it answers.

    Attributes:
        path: Its path, with parameters in braces.

        name: What the OpenAPI document calls it.

        summary: What it gives, in one line.

        run: Returns the answer.

        scope: What a token must allow; None if anybody may ask.

        parameters: What may be given.

        answers: What is answered, by status: media types, each with its schema.

        headers: Parameters in headers, for the document only.

        methods: The methods.

        body: The schema of the request's body; None if it has none.

        has_ticket: Whether a ticket may stand in a token's place.

        is_noted: Whether what is read is an event.
    """

    path: str
    name: str
    summary: str
    run: Callable[[Asked], Awaitable[Response]]
    scope: str | None
    parameters: Sequence[Parameter] = ()
    answers: Mapping[int, Mapping[str, Any]] = {}
    headers: Sequence[Parameter] = ()
    methods: Sequence[str] = ("GET",)
    body: Mapping[str, Any] | None = None
    has_ticket: bool = False
    is_noted: bool = True
