"""What operators do with clusters: take one out of the order pages and back in, and have it looked at now."""

from http import HTTPStatus

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.clusters.backends.kubernetes import clients
from portal.clusters.models import Cluster
from portal.clusters.registry import backend_of
from portal.core.actors import Actor
from portal.core.errors import (
    FieldError,
    PermanentError,
    Problem,
    TemporaryError,
    conflict,
    invalid,
    permission_denied,
)
from portal.projects import access


@transaction.atomic
def set_enabled(actor: Actor, *, cluster: Cluster, enabled: bool, reason: str) -> None:
    """Have a cluster take orders or not; what runs on it goes on as before.

    Raises Problem: ``permission_denied``, ``invalid_arguments``, ``nothing_changed``.
    """
    require_operator(actor, cluster, reason)
    if not Cluster.objects.filter(id=cluster.id, enabled=not enabled).update(enabled=enabled):
        raise conflict(
            "nothing_changed", _("It takes orders already.") if enabled else _("It takes no orders already.")
        )
    _record(
        actor, "cluster.enable" if enabled else "cluster.disable", cluster, {"enabled": [not enabled, enabled]}, reason
    )


def discover_now(actor: Actor, *, cluster: Cluster, reason: str) -> list[str]:
    """Look at once at what a cluster can do; return what is not as it should be, in words.

    One that was left alone because it did not answer is asked all the same. Raises Problem: ``permission_denied``,
    ``invalid_arguments``, ``unavailable`` with what happened.
    """
    require_operator(actor, cluster, reason)
    clients.leave_alone_no_more(cluster.id)
    try:
        found = backend_of(cluster).discover()
    except (TemporaryError, PermanentError) as error:
        said = getattr(error, "trouble", "") or str(error)
        detail = _("It does not answer: %(said)s") % {"said": said}
        raise Problem("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, detail, retryable=True) from error
    with transaction.atomic():
        Cluster.objects.filter(id=cluster.id).update(capabilities=found, discovered_at=timezone.now())
        _record(actor, "cluster.discover", cluster, {}, reason)
    problems = found.get("problems", [])
    return [str(problem) for problem in problems] if isinstance(problems, list) else []


def require_operator(actor: Actor, cluster: Cluster | None, reason: str) -> None:
    """Raise Problem for all but operators, who say why; ``cluster`` is None for one that is to be added."""
    if "provider.operate" not in access.provider_permissions(actor) or actor.scopes is not None:
        name = cluster.name if cluster else ""
        problem = permission_denied("provider.operate", name or "clusters")
        raise audit.denied(
            problem, actor=actor, action="cluster.edit", target_kind="cluster",
            target_id=cluster.id if cluster else None, target_name=name,
        )  # fmt: skip
    if not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; it is read in the audit log.")))


def _record(actor: Actor, action: str, cluster: Cluster, changes: dict[str, list[bool]], reason: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="cluster",
        target_id=cluster.id,
        target_name=cluster.name,
        changes=changes,
        reason=reason.strip(),
    )
