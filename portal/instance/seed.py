"""What an empty instance begins with: a region that is this machine, a demo customer and its owner."""

from django.db import transaction


@transaction.atomic
def seed() -> None:
    """Make what is missing; what a person has changed since is left alone."""
    from portal.clusters.models import Cluster, Region
    from portal.projects.seed import seed_demo

    region, _ = Region.objects.get_or_create(slug="local", defaults={"name": "This machine"})
    Cluster.objects.get_or_create(name="local", defaults={"region": region, "kind": Cluster.Kind.LOCAL})
    seed_demo()
