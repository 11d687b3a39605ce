"""Whatever a page can do, the API can do: every console address and every form has its twin in the OpenAPI document."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.core import registry
from portal.core.api.reference import openapi
from portal.projects.models import Project
from tests.contracts import rows

pytestmark = pytest.mark.django_db
ORGANIZATION = "/api/v1/organizations/{organization}"
PROJECT = "/api/v1/projects/{project}"
MACHINE, WEBHOOK = f"{ORGANIZATION}/service-accounts/{{account}}", f"{ORGANIZATION}/webhooks/{{webhook}}"
SERVICE, CHILD = "/api/v1/services/{service}", "/api/v1/services/{service}/{kind}/{child}"

# Console address -> the API's calls that do or show the same.
TWINS: dict[str, tuple[str, ...]] = {
    "catalog:catalog": ("GET /api/v1/catalog/offerings",),
    "catalog:order": ("POST /api/v1/projects/{project}/services", "GET /api/v1/catalog/offerings/{offering}"),
    "catalog:quote": ("POST /api/v1/quotes",),
    "catalog:check-name": ("GET /api/v1/projects/{project}/services",),
    "billing:pricing": ("GET /api/v1/catalog/prices",),
    "console:home": ("GET /api/v1/services",),
    "console:search": ("GET /api/v1/services", "GET /api/v1/catalog/offerings"),
    "region_list": ("GET /api/v1/regions",),
    "region_detail": ("GET /api/v1/regions/{region}",),
    "announcement_list": ("GET /api/v1/announcements",),
    "notification_list": ("GET /api/v1/notifications",),
    "notification_open": ("POST /api/v1/notifications/read",),
    "notification_read_all": ("POST /api/v1/notifications/read",),
    "notification_preferences": (
        "GET /api/v1/notifications/preferences",
        "PUT /api/v1/notifications/preferences",
    ),
    "account_privacy": ("GET /api/v1/me/data",),
    "account_data": ("GET /api/v1/me/data",),
    "token_list": ("GET /api/v1/tokens", "POST /api/v1/tokens"),
    "token_revoke": ("DELETE /api/v1/tokens/{token}",),
    "project_create": ("POST /api/v1/projects",),
    "project_detail": ("GET /api/v1/projects/{project}",),
    "project_members": ("GET /api/v1/projects/{project}/members", "POST /api/v1/projects/{project}/members"),
    "member_change": (
        "PATCH /api/v1/projects/{project}/members/{user}",
        "DELETE /api/v1/projects/{project}/members/{user}",
    ),
    "member_remove": (f"DELETE {ORGANIZATION}/members/{{member}}",),
    "project_quotas": (f"GET {PROJECT}/quotas", f"GET {PROJECT}/quota-requests", f"POST {PROJECT}/quota-requests"),
    "project_quota_withdraw": (f"POST {PROJECT}/quota-requests/{{quota_request}}/withdraw",),
    "audit_list": ("GET /api/v1/audit",),
    "audit_event": ("GET /api/v1/audit/{event}",),
    "audit_export": ("GET /api/v1/audit/export",),
    "audit_head": ("GET /api/v1/audit/head",),
    "welcome": ("POST /api/v1/organizations",),
    "organization_list": ("GET /api/v1/organizations",),
    "organization_detail": (f"GET {ORGANIZATION}", "GET /api/v1/projects"),
    "organization_security": (f"GET {ORGANIZATION}/policy", f"PATCH {ORGANIZATION}/policy"),
    "organization_quotas": (
        f"GET {ORGANIZATION}/quotas",
        f"GET {ORGANIZATION}/quota-requests",
        f"POST {ORGANIZATION}/quota-requests",
    ),
    "organization_quota_withdraw": (f"POST {ORGANIZATION}/quota-requests/{{organization_request}}/withdraw",),
    "machine_list": (f"GET {ORGANIZATION}/service-accounts", f"POST {ORGANIZATION}/service-accounts"),
    "machine_detail": (f"GET {MACHINE}", f"GET {MACHINE}/tokens", f"POST {MACHINE}/tokens"),
    "machine_change": (f"PATCH {MACHINE}",),
    "machine_active": (f"PATCH {MACHINE}",),
    "machine_delete": (f"DELETE {MACHINE}",),
    "machine_token_revoke": (f"DELETE {MACHINE}/tokens/{{machine_token}}",),
    "webhook_list": (f"GET {ORGANIZATION}/webhooks",),
    "webhook_create": (f"POST {ORGANIZATION}/webhooks",),
    "webhook_detail": (f"GET {WEBHOOK}", f"GET {WEBHOOK}/deliveries"),
    "webhook_edit": (f"PATCH {WEBHOOK}",),
    "webhook_rotate": (f"POST {WEBHOOK}/rotate",),
    "webhook_test": (f"POST {WEBHOOK}/test",),
    "webhook_delete": (f"DELETE {WEBHOOK}",),
    "webhook_delivery": (f"GET {WEBHOOK}/deliveries/{{delivery}}",),
    "webhook_replay": (f"POST {WEBHOOK}/deliveries/{{delivery}}/replay",),
    "organization_members": (f"GET {ORGANIZATION}/members",),
    "organization_member": (f"GET {ORGANIZATION}/members/{{member}}", f"PATCH {ORGANIZATION}/members/{{member}}"),
    "organization_member_remove": (f"DELETE {ORGANIZATION}/members/{{member}}",),
    "organization_invitations": (f"GET {ORGANIZATION}/invitations", f"POST {ORGANIZATION}/invitations"),
    "invitation_resend": (f"POST {ORGANIZATION}/invitations/{{invitation}}/resend",),
    "invitation_revoke": (f"DELETE {ORGANIZATION}/invitations/{{invitation}}",),
    "organization_settings": (f"PATCH {ORGANIZATION}",),
    "organization_leave": (f"POST {ORGANIZATION}/leave",),
    "organization_transfer": (f"POST {ORGANIZATION}/transfer",),
    "organization_reopen": (f"POST {ORGANIZATION}/reopen",),
    "invitation": ("POST /api/v1/invitations/accept", "POST /api/v1/invitations/decline"),
    "resources:organization_close": (f"GET {ORGANIZATION}/close", f"POST {ORGANIZATION}/close"),
    "resources:organization_delete_all": (f"DELETE {SERVICE}",),
    "resources:move": (f"POST {SERVICE}/move",),
    "resources:services": ("GET /api/v1/services", "GET /api/v1/projects/{project}/services"),
    "resources:service": (f"GET {SERVICE}",),
    "resources:header": (f"GET {SERVICE}",),
    "resources:operation": ("GET /api/v1/operations/{operation}",),
    "resources:cancel_operation": ("POST /api/v1/operations/{operation}/cancel",),
    "resources:connect": (f"GET {SERVICE}/credentials", f"GET {SERVICE}/endpoints"),
    "resources:certificate": ("GET /api/v1/regions/{region}/ca",),
    "resources:reveal": (f"POST {SERVICE}/credentials/{{credential}}/reveal",),
    "resources:rotate": (f"POST {SERVICE}/credentials/{{credential}}/rotate",),
    "resources:complete_rotation": (f"POST {SERVICE}/credentials/{{credential}}/complete",),
    "resources:metrics": (f"GET {SERVICE}/metrics",),
    "resources:logs": (f"GET {SERVICE}/logs",),
    "resources:logs_text": (f"GET {SERVICE}/logs",),
    "resources:activity": (f"GET {SERVICE}/events", f"GET {SERVICE}/operations"),
    "resources:settings": (f"GET {SERVICE}",),
    "resources:save_settings": (f"PATCH {SERVICE}",),
    "resources:resize": (f"POST {SERVICE}/resize", "POST /api/v1/quotes"),
    "resources:delete": (f"DELETE {SERVICE}",),
    "resources:undelete": (f"POST {SERVICE}/undelete",),
    "resources:children": (f"GET {SERVICE}/{{kind}}",),
    "resources:new_child": (f"POST {SERVICE}/{{kind}}",),
    "resources:many_children": (f"POST {SERVICE}/{{kind}}/batch",),
    "resources:child": (f"GET {CHILD}",),
    "resources:edit_child": (f"PATCH {CHILD}",),
    "resources:delete_child": (f"DELETE {CHILD}",),
    "resources:restore": (f"POST {SERVICE}/restore",),
    "resources:download": (f"GET {CHILD}/download",),
    "resources:download_link": (f"POST {CHILD}/link",),
    "resources:shared_download": (f"GET {CHILD}/download",),
    "resources:child_verb": (f"POST {CHILD}/cancel", f"POST {CHILD}/retry"),
}
WAYS_IN = "It begins, proves or ends a browser's session; the API is asked with a token."
OWN = "A token, which may leak, changes neither its person's account nor their ways in: that takes a session."
# Console address -> why the API has no such call.
NO_TWIN: dict[str, str] = {
    "console:styleguide": "It shows what pages are made of.",
    "api_reference": "It is a page about the API.",
    "api_reference_script": "It is a part of a page about the API.",
    "resources:do": "One address for all verbs: test_each_verb_of_an_offering_has_its_call looks at each.",
    "sign_in": WAYS_IN,
    "account_login": WAYS_IN,
    "mfa_login_webauthn": WAYS_IN,
    "mfa_authenticate": WAYS_IN,
    "account_inactive": WAYS_IN,
    "openid_connect_login": WAYS_IN,
    "openid_connect_callback": WAYS_IN,
    "sign_in_link": WAYS_IN,
    "sign_out": WAYS_IN,
    "account_logout": WAYS_IN,
    "account_signup": WAYS_IN,
    "account_email_verification_sent": WAYS_IN,
    "account_reset_password": WAYS_IN,
    "account_confirm_password_reset_code": WAYS_IN,
    "account_complete_password_reset": WAYS_IN,
    "account_password_reset_completed": WAYS_IN,
    "account_reauthenticate": WAYS_IN,
    "mfa_reauthenticate": WAYS_IN,
    "mfa_reauthenticate_webauthn": WAYS_IN,
    "sign_in_again": WAYS_IN,
    "account": OWN,  # GET /api/v1/me shows it
    "account_email": OWN,
    "account_change_password": OWN,
    "account_set_password": OWN,
    "account_erase": OWN,
    "usersessions_list": OWN,
    "session_end": OWN,
    "session_end_others": OWN,
    "account_security": OWN,
    "mfa_index": OWN,
    "mfa_list_webauthn": OWN,
    "mfa_activate_totp": OWN,
    "mfa_deactivate_totp": OWN,
    "mfa_view_recovery_codes": OWN,
    "mfa_generate_recovery_codes": OWN,
    "mfa_add_webauthn": OWN,
    "mfa_edit_webauthn": OWN,
    "mfa_remove_webauthn": OWN,
    "provider_unlink": OWN,
}
NOT_CONSOLE = ("api/v1/", "admin/", "healthz", "readyz", "metrics", "static/")


def test_every_console_address_is_answered_for() -> None:
    assert set(console_names()) == TWINS.keys() | NO_TWIN.keys()
    assert not TWINS.keys() & NO_TWIN.keys()
    assert all(TWINS.values())


def test_every_twin_is_in_the_document() -> None:
    known = calls()
    missing = {call for wanted in TWINS.values() for call in wanted if normal(call) not in known}
    assert not missing


def test_each_verb_of_an_offering_has_its_call() -> None:
    known = calls()
    for offering in registry.offerings().values():
        for verb in offering.verbs:
            assert normal(f"POST {SERVICE}/{verb.slug}") in known, verb.slug


@pytest.mark.parametrize("slug", sorted(registry.offerings()))
def test_every_form_on_the_pages_posts_to_an_address_with_a_twin(
    slug: str, project: Project, owner: User, client_of: Callable[[User], Client]
) -> None:
    region = Region.objects.create(slug="local", name="This machine")
    cluster = Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})
    service = rows.make(registry.offerings()[slug], project, cluster)
    client, seen = client_of(owner), set()
    for path in walk(client, f"/services/{service.public_id}", "/", "/catalog", f"/catalog/{slug}", "/account/tokens"):
        seen.add(resolve(path.split("?")[0]).view_name)
    assert seen
    assert seen <= TWINS.keys() | NO_TWIN.keys()


def walk(client: Client, *begin: str) -> Iterator[str]:
    """Follow links within the console; yield the address of every form that posts."""
    todo, done = list(begin), set()
    while todo and len(done) < 80:
        path = todo.pop(0)
        if path in done:
            continue
        done.add(path)
        answer = client.get(path)
        if answer.status_code != 200 or "text/html" not in answer["Content-Type"]:
            continue
        page = Page(path)
        page.feed(answer.content.decode())
        yield from page.posts
        todo += [link for link in page.links if link.startswith(("/services/", "/projects", "/account", "/catalog"))]


class Page(HTMLParser):
    """Links and posting forms of a page."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.links, self.posts = path, [], []  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and (link := values.get("href")):
            self.links.append(link)
        if tag == "form" and (values.get("method") or "").lower() == "post":
            self.posts.append(values.get("action") or self.path)
        if post := values.get("hx-post"):
            self.posts.append(post)


def console_names(
    patterns: list[URLPattern | URLResolver] | None = None, prefix: str = "", space: str = ""
) -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(NOT_CONSOLE):
            continue
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else space
            yield from console_names(pattern.url_patterns, path, inner)
        else:
            yield f"{space}{pattern.name}"


def calls() -> set[str]:
    paths: dict[str, dict[str, object]] = openapi()["paths"]
    return {normal(f"{method.upper()} {path}") for path, item in paths.items() for method in item}


def normal(call: str) -> str:
    """Forget the names of a path's parameters."""
    return re.sub(r"\{[^}]+\}", "{}", call)
