"""What the frame of every page shows: navigation, projects, who is signed in."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from portal.accounts.actors import actor_of
from portal.console import told
from portal.core import registry
from portal.core.actors import Actor
from portal.projects.access import own_projects
from portal.projects.models import Project
from portal.projects.queries import current_project

Entry = tuple[str, str, str, str]  # title, address, icon, shortcut


def console(request: HttpRequest) -> dict[str, Any]:
    """Give ``console`` to every template; nothing is looked up unless the frame is drawn."""
    return {"console": SimpleLazyObject(lambda: _console(request))}


def _console(request: HttpRequest) -> dict[str, Any]:
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {"user": None, "nav": [], "projects": [], "project": None, "announcements": told.to_everybody()}
    actor = actor_of(request)
    project = current_project(request, actor)
    return {
        "user": {"email": actor.label, "name": getattr(request.user, "name", ""), "is_operator": request.user.is_staff},
        "nav": _navigation(request.path, project),
        "project": project and {"slug": project.slug, "name": project.name, "organization": project.organization.name},
        "projects": _projects(actor),
        "switch_next": _after_switch(request),
        "new_project_url": reverse("project_create"),
        "organizations_url": reverse("organization_list"),
        "user_menu": [{"title": title, "url": url, "icon": icon} for title, url, icon in _own()],
        "unread": told.unread(actor),
        "announcements": told.to(actor),
        "sign_out_url": reverse("sign_out"),
    }


def _own() -> list[tuple[str, str, str]]:
    """Return what the menu of the person holds: title, address, icon."""
    return [
        (_("Account"), reverse("account"), "user"),
        (_("Security"), reverse("account_security"), "shield-check"),
        (_("Sessions"), reverse("usersessions_list"), "monitor"),
        (_("API tokens"), reverse("token_list"), "key-round"),
    ]


def _projects(actor: Actor) -> list[dict[str, str]]:
    rows = own_projects(actor).select_related("organization").order_by("organization__name", "name")
    return [
        {
            "slug": p.slug,
            "name": p.name,
            "organization": p.organization.name,
            "url": reverse("project_detail", args=[p.slug]),
        }
        for p in rows
    ]


def _after_switch(request: HttpRequest) -> str:
    """Return where a switch of project leads: to the same page of the other project, where there is one."""
    if request.path.startswith("/services"):
        return reverse("resources:services")  # a service belongs to one project
    return reverse("console:home") if request.path.startswith("/projects/") else request.get_full_path()


def _navigation(path: str, project: Project | None) -> list[dict[str, Any]]:
    """Return the sidebar: what runs, what can be ordered by family, and the project's own affairs."""
    sections = [("", _first()), (_("Catalog"), _catalog()), (_("Manage"), _manage(project))]
    return [{"title": title, "items": [_item(path, *entry) for entry in entries]} for title, entries in sections]


def _first() -> list[Entry]:
    return [
        (_("Home"), reverse("console:home"), "house", "g h"),
        (_("Services"), reverse("resources:services"), "server", "g s"),
    ]


def _catalog() -> list[Entry]:
    catalog = reverse("catalog:catalog")
    families = registry.families().items()
    return [
        (_("All offerings"), catalog, "store", "g c"),
        *((name, f"{catalog}?family={label}", registry.family_icon(label), "") for label, name in families),
    ]


def _manage(project: Project | None) -> list[Entry]:
    place = (
        reverse("organization_detail", args=[project.organization.slug]) if project else reverse("organization_list")
    )
    own = [(_("Organization"), place, "building-2", "g o")]
    own += [(_("Members"), reverse("project_members", args=[project.slug]), "users", "g m")] if project else []
    return [
        *own,
        (_("Audit log"), reverse("audit_list"), "scroll-text", "g a"),
        (_("Regions"), reverse("region_list"), "map-pin", ""),
        (_("Pricing"), "/pricing", "euro", ""),
    ]


def _item(path: str, title: str, url: str, icon: str, shortcut: str) -> dict[str, Any]:
    bare = url.split("?", 1)[0]
    inside = path == bare or (bare != "/" and "?" not in url and path.startswith(bare + "/"))
    item = {"title": title, "url": url, "icon": icon, "active": inside and "?" not in url}
    return item | ({"shortcut": shortcut} if shortcut else {})
