"""One service's whole life, with what is made from it, step by step: what people ask over the API and the beat does."""

import datetime
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from portal.audit import tasks as audit
from portal.audit.verifying import verify
from portal.clusters import tasks as clusters
from portal.core import ids
from portal.resources import tasks
from portal.resources.models import Child, IdempotencyKey, Resource
from tests.chaos.every_write.world import World

Step = Callable[[World], None]
PROJECT = "/api/v1/projects/acme-prod/services"


def service(name: str) -> Resource:
    return Resource.objects.get(name=name, owner=None)


def at(name: str, rest: str = "") -> str:
    """Return the address of a service or of something below it."""
    return f"/api/v1/services/{service(name).public_id}{rest}"


def part(name: str, kind: str, child: str = "") -> Child:
    """Return a part by its name, or the newest of its kind that a person asked for."""
    rows = Child.objects.filter(resource=service(name), kind=kind).order_by("-id")
    return rows.filter(name=child).get() if child else next(row for row in rows if not row.facts.get("final"))


def order(world: World) -> None:
    body: dict[str, Any] = {"name": "box", "offering": "toy", "version": "2.0", "plan": "free", "tags": {"team": "red"}}
    body["quote"] = world.ask("POST", "/api/v1/quotes", body, key="quote-order")["id"]
    world.ask("POST", PROJECT, body, key="order")


def order_workshop(world: World) -> None:
    """Order what brings a service of its own along."""
    world.ask("POST", PROJECT, {"name": "shop", "offering": "workshop", "plan": "dev-2"}, key="workshop")


def run_job(world: World) -> None:
    world.ask("POST", at("shop", "/jobs"), {"name": "first", "spec": {"command": "make"}}, key="job")


def cancel_order(world: World) -> None:
    """Take an order back before it has come to anything."""
    order = world.ask("POST", PROJECT, {"name": "brief", "offering": "toy", "plan": "free"}, key="brief")
    world.ask("POST", f"/api/v1/operations/{order['id']}/cancel", key="cancel-order")


def cancel_job(world: World) -> None:
    world.ask("POST", at("shop", "/jobs"), {"name": "second", "spec": {}}, key="second")
    world.ask("POST", at("shop", f"/jobs/{part('shop', 'jobs', 'second').public_id}/cancel"), key="cancel-job")


def retry_job(world: World) -> None:
    world.ask("POST", at("shop", f"/jobs/{part('shop', 'jobs', 'second').public_id}/retry"), key="retry-job")


def quote_change(world: World) -> None:
    world.ask("POST", "/api/v1/quotes", {"service": service("box").public_id, "change": {"plan": "dev-2"}}, key="quote")


def verb(name: str, word: str, body: dict[str, Any] | None = None, **of_backup: str) -> Step:
    """Return the step that does a verb of a service."""

    def step(world: World) -> None:
        backup = {"backup": part(of_backup["backup_of"], "backups").public_id} if of_backup else {}
        world.ask("POST", at(name, f"/{word}"), {**(body or {}), **backup}, key="-".join((word, name, *(body or ()))))

    return step


def edit(name: str, body: dict[str, Any]) -> Step:
    return lambda world: _discard(world.ask("PATCH", at(name), body, HTTP_IF_MATCH=service(name).etag))


def link(world: World) -> None:
    edit("box", {"spec": {"store": service("copy").public_id}})(world)


def delete(name: str, policy: str) -> Step:
    return lambda world: _discard(world.ask("DELETE", at(name, f"?deletion_policy={policy}")))


def _discard(answer: Any) -> None:
    """Steps return nothing."""


def create_user(world: World) -> None:
    world.ask("POST", at("box", "/users"), {"name": "alice", "spec": {"access": "read"}}, key="alice")


def edit_user(world: World) -> None:
    world.ask("PATCH", at("box", f"/users/{part('box', 'users', 'alice').public_id}"), {"spec": {"access": "write"}})


def delete_user(world: World) -> None:
    world.ask("DELETE", at("box", f"/users/{part('box', 'users', 'alice').public_id}"))


def login(world: World, user: str, word: str, key: str = "") -> None:
    """Do something with a login of the box."""
    credential = ids.encode("cred", part("box", "users", user).id)
    world.ask("POST", at("box", f"/credentials/{credential}/{word}"), key=key, each=not key)


def backup(world: World) -> None:
    world.ask("POST", at("box", "/backups"), {}, key=f"backup-{service('box').revision}")


def delete_backup(world: World) -> None:
    world.ask("DELETE", at("box", f"/backups/{part('box', 'backups').public_id}"))


def maintain(world: World) -> None:
    """Upgrade in the window, which opens now; the others' are days away, whatever time this runs at."""
    now = timezone.now() - datetime.timedelta(minutes=1)
    Resource.objects.update(maintenance=_window(now + datetime.timedelta(days=3)))
    Resource.objects.filter(name="box").update(maintenance=_window(now))
    world.beat(tasks.maintain)
    Resource.objects.update(maintenance={"day": "sunday", "start_utc": "02:00:00"})


def _window(begins: datetime.datetime) -> dict[str, str]:
    return {"day": f"{begins:%A}".lower(), "start_utc": f"{begins:%H:%M}:00"}


def drift(world: World) -> None:
    """See what no wake told of: an engine that is away."""
    world.supervisor.crash(service("box").handle)
    world.beat(tasks.look_for_drift)


def forget(world: World) -> None:
    """Forget old answers."""
    IdempotencyKey.objects.update(created_at=timezone.now() - datetime.timedelta(days=2))
    world.beat(tasks.forget_old_answers)


def seal(world: World) -> None:
    """Seal the audit log and keep its heads; the chain is whole."""
    world.beat(audit.seal)
    world.beat(audit.keep_heads)
    assert not [flaw for report in verify() for flaw in report.flaws]


def discover(world: World) -> None:
    world.beat(clusters.discover)


def days_in_bin(name: str) -> Step:
    """Return the step that lets the days in the bin of a service go by."""

    def step(world: World) -> None:
        now = timezone.now()
        Resource.objects.filter(name=name).update(purge_after=now, next_reconcile_at=now)
        world.beat(tasks.sweep_due)

    return step


LIFE: dict[str, Step] = {
    "order with a quote": order,
    "make a user": create_user,
    "edit the user": edit_user,
    "rotate a credential": lambda world: login(world, "admin", "rotate", key="rotate"),
    "complete the rotation": lambda world: login(world, "admin-2", "complete", key="complete"),
    "reveal a credential": lambda world: login(world, "alice", "reveal"),
    "delete the user": delete_user,
    "ask for a price": quote_change,
    "edit settings": edit("box", {"spec": {"greeting": "good morning"}}),
    "edit tags and name": edit("box", {"tags": {"team": "blue"}, "description": "mine"}),
    "edit networks": edit("box", {"ip_allow_list": [{"cidr": "192.0.2.0/24"}]}),
    "resize": verb("box", "resize", {"plan": "dev-2"}),
    "back up": backup,
    "restore in place": verb("box", "restore", {"in_place": True}, backup_of="box"),
    "restore into a new one": verb("box", "restore", {"target": {"name": "copy"}}, backup_of="box"),
    "fork": verb("box", "fork", {"name": "forked"}),
    "link": link,
    "unlink": edit("box", {"spec": {"store": None}}),
    "stop": verb("box", "stop"),
    "start": verb("box", "start"),
    "restart": verb("box", "restart"),
    "upgrade": verb("copy", "upgrade", {"version": "2.1"}),
    "maintain": maintain,
    "look for drift": drift,
    "discover": discover,
    "cancel an order": cancel_order,
    "order a workshop": order_workshop,
    "run a job": run_job,
    "cancel a job": cancel_job,
    "do the job all the same": retry_job,
    "rotate a key": edit("shop", {"spec": {"key_version": 2}}),
    "seal the audit": seal,
    "resize with its part": verb("shop", "resize", {"plan": "standard-4"}),
    "stop with its part": verb("shop", "stop"),
    "start with its part": verb("shop", "start"),
    "go on without its part": edit("shop", {"spec": {"with_cache": False}}),
    "have a part again": edit("shop", {"spec": {"with_cache": True}}),
    "delete with its part": delete("shop", "wipe"),
    "delete a backup": delete_backup,
    "delete to the bin": delete("box", "bin"),
    "undelete": verb("box", "undelete"),
    "delete for good": delete("copy", "wipe"),
    "forget old answers": forget,
    "delete to the bin again": delete("box", "bin"),
    "end of the days in the bin": days_in_bin("box"),
    "delete to the bin, then": delete("forked", "bin"),
    "wipe what is in the bin": delete("forked", "wipe"),
    "seal the rest": seal,
}
