"""``POST /services/{id}/{verb}``: what can be done with a whole service, where its offering declares the verb."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from django.utils.translation import gettext as _
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.actors import actor_of
from portal.core.actors import Actor
from portal.core.api.idempotency import once
from portal.core.api.pagination import choice, known_parameters, parsed_moment
from portal.core.api.schema import IDEMPOTENCY_KEY, View, described, query
from portal.core.api.serializers import NoBody, Strict, read
from portal.core.errors import FieldError, Problem, invalid, not_found
from portal.projects.access import require
from portal.resources import actions
from portal.resources.access import access_child, access_resource
from portal.resources.api import answers
from portal.resources.api.serializers import ForkBody, ResizeBody, RestoreBody, UndeleteBody, UpgradeBody
from portal.resources.api.shapes import OperationJson
from portal.resources.models import Child, Operation, Resource

Act = Callable[[Actor, Resource], Operation]
SUPERSEDE = query(
    "supersede",
    "`true` ends what runs at the moment instead of being refused with `operation_in_progress`.",
    {"type": "string", "enum": ["true", "false"]},
)


def verb(request: Request, service: str, slug: str, act: Act, *, parameters: tuple[str, ...] = ()) -> Response:
    """Do what all verbs do: reach the service, see that it has the verb and the caller the right, act once."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    declared = resource.offering.verb(slug)
    if declared is None:
        raise not_found()
    require(actor, resource.project, declared.permission, on=resource.name)
    known_parameters(request, *parameters)
    return once(request, actor.id, lambda: answers.accepted(act(actor, resource)))


def supersedes(request: Request) -> bool:
    """Tell whether what runs is to be ended."""
    return choice(request, "supersede", ("true", "false")) == "true"


def described_verb(
    slug: str, summary: str, body: type[Strict] = NoBody, *, can_supersede: bool = True
) -> Callable[[View], View]:
    """Describe a verb's operation."""
    parameters = [IDEMPOTENCY_KEY, SUPERSEDE] if can_supersede else [IDEMPOTENCY_KEY]
    return described(
        "POST", f"services_{slug}", summary, answer=OperationJson, status=202, body=body, parameters=parameters
    )


@described_verb("resize", "Change the plan", ResizeBody)
@api_view(["POST"])
def resize(request: Request, service: str) -> Response:
    """Move a service to another plan."""

    def act(actor: Actor, resource: Resource) -> Operation:
        plan = read(request, ResizeBody)["plan"]
        return actions.resize(actor, resource, plan=plan, supersede=supersedes(request))

    return verb(request, service, "resize", act, parameters=("supersede",))


@described_verb("stop", "Stop the service")
@api_view(["POST"])
def stop(request: Request, service: str) -> Response:
    """Stop a service; its data and address stay, compute is no longer billed."""
    return _plain(request, service, "stop", actions.stop)


@described_verb("start", "Start a stopped service")
@api_view(["POST"])
def start(request: Request, service: str) -> Response:
    """Start a stopped service."""
    return _plain(request, service, "start", actions.start)


@described_verb("restart", "Restart the engine")
@api_view(["POST"])
def restart(request: Request, service: str) -> Response:
    """Stop and start the engine once."""
    return _plain(request, service, "restart", actions.restart)


@described_verb("upgrade", "Upgrade to a newer release", UpgradeBody)
@api_view(["POST"])
def upgrade(request: Request, service: str) -> Response:
    """Move a service to a newer release, one of its ``upgrades``."""

    def act(actor: Actor, resource: Resource) -> Operation:
        version = read(request, UpgradeBody)["version"]
        return actions.upgrade(actor, resource, version=version, supersede=supersedes(request))

    return verb(request, service, "upgrade", act, parameters=("supersede",))


@described_verb("fork", "Copy the service from its newest backup", ForkBody, can_supersede=False)
@api_view(["POST"])
def fork(request: Request, service: str) -> Response:
    """Make a copy of a service from its newest backup; the operation names the copy."""

    def act(actor: Actor, resource: Resource) -> Operation:
        return actions.fork(actor, resource, name=read(request, ForkBody)["name"])

    return verb(request, service, "fork", act)


@described_verb("restore", "Restore a backup", RestoreBody, can_supersede=False)
@api_view(["POST"])
def restore(request: Request, service: str) -> Response:
    """Restore a backup into a new service, or in place; the operation names the service that holds the result."""

    def act(actor: Actor, resource: Resource) -> Operation:
        body = read(request, RestoreBody)
        target = body.get("target", {})
        with _pointing_into_target():
            return actions.restore(
                actor,
                resource,
                backup=_backup(actor, resource, body),
                time=_time(body),
                target_name=target.get("name", ""),
                in_place=body.get("in_place", False),
                plan=target.get("plan", ""),
            )

    return verb(request, service, "restore", act)


@described_verb("undelete", "Bring a service back from the bin", UndeleteBody, can_supersede=False)
@api_view(["POST"])
def undelete(request: Request, service: str) -> Response:
    """Bring a service back from the bin, under another name where its own is taken."""
    actor = actor_of(request)
    resource = access_resource(actor, service, "service.read")
    require(actor, resource.project, "service.create", on=resource.name)
    known_parameters(request)

    def act() -> Response:
        name = read(request, UndeleteBody).get("name", "")
        return answers.accepted(actions.undelete(actor, resource, name=name))

    return once(request, actor.id, act)


class PlainVerb(Protocol):
    """An action that needs nothing said."""

    def __call__(self, actor: Actor, resource: Resource, *, supersede: bool = False) -> Operation: ...


def _plain(request: Request, service: str, slug: str, action: PlainVerb) -> Response:
    def act(actor: Actor, resource: Resource) -> Operation:
        read(request, NoBody)
        return action(actor, resource, supersede=supersedes(request))

    return verb(request, service, slug, act, parameters=("supersede",))


@contextmanager
def _pointing_into_target() -> Iterator[None]:
    """Have what is wrong with the new service's name or plan point to where this body says them."""
    try:
        yield
    except Problem as error:
        moved = ("/name", "/plan")
        error.errors = tuple(
            replace(e, pointer=f"/target{e.pointer}") if e.pointer in moved else e for e in error.errors
        )
        raise


def _backup(actor: Actor, resource: Resource, body: Mapping[str, Any]) -> Child | None:
    """Return the backup that a body names. Raises Problem: exactly one of backup and time is to be given."""
    if ("backup" in body) == ("time" in body):
        raise invalid(FieldError("/backup", "required", _("Give either a backup or a time.")))
    if "backup" not in body:
        return None
    try:
        return access_child(actor, resource, "backups", body["backup"], "service.read")
    except Problem as error:
        if error.code != "not_found":
            raise
        detail = _("This service has no such backup.")
        raise invalid(FieldError("/backup", "unknown_backup", detail)) from error


def _time(body: Mapping[str, Any]) -> datetime.datetime | None:
    if "time" not in body:
        return None
    value = parsed_moment(body["time"])
    if value is None:
        raise invalid(FieldError("/time", "invalid_time", _("Give a time as RFC 3339 has it: 2026-11-23T10:00:00Z.")))
    return value
