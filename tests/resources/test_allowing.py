"""Who may reach a service: networks in their canonical form, given to the driver; wrong ones named with the remedy."""

import dataclasses
from collections.abc import Callable

import pytest

from portal.audit.models import AuditEvent
from portal.core import registry
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.offerings import Offering
from portal.resources import actions
from portal.resources.actions import Edit
from portal.resources.engine import view
from portal.resources.models import Operation, Resource
from tests.resources.conftest import turn
from tests.resources.doubles import TOY, no
from tests.resources.test_actions import refused

pytestmark = pytest.mark.django_db
OFFICE = {"cidr": "203.0.113.0/24", "description": "office"}


def given(resource: Resource) -> tuple[str, ...]:
    return view.build(Resource.objects.get(id=resource.id), [], running=True).allow_list


def test_a_list_is_taken_up_by_an_operation_and_given_to_the_driver(running: Resource, actor: Actor) -> None:
    assert (running.ip_allow_list, given(running)) == ([], ())
    wanted = [OFFICE, {"cidr": "198.51.100.7"}, {"cidr": "2001:DB8:0::/32", "description": ""}]
    operation = actions.edit(actor, running, changes=Edit(ip_allow_list=wanted))
    assert operation is not None
    assert (operation.type, operation.generation) == ("update", running.generation + 1)
    assert given(running) == ("203.0.113.0/24", "198.51.100.7/32", "2001:db8::/32")
    event = AuditEvent.objects.get(action="service.update")
    assert event.changes["ip_allow_list"][1][0] == OFFICE
    turn(running)
    assert actions.edit(actor, running, changes=Edit(ip_allow_list=wanted)) is None
    assert actions.edit(actor, running, changes=Edit(name="other")) is None
    actions.edit(actor, running, changes=Edit(ip_allow_list=[]))
    assert given(running) == ()


@pytest.mark.parametrize(
    ("entries", "pointer", "remedy"),
    [
        ([{"cidr": "203.0.113.7/24"}], "/ip_allow_list/0/cidr", "Write 203.0.113.0/24 for the network"),
        ([OFFICE, {"cidr": "2001:db8::1/32"}], "/ip_allow_list/1/cidr", "Write 2001:db8::/32 for the network"),
        ([{"cidr": "office"}], "/ip_allow_list/0/cidr", "Write a network such as"),
        ([{"cidr": "fe80::1%eth0"}], "/ip_allow_list/0/cidr", "Write a network such as"),
        ([{"cidr": "10.0.0.0/8\nhost all all all trust"}], "/ip_allow_list/0/cidr", "Write a network such as"),
        ([{}], "/ip_allow_list/0/cidr", "Write a network such as"),
        ([OFFICE, {"cidr": "203.0.113.0/24"}], "/ip_allow_list/1/cidr", "in the list already"),
        ([{**OFFICE, "description": "a\0b"}], "/ip_allow_list/0/description", "on one line"),
        ([{**OFFICE, "description": "x" * 201}], "/ip_allow_list/0/description", "at most 200"),
        ([{"cidr": f"10.0.{n}.0/24"} for n in range(51)], "/ip_allow_list", "at most 50"),
    ],
)
def test_a_wrong_entry_is_named_with_what_to_write_instead(
    running: Resource, actor: Actor, entries: list[dict[str, str]], pointer: str, remedy: str
) -> None:
    with pytest.raises(Problem) as caught:
        actions.edit(actor, running, changes=Edit(ip_allow_list=entries))
    assert [(error.pointer, remedy in error.detail) for error in caught.value.errors] == [(pointer, True)]
    assert given(running) == ()


def test_it_can_be_ordered_with_and_a_copy_keeps_it(order: Callable[..., Operation], actor: Actor) -> None:
    resource = turn(order(ip_allow_list=[OFFICE]).resource)
    assert given(resource) == ("203.0.113.0/24",)
    with refused("invalid_arguments", "/ip_allow_list/0/cidr"):
        order("other", ip_allow_list=[{"cidr": "203.0.113.9/24"}])
    kind = TOY.child("backups")
    assert kind is not None
    backup = actions.create_child(actor, resource, kind, name="", spec={}).child
    turn(resource)
    assert backup is not None
    backup.refresh_from_db()
    copy = actions.restore(actor, resource, backup=backup, target_name="copy").resource
    assert given(copy) == ("203.0.113.0/24",)


def test_an_offering_that_cannot_do_it_says_why(
    running: Resource, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    capabilities = dataclasses.replace(TOY.capabilities, allow_list=no("It has no network."))
    toy: Offering = dataclasses.replace(TOY, capabilities=capabilities)
    monkeypatch.setattr(registry, "offerings", lambda: {"toy": toy})
    with pytest.raises(Problem, match="It has no network") as caught:
        actions.edit(actor, running, changes=Edit(ip_allow_list=[OFFICE]))
    assert caught.value.errors[0].pointer == "/ip_allow_list"
    assert actions.edit(actor, running, changes=Edit(ip_allow_list=[])) is None
