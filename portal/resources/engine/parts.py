"""Has the parts of a service go where it went: they stop once it has stopped, and leave once it has left."""

import datetime

from django.db.models import F

from portal.core import conditions
from portal.resources import history
from portal.resources.models import DeletionPolicy, Resource
from portal.resources.querysets import ResourceQuerySet


def follow(owner: Resource, now: datetime.datetime) -> None:
    """Ask of each part what its owner has come to; called in the transaction that writes that."""
    if not owner.may_have_parts:
        return
    rows = Resource.objects.filter(owner=owner, purged_at=None)
    if owner.purged_at is not None:
        _ask(_not_going(rows, DeletionPolicy.WIPE), now, **_gone(now, DeletionPolicy.WIPE))
    elif owner.deleted_at is not None:
        _ask(_not_going(rows, DeletionPolicy.BIN), now, **_gone(now, DeletionPolicy.BIN))
    elif owner.is_settled:
        _let_go(rows.filter(deletion_requested_at=None), owner, now)
    if owner.deleted_at is None and not owner.running and conditions.is_true(owner.conditions, "Stopped"):
        _ask(rows.filter(running=True, deletion_requested_at=None), now, running=False)


def _let_go(rows: ResourceQuerySet, owner: Resource, now: datetime.datetime) -> None:
    """Put into the bin what the owner does without by now: an action has taken its link away, a turn its use."""
    unwanted = list(rows.exclude(used_by__source=owner))
    _ask(rows.filter(id__in=[part.id for part in unwanted]), now, **_gone(now, DeletionPolicy.BIN))
    for part in unwanted:
        history.record(part, now, running=False)


def _not_going(rows: ResourceQuerySet, policy: DeletionPolicy) -> ResourceQuerySet:
    """Keep the parts that are not yet asked to go this far."""
    return rows.exclude(deletion_policy__in=[policy, DeletionPolicy.WIPE])


def _gone(now: datetime.datetime, policy: DeletionPolicy) -> dict[str, object]:
    return {"deletion_requested_at": now, "deletion_policy": policy}


def _ask(rows: ResourceQuerySet, now: datetime.datetime, **wish: object) -> None:
    generation = {name: F(name) + 1 for name in ("generation", "revision")}
    rows.update(**wish, **generation, next_reconcile_at=now, failures=0)
