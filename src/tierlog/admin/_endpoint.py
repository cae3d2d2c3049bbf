"""
What an endpoint is, and what it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from tierlog.admin._parameters import Parameter
from tierlog.admin._problems import ProblemError
from tierlog.admin._service import Service
from tierlog.admin._tokens import Subject


__all__ = ["PREFIX", "Asked", "Endpoint", "path_of"]

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

    def cursor(self, purpose: str, bound_to: str) -> str | None:
        """
        Return what was signed where the last answer ended; None if this is the first.

        Raises:
            ProblemError: It was signed for something else, or not at all.
        """
        if "cursor" not in self.values:
            return None
        found = self.service.signer.verify(purpose, self.values["cursor"], bound_to)
        if found is None:
            raise ProblemError(400, "isn't one that this question was answered with", parameter="cursor")
        return found


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
    run: Callable[[Asked], Coroutine[Any, Any, Response]]
    scope: str | None
    parameters: Sequence[Parameter] = ()
    answers: Mapping[int, Mapping[str, Any]] = {}
    headers: Sequence[Parameter] = ()
    methods: Sequence[str] = ("GET",)
    body: Mapping[str, Any] | None = None
    has_ticket: bool = False
    is_noted: bool = True


def path_of(request: Request) -> str:
    """
    Return the path that is asked for, below where the application is mounted.
    """
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))
