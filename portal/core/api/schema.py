"""The OpenAPI document: how views say what they take and answer, and what is added to every operation.

Views carry ``described(...)``. Answers are TypedDicts, which pydantic turns into components; bodies are serializers.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import TypeAdapter

from portal.core import registry
from portal.core.api import problems
from portal.core.api.problem_schema import PROBLEM
from portal.core.api.serializers import Strict
from portal.core.counting import MOST
from portal.core.specs import Spec, visible_fields

View = TypeVar("View", bound=Callable[..., Any])
COUNT = f"How many there are on all pages; null where there are more than {MOST}."
REF = "#/components/schemas/{model}"
UNSAFE = ("post", "put", "patch", "delete")
_answers: dict[str, Any] = {}


class AutoSchema(SpectacularAutoSchema):
    """Describes a view; what all operations share is added by ``postprocess``."""

    def get_tags(self) -> list[str]:
        """Group operations by the first word of their path."""
        return [self.path.removeprefix("/api/v1/").partition("/")[0]]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Say of closed bodies that they are closed."""
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        return {**schema, "additionalProperties": False} if isinstance(serializer, Strict) else schema


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a token is sent."""

    target_class = "portal.accounts.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme's definition."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "arc_…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The console's own session, for its pages."""

    target_class = "portal.accounts.api.authentication.SameSiteSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme's definition."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class SpecTableField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Names the schemas of all offerings where a body takes the settings of a service."""

    target_class = "portal.core.api.serializers.SpecTable"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return a choice of the offerings' schemas."""
        refs = [{"$ref": REF.format(model=spec_component(slug))} for slug in registry.offerings()]
        return {"anyOf": refs} if refs else {"type": "object"}


def described(
    method: str,
    operation_id: str,
    summary: str,
    *,
    answer: Any = None,
    status: int = 200,
    also: Mapping[Any, Any] | None = None,
    body: type[Strict] | None = None,
    parameters: Iterable[OpenApiParameter] = (),
    paged: bool = False,
    many: bool = False,
    media: str | tuple[str, ...] = "application/json",
    refusals: Iterable[int] = (),
) -> Callable[[View], View]:
    """Describe one method of a view; goes above ``@api_view``. ``answer`` is a TypedDict or a schema.

    ``also`` maps further statuses to their answers; ``many`` wraps the answer in a page, ``paged`` adds its parameters.
    ``refusals`` are the statuses of problems that other operations don't have.
    """
    kinds = (media,) if isinstance(media, str) else media
    responses: dict[Any, Any] = {(status, kind): component(answer, paged=paged or many) for kind in kinds}
    responses |= {(code, kinds[0]): component(other) for code, other in (also or {}).items()}
    responses |= {(code, problems.CONTENT_TYPE): _refusal(code) for code in refusals}
    extra = [*PAGE_PARAMETERS] if paged else []
    decorate: Callable[[View], View] = extend_schema(
        methods=[method],
        operation_id=operation_id,
        summary=summary,
        request=body,
        responses=responses,
        parameters=[*parameters, *extra],
    )
    return decorate


def _refusal(status: int) -> OpenApiResponse:
    return OpenApiResponse({"$ref": REF.format(model="Problem")}, description=PROBLEM_WORDS[str(status)])


def component(answer: Any, *, paged: bool = False) -> Any:
    """Return what refers to an answer in the document; a schema stands for itself, None for no body."""
    if answer is None or isinstance(answer, dict):
        return answer or OpenApiResponse(description="Nothing to say.")
    _answers[answer.__name__] = answer
    ref = {"$ref": REF.format(model=answer.__name__)}
    return page_schema(ref) if paged else ref


def page_schema(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a page of items."""
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": dict(item)},
            "next_cursor": {"type": ["string", "null"]},
            "total_count": {"type": ["integer", "null"], "minimum": 0, "description": COUNT},
        },
        "required": ["items", "next_cursor", "total_count"],
        "additionalProperties": False,
    }


def query(name: str, help_: str, schema: dict[str, Any] | None = None) -> OpenApiParameter:
    """Return an optional query parameter."""
    return OpenApiParameter(name, schema or {"type": "string"}, OpenApiParameter.QUERY, description=help_)


def header(name: str, help_: str, schema: dict[str, Any] | None = None) -> OpenApiParameter:
    """Return an optional request header."""
    return OpenApiParameter(name, schema or {"type": "string"}, OpenApiParameter.HEADER, description=help_)


PAGE_PARAMETERS = (
    query("limit", "Items on a page.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    query(
        "cursor",
        "Where to go on: `next_cursor` of the page before.",
        {"type": "string", "pattern": "^[A-Za-z0-9_:-]{1,600}$"},
    ),
)
BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "Any text of your own; the same key and body gets the first answer again for a day, and acts once.",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,128}$"},
)
IF_MATCH = header("If-Match", "The `etag` that you have read; 412 where the service has changed since.")


def postprocess(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add what all operations share: the answers' components, problems, security where there is none, headers."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    for name, answer in _answers.items():
        _add_component(schemas, name, TypeAdapter(answer).json_schema(ref_template=REF, mode="serialization"))
    for slug, offering in registry.offerings().items():
        _add_component(schemas, spec_component(slug), spec_schema(offering.spec, ref_template=REF))
    for path, methods in result.get("paths", {}).items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return result


def spec_schema(spec: type[Spec], *, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return a spec's JSON Schema as customers may write it: without what only the platform sets."""
    schema = spec.model_json_schema(ref_template=ref_template)
    shown = visible_fields(spec)
    properties = schema.get("properties", {})
    schema["properties"] = {name: properties[name] for name in shown if name in properties}
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name in shown]
    return schema


def spec_component(slug: str) -> str:
    """Return the name of the component that holds an offering's settings: ``PostgresqlSpec``."""
    return "".join(part.capitalize() for part in re.split(r"[-_]", slug)) + "Spec"


def _add_component(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    for inner, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(inner, definition)
    schemas[name] = schema


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    operation.setdefault("security", [])
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "string", "minLength": 1, **PATH_SCHEMAS.get(parameter["name"], {})}
    responses = operation["responses"]
    for status in _problem_statuses(path, method, operation):
        responses.setdefault(status, _problem_response(status))
    for status, response in responses.items():
        if status == "202":
            response["headers"] = {"Location": _text_header("The operation."), "Retry-After": _text_header("Seconds.")}


def _problem_statuses(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    statuses = ["400", "404", "405", "406", "422", "429", "500", "503"]
    if operation["security"]:
        statuses += ["401", "403"]
    if method in UNSAFE:
        statuses += ["409", "411", "413", "415"]
    if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", [])):
        statuses.append("412")
    return statuses


def _problem_response(status: str) -> dict[str, Any]:
    return {
        "description": PROBLEM_WORDS[status],
        "content": {problems.CONTENT_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}},
    }


def _text_header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


_ID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_SLUG = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
PATH_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "service": {"pattern": f"^svc_{_ID}$"},
    "operation": {"pattern": f"^op_{_ID}$"},
    "account": {"pattern": f"^sa_{_ID}$"},
    "machine_token": {"pattern": f"^tok_{_ID}$"},
    "quota_request": {"pattern": f"^qreq_{_ID}$"},
    "organization_request": {"pattern": f"^qreq_{_ID}$"},
    "credential": {"pattern": f"^cred_{_ID}$"},
    "child": {"pattern": f"^[a-z]+_{_ID}$"},
    "project": {"pattern": f"^(proj_{_ID}|{_SLUG})$"},
    "organization": {"pattern": f"^(org_{_ID}|{_SLUG})$"},
    "region": {"pattern": f"^{_SLUG}$"},
    "event": {"pattern": f"^aud_{_ID}$"},
    "offering": {"pattern": f"^{_SLUG}$"},
}
PROBLEM_WORDS: Mapping[str, str] = {
    "400": "The request can't be read.",
    "401": "No token, or one that is unknown, expired or revoked.",
    "403": "Your role, quota or budget does not allow it, or a session has to confirm first who it is.",
    "404": "There is nothing here, or nothing that you may see.",
    "405": "Not with this method.",
    "406": "No answer in a form that the request accepts.",
    "409": "Something is in the way: another operation, protection, a taken name.",
    "410": "This is over: what was named here does not work any more, and won't again.",
    "411": "The body's length is missing.",
    "412": "The service has changed since you read it.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "422": "A field or parameter needs another look; `errors` says which.",
    "429": "Too many requests; `Retry-After` says when to go on.",
    "500": "A mistake on our side.",
    "503": "Can't be done at the moment; `Retry-After` says when to try again.",
}
