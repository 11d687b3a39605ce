"""Rows of a service's parts, by the columns that their kind declares."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.core import conditions, specs
from portal.core.addresses import address
from portal.core.forms import title_of
from portal.core.offerings import ChildKind, Nature
from portal.core.specs import meta_of, visible_fields
from portal.core.templatetags.formats import duration, size
from portal.resources import queries
from portal.resources.models import Child, Resource
from portal.resources.presenters.header import Deed

MOVING = frozenset({"creating", "updating", "deleting", "queued", "running", "pending"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row; ``at`` is set where it is a time, ``is_number`` where it stands to the right."""

    label: str | Promise
    text: str = ""
    at: datetime.datetime | None = None
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One part: its words, figures, and what can be done with it by this reader."""

    child: Child
    url: str
    state: str
    is_run: bool
    message: str
    cells: tuple[Cell, ...]
    deeds: tuple[Deed, ...]
    download: str = ""
    note: str = ""

    @property
    def buttons(self) -> list[Deed]:
        return [deed for deed in self.deeds if deed.is_main]

    @property
    def in_menu(self) -> list[Deed]:
        return [deed for deed in self.deeds if not deed.is_main]

    @property
    def menu_id(self) -> str:
        return f"menu-{self.child.public_id}"

    @property
    def is_moving(self) -> bool:
        return self.state in MOVING

    @property
    def mark_parts(self) -> tuple[object, ...]:
        return (str(self.child.id), self.state, self.message, [cell.text for cell in self.cells], len(self.deeds))


def row_of(child: Child, kind: ChildKind, permissions: frozenset[str]) -> Row:
    """Return a part as its table and page show it. ``child.resource`` must be set."""
    is_run = kind.nature is Nature.RUN
    return Row(
        child=child,
        url=_url("child", child, kind),
        state=state_of(child, is_run=is_run),
        is_run=is_run,
        message=_message(child),
        cells=tuple(cells_of(child, kind)),
        deeds=tuple(_deeds(child, kind, permissions)),
        download=_download(child, kind, permissions),
        note=_note(child, kind),
    )


def state_of(child: Child, *, is_run: bool) -> str:
    """Return a part's state as people read it: what ``pending`` is waiting for."""
    if child.deletion_requested_at is not None:
        return "deleting"
    if child.state != "pending":
        return child.state
    if is_run:
        return "queued"
    return "updating" if child.observed_generation else "creating"


def _note(child: Child, kind: ChildKind) -> str:
    if not child.spec.get("main"):
        return _("successor of an exchange") if child.spec.get("predecessor") else ""
    return _("main login") if kind.credential else _("main")


def _message(child: Child) -> str:
    """Return why a part is not as it should be."""
    condition = conditions.find(child.conditions, "Ready")
    is_well = child.state in ("ready", "succeeded") or condition is None
    return "" if is_well or condition is None else condition.message


def cells_of(child: Child, kind: ChildKind) -> Iterator[Cell]:
    """Return the declared columns; runs say how long they took as well."""
    for name, label in kind.columns:
        yield cell_of(name, label, child.facts.get(name, child.spec.get(name)))
    if kind.nature is Nature.RUN:
        took = duration(child.finished_at - child.created_at) if child.finished_at else "–"
        yield Cell(_("Duration"), took, is_number=True)


def settings_of(child: Child, kind: ChildKind) -> Iterator[Cell]:
    """Return what was asked for and no column shows."""
    in_columns = {name for name, _label in kind.columns}
    for name, info in visible_fields(kind.spec).items():
        if name not in in_columns:
            yield cell_of(name, title_of(name, info), child.spec.get(name))


def cell_of(name: str, label: str | Promise, value: Any) -> Cell:
    """Write a value by what its name and type say it is."""
    is_figure = name == "bytes" or name.endswith(("_bytes", "_seconds"))
    if value is None or value == "" or value == []:
        return Cell(label, "–", is_number=is_figure)
    if isinstance(value, bool):
        return Cell(label, _("Yes") if value else _("No"))
    if is_figure:
        return Cell(label, duration(value) if name.endswith("_seconds") else size(value), is_number=True)
    if name.endswith("_at") and (at := parse_datetime(str(value))):
        return Cell(label, str(value), at)
    if isinstance(value, list | tuple):
        return Cell(label, ", ".join(str(item) for item in value))
    return Cell(label, str(value), is_number=isinstance(value, int | float))


def _deeds(child: Child, kind: ChildKind, permissions: frozenset[str]) -> Iterator[Deed]:
    if child.deletion_requested_at is not None or child.resource.deletion_requested_at is not None:
        return
    operates = "service.operate" in permissions
    open_run = kind.nature is Nature.RUN and child.state in ("pending", "running")
    if operates and "update" in kind.verbs and child.resource.running:
        yield Deed(_("Edit"), _url("edit_child", child, kind), "pencil")
    if _can_restore(child, kind, permissions):
        yield Deed(_("Restore"), _url("restore", child, kind), "history", in_dialog=False, is_main=True)
    if _download(child, kind, permissions):
        yield Deed(_("Copy link"), _url("download_link", child, kind), "link")
    if operates and "cancel" in kind.verbs and open_run:
        yield Deed(_("Cancel"), _url("child_verb", child, kind, "cancel"), "ban")
    if operates and "retry" in kind.verbs and child.state in ("failed", "cancelled"):
        yield Deed(_("Try again"), _url("child_verb", child, kind, "retry"), "rotate-ccw")
    if operates and "delete" in kind.verbs and not open_run and not _is_protected(child, kind):
        yield Deed(_("Delete"), _url("delete_child", child, kind), "trash-2", is_danger=True)


def _is_protected(child: Child, kind: ChildKind) -> bool:
    return kind.protected is not None and bool(kind.protected(specs.load(kind.spec, child.spec)))


def _can_restore(child: Child, kind: ChildKind, permissions: frozenset[str]) -> bool:
    can = kind.slug == "backups" and child.state == "succeeded" and child.resource.offering.verb("restore") is not None
    return can and bool({"service.create", "service.spend"} & permissions)


def _download(child: Child, kind: ChildKind, permissions: frozenset[str]) -> str:
    can = "download" in kind.verbs and child.state == "succeeded" and child.deletion_requested_at is None
    can = can and bool(child.facts.get("artifact"))  # what lies in an archive is no file
    return _url("download", child, kind) if can and "service.secrets" in permissions else ""


def _url(name: str, child: Child, kind: ChildKind, *more: str) -> str:
    return address(f"resources:{name}", child.resource.public_id, kind.slug, child.public_id, *more)


def public_spec(kind: ChildKind, child: Child) -> Mapping[str, Any]:
    """Return what a form of an existing part begins with."""
    spec = specs.load(kind.spec, child.spec)
    shown = {**spec.model_dump(mode="json"), **spec.unsound}
    return {name: value for name, value in shown.items() if not _is_hidden(kind, name)}


def _is_hidden(kind: ChildKind, name: str) -> bool:
    return meta_of(kind.spec.model_fields[name]).hidden


def is_quick(kind: ChildKind) -> bool:
    """Whether one click makes a part: the platform names it, and every setting has a default."""
    return kind.generated_name and not any(info.is_required() for info in kind.spec.model_fields.values())


def creation_refusal(resource: Resource, kind: ChildKind) -> str:
    """Say why no part of a kind can be made now; empty where one can."""
    if refused := queries.backups_refused(resource, kind):
        return refused
    if resource.deletion_requested_at is not None:
        return _("The service is deleted or on its way there.")
    if not resource.running:
        return _("The service is stopped. Start it first.")
    return ""
