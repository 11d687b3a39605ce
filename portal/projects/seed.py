"""What an empty portal begins with: an organization, a project and somebody who owns both (API.md)."""

from django.db import transaction

from portal.accounts.models import User
from portal.core.actors import SYSTEM
from portal.projects.actions import create_organization, create_project, set_membership
from portal.projects.models import Organization, OrganizationRole, Project

EMAIL = "admin@example.org"
SLUG = "demo"


@transaction.atomic
def seed_demo() -> None:
    """Make organization and project ``demo`` and their owner, who is an operator too; what is there stays as it is."""
    organization = Organization.objects.filter(slug=SLUG).first()
    if organization is None:
        organization = create_organization(SYSTEM, name="Demo", slug=SLUG)
    if not Project.objects.filter(slug=SLUG).exists():
        create_project(SYSTEM, organization=organization, name="Demo", slug=SLUG)
    if not User.objects.filter(email=EMAIL).exists():
        user = User.objects.create_user(EMAIL, name="Admin", is_operator=True)
        set_membership(SYSTEM, organization=organization, user=user, role=OrganizationRole.OWNER)
