"""Fills a database with services as a portal has them after some years; ``bench_lists.py`` asks for them.

Run as a program it fills the database of its settings with as many services as its argument says, and prints as JSON
what a client needs: a signed-in session, a token, and ids to ask for.
"""

import datetime
import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

BATCH = 2000
WORST = "crowd-prod"  # the project that holds nine of ten services
REGIONS = ("local", "frankfurt", "gravelines")
NAMES = ("shop", "orders", "stock", "search", "mail", "ledger", "sensors", "reports", "sessions", "wiki")
STATES = ("running",) * 16 + ("stopped", "failed", "updating", "provisioning")
ENDPOINT = {"component": "primary", "usage": "primary", "route": "public", "port": 20001, "tls": True}
EVENTS = (("Requested", "Create requested"), ("StateChanged", "Running, healthy"), ("OperationEnded", "Create: done"))
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Shape:
    """How much hangs on each service, and on the one that has most."""

    children: tuple[tuple[str, str], ...] = (("users", "admin"), ("databases", "defaultdb"), ("backups", "nightly"))
    operations: int = 2
    audits: int = 2
    busy_operations: int = 2000
    busy_events: int = 5000
    busy_children: int = 90


@dataclass(slots=True)
class Crowd:
    """The people, places and projects that the services are of."""

    projects: list[Any]
    clusters: list[Any]
    people: list[Any]
    chance: random.Random = field(default_factory=lambda: random.Random(4))

    def project(self, number: int) -> Any:
        """Return the project of a service: nine of ten are in the first."""
        return self.projects[0] if number % 10 else self.projects[1 + number // 10 % (len(self.projects) - 1)]


def fill(size: int, shape: Shape = Shape(), offering: str = "postgresql") -> dict[str, str]:
    """Make ``size`` services with all that hangs on them; return what a client needs."""
    from portal.resources.models import Resource

    crowd = _society()
    rows = [_service(crowd, number, offering) for number in range(size)]
    _store(Resource, rows)
    _make_busy(crowd, rows[1], shape)
    _hang_on(crowd, rows, shape)
    return _keys(crowd, rows)


def _society() -> Crowd:
    from portal.accounts.models import User
    from portal.clusters.models import Cluster, Region
    from portal.projects.models import Membership, Organization, Project

    regions = [Region.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})[0] for slug in REGIONS]
    clusters = [
        Cluster.objects.get_or_create(name=region.slug, defaults={"region": region, "kind": "local"})[0]
        for region in regions
    ]
    organizations = [Organization.objects.create(slug=f"crowd-{n}", name=f"Crowd {n}") for n in range(5)]
    projects = [Project.objects.create(organization=organizations[0], slug=WORST, name="Crowd production")]
    for number in range(20):
        owner = organizations[number % 5]
        projects.append(Project.objects.create(organization=owner, slug=f"crowd-p{number}", name=f"Project {number}"))
    people = [User.objects.create_user(f"person{n}@crowd.example", name=f"Person {n}") for n in range(20)]
    for number, person in enumerate(people):
        owner = organizations[number % 5]
        Membership.objects.create(user=person, organization=owner, role="owner" if number < 5 else "admin")
    return Crowd(projects, clusters, people)


def _service(crowd: Crowd, number: int, offering: str) -> Any:
    from django.utils import timezone

    from portal.core import registry
    from portal.core.conditions import Condition, Status
    from portal.resources.models import Resource
    from portal.resources.states import refresh

    declared = registry.offering(offering)
    assert declared is not None
    now, state = timezone.now(), crowd.chance.choice(STATES)
    made = now - datetime.timedelta(minutes=crowd.chance.randrange(600_000))
    cluster = crowd.clusters[number % len(crowd.clusters)]
    is_ready = state in ("running", "updating")
    said = Condition("Ready", Status(str(is_ready)), "Ready" if is_ready else "Stopped", "", 1, made.isoformat())
    more = {
        "stopped": Condition("Stopped", Status.TRUE, "Stopped", "", 1, made.isoformat()),
        "failed": Condition("Stalled", Status.TRUE, "Failed", "The engine does not start.", 1, made.isoformat()),
    }
    version = crowd.chance.choice(declared.versions)
    row = Resource(
        project=crowd.project(number),
        region=cluster.region,
        cluster=cluster,
        offering_slug=offering,
        version=version.line,
        release=version.releases[-1],
        name=f"{crowd.chance.choice(NAMES)}-{number}",
        description="Holds what the team sells." if number % 3 else "",
        plan_slug=crowd.chance.choice([plan.slug for plan in declared.plans]),
        spec=declared.spec().model_dump(mode="json"),
        tags={"env": crowd.chance.choice(("prod", "test", "dev")), "team": f"t{crowd.chance.randrange(50)}"},
        running=state != "stopped",
        conditions=[condition.as_json() for condition in (said, more.get(state)) if condition],
        generation=2 if state == "updating" else 1,
        observed_generation=0 if state in ("provisioning", "failed") else 1,
        ready_once_at=None if state == "provisioning" else made,
        next_reconcile_at=None,
        created_at=made,
        created_by=crowd.people[0].id,
    )
    row.facts = {"endpoints": [{**ENDPOINT, "host": f"{row.handle}.services.example"}], "version": row.release}
    if number % 50 == 49:
        row.deletion_requested_at = row.deleted_at = now
        row.deletion_policy, row.purge_after = "bin", now + datetime.timedelta(days=13)
    refresh(row)
    return row


def _hang_on(crowd: Crowd, rows: list[Any], shape: Shape) -> None:
    from portal.audit.models import AuditEvent
    from portal.resources.models import Change, Child, Event, Operation

    _store(Child, (_child(row, kind, name) for row in rows for kind, name in shape.children))
    operations = [_operation(crowd, row, number) for row in rows for number in range(shape.operations)]
    _store(Operation, operations)
    _store(Event, (_event(crowd, row, *words) for row in rows for words in EVENTS))
    _store(Change, (_change(row) for row in rows))
    _store(AuditEvent, (_audit(crowd, row, number) for row in rows for number in range(shape.audits)))


def _make_busy(crowd: Crowd, row: Any, shape: Shape) -> None:
    """Give one service the history of years."""
    from portal.resources.models import Child, Event, Operation

    _store(Operation, [_operation(crowd, row, number + 1) for number in range(shape.busy_operations)])
    _store(Event, (_event(crowd, row, *EVENTS[number % 3]) for number in range(shape.busy_events)))
    _store(Child, (_child(row, "users", f"user-{number}") for number in range(shape.busy_children)))


def _child(row: Any, kind: str, name: str) -> Any:
    from portal.resources.models import Child

    declared = row.offering.child(kind)
    spec = declared.spec().model_dump(mode="json") if declared else {}
    if name in ("admin", "defaultdb"):
        spec["main"] = True
    state = "succeeded" if kind == "backups" else "ready"
    return Child(resource=row, kind=kind, name=name, spec=spec, state=state, observed_generation=1)


def _operation(crowd: Crowd, row: Any, number: int) -> Any:
    """Return a finished operation; a service that is on its way has its first one still open."""
    from portal.resources.models import Operation

    is_open = number == 0 and row.state in ("provisioning", "updating")
    begun = row.created_at
    step = {"name": "apply", "state": "running" if is_open else "done", "message": "", "finished_at": None}
    return Operation(
        resource=row,
        type="resize" if number else "create",
        state="running" if is_open else "succeeded",
        generation=1,
        steps=[{**step, "started_at": begun.isoformat()}],
        deadline_at=begun + datetime.timedelta(minutes=5),
        requested_by=crowd.people[number % 5].id,
        created_at=begun,
        finished_at=None if is_open else begun + datetime.timedelta(seconds=3),
    )


def _event(crowd: Crowd, row: Any, reason: str, message: str) -> Any:
    from portal.resources.models import Event

    who = crowd.people[0].id if reason == "Requested" else None
    return Event(
        resource=row, project_id=row.project_id, at=row.created_at, reason=reason, message=message, actor_id=who
    )


def _change(row: Any) -> Any:
    from portal.resources.models import Change

    return Change(
        resource=row, at=row.created_at, plan_slug=row.plan_slug, spec=row.spec, running=row.running, tags=row.tags
    )


def _audit(crowd: Crowd, row: Any, number: int) -> Any:
    from portal.audit.models import AuditEvent

    return AuditEvent(
        organization_id=row.project.organization_id,
        project_id=row.project_id,
        actor_kind="user",
        actor_id=crowd.people[number % 20].id,
        action=("service.create", "service.resize")[number % 2],
        target_kind="service",
        target_id=row.id,
        target_name=row.name,
        changes={"plan": [None, row.plan_slug]},
        address="192.0.2.7",
    )


def _store(model: Any, rows: Iterable[Any]) -> None:
    for batch in _batches(rows):
        model.objects.bulk_create(batch)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield batch


def _keys(crowd: Crowd, rows: list[Any]) -> dict[str, str]:
    """Sign the worst project's owner in, and return a session, a token and the ids that addresses hold."""
    from portal.core.api import pagination
    from portal.resources import filters
    from portal.resources.models import Operation, Resource

    worst = Resource.objects.filter(project__slug=WORST)
    owner, usual = crowd.people[0], next(row for row in rows[len(rows) // 2 :] if _is_usual(row))
    return {
        "session": _session(owner),
        "token": _token(owner),
        "project": WORST,
        "busy": rows[1].public_id,
        "usual": usual.public_id,
        "name": usual.name,
        "operation": Operation.objects.filter(resource=usual).latest("id").public_id,
        "deep": filters.cursor_of(_deep(worst.order_by("id")), "id"),
        "deep_api": pagination.cursor_of("-created_at", "pk", _deep(worst.order_by("id"))),
    }


def _is_usual(row: Any) -> bool:
    return bool(row.state == "running" and row.project.slug == WORST)


def _deep(rows: Any) -> Any:
    """Return a row after which there is one more page at least, as far from the newest as can be."""
    return rows[min(60, rows.count() - 1)]


def _session(user: Any) -> str:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store["project"] = WORST
    store.create()
    return str(store.session_key)


def _token(user: Any) -> str:
    from portal.accounts import token_format
    from portal.accounts.models import ApiToken, digest

    plain = token_format.new_token()
    ApiToken.objects.create(user=user, name="bench", hint=token_format.hint(plain), digest=digest(plain), scopes=[])
    return str(plain)


if __name__ == "__main__":
    import django
    from django.db import connection

    django.setup()
    print(json.dumps(fill(int(sys.argv[1]))))
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
