"""Bodies and answers of the API of service accounts."""

from typing import Any

from rest_framework import serializers
from typing_extensions import TypedDict

from portal.accounts.api.serializers import NewTokenAnswer, TokenAnswer, TokenBody, token_answer
from portal.accounts.models import User
from portal.core import ids
from portal.core.api.serializers import Choice, Flag, Strict, Text
from portal.core.api.shapes import Moment, moment
from portal.projects.machines import project_roles_of, role_of
from portal.projects.models import OrganizationRole, ProjectRole

__all__ = ["NewTokenAnswer", "TokenAnswer", "TokenBody", "token_answer"]
GIVEN = [role for role in OrganizationRole.values if role != OrganizationRole.OWNER]


class ProjectRoles(serializers.DictField):
    """Roles by the slug of a project."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=Choice(choices=ProjectRole.values), **options)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the roles; at most as many as are worth a body."""
        if isinstance(data, dict) and len(data) > 200:
            raise serializers.ValidationError("Name at most 200 projects.", "max_length")
        return dict(super().to_internal_value(data))


class MachineBody(Strict):
    """A new service account; its role is below that of who makes it."""

    name = Text(max_length=100, allow_blank=False)
    role = Choice(choices=GIVEN, default=OrganizationRole.MEMBER.value)
    project_roles = ProjectRoles(required=False, default=dict)


class MachineChange(Strict):
    """What to change; ``project_roles`` stands for all of them. Tokens of an inactive one don't work."""

    name = Text(max_length=100, allow_blank=False, required=False)
    role = Choice(choices=GIVEN, required=False)
    project_roles = ProjectRoles(required=False)
    active = Flag(required=False)


class MachineAnswer(TypedDict):
    """A service account: acts by its tokens alone. ``tokens`` counts those that work."""

    id: str
    name: str
    organization: str
    role: str | None
    project_roles: dict[str, str]
    active: bool
    tokens: int
    last_used_at: Moment | None
    created_at: Moment


def machine_answer(machine: User) -> MachineAnswer:
    """Return what ``machines_of`` found as the API says it."""
    assert machine.machine_of is not None  # noqa: S101 - what the query is about
    return MachineAnswer(
        id=machine.public_id,
        name=machine.name,
        organization=ids.encode("org", machine.machine_of),
        role=role_of(machine),
        project_roles=project_roles_of(machine),
        active=machine.is_active,
        tokens=getattr(machine, "tokens_alive", 0),
        last_used_at=moment(getattr(machine, "used_at", None)),
        created_at=moment(machine.created_at),
    )
