"""An account in a real browser: signed up, confirmed by a code from the outbox, with app and passkey, in by each.

The passkey is a virtual authenticator's, by Chromium's own WebAuthn domain of its debugging protocol.
"""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.accounts.ways import code_of
from tests.journeys.browser import Screens, browser
from tests.journeys.instance import Instance, eventually

pytestmark = [pytest.mark.engine, pytest.mark.browser]
PASSWORD = "correct horse battery"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
LATEST = """
from portal.notify.models import Mail
from portal.notify.outbox import text_of
mail = Mail.objects.filter(recipient="{to}").first()
print(text_of(mail) if mail else "")
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def context(chromium: Browser, instance: Instance) -> Iterator[BrowserContext]:
    """A browser at the portal's name: passkeys are bound to one, never to an address."""
    made = chromium.new_context(
        base_url=instance.url.replace("127.0.0.1", "localhost"), viewport={"width": 1440, "height": 900}
    )
    made.set_default_timeout(20_000)
    yield made
    made.close()


class Person:
    """Somebody at a browser, with the screens of what they see."""

    def __init__(self, context: BrowserContext, instance: Instance, email: str) -> None:
        self.page, self.instance, self.email = context.new_page(), instance, email
        self.screens, self.problems = Screens(), []
        self.secret = ""
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, line: ConsoleMessage) -> None:
        """Keep what the page complains of; a wrong form's 422 is meant."""
        if line.type == "error" and "status of 422" not in line.text:
            self.problems.append(line.text)

    def press(self, name: str) -> None:
        """Press what the page itself has of that name; the bar above has a way in of its own."""
        main = self.page.locator("main")
        button, link = (main.get_by_role(role, name=name, exact=True) for role in ("button", "link"))
        button.or_(link).first.click()

    def sees(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", name=heading, level=1)).to_be_visible()

    def code_from_outbox(self) -> str:
        """Return the code of the latest mail, as an operator reads it where there is no mail server."""
        words = LATEST.format(to=self.email)
        text = eventually(lambda: self.instance.manage("shell", "-v", "0", "-c", words), what="no mail")
        found = re.search(r"^([A-Z0-9]{3,}(?:-[A-Z0-9]+)*)$", text, re.MULTILINE)
        assert found, text
        return found[1]

    def add_app(self) -> list[str]:
        """Enroll a code app from the page on security, and return the recovery codes."""
        self.press("Add app")
        self.sees("Add a code app")
        self.secret = self.page.get_by_text(re.compile(r"^[A-Z2-7]{32}$")).first.inner_text()
        self.screens.take(self.page, "account-app")
        self.page.get_by_label("Code from the app").fill(code_of(self.secret))
        self.press("Add app")
        self.sees("Recovery codes")
        self.screens.take(self.page, "account-codes")
        return re.findall(r"\b\d{8}\b", self.page.locator("main").inner_text())

    def sign_out(self) -> None:
        self.page.get_by_role("button", name="Account").click()
        self.page.get_by_role("button", name="Sign out").click()
        self.sees("Sign in")

    def fresh_code(self) -> str:
        """Return a code that was not used yet: an app's changes every 30 seconds."""
        used, deadline = code_of(self.secret), time.monotonic() + 40
        while code_of(self.secret) == used and time.monotonic() < deadline:
            self.page.wait_for_timeout(500)
        return code_of(self.secret)


def with_authenticator(context: BrowserContext, page: Page) -> None:
    protocol = context.new_cdp_session(page)
    protocol.send("WebAuthn.enable")
    protocol.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def test_from_sign_up_to_a_passkey_and_in_by_each(context: BrowserContext, instance: Instance) -> None:
    new = Person(context, instance, "new@new.example")
    page = new.page
    with_authenticator(context, page)
    page.goto("/sign-in")
    new.screens.take(page, "sign-in")
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill(new.email)
    page.get_by_label("Password").fill("short")
    new.press("Sign up")
    expect(page.get_by_text("too short")).to_be_visible()
    new.screens.take(page, "sign-up")
    page.get_by_label("Password").fill(PASSWORD)
    new.press("Sign up")
    new.sees("Confirm your mail address")
    new.screens.take(page, "sign-up-confirm")
    page.get_by_label("Code").fill(new.code_from_outbox())
    new.press("Confirm")
    new.sees("Welcome")
    new.screens.take(page, "welcome")
    page.get_by_label("Organization").fill("Newcomers")
    new.press("Found organization")
    new.sees("Production")

    page.goto("/account/security")
    new.screens.take(page, "account-security-none")
    codes = new.add_app()
    assert len(codes) == 10
    new.press("Go on")
    new.press("Add passkey")
    new.sees("Add a passkey")
    new.screens.take(page, "account-passkey")
    page.get_by_label("Name").fill("This laptop")
    new.press("Add passkey")
    new.sees("Security")
    expect(page.get_by_text("This laptop")).to_be_visible()
    new.screens.take(page, "account-security")
    page.goto("/account/sessions")
    new.screens.take(page, "account-sessions")
    page.goto("/account")
    new.screens.take(page, "account")

    new.sign_out()
    page.get_by_label("Email").fill(new.email)
    page.get_by_label("Password").fill(PASSWORD)
    new.press("Sign in")
    new.sees("Second factor")
    new.screens.take(page, "second-factor")
    page.get_by_label("Code").fill("000000")
    new.press("Sign in")
    expect(page.get_by_text("Incorrect code")).to_be_visible()
    page.get_by_label("Code").fill(new.fresh_code())
    new.press("Sign in")
    new.sees("Production")

    new.sign_out()
    new.press("Sign in with a passkey")
    new.sees("Production")

    new.sign_out()
    page.get_by_label("Email").fill(new.email)
    page.get_by_label("Password").fill(PASSWORD)
    new.press("Sign in")
    new.press("Use a passkey instead")
    new.sees("Production")

    new.sign_out()
    page.get_by_label("Email").fill(new.email)
    page.get_by_label("Password").fill(PASSWORD)
    new.press("Sign in")
    page.get_by_label("Code").fill(codes[0])
    new.press("Sign in")
    new.sees("Production")
    assert new.problems == []


def test_an_operator_by_link_is_led_to_enroll_and_then_to_the_operator_site(
    context: BrowserContext, instance: Instance
) -> None:
    operator = Person(context, instance, "admin@example.org")
    page = operator.page
    page.goto(instance.signin().replace("127.0.0.1", "localhost"))
    operator.press("Sign in")
    page.goto("/admin/")
    operator.sees("Security")
    operator.screens.take(page, "account-security-required")
    operator.add_app()
    operator.press("Go on")
    page.wait_for_url(re.compile(r"/admin/$"))
    page.goto("/account/security")
    operator.press("Remove app")
    operator.sees("Remove the code app")
    operator.press("Remove app")
    operator.sees("Security")
    assert operator.problems == []
