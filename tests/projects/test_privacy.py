"""A person's data: a copy that is whole and holds no secret, and an erasure after which no table knows them."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.core.mail import get_connection
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts import privacy
from portal.accounts.models import User
from portal.audit import actions as audit
from portal.audit import sealing, verifying
from portal.audit.models import AuditEvent
from portal.core.actors import SYSTEM, Actor
from portal.core.errors import Problem
from portal.notify.models import Mail, Notification
from portal.projects.models import Invitation, Membership, Organization, Project, QuotaRequest
from portal.resources.models import IdempotencyKey
from tests.fixtures import person, token_of

ActorOf, ClientOf = Callable[..., Actor], Callable[[User], Client]
ADDRESS, OTHER, NAME = "Jo.Doe@acme.example", "jo+private@home.example", "Johanna Doe-Muster"


@pytest.fixture
def jo(organization: Organization, project: Project, owner: User, operator: User) -> User:
    """Somebody who has left traces everywhere."""
    user = person(ADDRESS, organization, "member", project, "admin")
    User.objects.filter(id=user.id).update(name=NAME)
    user.refresh_from_db()
    EmailAddress.objects.create(user=user, email=ADDRESS.lower(), primary=True, verified=True)
    EmailAddress.objects.create(user=user, email=OTHER, primary=False, verified=True)
    TOTP.activate(user, generate_totp_secret())
    token_of(user, name="laptop")
    soon = timezone.now()
    Invitation.objects.create(organization=organization, email=ADDRESS, role="member", digest="1", expires_at=soon)
    Invitation.objects.create(
        organization=organization, email=OTHER, role="member", digest="2", expires_at=soon, accepted_at=soon
    )
    QuotaRequest.objects.create(
        organization=organization, resource="vcpu", limit=9, reason=f"Ask {ADDRESS} why", requested_by=user
    )
    Notification.objects.create(person_id=user.id, kind="member.added", params={"person": ADDRESS})
    Notification.objects.create(person_id=owner.id, kind="invitation.accepted", params={"person": ADDRESS.lower()})
    get_connection("portal.notify.outbox.Backend").send_messages(
        [mail.EmailMessage(f"For {ADDRESS}", f"Hello {NAME}", "us@acme.example", [ADDRESS.lower(), "x@acme.example"])]
    )
    IdempotencyKey.objects.create(account=owner.id, key="k", fingerprint="f", status=200, body={"email": ADDRESS})
    return user


@pytest.fixture
def traces(jo: User, organization: Organization, project: Project, actor_of: ActorOf) -> None:
    """Audit rows of several chains, by and about them, some sealed and some not."""
    place = {"organization_id": organization.id, "project_id": project.id}
    acted = actor_of(jo)
    audit.record(actor=acted, action="project.edit", target_kind="project", target_name=f"by {OTHER}", **place)
    sealing.seal_all()
    audit.record(actor=acted, action="user.edit", target_kind="user", target_id=jo.id, changes={"name": ["", NAME]})
    audit.record(actor=SYSTEM, action="project.edit", target_kind="project", reason=f"{ADDRESS} asked", **place)
    audit.record(
        actor=SYSTEM, action="project.edit", target_kind="project", changes={"owner": ["x", {"mail": OTHER}]}, **place
    )


def found_anywhere(*words: str) -> Iterator[str]:
    """Search every column of every table, whatever its type, for words in any case."""
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in tables:
            for word in words:
                cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE row::text ILIKE %s', [f"%{word}%"])
                if (cursor.fetchone() or (0,))[0]:
                    yield f"{table}: {word}"


def as_file(user: User, actor: Actor) -> dict[str, Any]:
    with privacy.archive(actor, user) as made, zipfile.ZipFile(made) as file:
        return {name: json.loads(file.read(name)) for name in file.namelist() if name.endswith(".json")}


def test_the_search_finds_what_is_there(jo: User, traces: None) -> None:
    tables = {line.partition(":")[0] for line in found_anywhere(ADDRESS, OTHER, NAME)}
    assert {"accounts_user", "account_emailaddress", "audit_auditevent", "projects_invitation"} <= tables
    assert {"projects_quotarequest", "notify_mail", "notify_notification", "resources_idempotencykey"} <= tables


def test_an_erased_person_is_in_no_table_and_every_chain_is_whole(
    jo: User, traces: None, actor_of: ActorOf, organization: Organization
) -> None:
    before = AuditEvent.objects.count()
    privacy.erase(actor_of(jo), jo)
    assert list(found_anywhere(ADDRESS, OTHER, NAME)) == []
    sealing.seal_all()
    reports = list(verifying.verify())
    assert [report.flaws for report in reports if report.flaws] == []
    assert sum(report.erased for report in reports) >= 5
    assert not AuditEvent.objects.filter(actor_id=jo.id).exclude(address="").exists()
    assert AuditEvent.objects.count() == before + 1
    jo.refresh_from_db()
    assert (jo.erased_at is not None, jo.is_active, jo.name, jo.has_usable_password()) == (True, False, "", False)
    assert jo.email == f"erased-{jo.id.hex}@erased.invalid"
    assert not Membership.objects.filter(user=jo).exists()
    assert not jo.tokens.exists()
    assert not Authenticator.objects.filter(user=jo).exists()
    assert Mail.objects.values_list("recipient", flat=True).get() == "x@acme.example"
    assert QuotaRequest.objects.get().reason == f"Ask {jo.email} why"


def test_an_address_inside_another_s_is_left_alone(jo: User, owner: User, actor_of: ActorOf) -> None:
    kept = {"person": f"not-{ADDRESS.lower()}", "other": f"{ADDRESS.lower()}.org"}
    row = Notification.objects.create(person_id=owner.id, kind="invitation.accepted", params=kept)
    privacy.erase(actor_of(jo), jo)
    row.refresh_from_db()
    assert row.params == kept


def test_the_last_owner_and_the_last_operator_stay(owner: User, operator: User, actor_of: ActorOf) -> None:
    with pytest.raises(Problem, match="last owner of Acme") as caught:
        privacy.erase(actor_of(owner), owner)
    assert caught.value.code == "can_not_be_erased"
    with pytest.raises(Problem, match="last operator"):
        privacy.erase(actor_of(operator), operator)
    owner.refresh_from_db()
    assert (owner.is_active, owner.erased_at) == (True, None)


def test_a_second_owner_lets_the_first_go(owner: User, organization: Organization, actor_of: ActorOf) -> None:
    heir = person("heir@acme.example", organization, "owner")
    privacy.erase(actor_of(owner), owner)
    assert list(Membership.objects.filter(organization=organization).values_list("user_id", "role")) == [
        (heir.id, "owner")
    ]


def test_nobody_else_erases_but_an_operator_with_a_reason(
    jo: User, admin: User, operator: User, actor_of: ActorOf
) -> None:
    for who, reason in ((admin, "because"), (operator, " ")):
        with pytest.raises(Problem, match="permission_denied"):
            privacy.erase(actor_of(who), jo, reason=reason)
    with pytest.raises(Problem, match="permission_denied"):
        privacy.erase(actor_of(jo, "write"), jo)
    privacy.erase(actor_of(operator), jo, reason="Asked by letter")
    event = AuditEvent.objects.get(action="user.erase", outcome="done")
    assert (event.reason, event.actor_id, event.target_id) == ("Asked by letter", operator.id, jo.id)
    with pytest.raises(Problem, match="not_found"):
        privacy.erase(actor_of(operator), jo, reason="Again")


def test_a_machine_has_no_personal_data(organization: Organization, operator: User, actor_of: ActorOf) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=organization.id)
    with pytest.raises(Problem, match="not_found"):
        privacy.erase(actor_of(operator), machine, reason="x")


def test_rows_that_are_being_sealed_elsewhere_undo_it(
    jo: User, traces: None, actor_of: ActorOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.audit.sealing._lock", lambda organization_id: False)
    with pytest.raises(Problem, match="busy") as caught:
        privacy.erase(actor_of(jo), jo)
    assert caught.value.retryable
    jo.refresh_from_db()
    assert (jo.email, jo.erased_at) == (ADDRESS.lower(), None)


def test_the_copy_is_whole_and_holds_no_secret(jo: User, traces: None, actor_of: ActorOf) -> None:
    files = as_file(jo, actor_of(jo))
    assert files["account.json"][0]["email"] == ADDRESS.lower()
    assert {row["email"] for row in files["addresses.json"]} == {ADDRESS.lower(), OTHER}
    assert files["memberships.json"][0]["to"] == "acme"
    assert files["project_memberships.json"][0] | {"created_at": ""} == {
        "role": "admin", "created_at": "", "to": "acme-prod",
    }  # fmt: skip
    assert [row["type"] for row in files["factors.json"]] == ["totp"]
    assert [row["name"] for row in files["tokens.json"]] == ["laptop"]
    assert {row["action"] for row in files["audit.json"]} >= {"project.edit", "user.edit", "user.export"}
    assert files["notifications.json"][0]["kind"] == "member.added"
    assert files["quota_requests.json"][0]["resource"] == "vcpu"
    text = json.dumps(files)
    secrets = [*jo.tokens.values_list("digest", flat=True), jo.password]
    secrets += [str(row.data["secret"]) for row in Authenticator.objects.filter(user=jo)]
    assert not [secret for secret in secrets if secret in text]


def test_the_copy_tells_nothing_of_others(jo: User, owner: User, actor_of: ActorOf) -> None:
    audit.record(actor=actor_of(owner), action="user.set_active", target_kind="user", target_id=jo.id)
    [row] = [row for row in as_file(jo, actor_of(jo))["audit.json"] if row["action"] == "user.set_active"]
    assert (row["by"], row["address"], row["request_id"]) == ("user", "", "")
    assert owner.email not in json.dumps(as_file(jo, actor_of(jo)))


def test_the_api_gives_the_copy_to_a_token_without_scopes(jo: User, api_of: Callable[..., APIClient]) -> None:
    answer = api_of(jo).get("/api/v1/me/data")
    assert answer["Content-Type"] == "application/zip"
    content = io.BytesIO(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert "account.json" in zipfile.ZipFile(content).namelist()
    assert api_of(jo, "read").get("/api/v1/me/data").status_code == 403


def test_the_page_erases_who_typed_their_address(
    jo: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.accounts.reauthentication.is_recent", lambda request: True)
    client, other = client_of(jo), client_of(jo)
    assert "Erase my account" in client.get("/account/privacy").content.decode()
    assert client.post("/account/privacy/erase", {"confirm": "somebody"}).status_code == 422
    assert b"".join(client.post("/account/privacy/data").streaming_content).startswith(b"PK")  # type: ignore[attr-defined]
    gone = client.post("/account/privacy/erase", {"confirm": ADDRESS})
    assert "Your account was erased" in gone.content.decode()
    for browser in (client, other):
        assert browser.get("/account/privacy")["Location"].startswith("/sign-in")
    jo.refresh_from_db()
    assert jo.erased_at is not None


def test_the_page_says_what_is_in_the_way(owner: User, client_of: ClientOf) -> None:
    page = client_of(owner).get("/account/privacy").content.decode()
    assert "You are the last owner of Acme" in page
    assert "Erase my account" not in page


def test_erasing_and_the_copy_ask_for_a_proof_first(
    jo: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.accounts.reauthentication.is_recent", lambda request: False)
    client = client_of(jo)
    for page in ("data", "erase"):
        assert client.post(f"/account/privacy/{page}", {"confirm": ADDRESS}).status_code == 302
    jo.refresh_from_db()
    assert jo.erased_at is None
