"""
Errors as the API tells them: ``application/problem+json``, RFC 9457.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.responses import Response


__all__ = ["MEDIA_TYPE", "ProblemError", "problem_response"]

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """
    A request that isn't answered as it was meant to be.

    Attributes:
        status: The HTTP status.

        detail: What is wrong, and what would be right.

        parameter: The parameter that is wrong, None if none is.

        headers: What the answer says besides.
    """

    status: int
    detail: str
    parameter: str | None
    headers: Mapping[str, str]

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.headers = headers or {}


def problem_response(problem: ProblemError) -> Response:
    """
    Return *problem* as an answer.
    """
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.parameter is not None:
        body.update(detail=f"{problem.parameter}: {problem.detail}", parameter=problem.parameter)
    headers = {"Cache-Control": "no-store", **problem.headers}
    # Lines of a log begin with a brace; whoever reads lines can tell that this is none.
    return Response(b"\n" + orjson.dumps(body) + b"\n", problem.status, headers, MEDIA_TYPE)
