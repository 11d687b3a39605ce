"""What an empty instance begins with: a region that is this machine, a demo customer and its owner."""

from django.db import transaction

ADMIN = "admin@example.org"


@transaction.atomic
def seed() -> None:
    """Make what is missing; what a person has changed since is left alone."""
    from portal.accounts.models import User
    from portal.clusters.models import Cluster, Region
    from portal.projects.models import Membership, Organization, Project

    region, _ = Region.objects.get_or_create(slug="local", defaults={"name": "This machine"})
    Cluster.objects.get_or_create(name="local", defaults={"region": region, "kind": Cluster.Kind.LOCAL})
    organization, _ = Organization.objects.get_or_create(slug="demo", defaults={"name": "Demo"})
    Project.objects.get_or_create(slug="demo", defaults={"name": "Demo", "organization": organization})
    user = User.objects.filter(email__iexact=ADMIN).first() or User.objects.create_user(ADMIN, is_operator=True)
    Membership.objects.get_or_create(user=user, organization=organization, defaults={"role": Membership.Role.OWNER})
