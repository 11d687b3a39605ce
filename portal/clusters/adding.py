"""What operators do with Kubernetes clusters: add one, change what is said of it, give its kubeconfig anew, remove it.

Admin site and shell call these; kubeconfigs come in, are checked against the cluster and leave only sealed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.audit import actions as audit
from portal.clusters.actions import require_operator
from portal.clusters.backends.kubernetes import discovery, kubeconfig
from portal.clusters.backends.kubernetes import settings as cluster_settings
from portal.clusters.backends.kubernetes.client import Client, Refused, Silent
from portal.clusters.backends.kubernetes.clients import forget
from portal.clusters.models import Cluster, Region
from portal.core import texts, vault
from portal.core.actors import Actor
from portal.core.errors import FieldError, PermanentError, TemporaryError, conflict, invalid

LONGEST_NAME_OF_REGION = 100
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOW_TO_NAME = gettext_noop("Write up to 63 small letters, digits and hyphens.")


@dataclass(frozen=True, slots=True)
class NewRegion:
    """A region that is to be made with its first cluster."""

    slug: str
    name: str


def add_cluster(
    actor: Actor, *, name: str, region: Region | NewRegion, kubeconfig: str, reason: str,
    settings: Mapping[str, Any] | None = None, unchecked: bool = False,
) -> Cluster:  # fmt: skip
    """Add a Kubernetes cluster. It takes orders at once, for what its API server was found to serve.

    ``unchecked``: also where it does not answer now. Raises Problem: ``permission_denied``, ``invalid_arguments``,
    ``name_taken``.
    """
    require_operator(actor, None, reason)
    chosen = cluster_settings.checked(settings or {})
    _require_free(name)
    made = region if isinstance(region, Region) else _checked(region)
    access = _access(kubeconfig)
    found = _looked_at(access, chosen, unchecked=unchecked)
    with transaction.atomic():
        if made._state.adding:
            made.save()
            audit.record(
                actor=actor, action="region.add", target_kind="region", target_id=made.id, target_name=made.slug,
                reason=reason.strip(),
            )  # fmt: skip
        cluster = Cluster.objects.create(
            region=made, name=name, kind=Cluster.Kind.KUBERNETES, settings=chosen, kubeconfig=_sealed(access),
            capabilities=found, discovered_at=timezone.now() if found else None,
        )  # fmt: skip
        changes = {"region": [None, made.slug], "server": [None, access.server], **_told({}, chosen)}
        _record(actor, "cluster.add", cluster, changes, reason)
    return cluster


@transaction.atomic
def change_settings(actor: Actor, *, cluster: Cluster, settings: Mapping[str, Any], reason: str) -> None:
    """Replace what is said of a cluster. Its services follow with their next turn.

    Raises Problem: ``permission_denied``, ``invalid_arguments``, ``nothing_changed``.
    """
    require_operator(actor, cluster, reason)
    row = _locked(cluster)
    chosen = cluster_settings.checked(settings)
    changes = _told(row.settings, chosen)
    if not changes:
        raise conflict("nothing_changed", _("These are its settings already."))
    Cluster.objects.filter(id=row.id).update(settings=chosen)
    _record(actor, "cluster.settings", row, changes, reason)


def replace_kubeconfig(
    actor: Actor, *, cluster: Cluster, kubeconfig: str, reason: str, unchecked: bool = False
) -> None:
    """Reach a cluster by another address or account from now on; every process takes it up within a second.

    Raises Problem: ``permission_denied``, ``invalid_arguments``.
    """
    require_operator(actor, cluster, reason)
    row = _kubernetes(cluster)
    access = _access(kubeconfig)
    found = _looked_at(access, row.settings, unchecked=unchecked)
    changes: dict[str, Any] = {"kubeconfig": ["old", "new"], "server": [None, access.server]}
    with transaction.atomic():
        fields = {"kubeconfig": _sealed(access), "silent_since": None, "retry_at": None, "trouble": ""}
        seen = {"capabilities": found, "discovered_at": timezone.now()} if found else {}
        Cluster.objects.filter(id=row.id).update(**fields, **seen)
        _record(actor, "cluster.kubeconfig", row, changes, reason)


@transaction.atomic
def remove_cluster(actor: Actor, *, cluster: Cluster, reason: str) -> None:
    """Forget a cluster that serves nobody any more. What else runs there is left alone.

    Raises Problem: ``permission_denied``, ``cluster_in_use`` (with the number of services), also for services that are
    gone: their invoices and their history name it.
    """
    require_operator(actor, cluster, reason)
    row = _locked(cluster)
    living = row.resources.filter(purged_at=None).count()
    if living:
        detail = _("%(number)s services are on it, those in the bin included. Delete them for good first.")
        raise conflict("cluster_in_use", detail % {"number": living}, services=living)
    if row.resources.exists():
        detail = _("Services were on it, and history and invoices name it. Let it take no orders instead.")
        raise conflict("cluster_in_use", detail, services=0)
    _record(actor, "cluster.remove", row, {}, reason)
    cluster_id = row.id
    row.delete()
    transaction.on_commit(lambda: forget(cluster_id))


def _access(text: str) -> kubeconfig.Access:
    try:
        return kubeconfig.read(text)
    except kubeconfig.Unfit as error:
        raise invalid(FieldError("/kubeconfig", "unfit", str(error))) from error


def _sealed(access: kubeconfig.Access) -> str:
    return vault.seal(kubeconfig.written(access))


def _looked_at(access: kubeconfig.Access, settings: Mapping[str, Any], *, unchecked: bool) -> dict[str, Any]:
    """Return what the cluster was found to serve; nothing where it does not answer and that is allowed."""
    client = Client(access).hurried()
    try:
        return discovery.look(client, settings)
    except (TemporaryError, PermanentError) as error:
        if unchecked:
            return {}
        said = _said(error)
        detail = _("The cluster did not answer as one does: %(said)s") % {"said": said}
        raise invalid(FieldError("/kubeconfig", "no_answer", detail)) from error
    finally:
        client.close()


def _said(error: Exception) -> str:
    if isinstance(error, Refused):
        return f"{error.status} {error.message}"[:300]
    return error.trouble if isinstance(error, Silent) else str(error)


def _require_free(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise invalid(FieldError("/name", "invalid", _(_HOW_TO_NAME)))
    if Cluster.objects.filter(name=name).exists():
        raise invalid(FieldError("/name", "name_taken", _("There is a cluster of this name already.")))


def _checked(region: NewRegion) -> Region:
    """Return the region, not yet saved."""
    name = region.name.strip() or region.slug
    errors = texts.errors("/region_name", name)
    if not _NAME.fullmatch(region.slug):
        errors.append(FieldError("/region", "invalid", _(_HOW_TO_NAME)))
    if Region.objects.filter(slug=region.slug).exists():
        errors.append(FieldError("/region", "name_taken", _("There is a region of this name already.")))
    if len(name) > LONGEST_NAME_OF_REGION:
        errors.append(FieldError("/region_name", "too_long", _("This is too long.")))
    if errors:
        raise invalid(*errors)
    return Region(slug=region.slug, name=name)


def _kubernetes(cluster: Cluster) -> Cluster:
    if cluster.kind != Cluster.Kind.KUBERNETES:
        raise conflict("not_possible", _("This is not a Kubernetes cluster."))
    return cluster


def _locked(cluster: Cluster) -> Cluster:
    return _kubernetes(Cluster.objects.select_for_update().get(id=cluster.id))


def _told(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ, for the audit row: none of them is a secret."""
    names = sorted({*before, *after})
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def _record(actor: Actor, action: str, cluster: Cluster, changes: dict[str, Any], reason: str) -> None:
    audit.record(
        actor=actor, action=action, target_kind="cluster", target_id=cluster.id, target_name=cluster.name,
        changes=changes, reason=reason.strip(),
    )  # fmt: skip
