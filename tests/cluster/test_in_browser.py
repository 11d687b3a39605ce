"""A customer's PostgreSQL in a Kubernetes region, in a real browser: from signing up to nothing left in the namespace.

The API server is real; who plays the operators takes its time, so that each step can be read on the page.
"""

import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.core.drivers.kubernetes import CONFIG_MAP, HANDLE_LABEL, SECRET, SERVICE, VOLUME_CLAIM, ObjectKind
from tests.cluster import crds as definitions
from tests.cluster.control_plane import ControlPlane
from tests.cluster.devcluster import STORAGE
from tests.cluster.played_operator import Operator
from tests.journeys.browser import Screens, browser
from tests.journeys.instance import Api, Instance, eventually
from tests.journeys.test_accounts_in_browser import PASSWORD, Person
from tests.journeys.test_in_browser import Console
from tests.journeys.test_operator_in_browser import enroll, sign_in

pytestmark = [pytest.mark.engine, pytest.mark.browser]
PATIENCE = 90_000  # milliseconds
PACE = 1.5  # seconds between two phases of what the operator says
REGION = "North"
NAME, PLAN, LARGER = "orders", "dev-2", ("standard-4", "Standard 4")


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane, crds: definitions.Installed) -> Iterator[Operator]:
    """A cluster with everything that orders need: kinds, a storage class, and somebody who answers."""
    path = f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE['metadata']['name']}?fieldManager=tests&force=true"
    control_plane.call("PATCH", path, STORAGE, content=definitions.APPLY)
    with Operator(control_plane.kubeconfig(), mood="slow", pace=PACE) as running:
        yield running


@pytest.fixture(scope="module")
def instance(control_plane: ControlPlane, operator: Operator) -> Iterator[Instance]:
    """A portal on a fresh directory, whose operator has added the cluster at the shell."""
    with tempfile.TemporaryDirectory(prefix="archipel-region-", ignore_cleanup_errors=True) as folder:
        portal = Instance(Path(folder) / "data")
        try:
            portal.up()
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.write_text(control_plane.kubeconfig())
            words = ("--kubeconfig", str(kubeconfig), "--region", "north", "--region-name", REGION)
            assert portal.manage("addcluster", "north", *words).startswith("north in region north: Kubernetes 1.")
            yield portal
        finally:
            portal.down()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def page(chromium: Browser, instance: Instance) -> Iterator[Page]:
    made = chromium.new_context(base_url=instance.url, viewport={"width": 1440, "height": 900})
    made.set_default_timeout(20_000)
    yield made.new_page()
    made.close()


@pytest.fixture
def plain(chromium: Browser, instance: Instance) -> Iterator[Page]:
    """The same, without JavaScript."""
    made = chromium.new_context(
        base_url=instance.url, viewport={"width": 1440, "height": 900}, java_script_enabled=False
    )
    made.set_default_timeout(20_000)
    yield made.new_page()
    made.close()


class Customer(Person):
    """Somebody new, who found an organization and orders in it."""

    def __init__(self, page: Page, instance: Instance) -> None:
        super().__init__(page.context, instance, "new@newcomers.example")
        self.page.close()
        self.page = page
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.service = ""

    def signs_up(self) -> None:
        self.page.goto("/sign-up")
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign up")
        self.sees("Confirm your mail address")
        self.page.get_by_label("Code").fill(self.code_from_outbox())
        self.press("Confirm")
        self.page.get_by_label("Organization").fill("Newcomers")
        self.press("Found organization")
        self.sees("Production")

    def orders(self) -> None:
        """Choose the region, read the price, order, and read what is waited for, all without a reload."""
        page = self.page
        page.goto("/catalog")
        page.get_by_role("link", name="PostgreSQL").first.click()
        page.get_by_label("Name", exact=True).fill(NAME)
        page.get_by_label("Region", exact=True).select_option(label=REGION)
        summary = page.locator("#order_summary")
        expect(summary.get_by_text(REGION)).to_be_visible()
        page.locator(f"input[name=plan][value={PLAN}]").check()
        expect(summary.locator(".total")).to_contain_text(re.compile(r"\d\.\d\d EUR"))
        self.screens.take(page, "order")
        page.get_by_role("button", name="Order now").click()
        self.sees(NAME)
        self.service = page.url.split("#")[0]
        expect(page.locator("#service_overview")).to_contain_text(re.compile("Waiting for", re.IGNORECASE))
        self.screens.take(page, "provisioning")
        self.waits_for("Running")

    def waits_for(self, state: str) -> None:
        """The page says so by itself."""
        expect(self.page.locator(".page-meta").get_by_text(state, exact=True)).to_be_visible(timeout=PATIENCE)

    def reveals(self) -> None:
        """Read user, password, URI and authority where a customer would: the address is the cluster's own."""
        page = self.page
        page.goto(f"{self.service}/connect")
        self.screens.take(page, "connect")
        expect(page.get_by_text(re.compile("inside the cluster")).first).to_be_visible()
        page.get_by_role("button", name="Reveal", exact=True).click()
        uri = page.get_by_text(re.compile(r"postgresql://[^\s:]+:[^\s:@•]+@\S+\.svc:5432/")).first
        expect(uri).to_be_visible()
        with page.expect_download() as waiting:
            page.get_by_role("link", name=re.compile("CA certificate")).first.click()
        assert Path(waiting.value.path()).read_text().startswith("-----BEGIN CERTIFICATE-----")

    def resizes(self) -> None:
        page = self.page
        page.goto(f"{self.service}/resize")
        page.locator(f"#resize-form input[name=plan][value={LARGER[0]}]").check()
        self.screens.take(page, "resize")
        page.locator("#resize_effects").get_by_role("button", name=re.compile("resize", re.IGNORECASE)).click()
        page.wait_for_url(lambda url: not url.endswith("/resize"))
        page.goto(self.service)
        expect(page.locator("#service_overview")).to_contain_text(re.compile("Waiting for", re.IGNORECASE))
        expect(page.locator("#service_overview .steps")).to_have_count(0, timeout=PATIENCE)
        expect(page.locator(".page-meta").get_by_text(LARGER[1])).to_be_visible()
        self.waits_for("Running")

    def does(self, deed: str) -> None:
        """Open a deed's dialog by its address and confirm it."""
        self.page.goto(f"{self.service}/{deed}")
        confirmation = self.page.get_by_label(re.compile("to confirm"))
        if confirmation.count():
            confirmation.fill(NAME)
        self.screens.take(self.page, f"dialog-{deed.rpartition('/')[2]}")
        self.page.locator("#deed-form button[type=submit]").last.click()
        self.page.wait_for_url(lambda url: not url.endswith(f"/{deed}"))

    def wipes(self) -> None:
        """Delete it for good, bin and all."""
        self.page.goto(f"{self.service}/delete")
        self.page.get_by_label(re.compile("to confirm")).fill(NAME)
        self.page.locator("input[name=deletion_policy][value=wipe]").check()
        self.screens.take(self.page, "wipe")
        self.page.locator("#deed-form button[type=submit]").last.click()
        self.page.wait_for_url(lambda url: not url.endswith("/delete"))


def marked(control_plane: ControlPlane, kinds: Iterable[ObjectKind]) -> set[str]:
    """Name what carries the mark of any service, as the API server tells, in all namespaces."""
    found = set()
    for kind in {*kinds, SECRET, SERVICE, CONFIG_MAP, VOLUME_CLAIM}:
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        listed = control_plane.call("GET", f"{root}/{kind.plural}?labelSelector={HANDLE_LABEL}")
        found |= {f"{kind.kind} {item['metadata']['name']}" for item in listed["items"]}
    return found


@pytest.fixture
def left(control_plane: ControlPlane, crds: definitions.Installed) -> Callable[[], set[str]]:
    """``left()`` names what there is of the services of this test, beside what others have left in the cluster."""
    of_others = marked(control_plane, crds.kinds)
    return lambda: marked(control_plane, crds.kinds) - of_others


def test_from_signing_up_to_nothing_left(page: Page, instance: Instance, left: Callable[[], set[str]]) -> None:
    customer = Customer(page, instance)
    customer.signs_up()
    customer.orders()
    expect(page.get_by_text("from inside the cluster only").first).to_be_visible()
    customer.screens.take(page, "running")
    customer.reveals()
    customer.resizes()
    for deed, state in (("do/stop", "Stopped"), ("do/start", "Running"), ("delete", "In the bin")):
        customer.does(deed)
        page.goto(customer.service)
        customer.waits_for(state)
        customer.screens.take(page, state.lower().replace(" ", "-"))
    expect(page.get_by_text("In the bin: only storage is billed.")).to_be_visible()
    assert left(), "a service in the bin keeps its data"
    customer.does("undelete")
    page.goto(customer.service)
    customer.waits_for("Running")
    customer.wipes()
    eventually(lambda: not left(), within=90, what="left in the namespace")
    assert customer.problems == []


def test_ordered_and_connected_to_without_javascript(
    plain: Page, instance: Instance, left: Callable[[], set[str]]
) -> None:
    """Pages say the same when they are loaded again, and each step is a form."""
    console = Console(plain, instance, scripted=False)
    console.sign_in()
    plain.goto("/catalog")
    plain.get_by_role("link", name="PostgreSQL").first.click()
    plain.get_by_label("Name", exact=True).fill("plain-orders")
    plain.get_by_label("Region", exact=True).select_option(label=REGION)
    plain.locator(f"input[name=plan][value={PLAN}]").check()
    plain.get_by_role("button", name="Order now").click()
    expect(plain.get_by_role("heading", name="plain-orders", exact=True, level=1)).to_be_visible()
    expect(plain.locator(".page-meta")).to_contain_text(REGION)
    service, said = plain.url.split("#")[0], set()

    def looked_again() -> bool:
        again = plain.get_by_role("link", name="Look again")
        if again.count():
            again.click()
        else:  # drawn while the order ended: nothing is on its way any more, and the state is the one before
            plain.reload()
        said.update(re.findall(r"Waiting for [^.]+\.", plain.locator("#service_overview").inner_text()))
        return plain.locator(".page-meta").get_by_text("Running", exact=True).is_visible()

    eventually(looked_again, within=90, what="running")
    assert said, "what is waited for"
    console.screens.take(plain, "plain-running")
    assert re.search(r"@\S+\.svc:5432/", console.uri())
    console.screens.take(plain, "plain-connect")
    plain.goto(f"{service}/connect")
    assert Path(console.authority()).read_text().startswith("-----BEGIN CERTIFICATE-----")
    plain.goto(f"{service}/delete")
    plain.get_by_label(re.compile("to confirm")).fill("plain-orders")
    plain.locator("input[name=deletion_policy][value=wipe]").check()
    plain.locator("#deed-form button[type=submit]").last.click()
    eventually(lambda: not left(), within=90, what="left in the namespace")


def test_a_valkey_by_http(instance: Instance, operator: Operator, left: Callable[[], set[str]]) -> None:
    api = Api(instance.url, instance.token())
    body = {"name": "cache", "offering": "valkey", "plan": "dev-1", "region": "north"}
    ordered = api.ok("POST", "/api/v1/projects/demo/services", body, Idempotency_Key=str(uuid.uuid4()))
    path = f"/api/v1/services/{api.finished(ordered)['service']}"
    assert api.ok("GET", path)["state"] == "running"
    [endpoint, *_others] = api.ok("GET", f"{path}/endpoints")["items"]
    assert (endpoint["route"], endpoint["host"].endswith(".svc")) == ("internal", True)
    login = api.ok("GET", f"{path}/credentials")["items"][0]["id"]
    shown = api.ok("POST", f"{path}/credentials/{login}/reveal")
    assert endpoint["host"] in shown["uri"]
    assert shown["ca_pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert left()
    api.finished(api.ok("DELETE", f"{path}?deletion_policy=wipe"))
    assert api.ok("GET", path)["state"] == "purged"
    assert left() == set()


def test_an_operator_adds_a_cluster_by_the_form(page: Page, instance: Instance, control_plane: ControlPlane) -> None:
    """The last of this file: the region has two clusters from here on."""
    screens = Screens()
    sign_in(page, instance.signin())
    enroll(page)
    page.goto("/admin/clusters/region/")
    page.get_by_role("link", name="north", exact=True).click()
    page.get_by_role("button", name="Add a Kubernetes cluster").click()
    page.get_by_label("Name", exact=True).fill("north-2")
    page.get_by_label("Or its text").fill(control_plane.kubeconfig().replace("https://", "nowhere://"))
    page.get_by_label("Reason").fill("The first is nearly full")
    screens.take(page, "admin-add-cluster")
    page.get_by_role("button", name="Add a Kubernetes cluster").click()
    expect(page.locator(".field-error").first).to_be_visible()
    assert "client-key-data" not in page.content()
    page.locator("input[type=file]").set_input_files(
        {"name": "kubeconfig", "mimeType": "text/plain", "buffer": control_plane.kubeconfig().encode()}
    )
    page.get_by_role("button", name="Add a Kubernetes cluster").click()
    expect(page.get_by_text("Done:")).to_be_visible()
    screens.take(page, "admin-region")
    page.goto("/admin/clusters/cluster/")
    expect(page.get_by_role("link", name="north-2")).to_be_visible()
    page.get_by_role("link", name="north-2").click()
    screens.take(page, "admin-cluster")
