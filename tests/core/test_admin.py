"""The admin site: looked at by the provider's people, changed by actions with a reason alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.core.admin import ReadOnlyAdmin
from portal.projects.models import Project
from tests.fixtures import token_of

ClientOf = Callable[[User], Client]
TOKENS = "/admin/accounts/apitoken/"


def pages() -> list[str]:
    return [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
    ]


def test_the_anonymous_are_sent_to_the_one_sign_in(db: None) -> None:
    first = Client().get("/admin/")
    assert first["Location"] == "/admin/login/?next=/admin/"
    assert Client().get(first["Location"])["Location"] == "/sign-in?next=%2Fadmin%2F"
    assert Client().post("/admin/login/", {"username": "x", "password": "y"}).status_code == 302


def test_customers_are_refused_and_the_provider_s_people_let_in(
    owner: User, operator: User, support: User, client_of: ClientOf
) -> None:
    assert client_of(owner).get("/admin/", follow=True).status_code == 403
    assert client_of(operator).get("/admin/").status_code == 200
    assert client_of(support).get("/admin/").status_code == 200


def test_everything_registered_is_read_only(db: None) -> None:
    assert all(isinstance(registered, ReadOnlyAdmin) for registered in admin.site._registry.values())


# These are made by actions of their own, with a reason and an audit row.
PUBLISHED = {"/admin/billing/pricebook/", "/admin/notify/announcement/"}


def test_operators_open_every_list_and_add_nothing(operator: User, owner: User, client_of: ClientOf) -> None:
    client = client_of(operator)
    for page in pages():
        assert client.get(page).status_code == 200, page
        assert client.get(f"{page}?q=x").status_code == 200, page
        assert client.get(f"{page}add/").status_code == (200 if page in PUBLISHED else 403), page


def test_a_detail_page_takes_no_change(operator: User, owner: User, project: Project, client_of: ClientOf) -> None:
    client = client_of(operator)
    page = f"/admin/projects/project/{project.pk}/"
    assert client.get(f"{page}change/").status_code == 200
    assert client.post(f"{page}change/", {"name": "Mine", "slug": "mine"}).status_code == 403
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    project.refresh_from_db()
    assert project.name == "Acme production"


def test_support_sees_neither_tokens_nor_the_log_and_acts_on_nothing(
    support: User, owner: User, client_of: ClientOf
) -> None:
    client = client_of(support)
    assert client.get("/admin/accounts/user/").status_code == 200
    assert 'value="deactivate"' not in client.get(f"/admin/accounts/user/{owner.pk}/change/").content.decode()
    assert client.get(TOKENS).status_code == 403
    assert client.get("/admin/audit/auditevent/").status_code == 403
    form = {"action": "deactivate", "_selected_action": str(owner.pk), "reason": "because"}
    client.post("/admin/accounts/user/", form)
    owner.refresh_from_db()
    assert owner.is_active


def test_no_digest_is_ever_shown(operator: User, owner: User, client_of: ClientOf) -> None:
    token, plain = token_of(owner)
    client = client_of(operator)
    shown = client.get(TOKENS).content.decode() + client.get(f"{TOKENS}{token.pk}/change/").content.decode()
    assert token.hint in shown
    assert token.digest not in shown
    assert plain not in shown


def test_an_action_asks_for_a_reason_and_records_it(operator: User, owner: User, client_of: ClientOf) -> None:
    token, _plain = token_of(owner)
    client = client_of(operator)
    assert 'value="revoke"' in client.get(f"{TOKENS}{token.pk}/change/").content.decode()
    form: dict[str, Any] = {"action": "revoke", "_selected_action": str(token.pk)}
    asked = client.post(TOKENS, form)
    assert asked.status_code == 200
    assert 'name="reason"' in asked.content.decode()
    assert client.post(TOKENS, {**form, "reason": "  "}).status_code == 422
    assert ApiToken.objects.get().revoked_at is None
    done = client.post(TOKENS, {**form, "reason": "Found in a public repository"}, follow=True)
    assert "Done:" in done.content.decode()
    assert ApiToken.objects.get().revoked_at is not None
    event = AuditEvent.objects.get(action="token.revoke")
    assert (event.reason, event.actor_id) == ("Found in a public repository", operator.id)


def test_an_operator_shuts_a_person_out_but_not_themselves(operator: User, owner: User, client_of: ClientOf) -> None:
    inside, client = client_of(owner), client_of(operator)
    form = {"action": "deactivate", "_selected_action": [str(owner.pk), str(operator.pk)], "reason": "left"}
    done = client.post("/admin/accounts/user/", form, follow=True).content.decode()
    assert "Done:" in done
    assert "does not allow" in done
    assert inside.get("/account/tokens").status_code == 302
    assert client.get("/admin/").status_code == 200
    client.post("/admin/accounts/user/", {**form, "action": "activate", "_selected_action": [str(owner.pk)]})
    owner.refresh_from_db()
    assert owner.is_active
    assert AuditEvent.objects.filter(action="user.set_active", outcome="done").count() == 2


def test_the_head_leads_to_where_a_password_is_changed(operator: User, client_of: ClientOf) -> None:
    client = client_of(operator)
    head = client.get("/admin/").content.decode().partition('id="user-tools"')[2].partition("</header>")[0]
    links = re.findall(r'href="(/[^"]*)"', head)
    assert "/account/security" in links
    assert [link for link in links if client.get(link).status_code != 200] == []


@pytest.mark.parametrize("path", ["password_change/", "auth/group/", "account/emailaddress/"])
def test_what_would_go_past_the_audit_log_is_not_there(operator: User, client_of: ClientOf, path: str) -> None:
    assert client_of(operator).get(f"/admin/{path}").status_code == 404
