"""Writes the history that billing reads: from when a service had which plan and settings, and whether it ran."""

import datetime

from portal.resources.models import Change, Resource


def record(resource: Resource, at: datetime.datetime, *, running: bool, present: bool = True) -> None:
    """Write a line. Not ``present``: gone for good, nothing is billed from here on."""
    Change.objects.create(
        resource=resource,
        at=at,
        plan_slug=resource.plan_slug,
        spec=resource.spec,
        spec_version=resource.spec_version,
        running=running,
        present=present,
        tags=resource.tags,
    )
