"""Every route with what it takes: one of the URL table that no line here or in a table beside names fails the test."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests.matrix import audit_routes, machine_routes, organization_routes, told_routes
from tests.matrix.account_routes import ACCOUNT, FOUNDING, POLICY
from tests.matrix.rules import (
    ALLOWED,
    HIDDEN,
    ORDER_FORM,
    PERSON,
    PUBLIC,
    READ,
    REFUSED,
    RESTORE,
    ROLES,
    SIGN_IN,
    VERBS,
    Route,
    Rule,
    act,
    anybody,
    away,
    dialog,
    hidden,
    member_away,
    needs,
    own_token,
    project,
    quoted,
    role_away,
    service,
    signed_in,
    weaker_token,
)
from tests.matrix.world import ORDER

__all__ = [
    "ALLOWED", "API", "CONSOLE", "HIDDEN", "PUBLIC", "REFUSED", "SIGN_IN", "VERBS", "Route", "Rule", "anybody", "away",
]  # fmt: skip
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
USERS, BACKUPS = {"kind": "users", "child": "login"}, {"kind": "backups", "child": "backup"}
S, A = "services/<service_id>", "api/v1/services/<service>"
CONSOLE: dict[str, Route] = {
    "healthz": Route({"GET": PUBLIC}),
    "readyz": Route({"GET": PUBLIC}),
    "metrics": Route({"GET": PUBLIC}),
    "": Route({"GET": PUBLIC}),
    "search": Route({"GET": PERSON}),
    "styleguide/": Route({"GET": PUBLIC}),
    "pricing": Route({"GET": PUBLIC}),
    "catalog": Route({"GET": PUBLIC}),
    **ACCOUNT,
    **machine_routes.CONSOLE,
    **told_routes.CONSOLE,
    **organization_routes.CONSOLE,
    "projects/new": Route(
        {
            "GET": PERSON,
            "POST": Rule(
                needs("organization.read", "project.create"),
                {"organization": "acme", "name": "New", "slug": "new-one"},
                422,
                422,
            ),
        }
    ),
    "projects/<project>": Route({"GET": project(), "POST": project()}),
    "projects/<project>/members": Route(
        {"GET": project(), "POST": project("project.members", email="member@acme.example", organization_role="member")}
    ),
    "projects/<project>/members/<member>": Route({"POST": project("project.members", **ROLES)}),
    "projects/<project>/members/<member>/remove": Route({"POST": Rule(member_away)}),
    **audit_routes.CONSOLE,
    "catalog/<slug>": Route(
        {"GET": PERSON, "POST": Rule(needs("project.read", "service.create"), ORDER_FORM, 422, 422)}, {"slug": "toy"}
    ),
    "catalog/<slug>/quote": Route({"POST": Rule(signed_in, ORDER_FORM)}, {"slug": "toy"}),
    "catalog/<slug>/name": Route({"GET": PERSON}, {"slug": "toy"}),
    "services": Route({"GET": PERSON}),
    "operations/<operation_id>": Route(READ),
    "operations/<operation_id>/cancel": Route(dialog("service.operate")),
    S: Route(READ),
    f"{S}/header": Route(READ),
    f"{S}/connect": Route(READ),
    f"{S}/ca.pem": Route(READ),
    f"{S}/connect/<credential_id>/reveal": Route(act("service.secrets")),
    f"{S}/connect/<credential_id>/rotate": Route(dialog("service.secrets")),
    f"{S}/connect/<credential_id>/complete": Route(dialog("service.secrets")),
    f"{S}/metrics": Route(READ),
    f"{S}/logs": Route(READ),
    f"{S}/logs.txt": Route(READ),
    f"{S}/activity": Route(READ),
    f"{S}/settings": Route({"GET": service("service.operate")}),
    f"{S}/settings/<part>": Route(act("service.operate", name="renamed", description="x"), {"part": "about"}),
    f"{S}/resize": Route(dialog("service.spend", plan="standard-4")),
    f"{S}/delete": Route(dialog("service.delete", confirm="box", deletion_policy="bin")),
    f"{S}/undelete": Route(dialog("service.create", name="back")),
    f"{S}/do/<verb>": Route(dialog("service.operate"), {"verb": "restart"}),
    f"{S}/<kind>": Route(READ, {"kind": "users"}),
    f"{S}/<kind>/new": Route(dialog("service.operate", name="new", **{"spec-access": "read"}), {"kind": "users"}),
    f"{S}/<kind>/many": Route(dialog("service.operate", rows="name,place\nnew,here"), {"kind": "devices"}),
    f"{S}/<kind>/<child_id>": Route(READ, USERS),
    f"{S}/<kind>/<child_id>/edit": Route(dialog("service.operate", **{"spec-access": "read"}), USERS),
    f"{S}/<kind>/<child_id>/delete": Route(dialog("service.operate"), BACKUPS),
    f"{S}/<kind>/<child_id>/restore": Route(dialog("service.spend", name="restored", plan="dev-2"), BACKUPS),
    f"{S}/<kind>/<child_id>/download": Route({"GET": service("service.secrets")}, BACKUPS),
    f"{S}/<kind>/<child_id>/link": Route(dialog("service.secrets"), BACKUPS),
    "download/<token>": Route({"GET": Rule(hidden, hidden=404)}, {"token": "made-up"}),
    f"{S}/<kind>/<child_id>/<verb>": Route(dialog("service.operate"), {**BACKUPS, "verb": "retry"}),
}
API: dict[str, Route] = {
    **machine_routes.API,
    **told_routes.API,
    **organization_routes.API,
    "api/": Route({"GET": PUBLIC}),
    "api/reference.js": Route({"GET": PUBLIC}),
    "api/v1/openapi.json": Route({"GET": PUBLIC}),
    "api/v1/catalog/offerings": Route({"GET": PUBLIC}),
    "api/v1/catalog/offerings/<offering>": Route({"GET": PUBLIC}, {"offering": "toy"}),
    "api/v1/catalog/offerings/<offering>/plans": Route({"GET": PUBLIC}, {"offering": "toy"}),
    "api/v1/catalog/prices": Route({"GET": PUBLIC}),
    "api/v1/tokens": Route({"GET": PERSON, "POST": Rule(weaker_token, {"name": "made", "scopes": ["read"]})}),
    "api/v1/tokens/<token>": Route({"DELETE": Rule(own_token)}),
    "api/v1/me": Route({"GET": PERSON}),
    "api/v1/organizations": Route({"GET": PERSON, "POST": FOUNDING}),
    "api/v1/organizations/<organization>/policy": Route(POLICY),
    "api/v1/projects": Route(
        {
            "GET": PERSON,
            "POST": Rule(
                needs("organization.read", "project.create"), {"name": "New", "organization": "{organization}"}
            ),
        }
    ),
    "api/v1/projects/<project>": Route({"GET": project()}),
    "api/v1/projects/<project>/members": Route(
        {"GET": project(), "POST": project("project.members", email="member@acme.example", project_role="viewer")}
    ),
    "api/v1/projects/<project>/members/<member>": Route(
        {"PATCH": project("project.members", **ROLES), "DELETE": Rule(role_away)}
    ),
    **audit_routes.API,
    "api/v1/projects/<project>/services": Route({"GET": project(), "POST": project("service.create", **ORDER)}),
    "api/v1/services": Route({"GET": PERSON}),
    A: Route({**READ, "PATCH": service("service.operate", description="x"), "DELETE": service("service.delete")}),
    f"{A}/resize": Route(act("service.spend", plan="standard-4")),
    f"{A}/stop": Route(act("service.operate")),
    f"{A}/start": Route(act("service.operate")),
    f"{A}/restart": Route(act("service.operate")),
    f"{A}/upgrade": Route(act("service.operate", version="2.1")),
    f"{A}/restore": Route(act("service.spend", **RESTORE)),
    f"{A}/fork": Route(act("service.spend", name="copy")),
    f"{A}/undelete": Route(act("service.create")),
    **{f"{A}/{word}": Route(READ) for word in ("endpoints", "logs", "metrics", "events", "operations", "credentials")},
    f"{A}/credentials/<credential>": Route(READ),
    f"{A}/credentials/<credential>/reveal": Route(act("service.secrets")),
    f"{A}/credentials/<credential>/rotate": Route(act("service.secrets")),
    f"{A}/credentials/<credential>/complete": Route(act("service.secrets")),
    f"{A}/<kind>": Route({**READ, "POST": service("service.operate", name="new", spec={})}, {"kind": "users"}),
    f"{A}/<kind>/batch": Route(act("service.operate", put=[{"name": "new", "spec": {}}]), {"kind": "devices"}),
    f"{A}/<kind>/<child>": Route(
        {
            **READ,
            "PATCH": service("service.operate", spec={"access": "read"}),
            "DELETE": service("service.operate"),
        },
        USERS,
    ),
    f"{A}/<kind>/<child>/cancel": Route(act("service.operate"), BACKUPS),
    f"{A}/<kind>/<child>/retry": Route(act("service.operate"), BACKUPS),
    f"{A}/<kind>/<child>/link": Route(act("service.secrets"), BACKUPS),
    f"{A}/<kind>/<child>/download": Route({"GET": service("service.secrets")}, BACKUPS),
    "api/v1/operations/<operation>": Route(READ),
    "api/v1/operations/<operation>/cancel": Route(act("service.operate")),
    "api/v1/quotes": Route(
        {"POST": Rule(quoted, {"service": "{service}", "change": {"plan": "standard-4"}}, hidden=422)}
    ),
}


def undeclared() -> set[str]:
    """Return the paths that the URL table and this one do not have in common; the admin site's are read, not told."""
    return {path for path in in_url_table() if not path.startswith("admin/")} ^ (CONSOLE.keys() | API.keys())


def in_url_table() -> Iterator[str]:
    """Return every path of the URL table, converters by their names alone."""
    yield from _walk(get_resolver().url_patterns, "")


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield _CONVERTER.sub(r"<\1>", path)


def filled(path: str, route: Route, names: Mapping[str, str]) -> str:
    """Return the address of a path with these ids in it."""
    words = dict(route.words)
    values = {**names, **words, "child": names.get(words.get("child", ""), "")}
    return "/" + _CONVERTER.sub(lambda match: values[match[1].removesuffix("_id")], path)


def body_of(rule: Rule, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a rule's body with these ids in it, in nested tables too."""
    return {key: _with_ids(value, names) for key, value in rule.body.items()}


def _with_ids(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_ids(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_ids(inner, names) for inner in value]
    return value.format(**names) if isinstance(value, str) and value.startswith("{") else value
