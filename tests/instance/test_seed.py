"""What an empty instance begins with."""

import pytest

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.instance.seed import seed
from portal.projects.models import Membership, Organization, Project
from portal.projects.quotas import services_limit
from portal.projects.seed import EMAIL

pytestmark = pytest.mark.django_db


def test_it_has_a_region_a_demo_customer_and_an_operator() -> None:
    seed()

    user = User.objects.get(email=EMAIL)
    assert user.is_operator
    assert Membership.objects.get(user=user).role == Membership.Role.OWNER
    assert services_limit(Project.objects.get(slug="demo")) >= 100
    assert Cluster.objects.get(region=Region.objects.get(slug="local")).kind == Cluster.Kind.LOCAL


def test_seeding_again_leaves_alone_what_people_have_changed() -> None:
    seed()
    Organization.objects.filter(slug="demo").update(name="Renamed")
    Membership.objects.update(role=Membership.Role.ADMIN)

    seed()

    assert Organization.objects.get(slug="demo").name == "Renamed"
    assert [membership.role for membership in Membership.objects.all()] == ["admin"]
