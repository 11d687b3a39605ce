"""A row's page in the admin site offers what changes something, and the opposite where there is one."""

import re
from collections.abc import Callable

import pytest
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters.models import Cluster, Region, SovereigntyFact
from portal.notify.models import Announcement, Mail
from portal.projects.models import Organization, QuotaRequest

ClientOf = Callable[[User], Client]


@pytest.fixture
def console(operator: User, client_of: ClientOf) -> Client:
    """An operator's browser."""
    return client_of(operator)


@pytest.fixture
def region(db: None) -> Region:
    return Region.objects.create(slug="eu", name="Europe")


def offered(client: Client, row: Model) -> set[str]:
    """Return the actions that a row's page has buttons for."""
    page = client.get(f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/")
    assert page.status_code == 200
    return set(re.findall(r'name="action" value="(\w+)"', page.content.decode()))


def test_a_cluster_offers_to_take_orders_where_it_takes_none_and_the_opposite_where_it_does(
    console: Client, region: Region
) -> None:
    cluster = Cluster.objects.create(region=region, name="one", kind="kubernetes")
    always = {"discover", "change_settings", "replace_kubeconfig", "remove"}
    assert offered(console, cluster) == {"disable", *always}
    sent = {"action": "disable", "_selected_action": str(cluster.pk), "reason": "Full", "_back": "1"}
    console.post("/admin/clusters/cluster/", sent)
    assert AuditEvent.objects.filter(action="cluster.disable").exists()
    assert offered(console, cluster) == {"enable", *always}


def test_this_machine_offers_nothing_that_a_kubernetes_cluster_alone_has(console: Client, region: Region) -> None:
    local = Cluster.objects.create(region=region, name="here", kind="local")
    assert offered(console, local) == {"disable", "discover"}


def test_support_is_offered_nothing(support: User, client_of: ClientOf, region: Region) -> None:
    cluster = Cluster.objects.create(region=region, name="one", kind="kubernetes")
    assert offered(client_of(support), cluster) == set()


def test_a_person_is_let_in_or_shut_out_and_an_erased_one_neither(console: Client, viewer: User) -> None:
    assert offered(console, viewer) == {"deactivate", "end_sessions", "erase"}
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    assert offered(console, viewer) == {"activate", "end_sessions", "erase"}
    User.objects.filter(pk=viewer.pk).update(erased_at=timezone.now())
    assert offered(console, viewer) == set()


def test_what_is_over_offers_no_end(console: Client, region: Region, organization: Organization, owner: User) -> None:
    now = timezone.now()
    fact = SovereigntyFact.objects.create(region=region, kind="country", value="Finland", stated_on=now.date())
    asked = QuotaRequest.objects.create(
        organization=organization, resource="services", limit=400, reason="Fair", requested_by=owner
    )
    told = Announcement.objects.create(
        kind="incident", severity="warning", title="Slow disks", text="We look.", starts_at=now
    )
    assert offered(console, fact) == {"withdraw"}
    assert offered(console, asked) == {"grant", "refuse"}
    assert offered(console, told) == {"update", "end"}
    assert offered(console, organization) == {"set_quota"}
    SovereigntyFact.objects.update(withdrawn_at=now)
    QuotaRequest.objects.update(state="granted")
    Announcement.objects.update(resolved_at=now)
    Organization.objects.filter(pk=organization.pk).update(closed_at=now)
    assert offered(console, fact) == offered(console, asked) == offered(console, told) == set()
    assert offered(console, organization) == {"set_quota", "reopen"}


def test_a_mail_is_tried_again_where_it_failed_only(console: Client, db: None) -> None:
    sent = Mail.objects.create(recipient="jo@acme.example", subject="Join us", state=Mail.State.SENT)
    assert offered(console, sent) == {"read"}
    Mail.objects.update(state=Mail.State.FAILED)
    assert offered(console, sent) == {"read", "try_again"}
