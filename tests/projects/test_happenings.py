"""Changes of members, and answers to invitations and quotas, are told to who they concern and to webhooks."""

import pytest

from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.core.vault import seal
from portal.notify.models import Happening, Notification, Webhook
from portal.projects import actions, answering, inviting, quotas
from portal.projects.models import Organization, Project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def listening(organization: Organization) -> None:
    Webhook.objects.create(organization_id=organization.id, url="https://hooks.example.org/", secret=seal("whsec_x"))


def told() -> list[tuple[object, str]]:
    return list(Notification.objects.order_by("id").values_list("person_id", "kind"))


def test_a_new_role_and_a_removal(owner: User, member: User, organization: Organization) -> None:
    actor = actor_for(owner)
    actions.set_membership(actor, organization=organization, user=member, role="admin")
    actions.set_membership(actor, organization=organization, user=member, role="admin")  # changes nothing
    actions.remove_membership(actor, organization=organization, user=member)
    assert told() == [(member.id, "role.changed"), (member.id, "member.removed")]
    found = [(h.type, h.data["role"], h.data["previous_role"]) for h in Happening.objects.order_by("id")]
    assert found == [("member.added", "admin", "member"), ("member.removed", None, "admin")]
    assert "@" not in str(list(Happening.objects.values("data")))


def test_who_leaves_by_themselves_is_not_told(owner: User, member: User, organization: Organization) -> None:
    actions.remove_membership(actor_for(member), organization=organization, user=member)
    assert (told(), Happening.objects.get().type) == ([], "member.removed")


def test_an_accepted_invitation_is_told_to_who_sent_it(owner: User, stranger: User, organization: Organization) -> None:
    from allauth.account.models import EmailAddress

    EmailAddress.objects.update_or_create(
        user=stranger, email=stranger.email, defaults={"verified": True, "primary": True}
    )
    issued = inviting.invite(actor_for(owner), organization=organization, email=stranger.email, role="member")
    answering.accept(actor_for(stranger), issued.link.rpartition("/")[2])
    assert (owner.id, "invitation.accepted") in told()
    assert Happening.objects.filter(type="invitation.accepted").count() == 1


@pytest.mark.parametrize("granted", [True, False])
def test_a_request_is_told_to_operators_and_its_answer_to_who_made_it(
    owner: User, operator: User, organization: Organization, project: Project, granted: bool
) -> None:
    asked = quotas.request_more(
        actor_for(owner), organization=organization, project=project, resource="services", limit=900, reason="A launch"
    )
    answer = "No room" if not granted else ""
    quotas.answer_request(actor_for(operator), request=asked, granted=granted, answer=answer)
    assert told() == [(operator.id, "quota.requested"), (owner.id, "quota.answered")]
    happening = Happening.objects.get(type="quota.answered")
    assert (happening.subject, happening.data["granted"]) == (asked.public_id, granted)
    assert happening.data["limit"] == (900 if granted else None)
