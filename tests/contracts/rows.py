"""Rows of a service in a wanted state, for tests of pages that need no backend."""

import uuid

from django.utils import timezone

from portal.clusters.models import Cluster
from portal.core.conditions import Condition, Status
from portal.core.offerings import Nature, Offering
from portal.projects.models import Project
from portal.resources.models import Change, Child, Operation, Resource
from portal.resources.states import refresh


def make(offering: Offering, project: Project, cluster: Cluster, *, name: str = "box", **fields: object) -> Resource:
    """Return a service that runs, with the children that a new one has."""
    version = offering.default_version
    now = timezone.now()
    plan = next(plan for plan in offering.plans if cluster.kind in plan.backends)
    resource = Resource(
        project=project,
        region=cluster.region,
        cluster=cluster,
        offering_slug=offering.slug,
        version=version.line,
        release=version.newest,
        name=name,
        plan_slug=plan.slug,
        spec=offering.spec().model_dump(mode="json"),
        observed_generation=1,
        ready_once_at=now,
        next_reconcile_at=None,
        conditions=[Condition("Ready", Status.TRUE, "Ready", "", 1, now.isoformat()).as_json()],
        facts={
            "endpoints": [
                {
                    "component": "primary",
                    "usage": "primary",
                    "route": "public",
                    "host": "localhost",
                    "port": 20001,
                    "tls": True,
                }
            ]
        },
    )
    for key, value in fields.items():
        setattr(resource, key, value)
    refresh(resource)
    resource.save()
    Change.objects.create(resource=resource, at=now, plan_slug=plan.slug, spec=resource.spec, running=True)
    for kind in offering.children:
        for child_name, spec in kind.initial or ((("run-1", {}),) if kind.nature is Nature.RUN else ()):
            Child.objects.create(
                resource=resource,
                kind=kind.slug,
                name=child_name,
                spec=kind.spec.model_validate(dict(spec)).model_dump(mode="json"),
                state="succeeded" if kind.nature is Nature.RUN else "ready",
                observed_generation=1,
                finished_at=now if kind.nature is Nature.RUN else None,
                facts={"artifact": "run-1.tar", "bytes": 1024} if kind.nature is Nature.RUN else {},
            )
    Operation.objects.create(
        id=uuid.uuid4(),
        resource=resource,
        type="create",
        generation=1,
        state="succeeded",
        deadline_at=now,
        finished_at=now,
    )
    return resource
