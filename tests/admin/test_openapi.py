"""
The OpenAPI document, and that the API is what it says.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from admin.inside import ask
from admin.serving import SECRET
from tierlog.admin import create_app


CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
)
SETTINGS = hypothesis.settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


@pytest.fixture(scope="module")
def document(served):
    """
    The document that the server gives.
    """
    return served.get("openapi.json", token="").json()


@pytest.mark.parametrize("with_token", [pytest.param(True, id="with-token"), pytest.param(False, id="without")])
def test_conforms(served, document, with_token):
    """
    Whatever is asked, nothing fails, and nothing is answered that isn't in the document.
    """
    schema = schemathesis.openapi.from_dict(document)
    headers = {"Authorization": f"Bearer {served.token}"} if with_token else {}
    answers = []

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.endswith("/stream"):
            continue  # it has no end

        @hypothesis.settings(SETTINGS, max_examples=6 if with_token else 2)  # without, nothing of it is looked at
        @hypothesis.given(case=operation.as_strategy())
        def asked(case):
            answer = case.call(base_url=served.url.rstrip("/"), headers=headers, timeout=20)
            answers.append(answer.status_code)
            case.validate_response(answer, checks=CHECKS if with_token else CHECKS[:5], headers=headers)

        asked()

    assert (200 in answers) or not with_token
    assert {401} <= set(answers) or with_token


def test_lists_all(document):
    """
    All paths are in the document, each parameter with what it is for.
    """
    parameters = [one for path in document["paths"].values() for operation in path.values() for one in operation["parameters"]]

    assert {"/v1/admin/logs/search", "/v1/admin/logs/stream", "/v1/admin/builds", "/healthz", "/metrics"} <= set(
        document["paths"]
    )
    assert all(one["description"] and one["schema"] for one in parameters)


def test_names_where_it_is_mounted(tmp_path):
    """
    Below a prefix, the document says so.
    """
    app = create_app(tmp_path, jwt_secret=SECRET)

    assert ask(app, "/logs/openapi.json", root_path="/logs").json()["servers"] == [{"url": "/logs"}]


def test_documented(document):
    """
    The reference names every path and every parameter.
    """
    page = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text("utf-8")
    parameters = [one for path in document["paths"].values() for operation in path.values() for one in operation["parameters"]]

    assert [path for path in document["paths"] if f"`{path}`" not in page] == []
    assert [one["name"] for one in parameters if f"`{one['name']}`" not in page and one["name"] != "ticket"] == []
