"""Answers of the API of an organization's people and invitations."""

from typing_extensions import TypedDict

from portal.core.api.shapes import Moment, moment
from portal.projects.belonging import Belonging
from portal.projects.inviting import Issued
from portal.projects.models import Invitation


class PersonAnswer(TypedDict):
    """A person of an organization; ``project_roles`` maps slugs of its projects to their role there."""

    id: str
    email: str
    name: str
    role: str
    project_roles: dict[str, str]


class InvitationAnswer(TypedDict):
    """An open invitation. Its link is in the answer that made it alone."""

    id: str
    email: str
    role: str
    project_roles: dict[str, str]
    invited_by: str | None
    expires_at: Moment
    created_at: Moment


class IssuedAnswer(InvitationAnswer):
    """A new invitation, or one that was sent again, with the link that whoever is invited opens."""

    link: str


class RunningAnswer(TypedDict):
    """A service that keeps an organization from closing; ``name`` begins with its project."""

    id: str
    name: str
    state: str


class ClosingAnswer(TypedDict):
    """Whether an organization is closed, until when it could be opened again, and what still runs."""

    closed_at: Moment | None
    reopens_until: Moment | None
    running: list[RunningAnswer]
    total: int


class JoinedAnswer(TypedDict):
    """The organization that somebody belongs to now, or might have."""

    organization: str
    slug: str
    name: str


def person_answer(person: Belonging) -> PersonAnswer:
    return PersonAnswer(
        id=person.user.public_id,
        email=person.user.email,
        name=person.user.name,
        role=person.role,
        project_roles={part.project.slug: part.role for part in person.parts},
    )


def invitation_answer(invitation: Invitation) -> InvitationAnswer:
    return InvitationAnswer(
        id=invitation.public_id,
        email=invitation.email,
        role=invitation.role,
        project_roles=dict(invitation.project_roles),
        invited_by=invitation.invited_by.public_id if invitation.invited_by else None,
        expires_at=moment(invitation.expires_at),
        created_at=moment(invitation.created_at),
    )


def issued_answer(issued: Issued) -> IssuedAnswer:
    return IssuedAnswer(**invitation_answer(issued.invitation), link=issued.link)
