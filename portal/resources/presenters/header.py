"""The head of a service's pages: its words, and what can be done with it now by this reader."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.core.offerings import Verb
from portal.resources.actions.lifecycle import OWNERS_TO_SAY, newer_releases
from portal.resources.models import Operation, Resource
from portal.resources.queries import current_operation

RESTING = frozenset({"running", "stopped", "failed", "deleted", "purged"})


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that can be done: a link to its page, which opens as a dialog where ``in_dialog``."""

    label: str | Promise
    url: str
    icon: str
    in_dialog: bool = True
    is_danger: bool = False
    is_main: bool = False  # a button of its own beside the menu


@dataclass(frozen=True, slots=True)
class Header:
    """What the live head of a page shows; ``mark`` changes when any of it does."""

    resource: Resource
    operation: Operation | None
    deeds: tuple[Deed, ...]
    danger: tuple[Deed, ...]

    @property
    def buttons(self) -> list[Deed]:
        return [deed for deed in self.deeds if deed.is_main]

    @property
    def in_menu(self) -> list[Deed]:
        return [deed for deed in self.deeds if not deed.is_main]

    @property
    def shows_health(self) -> bool:
        """Whether health says something that the state does not."""
        return self.resource.health not in ("unknown", "healthy")

    @property
    def mark_parts(self) -> tuple[object, ...]:
        row, operation = self.resource, self.operation
        words = (row.name, row.state, row.health, row.plan_slug, row.release, row.protected, row.running)
        return (*words, str(operation.id) if operation else "", [str(deed.label) for deed in self.deeds])


def header_of(resource: Resource, permissions: frozenset[str]) -> Header:
    deeds = tuple(_deeds(resource, permissions))
    danger = tuple(deed for deed in deeds if deed.is_danger)
    return Header(resource, current_operation(resource), tuple(d for d in deeds if not d.is_danger), danger)


def is_busy(resource: Resource) -> bool:
    """Whether the service is on its way somewhere, so that pages look again soon."""
    return resource.state not in RESTING or (resource.deletion_requested_at is None and not resource.is_settled)


def _deeds(resource: Resource, permissions: frozenset[str]) -> Iterator[Deed]:
    """Return what is possible now; the server decides again when it is done."""
    if resource.purged_at is not None:
        return
    if resource.deletion_requested_at is not None:
        yield from _in_bin(resource, permissions)
        return
    alone = resource.owner_id is None  # a part is run, changed and deleted with its owner
    for verb in resource.offering.verbs:
        if (
            verb.permission in permissions
            and _is_possible(resource, verb)
            and (alone or verb.slug not in OWNERS_TO_SAY)
        ):
            yield _deed(resource, verb)
    if "service.delete" in permissions and alone:
        yield Deed(_("Delete"), _url("delete", resource), "trash-2", is_danger=True)


def _in_bin(resource: Resource, permissions: frozenset[str]) -> Iterator[Deed]:
    if not resource.in_bin or resource.deletion_policy == "wipe" or resource.owner_id is not None:
        return
    if "service.create" in permissions:
        yield Deed(_("Undelete"), _url("undelete", resource), "archive-restore", is_main=True)
    if "service.delete" in permissions:
        yield Deed(_("Remove for good"), _url("delete", resource), "trash-2", is_danger=True)


def _deed(resource: Resource, verb: Verb) -> Deed:
    if verb.slug == "resize":
        return Deed(verb.name, _url("resize", resource), verb.icon, in_dialog=False)
    url = reverse("resources:do", args=[resource.public_id, verb.slug])
    return Deed(verb.name, url, verb.icon, is_main=verb.slug == "start")


def _is_possible(resource: Resource, verb: Verb) -> bool:
    if verb.slug == "start":
        return not resource.running
    if verb.slug == "upgrade":
        return bool(newer_releases(resource))
    if verb.slug == "restore":
        return False  # begins at a backup
    return resource.running or not verb.needs_running


def _url(name: str, resource: Resource) -> str:
    return reverse(f"resources:{name}", args=[resource.public_id])
