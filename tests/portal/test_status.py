"""The page that draws the last hour, in Chromium and under load."""

import re
import threading

import httpx
import pytest
from playwright.sync_api import expect

from services import demo_data
from tests.portal.test_docs import log_in

pytestmark = pytest.mark.browser


@pytest.fixture
def load(address):
    """Callers who do not pause: of products there are many, of what there is not some."""
    over = threading.Event()

    def ask():
        with httpx.Client(base_url=address) as client:
            while not over.is_set():
                client.get("/api/v1/products")
                client.get("/api/v1/products/0198f0a2-0000-7000-8000-000000000000")

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    yield
    over.set()
    for caller in callers:
        caller.join()


def test_plots_show_what_goes_on_and_go_on_by_themselves(page, load):
    page.goto("/status")
    log_in(page, *demo_data.LOGINS["admin"])
    requests = plot(page, "Requests")
    expect(requests.locator("strong")).to_have_text(re.compile("^[1-9].*/s$"), timeout=30_000)
    expect(plot(page, "Errors")).to_contain_text("client errors (4xx)")
    expect(plot(page, "Duration").locator("strong").first).to_contain_text("ms")
    drawn = requests.locator("path").get_attribute("d")
    expect(requests.locator("path")).not_to_have_attribute("d", drawn, timeout=30_000)
    requests.locator("svg").hover()
    expect(requests.locator(".when")).not_to_be_empty()


def test_page_shows_nothing_before_the_log_in_and_after_it(page):
    page.goto("/status")
    expect(page.locator("#plots")).to_be_hidden()
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#state")).not_to_contain_text("Log in")
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#plots")).to_be_hidden()
    expect(page.locator("#state")).to_contain_text("Log in")


def test_who_may_not_see_it_is_told_so(page):
    page.goto("/status")
    log_in(page, *demo_data.LOGINS["customer"])
    expect(page.locator("#notice")).to_contain_text("requires: metrics")
    expect(page.locator("#plots")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/status")
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#plots")).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def plot(page, title):
    return page.locator("figure").filter(has=page.get_by_role("heading", name=title, exact=True))
