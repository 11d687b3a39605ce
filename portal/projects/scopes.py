"""What a token's scopes leave of a role's permissions."""

from portal.accounts.scopes import grant_of
from portal.core.actors import Actor
from portal.projects.permissions import READ_SCOPE

# What a token that is limited to some families may do in a project: the rest is not about one family.
OF_FAMILIES = ("project.read", "service.")
# What is about a whole organization; in a project a limited token keeps none of it but the name.
OF_ORGANIZATIONS = ("organization.", "project.create", "costs.", "provider.")
NAME_ALONE = frozenset({"organization.read"})


def narrowed(actor: Actor, permissions: frozenset[str]) -> frozenset[str]:
    """Return the permissions that an actor's scopes leave; where they hold is ``allowed_projects``'s to say."""
    grant = grant_of(actor.scopes)
    left = permissions if grant.writes else permissions & READ_SCOPE if grant.reads else frozenset()
    if grant.families is not None:
        left = frozenset(p for p in left if p.startswith(OF_FAMILIES) or p == "organization.read")
    if grant.projects is not None:
        left = frozenset(p for p in left if not p.startswith(OF_ORGANIZATIONS) or p == "organization.read")
    return left


def narrowed_in_organization(actor: Actor, permissions: frozenset[str]) -> frozenset[str]:
    """Return the same for an organization as a whole, of which a token limited to some places gets the name alone."""
    left = narrowed(actor, permissions)
    return left & NAME_ALONE if grant_of(actor.scopes).is_limited else left


def allowed_projects(actor: Actor) -> frozenset[str] | None:
    """Return the slugs of the projects that the actor's token is limited to, or None for no limit."""
    return grant_of(actor.scopes).projects


def allowed_families(actor: Actor) -> frozenset[str] | None:
    """Return the families whose services the actor's token is limited to, or None for no limit."""
    return grant_of(actor.scopes).families
