"""Every route with what it takes: a route of the URL table that has no line here fails the test.

A rule says which permission shows that the thing exists (else 404) and which one the act takes (else 403); what a role
has is said by ``portal.projects.permissions`` alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests.matrix.world import ORDER, Who

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SIGN_IN, HIDDEN, REFUSED, ALLOWED = "sign in", "hidden", "refused", "allowed"
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Rule:
    """What one verb of a route takes, and a body that is right. ``hidden`` and ``refused`` are the statuses of a no."""

    verdict: Callable[[Who], str]
    body: Mapping[str, Any] = field(default_factory=dict)
    hidden: int = 404
    refused: int = 403


@dataclass(frozen=True)
class Route:
    """A path of the URL table with fixed words filled in, and a rule for each verb that it has."""

    rules: Mapping[str, Rule]
    words: Mapping[str, str] = field(default_factory=dict)


def anybody(who: Who) -> str:
    return ALLOWED


def away(who: Who) -> str:
    """Signing out leads everybody to the way in."""
    return SIGN_IN


def hidden(who: Who) -> str:
    return HIDDEN


def signed_in(who: Who) -> str:
    return ALLOWED if who.user else SIGN_IN


def needs(see: str, act: str = "", *, of_service: bool = False) -> Callable[[Who], str]:
    """Return the verdict for a thing that ``see`` shows and an act that takes ``act``."""

    def verdict(who: Who) -> str:
        if who.user is None:
            return SIGN_IN
        if not who.may(see) or (of_service and not who.sees_family):
            return HIDDEN
        return ALLOWED if not act or who.may(act) else REFUSED

    return verdict


def service(act: str = "", **body: Any) -> Rule:
    return Rule(needs("service.read", act, of_service=True), body)


def project(act: str = "", **body: Any) -> Rule:
    return Rule(needs("project.read", act), body)


def own_token(who: Who) -> str:
    """The token of the paths is the developer's."""
    if who.user is None:
        return SIGN_IN
    return ALLOWED if who.name == "developer" else HIDDEN


def weaker_token(who: Who) -> str:
    """A token that reads everywhere is made by those who write everywhere."""
    if who.user is None:
        return SIGN_IN
    return ALLOWED if who.scopes in ((), ("write",)) else REFUSED


def member_away(who: Who) -> str:
    """The member of the paths is the viewer, who may leave by themselves."""
    return ALLOWED if who.name == "viewer" else needs("project.read", "organization.members")(who)


def quoted(who: Who) -> str:
    return needs("service.read", of_service=True)(who)


PUBLIC, PERSON, LEAVE = Rule(anybody), Rule(signed_in), Rule(away)
READ = {"GET": service()}
ORDER_FORM = {**ORDER, "project": "acme-prod", "region": "local", "version": "2", "spec-greeting": "hello"}
ROLES = {"project_role": "viewer"}
RESTORE = {"backup": "{backup}", "target": {"name": "restored"}}


def dialog(act: str, **body: Any) -> dict[str, Rule]:
    """A page that asks and, when sent, acts; who may not act is not asked."""
    return {"GET": service(act), "POST": service(act, **body)}


def act(permission: str, **body: Any) -> dict[str, Rule]:
    return {"POST": service(permission, **body)}


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
    "sign-in": Route({"GET": PUBLIC, "POST": PUBLIC}),
    "sign-in/<token>": Route({"GET": PUBLIC, "POST": PUBLIC}, {"token": "spent"}),
    "sign-out": Route({"POST": LEAVE}),
    "account/tokens": Route({"GET": PERSON, "POST": Rule(signed_in, {"name": "made"})}),
    "account/tokens/<token>/revoke": Route({"POST": Rule(own_token)}),
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
    "audit": Route({"GET": PERSON}),
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
    "api/v1/organizations": Route({"GET": PERSON}),
    "api/v1/organizations/<organization>": Route({"GET": Rule(needs("organization.read"))}),
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
        {"GET": project(), "POST": project("project.members", email="member@acme.example", **ROLES)}
    ),
    "api/v1/projects/<project>/members/<member>": Route(
        {"PATCH": project("project.members", **ROLES), "DELETE": Rule(member_away)}
    ),
    "api/v1/audit": Route({"GET": PERSON}),
    "api/v1/regions": Route({"GET": PERSON}),
    "api/v1/regions/<region>": Route({"GET": PERSON}, {"region": "local"}),
    "api/v1/regions/<region>/ca": Route({"GET": PERSON}, {"region": "local"}),
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
