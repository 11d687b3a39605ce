"""An operator's day in a real browser: enroll a factor, announce, answer a request; and what a customer sees of it."""

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.journeys.browser import Screens, browser
from tests.journeys.instance import Api, Instance

pytestmark = [pytest.mark.engine, pytest.mark.browser]
CUSTOMER = "lead@demo.example"
PERIOD = 30  # seconds that a code is good for


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def opened(chromium: Browser, instance: Instance) -> BrowserContext:
    made = chromium.new_context(base_url=instance.url, viewport={"width": 1440, "height": 900})
    made.set_default_timeout(30_000)
    return made


@pytest.fixture(scope="module")
def operator(chromium: Browser, instance: Instance) -> Iterator[Page]:
    """The operator's browser, signed in by link and led to enroll before the admin site opens."""
    context = opened(chromium, instance)
    page = context.new_page()
    sign_in(page, instance.signin())
    enroll(page)
    yield page
    context.close()
    instance.manage("removefactors", "admin@example.org")  # others come by link alone


@pytest.fixture(scope="module")
def customer(chromium: Browser, instance: Instance) -> Iterator[Page]:
    instance.manage("adduser", CUSTOMER, "--organization", "demo", "--role", "admin")
    context = opened(chromium, instance)
    page = context.new_page()
    sign_in(page, instance.signin(CUSTOMER))
    yield page
    context.close()


def sign_in(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def enroll(page: Page) -> None:
    """Follow the way that the admin site leads somebody without a factor, up to its first page."""
    page.goto("/admin/")
    expect(page).to_have_url(re.compile("/account/security"))
    page.goto("/account/security/app")
    secret = re.findall(r"\b[A-Z2-7]{32}\b", page.content())[0]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD))
    page.get_by_label(re.compile("code", re.IGNORECASE)).first.fill(code)
    page.get_by_role("button", name="Add app").click()
    page.goto("/admin/")
    expect(page.get_by_role("region", name="What needs a look")).to_be_visible()


def test_an_announcement_reaches_a_customer_in_its_region(
    operator: Page, customer: Page, instance: Instance, api: Api
) -> None:
    body = {"name": "there", "offering": "postgresql", "plan": "free"}
    api.finished(api.ok("POST", "/api/v1/projects/demo/services", body))  # or others meet it on its way
    screens = Screens()
    screens.take(operator, "admin-dashboard")
    operator.goto("/admin/notify/announcement/add/")
    operator.get_by_label("Kind").select_option("incident")
    operator.get_by_label("Severity").select_option("warning")
    operator.get_by_label("Title").fill("Slow disks on this machine")
    operator.get_by_label("Text").fill("Backups take longer. We look into it.")
    operator.get_by_role("checkbox", name="This machine").check()
    screens.take(operator, "admin-announce")
    operator.get_by_role("button", name="Publish").click()
    expect(operator.locator(".field-error")).to_be_visible()  # no reason given
    operator.get_by_label("Reason").fill("Alert 17")
    operator.get_by_role("button", name="Publish").click()
    expect(operator.get_by_text("Published.")).to_be_visible()
    customer.goto("/services")
    banner = customer.locator("#announcement")
    expect(banner).to_contain_text("Slow disks on this machine")
    screens.take(customer, "announcement-seen")

    operator.get_by_role("link", name="Slow disks on this machine").click()
    operator.get_by_role("button", name="End it").click()
    operator.get_by_label("A last word").fill("Swapped. All is well.")
    operator.get_by_label("Reason").fill("Alert 17 is over")
    screens.take(operator, "admin-end-announcement")
    operator.get_by_role("button", name="End it").click()
    expect(operator.get_by_text("Done:")).to_be_visible()
    customer.reload()
    expect(banner).not_to_contain_text("Slow disks on this machine")


def test_a_request_is_answered_and_its_customer_reads_why(operator: Page, customer: Page) -> None:
    screens = Screens()
    customer.goto("/projects/demo/quotas")
    customer.get_by_label("Of what").select_option("services")
    customer.get_by_label("New limit").fill("300")
    customer.get_by_label("Reason").fill("A fair with many booths")
    customer.get_by_role("button", name="Ask for more").click()
    expect(customer.get_by_text("A fair with many booths")).to_be_visible()
    operator.goto("/admin/")
    operator.get_by_role("link", name="Open quota requests").click()
    screens.take(operator, "admin-quota-requests")
    operator.get_by_role("link", name="Demo").first.click()
    operator.get_by_role("button", name="Grant").click()
    expect(operator.get_by_text("A fair with many booths")).to_be_visible()
    operator.get_by_label("Answer").fill("Granted for the fair")
    screens.take(operator, "admin-grant")
    operator.get_by_role("button", name="Grant").click()
    expect(operator.get_by_text("Done:")).to_be_visible()
    customer.goto("/projects/demo/quotas")
    expect(customer.get_by_text("Granted for the fair")).to_be_visible()
    customer.goto("/audit?action=quota.answer")
    expect(customer.get_by_text("Granted for the fair").first).to_be_visible()
    screens.take(customer, "audit-list")
    customer.get_by_role("row").nth(1).get_by_role("link").first.click()
    expect(customer.get_by_role("heading", name="quota.answer")).to_be_visible()
    screens.take(customer, "audit-event")


def test_operators_pages_look_as_they_should(operator: Page) -> None:
    """Open each page of operators once; the pictures are what this is for."""
    screens = Screens()
    pages = {
        "admin-packages": "/admin/packages",
        "admin-organizations": "/admin/projects/organization/",
        "admin-people": "/admin/accounts/user/",
        "admin-operations": "/admin/resources/operation/",
        "admin-clusters": "/admin/clusters/cluster/",
        "admin-outbox": "/admin/notify/mail/",
        "regions": "/regions",
        "privacy": "/account/privacy",
    }
    for name, address in pages.items():
        answer = operator.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        expect(operator.get_by_role("heading", level=1).first).to_be_visible()
        screens.take(operator, name)
    operator.goto("/admin/projects/organization/")
    operator.get_by_role("link", name="demo", exact=True).first.click()
    screens.take(operator, "admin-organization")
    operator.get_by_role("button", name="Set a quota").click()
    screens.take(operator, "admin-set-quota")
