"""Makes a person, their organization and their projects as ``manage.py adduser`` asks; what is there is kept."""

from collections.abc import Mapping

from django.db import transaction

from portal.accounts.models import User
from portal.audit import actions as audit
from portal.core.actors import SYSTEM
from portal.core.errors import FieldError, invalid
from portal.projects import actions
from portal.projects.models import Organization, Project


@transaction.atomic
def add_person(*, email: str, organization: str, role: str | None, projects: Mapping[str, str]) -> User:
    """Return the person, made a member with ``role`` (a new member without one is ``member``) and given project roles.

    Raises Problem ``invalid_arguments``: no address, unknown role, or a project of another organization.
    """
    user, customer = _person(email), _organization(organization)
    old = actions.role_in_organization(customer, user)
    if role or old is None:
        actions.set_membership(SYSTEM, organization=customer, user=user, role=role or "member")
    for slug, project_role in projects.items():
        actions.set_project_role(SYSTEM, project=_project(customer, slug), user=user, role=project_role)
    return user


def _person(email: str) -> User:
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email)
        audit.record(actor=SYSTEM, action="user.create", target_kind="user", target_id=user.id)
    return user


def _organization(slug: str) -> Organization:
    found = Organization.objects.filter(slug=slug).first()
    return found or actions.create_organization(SYSTEM, name=_name_of(slug), slug=slug)


def _project(organization: Organization, slug: str) -> Project:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        return actions.create_project(SYSTEM, organization=organization, name=_name_of(slug), slug=slug)
    if project.organization_id != organization.id:
        raise invalid(FieldError("/project", "taken", f"Project {slug} belongs to another organization."))
    return project


def _name_of(slug: str) -> str:
    return slug.replace("-", " ").capitalize()
