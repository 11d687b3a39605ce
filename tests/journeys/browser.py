"""A real browser: Debian's Chromium, driven by Playwright, headless."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE = 20_000  # milliseconds for a page to show something: the machine does much besides
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Return the browser's path; without one the test is skipped, except in CI, where there must be one."""
    path = os.environ.get("ARCHIPEL_CHROMIUM") or "/usr/bin/chromium"
    if Path(path).exists():
        return path
    if os.environ.get("CI"):
        pytest.fail("CI needs Chromium")
    pytest.skip("no Chromium on this machine: the browser tests are left out")


@contextmanager
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield started
        finally:
            started.close()


class Screens:
    """Takes pictures of pages in both themes, wide and narrow, where ``ARCHIPEL_SCREENSHOTS`` says so."""

    def __init__(self) -> None:
        folder = os.environ.get("ARCHIPEL_SCREENSHOTS")
        self.folder = Path(folder) if folder else None

    def take(self, page: Page, name: str) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        before = page.viewport_size
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            for width in (1440, 390):
                page.set_viewport_size({"width": width, "height": 900})
                page.screenshot(path=self.folder / f"{name}-{theme}-{width}.png", full_page=True)
        page.emulate_media(color_scheme="light")
        if before:
            page.set_viewport_size(before)
