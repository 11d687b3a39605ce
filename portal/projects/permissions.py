"""The one permission table (DESIGN 11): what each role may do. Nothing else in the code names a role to decide."""

from portal.projects.models import OrganizationRole as Org
from portal.projects.models import ProjectRole as Proj

# service.read: all of a service but secrets · service.create / spend: what costs money · service.operate: day-2 work ·
# service.secrets: reveal and rotate credentials · service.delete · project.* and organization.*: as they say
# (machines: service accounts and their tokens; people: see all who belong to it) · quota.request: ask for more.
VIEW = frozenset({"project.read", "service.read"})
DEVELOP = VIEW | {"service.create", "service.operate", "service.spend", "service.secrets", "service.delete"}
PROJECT_ADMIN = DEVELOP | {"project.edit", "project.members", "audit.read", "quota.request"}
AUDITOR = VIEW | {"organization.read", "organization.people", "audit.read", "costs.read"}
ORGANIZATION_ADMIN = (
    PROJECT_ADMIN
    | AUDITOR
    | {"organization.edit", "organization.members", "organization.machines", "organization.webhooks", "project.create"}
)

BY_ORGANIZATION_ROLE: dict[str, frozenset[str]] = {
    Org.OWNER: ORGANIZATION_ADMIN | {"organization.close", "organization.transfer"},
    Org.ADMIN: ORGANIZATION_ADMIN,
    Org.BILLING: frozenset({"organization.read", "costs.read"}),
    Org.AUDITOR: AUDITOR,
    Org.MEMBER: frozenset({"organization.read"}),
}
BY_PROJECT_ROLE: dict[str, frozenset[str]] = {
    Proj.ADMIN: PROJECT_ADMIN,
    Proj.DEVELOPER: DEVELOP,
    Proj.VIEWER: VIEW,
}
# The provider's own people: read everywhere; what they change goes through the admin site with a reason.
OPERATOR = AUDITOR | {"provider.operate"}
SUPPORT = VIEW | {"organization.read"}
# The platform itself, as when a person at the machine runs a command.
EVERYTHING = BY_ORGANIZATION_ROLE[Org.OWNER] | OPERATOR

# What a token's scope leaves of a role: ``read`` reads and never reveals a secret.
READ_SCOPE = frozenset(
    {"project.read", "service.read", "organization.read", "organization.people", "audit.read", "costs.read"}
)


def organization_permissions(role: str | None) -> frozenset[str]:
    return BY_ORGANIZATION_ROLE.get(role or "", frozenset())


def project_permissions(organization_role: str | None, project_role: str | None) -> frozenset[str]:
    """Return what both roles together allow in one project."""
    return organization_permissions(organization_role) | BY_PROJECT_ROLE.get(project_role or "", frozenset())


def effective_project_role(organization_role: str | None, project_role: str | None) -> str | None:
    """Return the highest project role whose permissions both roles together cover, such as ``admin`` for an owner."""
    allowed = project_permissions(organization_role, project_role)
    covered = [role for role, permissions in BY_PROJECT_ROLE.items() if permissions <= allowed]
    return max(covered, key=lambda role: len(BY_PROJECT_ROLE[role]), default=None)


def roles_with(roles: dict[str, frozenset[str]], permission: str) -> list[str]:
    """Return the roles of one of the two tables above that have a permission."""
    return [role for role, permissions in roles.items() if permission in permissions]
