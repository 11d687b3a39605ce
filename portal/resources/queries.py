"""Reads for pages and API, each with what it shows fetched along."""

import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.clusters.placement import keeps_backups
from portal.core import ids
from portal.core.actors import Actor
from portal.core.counting import total_of
from portal.core.drivers import Connection
from portal.core.offerings import ChildKind, Nature
from portal.projects.models import Project
from portal.resources.access import visible_resources
from portal.resources.engine import view
from portal.resources.models import Child, Event, Operation, Resource

PAGE = 50
PATIENCE = 0.2  # seconds; paces clients that ask again without a pause
_WAITERS = threading.BoundedSemaphore(12)  # of the 16 threads of a web process: the others serve everybody else


def services(actor: Actor, *, project: Project | None = None) -> QuerySet[Resource]:
    """Return the services that lists show this actor, with all that a row needs."""
    rows = visible_resources(actor).listed().select_related("project", "region")
    return with_open_operation(rows if project is None else rows.filter(project=project))


def binned(actor: Actor, *, project: Project | None = None) -> QuerySet[Resource]:
    """Return what is in the bin and can be brought back."""
    rows = visible_resources(actor).binned().select_related("project", "region")
    return rows if project is None else rows.filter(project=project)


def parts(resource: Resource) -> QuerySet[Resource]:
    """Return what a service brought along and still has."""
    return Resource.objects.filter(owner=resource, purged_at=None).order_by("id")


def with_open_operation(rows: QuerySet[Resource]) -> QuerySet[Resource]:
    """Fetch each service's open lifecycle operation along, as ``open_operations``."""
    running = Operation.objects.open().filter(lane="lifecycle")
    return rows.prefetch_related(Prefetch("operations", queryset=running, to_attr="open_operations"))


def current_operation(resource: Resource) -> Operation | None:
    """Return what is being done to the whole service now."""
    fetched: list[Operation] | None = getattr(resource, "open_operations", None)
    if fetched is not None:
        return fetched[0] if fetched else None
    return Operation.objects.open().filter(resource=resource, lane="lifecycle").first()


def children(resource: Resource, kind: str) -> QuerySet[Child]:
    """Return the parts of one kind, oldest first."""
    return Child.objects.filter(resource=resource, kind=kind)


@dataclass(frozen=True, slots=True)
class ChildPage:
    """One page of a service's parts, for the ``pagination`` tag."""

    items: list[Child]
    next_cursor: str
    total_count: int | None


def child_page(resource: Resource, kind: ChildKind, *, text: str = "", cursor: str = "") -> ChildPage:
    """Return parts of one kind whose names hold a text: runs newest first, others oldest first."""
    rows, is_run = children(resource, kind.slug), kind.nature is Nature.RUN
    if text:
        rows = rows.filter(name__icontains=text)
    last = ids.decode(kind.prefix, cursor)
    beyond = rows.filter(**{"id__lt" if is_run else "id__gt": last}) if last else rows
    found = list(beyond.order_by("-id" if is_run else "id")[: PAGE + 1])
    shown = found[:PAGE]
    following = ids.encode(kind.prefix, shown[-1].id) if len(found) > PAGE else ""
    return ChildPage(shown, following, total_of(rows))


def operations(resource: Resource) -> QuerySet[Operation]:
    """Return what was done to a service, newest first; each row knows this service without a query."""
    return resource.operations.select_related("child")


def activity(resource: Resource) -> QuerySet[Event]:
    return Event.objects.filter(resource=resource).select_related("operation")


def wait_for_operation(operation_id: uuid.UUID, seconds: float) -> Operation:
    """Return the operation as soon as it has ended, or as it is when the seconds have passed.

    Where as many wait already as this process has threads to spare, it is returned as it is almost at once.
    """
    if not _WAITERS.acquire(timeout=min(seconds, PATIENCE)):
        return _operation(operation_id)
    try:
        return _ended(operation_id, time.monotonic() + seconds)
    finally:
        _WAITERS.release()


def _ended(operation_id: uuid.UUID, deadline: float) -> Operation:
    with _listening("operation"):
        operation = _operation(operation_id)
        while operation.is_open and (left := deadline - time.monotonic()) > 0:
            _notified(str(operation_id), left)
            operation = _operation(operation_id)
    return operation


def _operation(operation_id: uuid.UUID) -> Operation:
    return Operation.objects.select_related("resource__project", "child").get(id=operation_id)


@contextmanager
def _listening(channel: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"UNLISTEN {channel}")


def _notified(payload: str, seconds: float) -> None:
    """Sleep in the database's own wait until the payload comes or the time is over."""
    with connection.wrap_database_errors:
        for note in connection.connection.notifies(timeout=seconds):
            if note.payload == payload:
                return


def events_of(operation: Operation) -> QuerySet[Event]:
    """Return the log of an operation, newest first."""
    return Event.objects.filter(operation=operation)


def connections(resource: Resource) -> tuple[Connection, ...]:
    """Return how to connect as each login, the main one first, secrets as placeholders; empty without an address."""
    if not resource.facts.get("endpoints") or resource.deletion_requested_at is not None:
        return ()
    seen = view.build(resource, list(resource.children.single()), running=resource.running)
    found = resource.offering.drivers[resource.cluster.kind].connect(seen)
    return tuple(sorted(found, key=lambda connection: not connection.main))


def names_of(people: Iterable[uuid.UUID | None]) -> dict[uuid.UUID, str]:
    """Return the mail addresses of people, and names of service accounts, by id, for pages that show who did it."""
    rows = User.objects.filter(id__in={person for person in people if person})
    return {row.id: row.label for row in rows.only("id", "email", "name", "machine_of")}


def backups_refused(resource: Resource, kind: ChildKind) -> str:
    """Say why no backup can be made where the service runs; empty for other kinds, and where one can."""
    if kind.slug != "backups" or keeps_backups(resource.offering, resource.cluster):
        return ""
    return _("This region keeps no backups of such services.")
