"""schemathesis over the whole OpenAPI document: no 5xx, and no status, header or shape that the document does not have.

Each call is undone, so that all of them meet the same rows. CI tries some for each operation, ``--full`` many.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks as shapes
from schemathesis.specs.openapi.schemas import OpenApiSchema

from portal.core.api.reference import openapi
from tests.fixtures import token_of
from tests.matrix import conftest as matrix
from tests.matrix.routes import API
from tests.matrix.world import World

pytestmark = pytest.mark.django_db
world, plain_frame = matrix.world, matrix.plain_frame
SEED = 20261125
CHECKS = [
    schemathesis.checks.not_a_server_error,
    shapes.status_code_conformance,
    shapes.content_type_conformance,
    shapes.response_headers_conformance,
    shapes.response_schema_conformance,
]
LABELS = [
    f"{verb.upper()} {path}"
    for path, methods in openapi()["paths"].items()
    for verb in methods
    if verb in ("get", "post", "put", "patch", "delete")
]


@pytest.fixture
def _django_db_helper(world: World) -> None:
    """Stand in for pytest-django's transaction per test: the world has one, and each call a savepoint."""


@pytest.fixture
def surroundings() -> None:
    """Stand in for the other API tests' frame: the world has its own."""


@pytest.fixture(scope="module")
def document(world: World) -> Iterator[OpenApiSchema]:
    """The document as it is served, with the toy in it."""
    openapi.cache_clear()
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # as Django's own client does: it would end the world's transaction
    yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", WSGIHandler())
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    openapi.cache_clear()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.full)])
def test_each_answer_is_one_that_the_document_has(
    world: World, document: OpenApiSchema, label: str, examples: int
) -> None:
    verb, _space, path = label.partition(" ")
    operation = document[path][verb]
    own, headers = _ids(world, path), _token(world)
    for ids, mode in ((own, GenerationMode.POSITIVE), (own, GenerationMode.NEGATIVE), ({}, GenerationMode.POSITIVE)):
        _ask(operation, ids, mode, headers, examples)


def _ask(
    operation: APIOperation, ids: dict[str, str], mode: GenerationMode, headers: dict[str, str], examples: int
) -> None:
    """Call the operation with generated parameters and bodies; ``ids`` fixes those of the path."""

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        case.path_parameters.update(ids)
        if str(case.query.get("wait", "")).isdigit():
            case.query["wait"] = "0"  # or the answer is held until something happens
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    ask()


def _ids(world: World, path: str) -> dict[str, str]:
    """Return what really stands behind each parameter of a path."""
    words = API[path.replace("{", "<").replace("}", ">").lstrip("/")].words
    names: dict[str, Any] = {**world.own(), **words}
    return {**names, "child": names.get(words.get("child", ""), "")}


def _token(world: World) -> dict[str, str]:
    user = world.whos["owner"].user
    assert user is not None
    plain = {"Accept-Encoding": "identity"}  # a call inside this process is not unpacked as one over a wire is
    return {"Authorization": f"Bearer {token_of(user)[1]}", **plain}
