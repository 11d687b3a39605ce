"""What services take of limits: counted under lock, shown before the order, refused with what would help."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.offerings import INSTANCE_SECONDS, STORAGE_GIB_SECONDS, Footprint, Offering
from portal.projects.models import Organization, Project, Quota
from portal.resources import actions, quotas
from portal.resources.models import Operation, Quote, Resource
from tests.fixtures import limit
from tests.resources.conftest import turn
from tests.resources.doubles import TOY, MemoryBackend
from tests.resources.offerings import WORKSHOP
from tests.resources.test_meanwhile import at_once, codes

Order = Callable[..., Operation]


def amounts(resource: Resource) -> tuple[Decimal, int, int]:
    resource.refresh_from_db()
    return resource.vcpu, resource.memory_mib, resource.storage_gib


def used(project: Project, *names: str) -> list[int]:
    found = quotas.usage(project.organization, project, names)
    return [int(found[name]) for name in names]


ALL = ("services", "vcpu", "memory_mib", "storage_gib")


def plan_of(offering: Offering, slug: str) -> Any:
    plan = offering.plan(slug)
    assert plan is not None
    return plan


def test_a_footprint_counts_nodes_disks_and_helpers() -> None:
    alone = TOY.footprint(plan_of(TOY, "ha-8"), TOY.spec())
    assert (alone.vcpu, alone.memory_mib) == (Decimal(6), 3 * 8192)
    helpers = Footprint(Decimal("0.5"), 256, 1)
    beside = replace(TOY, helpers=lambda plan, spec: helpers)
    assert beside.footprint(plan_of(TOY, "ha-8"), TOY.spec()) == alone + helpers
    rates = {INSTANCE_SECONDS.slug: Decimal(2), STORAGE_GIB_SECONDS.slug: Decimal(30)}
    asked = replace(TOY, quantities=lambda plan, spec: rates)  # two nodes by its spec
    assert asked.footprint(plan_of(TOY, "dev-2"), TOY.spec()) == Footprint(Decimal(2), 4096, 30)


def test_rows_hold_what_they_take_through_their_life(order: Order, actor: Actor, project: Project) -> None:
    made = order(plan="dev-2").resource
    assert amounts(made) == (Decimal(1), 2048, 10)
    turn(made)
    actions.resize(actor, made, plan="standard-4")
    assert amounts(made) == (Decimal(2), 4096, 20)
    turn(made)
    actions.edit(actor, made, changes=actions.Edit(spec={"disk_gib": 50}))
    assert amounts(made) == (Decimal(2), 4096, 50)
    assert used(project, *ALL) == [1, 2, 4096, 50]
    turn(made)
    actions.stop(actor, made)
    assert used(project, *ALL) == [1, 2, 4096, 50]  # a start never fails for what others took meanwhile
    actions.delete(actor, made)
    assert used(project, *ALL) == [0, 0, 0, 0]


def test_parts_count_with_their_owner(order: Order, project: Project) -> None:
    made = order(name="shop", offering="workshop", plan="dev-2").resource
    part = Resource.objects.get(owner=made)
    both = [own + its for own, its in zip(amounts(made), amounts(part), strict=True)]
    assert used(project, *ALL) == [2, *(int(amount) for amount in both)]
    planned = quotas.planned(WORKSHOP, plan_of(WORKSHOP, "dev-2"), WORKSHOP.spec())
    assert {name: planned[name] for name in ALL} == {name: quotas.taken_by(made)[name] for name in ALL}


@pytest.mark.parametrize(
    ("resource", "most", "fits", "too_much"),
    [
        ("services", 2, "dev-2", None),
        ("vcpu", 2, "dev-2", "standard-4"),
        ("memory_mib", 4096, "dev-2", "standard-4"),
        ("storage_gib", 20, "dev-2", "standard-4"),
    ],
)
def test_each_limit_refuses_what_goes_beyond_it(
    order: Order, project: Project, actor: Actor, resource: str, most: int, fits: str, too_much: str | None
) -> None:
    first = order("first", plan=fits).resource
    limit(project, most, resource)
    if too_much:
        with pytest.raises(Problem) as refusal:
            order("big", plan=too_much)
        assert (refusal.value.code, refusal.value.extra["resource"]) == ("quota_exceeded", resource)
    second = order("second", plan=fits).resource
    if too_much:
        turn(first)
        with pytest.raises(Problem, match="quota_exceeded"):
            actions.resize(actor, first, plan=too_much)
        actions.delete(actor, second)
        assert actions.resize(actor, first, plan=too_much).type == "resize"
    else:
        with pytest.raises(Problem, match="quota_exceeded"):
            order("third", plan=fits)


def test_a_bigger_disk_counts_and_less_is_never_refused(order: Order, project: Project, actor: Actor) -> None:
    made = turn(order(plan="standard-4").resource)
    limit(project, 30, "storage_gib")
    with pytest.raises(Problem) as refusal:
        actions.edit(actor, made, changes=actions.Edit(spec={"disk_gib": 40}))
    assert refusal.value.extra["requested"] == 20
    assert actions.edit(actor, made, changes=actions.Edit(spec={"disk_gib": 30})) is not None
    limit(project, 1, "storage_gib")
    limit(project, 0, "vcpu")
    turn(made)
    actions.resize(actor, made, plan="dev-2")  # less of one, no more of the other
    turn(made)
    actions.stop(actor, made)
    turn(made)
    assert actions.start(actor, made).type == "start"


def test_an_organization_s_limit_counts_all_its_projects(
    order: Order, project: Project, organization: Organization, owner: User, actor_of: Callable[..., Actor]
) -> None:
    lab = Project.objects.create(organization=organization, slug="acme-lab", name="Lab")
    Quota.objects.create(organization=organization, resource="vcpu", limit=2)
    order("one", plan="dev-2")
    request = actions.OrderRequest(name="two", offering="toy", plan="dev-2")
    assert actions.order(actor_of(owner), project=lab, request=request).type == "create"
    with pytest.raises(Problem) as refusal:
        order("three", plan="dev-2")
    extra = refusal.value.extra
    assert (extra["project"], extra["quota"], extra["current"], extra["requested"]) == (None, 2, 2, 1)
    assert extra["help"] == "/organizations/acme/quotas"
    assert "/organizations/acme/quotas" in refusal.value.detail


def test_a_family_has_a_limit_of_its_own(order: Order, project: Project) -> None:
    limit(project, 1, f"services:{TOY.family}")
    order("one")
    with pytest.raises(Problem) as refusal:
        order("two")
    assert refusal.value.extra["resource"] == f"services:{TOY.family}"
    limit(project, 0, "services:databases")
    limit(project, 2, f"services:{TOY.family}")
    assert order("two").type == "create"


def test_a_quote_says_what_it_takes_of_each_with_what_comes_along(
    order: Order, project: Project, actor: Actor, running: Resource
) -> None:
    Quota.objects.create(organization=project.organization, resource="services", limit=9)
    request = actions.OrderRequest(name="shop", offering="workshop", plan="dev-2")
    quota = actions.quote_order(actor, project, request).body["quota"]
    assert quota["services"] == {"used": 1, "limit": 200, "adds": 2}
    assert quota["organization.services"] == {"used": 1, "limit": 9, "adds": 2}
    assert quota["vcpu"]["limit"] is None
    assert quota["vcpu"]["adds"] >= 2
    change = actions.quote_change(actor, running, {"plan": "standard-4"}).body["quota"]
    assert (change["services"]["adds"], change["vcpu"]["adds"] > 0, change["storage_gib"]["adds"] > 0) == (
        0,
        True,
        True,
    )
    assert Quote.objects.count() == 2


def test_a_refusal_names_resource_quota_current_requested_and_the_way_on(
    developer: User, project: Project, kernel: MemoryBackend, api_of: Callable[..., APIClient]
) -> None:
    limit(project, 0)
    answer = api_of(developer).post(
        f"/api/v1/projects/{project.slug}/services", {"name": "box", "offering": "toy"}, format="json"
    )
    body = answer.json()
    assert (answer.status_code, body["code"]) == (403, "quota_exceeded")
    assert (body["resource"], body["quota"], body["current"], body["requested"]) == ("services", 0, 0, 1)
    assert body["help"] == f"/projects/{project.slug}/quotas"


def test_counting_takes_one_query_however_many_services(order: Order, project: Project) -> None:
    after = {"services": Decimal(1), "vcpu": Decimal(1)}
    counts = []
    for number in (2, 20):
        for n in range(number):
            order(f"box-{number}-{n}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            quotas.effects(project, after, {})
        counts.append(len(queries))
    assert counts == [2, 2]  # the limits, the sum


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of_organization", [False, True])
def test_of_twenty_orders_at_once_as_many_pass_as_the_limit_has_room_for(
    order: Order, project: Project, owner: User, actor_of: Callable[..., Actor], of_organization: bool
) -> None:
    """An organization's limit is raced for from two of its projects, which hold no lock in common but its own."""
    places = [project]
    if of_organization:
        places.append(Project.objects.create(organization=project.organization, slug="acme-lab", name="Lab"))
        Quota.objects.create(organization=project.organization, resource="services", limit=10)
    else:
        limit(project, 10)
    actor = actor_of(owner)

    def one(number: int) -> Callable[[], Operation]:
        request = actions.OrderRequest(name=f"box-{number}", offering="toy")
        return lambda: actions.order(actor, project=places[number % len(places)], request=request)

    assert codes(at_once(*map(one, range(20)))) == ["Operation"] * 10 + ["quota_exceeded"] * 10
    assert Resource.objects.living().count() == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limited", [(), ("services", "vcpu", "memory_mib", "storage_gib", "services:databases")])
def test_counting_reads_the_index_and_no_row(order: Order, project: Project, limited: tuple[str, ...]) -> None:
    order()
    for resource in limited:
        for place in (project, None):
            Quota.objects.create(organization=project.organization, project=place, resource=resource, limit=1000)
    with CaptureQueriesContext(connection) as seen:
        found = quotas.effects(project, {}, {})
    assert {effect.used for effect in found if effect.resource == "services"} == {1}
    [counting] = [query["sql"] for query in seen.captured_queries if 'FROM "resources_resource"' in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) resources_resource")  # a scan of an index alone needs pages known as visible
        with transaction.atomic():
            for way in ("seqscan", "bitmapscan"):  # which a table of one row would be read by
                cursor.execute(f"SET LOCAL enable_{way} TO off")
            cursor.execute(f"EXPLAIN {counting}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan using counted" in plan
