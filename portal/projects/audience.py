"""Tells the notification core who of an organization is to be told of something (``settings.AUDIENCE``)."""

import uuid
from collections.abc import Collection, Mapping

from portal.accounts.models import User
from portal.projects import permissions as table
from portal.projects.models import Membership


class Members:
    """People by their roles in organizations; implements ``notify.audience.Audience``."""

    def people(self, organization_id: uuid.UUID, permission: str) -> list[uuid.UUID]:
        """Return the active people whose role in the organization allows something."""
        roles = table.roles_with(table.BY_ORGANIZATION_ROLE, permission)
        rows = Membership.objects.filter(organization_id=organization_id, role__in=roles, user__is_active=True)
        return list(rows.filter(user__machine_of=None).values_list("user_id", flat=True))

    def addresses(self, people: Collection[uuid.UUID]) -> Mapping[uuid.UUID, str]:
        """Return the mail addresses of those people who can read mail."""
        rows = User.objects.filter(id__in=people, is_active=True, machine_of=None, erased_at=None)
        return dict(rows.values_list("id", "email"))
