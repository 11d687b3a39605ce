"""The order page in a real browser, while answers are slow: what was chosen last is what stands there in the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.test import Client
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.projects.models import Project
from tests.journeys.browser import browser

pytestmark = pytest.mark.browser


@pytest.fixture
def live(plain_frame: None, transactional_db: None) -> Iterator[str]:
    """Serve the portal from a thread, for one test: only then are static files as they lie in the checkout."""
    server = LiveServer("localhost")
    yield server.url
    server.stop()


@pytest.fixture
def session(project: Project, developer: User, client_of: Callable[[User], Client]) -> str:
    """Sign somebody in who may order in two regions; return the session's key."""
    for slug, name in (("local", "This machine"), ("other", "That machine")):
        region = Region.objects.create(slug=slug, name=name)
        Cluster.objects.create(region=region, name=slug, kind="local", capabilities={"isolation": True})
    return client_of(developer).cookies["sessionid"].value


class Held:
    """Answers that the page waits for: asked for, and held back until they are let go."""

    def __init__(self, page: Page) -> None:
        self._routes: list[Route] | None = []
        page.route("**/quote", self._hold)

    def _hold(self, route: Route) -> None:
        if self._routes is None:
            return route.continue_()
        return self._routes.append(route)

    def let_go(self) -> None:
        """Let all of them through, and those that follow."""
        routes, self._routes = self._routes or [], None
        for route in routes:
            route.continue_()


@contextmanager
def order_page(live: str, session: str) -> Iterator[Page]:
    """Open the order page in a browser whose timers stand still until they are told to run."""
    with browser() as started:
        context = started.new_context(base_url=live)
        context.add_cookies([{"name": "sessionid", "value": session, "url": live}])
        page = context.new_page()
        page.clock.install()
        page.goto("/catalog/postgresql")
        page.clock.pause_at(page.evaluate("Date.now()"))
        yield page
        context.close()


def test_a_name_and_a_plan_in_one_breath_are_both_answered(live: str, session: str) -> None:
    with order_page(live, session) as page:
        held = Held(page)
        page.get_by_label("Name", exact=True).fill("quick")
        page.get_by_role("radio", name="Development 2").check()  # leaves the field: the summary is asked for twice
        page.clock.run_for(400)  # the name is looked up
        held.let_go()
        expect(page.locator("#name_hint")).to_have_text("This name is free.")
        expect(page.locator("#order_summary")).to_contain_text("Development 2")


def test_a_plan_chosen_by_keyboard_outlives_the_plans_of_another_region(live: str, session: str) -> None:
    with order_page(live, session) as page:
        held = Held(page)
        page.get_by_label("Region", exact=True).select_option("That machine")
        page.get_by_role("radio", name="Free").focus()
        page.keyboard.press("ArrowDown")
        chosen = page.get_by_role("radio", name="Development 2")
        expect(chosen).to_be_checked()
        with page.expect_response(lambda answer: 'id="plan_choices"' in answer.text()):
            held.let_go()
        expect(page.locator("#order_summary")).to_contain_text("That machine")
        expect(page.locator("#order_summary")).to_contain_text("Development 2")
        expect(chosen).to_be_checked()
        expect(chosen).to_be_focused()
