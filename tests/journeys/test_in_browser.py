"""The first journey in a real browser, with JavaScript and without: from the sign-in link to rows that came back."""

import re
import tempfile
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.journeys.browser import Screens, browser
from tests.journeys.instance import Instance, eventually

pytestmark = [pytest.mark.engine, pytest.mark.browser]
PATIENCE = 90_000  # milliseconds: an engine may have to be fetched


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(params=[True, False], ids=["with-javascript", "without-javascript"])
def context(chromium: Browser, instance: Instance, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    made = chromium.new_context(
        base_url=instance.url,
        java_script_enabled=request.param,
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"] if request.param else [],
    )
    made.set_default_timeout(20_000)
    yield made
    made.close()


class Console:
    """What a person does on the pages, by what they read there."""

    def __init__(self, page: Page, instance: Instance, scripted: bool) -> None:
        self.page, self.instance, self.scripted = page, instance, scripted
        self.screens = Screens()
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._console)

    def _console(self, line: ConsoleMessage) -> None:
        """Keep what the page complains of; a poll cut off by leaving the page is no complaint."""
        if line.type == "error" and not line.text.startswith(("htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")):
            self.problems.append(line.text)

    def sign_in(self) -> None:
        self.page.goto(self.instance.signin())
        self.page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def wait_for_state(self, word: str) -> None:
        """Wait until the service's header says so: by itself with JavaScript, by reloading without."""
        state = self.page.locator(".page-meta").get_by_text(word, exact=True)
        if self.scripted:
            expect(state).to_be_visible(timeout=PATIENCE)
            return
        for _ in range(PATIENCE // 1000):
            if state.is_visible():
                return
            self.page.wait_for_timeout(1000)
            self.page.reload()
        raise AssertionError(f"never {word}: {self.page.locator('main').inner_text()[:800]}")

    def tab(self, name: str) -> None:
        self.page.get_by_role("link", name=re.compile(f"^{name}")).first.click()

    def order(self, name: str) -> None:
        """Two clicks for a developer database, and a name of one's own."""
        self.page.goto("/catalog")
        self.page.get_by_role("link", name="PostgreSQL").first.click()
        self.page.get_by_label("Name", exact=True).fill(name)
        self.screens.take(self.page, f"order-{self.scripted}")
        self.page.get_by_role("button", name="Order now").click()
        expect(self.page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
        self.wait_for_state("Running")

    def uri(self) -> str:
        """Reveal the main login's URI and return it, by the copy button where there is a clipboard."""
        self.tab("Connect")
        self.page.get_by_role("button", name=re.compile("reveal|show", re.IGNORECASE)).first.click()
        found = self.page.get_by_text(re.compile(r"postgresql://\S+:\S+@")).first
        expect(found).to_be_visible()
        shown = re.search(r"postgresql://\S+", found.inner_text())[0]  # type: ignore[index]
        return self.copied("Copy URI", shown) if self.scripted else shown

    def copied(self, button: str, wanted: str) -> str:
        """Press a copy button, and return what the clipboard holds once that has in it what was wanted."""
        self.page.get_by_role("button", name=button).first.click()

        def copy() -> str:
            found = str(self.page.evaluate("navigator.clipboard.readText()"))
            return found if wanted in found else ""

        return str(eventually(copy, what=f"{button} copies it"))

    def authority(self) -> str:
        """Download the authority's certificate as the page offers it."""
        with self.page.expect_download() as waiting:
            self.page.get_by_role("link", name=re.compile("CA certificate", re.IGNORECASE)).first.click()
        path = tempfile.mkstemp(suffix=".pem")[1]
        waiting.value.save_as(path)
        return path


def query(uri: str, authority: str, *statements: str) -> list[Any]:
    with psycopg.connect(uri, sslrootcert=authority, connect_timeout=10) as connection:
        cursor = None
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor is not None and cursor.description else []


@pytest.fixture
def console(context: BrowserContext, instance: Instance, request: pytest.FixtureRequest) -> Console:
    scripted = "without" not in request.node.name
    made = Console(context.new_page(), instance, scripted)
    made.sign_in()
    return made


def test_from_the_sign_in_link_to_rows_that_came_back(console: Console) -> None:
    name = f"shop-{'js' if console.scripted else 'plain'}"
    page = console.page
    console.order(name)
    console.screens.take(page, f"overview-{console.scripted}")
    service_url = page.url.split("#")[0]
    uri = console.uri()
    console.screens.take(page, f"connect-{console.scripted}")
    page.goto(f"{service_url}/connect")
    authority = console.authority()
    query(uri, authority, "create table w (n int)", "insert into w select generate_series(1, 500)")

    page.goto(f"{service_url}/backups")
    page.get_by_role("button", name=re.compile("back up now", re.IGNORECASE)).first.click()
    page.goto(f"{service_url}/backups")
    _until(console, lambda: page.get_by_text(re.compile("^(Succeeded|Ready)$")).first.is_visible())
    console.screens.take(page, f"backups-{console.scripted}")
    query(uri, authority, "drop table w")

    page.get_by_role("link", name=re.compile("restore", re.IGNORECASE)).first.click()
    page.get_by_label("Name of the new service").fill(f"{name}-restored")
    page.get_by_role("button", name="Restore to a new service").click()
    expect(page.get_by_role("heading", name=f"{name}-restored", exact=True, level=1)).to_be_visible()
    console.wait_for_state("Running")
    restored_url = page.url.split("#")[0]
    restored = console.uri()
    assert query(restored, authority, "select count(*) from w") == [(500,)]

    for url, label in ((restored_url, f"{name}-restored"), (service_url, name)):
        page.goto(f"{url}/delete")
        page.get_by_label(re.compile("to confirm")).fill(label)
        page.get_by_role("button", name=re.compile("delete", re.IGNORECASE)).last.click()
        page.wait_for_url(re.compile(r"/services(\?.*)?$"))
        page.goto(url)
        console.wait_for_state("In the bin")
    page.goto("/services?bin=1")
    console.screens.take(page, f"bin-{console.scripted}")
    page.get_by_role("row", name=re.compile(rf"^{name}\b(?!-)")).get_by_role(
        "button", name=re.compile("restore|undelete|bring back", re.IGNORECASE)
    ).click()
    expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
    console.wait_for_state("Running")
    assert query(console.uri(), authority, "select 1") == [(1,)]
    assert console.problems == []


def _until(console: Console, question: Any) -> None:
    for _ in range(PATIENCE // 1000):
        if question():
            return
        console.page.wait_for_timeout(1000)
        if not console.scripted:
            console.page.reload()
    raise AssertionError(console.page.locator("main").inner_text()[:800])


PAGES = {
    "home": "/",
    "catalog": "/catalog",
    "services": "/services",
    "pricing": "/pricing",
    "tokens": "/account/tokens",
    "audit": "/audit",
    "members": "/projects/demo/members",
    "search": "/search?q=sql",
    "styleguide": "/styleguide/",
}


def test_every_page_of_the_frame_opens_without_an_error(console: Console) -> None:
    for name, path in PAGES.items():
        answer = console.page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        expect(console.page.get_by_role("heading", level=1)).to_have_count(1)
        console.screens.take(console.page, f"{name}-{console.scripted}")
    assert console.problems == []


ASKS = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  const elt = document.querySelector("#service_table");
  const poll = new CustomEvent("htmx:beforeRequest", { bubbles: true, cancelable: true, detail: { elt, target: elt } });
  return elt.dispatchEvent(poll);
}"""


def test_a_page_that_nobody_sees_asks_for_nothing(chromium: Browser, instance: Instance) -> None:
    made = chromium.new_context(base_url=instance.url)
    console = Console(made.new_page(), instance, scripted=True)
    console.sign_in()
    console.page.goto("/services")
    assert [console.page.evaluate(ASKS, hidden) for hidden in (False, True, False)] == [True, False, True]
    made.close()
