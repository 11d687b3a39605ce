"""Invitations: bound to an address, used once, gone after a week, unseen by who could not have made them."""

import datetime
import re
from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User, digest
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import actions, answering, governing, inviting
from portal.projects.models import Invitation, Organization, OrganizationRole, Project

pytestmark = pytest.mark.django_db
ActorOf, ClientOf, ApiOf = Callable[..., Actor], Callable[[User], Client], Callable[..., APIClient]
ADA = "ada@new.example"
PAGE = "/organizations/acme/invitations"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user(ADA)


@pytest.fixture
def invite(owner: User, organization: Organization, actor_of: ActorOf) -> Callable[..., str]:
    """``invite(email, role, **more)``: an invitation of the owner's; returns what stands in its link."""

    def make(email: str = ADA, role: str = "member", *, by: User = owner, **more: object) -> str:
        issued = inviting.invite(actor_of(by), organization=organization, email=email, role=role, **more)  # type: ignore[arg-type]
        return issued.link.rpartition("/")[2]

    return make


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        act()
    return refused.value.code


def names_ada(page: str) -> bool:
    """Whether a page says it as a word: tokens of forms, which have any letters, are not looked into."""
    return re.search(r"\bada\b", page) is not None


def test_it_is_mailed_and_stored_as_a_digest(invite: Callable[..., str], mailoutbox: list[EmailMessage]) -> None:
    token = invite(" Ada@New.Example ")
    row = Invitation.objects.get()
    assert (row.email, row.digest) == (ADA, digest(token))
    assert mailoutbox[0].to == [ADA]
    assert f"/invitations/{token}" in str(mailoutbox[0].body)
    told = str([row.__dict__, *AuditEvent.objects.values()])
    assert token not in told
    assert "@" not in str(list(AuditEvent.objects.values()))


def test_it_makes_a_member_once(
    invite: Callable[..., str], ada: User, project: Project, actor_of: ActorOf, organization: Organization
) -> None:
    token = invite(project_roles={"acme-prod": "developer"})
    assert answering.accept(actor_of(ada), token) == organization
    assert organization.memberships.get(user=ada).role == "member"
    assert project.memberships.get(user=ada).role == "developer"
    assert code_of(lambda: answering.accept(actor_of(ada), token)) == "invitation_gone"
    acts = AuditEvent.objects.filter(actor_id=ada.id).values_list("action", flat=True)
    assert set(acts) == {"organization.accept_invitation", "organization.set_role", "project.set_role"}


def test_it_is_for_one_address_and_tells_nobody_which(
    invite: Callable[..., str], stranger: User, client_of: ClientOf, organization: Organization
) -> None:
    token = invite()
    for answer in (
        client_of(stranger).get(f"/invitations/{token}"),
        client_of(stranger).post(f"/invitations/{token}", {"answer": "accept"}),
    ):
        assert answer.status_code == 403
        assert "for somebody else" in answer.content.decode()
        assert not names_ada(answer.content.decode())
    anonymous = Client().get(f"/invitations/{token}")
    assert anonymous.status_code == 200
    assert not names_ada(anonymous.content.decode())
    assert f"/sign-in?next=%2Finvitations%2F{token}" in anonymous.content.decode()
    assert not organization.memberships.exclude(role="owner").exists()


def test_an_address_that_nobody_has_proven_opens_nothing(
    invite: Callable[..., str], ada: User, actor_of: ActorOf
) -> None:
    token = invite()
    EmailAddress.objects.create(user=ada, email=ADA, primary=True, verified=False)
    assert code_of(lambda: answering.accept(actor_of(ada), token)) == "not_your_invitation"
    EmailAddress.objects.filter(user=ada).update(verified=True)
    answering.accept(actor_of(ada), token)


def test_a_second_address_that_is_proven_is_as_good(
    invite: Callable[..., str], stranger: User, actor_of: ActorOf, organization: Organization
) -> None:
    EmailAddress.objects.create(user=stranger, email=stranger.email, primary=True, verified=True)
    EmailAddress.objects.create(user=stranger, email=ADA, verified=True)
    answering.accept(actor_of(stranger), invite())
    assert organization.memberships.filter(user=stranger).exists()


def test_a_dead_link_says_the_same_as_one_that_never_was(
    invite: Callable[..., str], ada: User, owner: User, actor_of: ActorOf, client_of: ClientOf
) -> None:
    token, client = invite(), client_of(ada)
    row = Invitation.objects.get()

    def page(token: str) -> tuple[int, str]:
        answer = client.get(f"/invitations/{token}")
        return answer.status_code, re.sub(r"[\w]{64}", "", answer.content.decode())

    never = page("never-made")
    assert never[0] == 410
    assert page(token)[0] == 200
    Invitation.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert page(token) == never
    Invitation.objects.update(expires_at=timezone.now() + datetime.timedelta(days=6))
    assert page(token)[0] == 200
    inviting.revoke(actor_of(owner), invitation=row)
    assert page(token) == never


def test_sending_it_again_makes_another_link(
    invite: Callable[..., str], ada: User, owner: User, actor_of: ActorOf, mailoutbox: list[EmailMessage]
) -> None:
    first = invite()
    row = Invitation.objects.get()
    assert code_of(lambda: inviting.resend(actor_of(owner), invitation=row)) == "too_many_invitations"
    Invitation.objects.update(expires_at=row.expires_at - datetime.timedelta(minutes=2))
    second = inviting.resend(actor_of(owner), invitation=row).link.rpartition("/")[2]
    assert len(mailoutbox) == 2
    assert code_of(lambda: answering.accept(actor_of(ada), first)) == "invitation_gone"
    answering.accept(actor_of(ada), second)


@pytest.mark.parametrize("role", ["admin", "developer", "viewer", "billing", "auditor", "member"])
def test_a_lower_role_never_sees_an_invitation_above_it(
    role: str, invite: Callable[..., str], client_of: ClientOf, api_of: ApiOf, request: pytest.FixtureRequest
) -> None:
    """Security case 7: members saw, and used, links that were meant for admins."""
    user: User = request.getfixturevalue(role)
    token = invite("next-owner@new.example", "owner")
    row = Invitation.objects.get()
    one = f"/api/v1/organizations/acme/invitations/{row.public_id}"
    page, listed = client_of(user).get(PAGE), api_of(user).get("/api/v1/organizations/acme/invitations")
    seen = page.content.decode() + listed.content.decode() + client_of(user).get("/organizations/acme").content.decode()
    assert "next-owner" not in seen
    assert token not in seen
    nos = {403, 404}
    assert api_of(user).get(one).status_code in nos
    assert api_of(user).delete(one).status_code in nos
    assert api_of(user).post(f"{one}/resend").status_code in nos
    assert client_of(user).post(f"{PAGE}/{row.public_id}/resend").status_code in nos
    assert client_of(user).post(f"{PAGE}/{row.public_id}/revoke").status_code in nos
    row.refresh_from_db()
    assert (row.revoked_at, row.digest) == (None, digest(token))


def test_an_invitation_shown_to_all_who_manage_members_would_be_seen(
    invite: Callable[..., str], admin: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flaw of security case 7 put in on purpose: the test above looks where it shows."""
    invite("next-owner@new.example", "owner")
    assert "next-owner" not in client_of(admin).get(PAGE).content.decode()
    monkeypatch.setattr(inviting, "givable_roles", lambda actor, organization: list(OrganizationRole))
    assert "next-owner" in client_of(admin).get(PAGE).content.decode()


def test_nobody_invites_above_their_own_role(
    owner: User, admin: User, auditor: User, organization: Organization, api_of: ApiOf
) -> None:
    path = "/api/v1/organizations/acme/invitations"

    def ask(user: User, role: str, email: str) -> int:
        return int(api_of(user).post(path, {"email": email, "role": role}, format="json").status_code)

    assert ask(admin, "owner", ADA) == 403
    assert ask(admin, "admin", ADA) == 201
    assert ask(owner, "owner", "b@new.example") == 201
    assert ask(auditor, "member", "c@new.example") == 403
    assert organization.invitations.count() == 2


def test_the_link_is_shown_once(owner: User, organization: Organization, client_of: ClientOf, api_of: ApiOf) -> None:
    client = client_of(owner)
    made = client.post(PAGE, {"email": ADA, "role": "member"})
    link = re.search(r"/invitations/([\w-]{43})", made.content.decode())
    assert link is not None
    assert "no-store" in made["Cache-Control"]
    again = client.get(PAGE).content.decode() + str(api_of(owner).get("/api/v1/organizations/acme/invitations").json())
    assert ADA in again
    assert link[1] not in again


def test_who_makes_it_has_to_be_able_to_still(
    invite: Callable[..., str], owner: User, admin: User, ada: User, organization: Organization, actor_of: ActorOf
) -> None:
    """Nobody comes back by an invitation that they made for themselves before they were taken out."""
    mine, theirs = invite(by=admin), invite("b@new.example", "admin", by=admin)
    actions.set_membership(actor_of(owner), organization=organization, user=admin, role="auditor")
    assert code_of(lambda: answering.accept(actor_of(ada), mine)) == "invitation_gone"
    actions.set_membership(actor_of(owner), organization=organization, user=admin, role="admin")
    actions.remove_membership(actor_of(owner), organization=organization, user=admin)
    assert Invitation.objects.filter(revoked_at=None).count() == 0
    assert code_of(lambda: answering.look(actor_of(ada), theirs)) == "invitation_gone"


def test_it_never_takes_a_role_away(
    invite: Callable[..., str], ada: User, project: Project, organization: Organization, actor_of: ActorOf
) -> None:
    token = invite(project_roles={"acme-prod": "viewer"})
    organization.memberships.create(user=ada, role="admin")
    project.memberships.create(user=ada, role="admin")
    answering.accept(actor_of(ada), token)
    assert organization.memberships.get(user=ada).role == "admin"
    assert project.memberships.get(user=ada).role == "admin"


def test_declining_ends_it(
    invite: Callable[..., str], ada: User, client_of: ClientOf, organization: Organization
) -> None:
    token = invite()
    assert client_of(ada).post(f"/invitations/{token}", {"answer": "decline"}).status_code == 302
    assert client_of(ada).get(f"/invitations/{token}").status_code == 410
    assert not organization.memberships.filter(user=ada).exists()
    assert AuditEvent.objects.filter(action="organization.decline_invitation", actor_id=ada.id).count() == 1


def test_the_api_answers_as_the_page_does(
    invite: Callable[..., str], ada: User, stranger: User, api_of: ApiOf, organization: Organization
) -> None:
    token = invite()
    accept = "/api/v1/invitations/accept"
    assert api_of(stranger).post(accept, {"token": token}, format="json").status_code == 403
    assert api_of(ada, "read").post(accept, {"token": token}, format="json").status_code == 403
    assert api_of(ada).post(accept, {"token": "never-made"}, format="json").status_code == 410
    assert api_of(ada).post(accept, {"token": token}, format="json").json()["slug"] == "acme"
    assert organization.memberships.filter(user=ada).exists()


def test_a_service_account_joins_nothing(
    invite: Callable[..., str], organization: Organization, actor_of: ActorOf
) -> None:
    machine = User.objects.create_machine(name="ci", organization_id=organization.id)
    assert code_of(lambda: invite(machine.email)) == "invalid_arguments"
    token = invite()
    Invitation.objects.update(email=machine.email)
    assert code_of(lambda: answering.accept(actor_of(machine), token)) == "not_your_invitation"


def test_one_open_invitation_for_an_address_and_few_a_day(
    invite: Callable[..., str], member: User, owner: User, actor_of: ActorOf, organization: Organization
) -> None:
    assert code_of(lambda: invite(member.email.upper())) == "already_member"
    for _ in range(inviting.MOST_A_DAY_TO_ONE):
        invite()
        assert code_of(invite) == "already_invited"
        inviting.revoke(actor_of(owner), invitation=Invitation.objects.get(revoked_at=None))
    assert code_of(invite) == "too_many_invitations"
    assert inviting.visible_invitations(actor_of(owner), organization).count() == 0


def test_one_that_ran_out_makes_room(invite: Callable[..., str], ada: User, actor_of: ActorOf) -> None:
    invite()
    Invitation.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    answering.accept(actor_of(ada), invite())


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"email": "no address"}, "/email"),
        ({"email": "a@b.example\nBcc: c@d.example"}, "/email"),
        ({"role": "king"}, "/role"),
        ({"project_roles": {"other-prod": "viewer"}}, "/project_roles/other-prod"),
        ({"project_roles": {"acme-prod": "king"}}, "/project_roles/acme-prod"),
    ],
)
def test_what_is_wrong_is_named(
    more: dict[str, object], pointer: str, invite: Callable[..., str], project: Project, other_project: Project
) -> None:
    with pytest.raises(Problem) as refused:
        invite(**more)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert not Invitation.objects.exists()


def test_a_closed_organization_invites_nobody_and_takes_nobody_in(
    invite: Callable[..., str], owner: User, ada: User, organization: Organization, actor_of: ActorOf
) -> None:
    token = invite()
    governing.close(actor_of(owner), organization=organization, confirm="Acme")
    assert code_of(lambda: answering.accept(actor_of(ada), token)) == "invitation_gone"
    assert code_of(lambda: invite("b@new.example")) == "organization_closed"
