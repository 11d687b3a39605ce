"""Every offering that runs on this machine, from order to nothing left, with its real engine; none is named here."""

import pytest

from portal.core import registry
from portal.core.offerings import STOP
from tests.journeys.instance import Api, Instance

pytestmark = pytest.mark.engine
LOCAL = sorted(slug for slug, offering in registry.offerings().items() if "local" in offering.drivers)


@pytest.mark.parametrize("slug", LOCAL)
def test_a_life_from_order_to_nothing_left(slug: str, instance: Instance, api: Api) -> None:
    offering = registry.offerings()[slug]
    plan = next(plan.slug for plan in offering.plans if "local" in plan.backends)
    body = {"name": f"life-{slug}"[:40], "offering": slug, "plan": plan}
    service = api.finished(api.ok("POST", "/api/v1/projects/demo/services", body), within=300)["service"]
    path = f"/api/v1/services/{service}"
    found = api.ok("GET", path)
    assert (found["state"], found["health"]) == ("running", "healthy")
    assert api.ok("GET", f"{path}/endpoints")["items"]
    address = api.ok("GET", f"{path}/endpoints")["items"][0]
    if STOP in offering.verbs:
        api.finished(api.ok("POST", f"{path}/stop", {}))
        assert api.ok("GET", path)["state"] == "stopped"
        api.finished(api.ok("POST", f"{path}/start", {}))
        assert api.ok("GET", f"{path}/endpoints")["items"][0] == address
    handles = {entry.name for entry in (instance.data / "services").iterdir() if not entry.name.startswith(".")}
    api.finished(api.ok("DELETE", f"{path}?deletion_policy=wipe"))
    assert api.ok("GET", path)["state"] == "purged"
    left = {entry.name for entry in (instance.data / "services").iterdir() if not entry.name.startswith(".")}
    assert len(handles - left) == 1
