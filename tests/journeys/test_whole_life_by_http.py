"""One script over HTTP, with real engines and real clients, leads each offering through its whole life.

It knows API.md and what ``engines.py`` says of an offering. What only one of them has is in the files beside this one.
"""

import uuid

import pytest

from tests.journeys.engines import ENGINES, Engine, Login
from tests.journeys.instance import Api, Instance, eventually

pytestmark = pytest.mark.engine


class Customer:
    """One service, by the API alone."""

    def __init__(self, api: Api, service: str) -> None:
        self.api, self.service, self.path = api, service, f"/api/v1/services/{service}"

    @classmethod
    def order(cls, api: Api, engine: Engine, name: str) -> "Customer":
        body = {"name": name, "offering": engine.slug, "plan": engine.plans[0], "version": engine.releases[0]}
        operation = api.ok("POST", "/api/v1/projects/demo/services", body, Idempotency_Key=str(uuid.uuid4()))
        return cls(api, str(api.finished(operation)["service"]))

    def do(self, verb: str, **body: object) -> str:
        """Ask for something, wait for its end, and return the service that it was done to or made."""
        return str(self.api.finished(self.api.ok("POST", f"{self.path}/{verb}", body))["service"])

    def state(self) -> str:
        return str(self.api.ok("GET", self.path)["state"])

    def delete(self, policy: str) -> None:
        self.api.finished(self.api.ok("DELETE", f"{self.path}?deletion_policy={policy}"))

    def logins(self) -> dict[str, str]:
        """Return the ids of the logins by name, the main one first."""
        items = self.api.ok("GET", f"{self.path}/credentials")["items"]
        return {item["username"]: item["id"] for item in items}

    def login(self, name: str = "") -> Login:
        """Reveal a login: the main one, unless it is named."""
        known = self.logins()
        shown = self.api.ok("POST", f"{self.path}/credentials/{known[name or next(iter(known))]}/reveal")
        return Login(shown["uri"], shown["ca_pem"])

    def back_up(self) -> str:
        self.do("backups")
        found = self.api.ok("GET", f"{self.path}/backups")["items"][0]
        assert found["state"] in ("ready", "succeeded")
        return str(found["id"])


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.slug)
def test_a_whole_life(engine: Engine, instance: Instance, api: Api) -> None:
    before = directories(instance)
    customer = Customer.order(api, engine, f"whole-{engine.slug}")
    found = api.ok("GET", customer.path)
    line = engine.releases[0].rpartition(".")[0]
    assert (found["state"], found["health"], found["version"]) == ("running", "healthy", line)
    engine.fill(customer.login())
    rows = engine.rows(customer.login())
    assert len(rows) == 1000

    a_login_is_added_and_one_exchanged(engine, customer)
    api.finished(api.ok("PATCH", customer.path, {"spec": engine.setting}))
    eventually(lambda: engine.ask(customer.login()) == engine.seen, what="the setting is in force")

    backup = customer.back_up()
    engine.lose(customer.login())
    copy = Customer(api, customer.do("restore", backup=backup, target={"name": f"copy-{engine.slug}"}))
    assert copy.service != customer.service
    assert engine.rows(copy.login()) == rows
    assert customer.do("restore", backup=backup, in_place=True) == customer.service
    assert engine.rows(customer.login()) == rows

    goes_and_comes_back(api, customer, copy)
    changes(engine, customer)
    assert engine.rows(customer.login()) == rows
    assert (engine.release(customer.login()), engine.ask(customer.login())) == (engine.releases[1], engine.seen)
    is_observed(api, customer)
    customer.delete("wipe")
    assert customer.state() == "purged"
    assert directories(instance) == before


def a_login_is_added_and_one_exchanged(engine: Engine, customer: Customer) -> None:
    """The added one reads and does not write; old and new both work until the exchange is completed."""
    customer.do("users", name="report", spec={"access": "read"})
    report = customer.login("report")
    assert len(engine.rows(report)) == 1000
    assert (engine.may_write(report), engine.may_write(customer.login())) == (False, True)

    known = customer.logins()
    name, main = next(iter(known.items()))
    old = customer.login(name)
    customer.do(f"credentials/{main}/rotate")
    [successor] = customer.logins().keys() - known.keys()
    assert engine.may_write(old)
    assert engine.may_write(customer.login(successor))
    customer.do(f"credentials/{main}/complete")
    assert name not in customer.logins()
    assert not engine.may_come_in(old)
    assert engine.may_write(customer.login(successor))


def goes_and_comes_back(api: Api, customer: Customer, copy: Customer) -> None:
    """One goes into the bin and out again, the other for good."""
    customer.delete("bin")
    assert customer.state() == "deleted"
    listed = {item["id"] for item in api.ok("GET", "/api/v1/services?limit=200")["items"]}
    assert customer.service not in listed
    assert copy.service in listed
    copy.delete("wipe")
    assert copy.state() == "purged"
    customer.do("undelete")


def changes(engine: Engine, customer: Customer) -> None:
    """Whatever can be done to the whole of it, one thing after the other."""
    for verb, body, state in (
        ("stop", {}, "stopped"),
        ("start", {}, "running"),
        ("restart", {}, "running"),
        ("resize", {"plan": engine.plans[1]}, "running"),
        ("upgrade", {"version": engine.releases[1]}, "running"),
    ):
        customer.do(verb, **body)
        assert customer.state() == state, verb


def is_observed(api: Api, customer: Customer) -> None:
    assert api.ok("GET", f"{customer.path}/logs?limit=10")["items"]
    assert api.ok("GET", f"{customer.path}/events")["items"]

    def sample() -> object:
        status, answer, _headers = api.call("GET", f"{customer.path}/metrics")
        assert status in (200, 503), answer  # 503: the supervisor is busy, ask again
        return answer.get("items")

    eventually(sample, within=60, what="a first sample")


def directories(instance: Instance) -> set[str]:
    """Return the services that have one on this machine."""
    return {path.name for path in (instance.data / "services").glob("[!.]*")}
