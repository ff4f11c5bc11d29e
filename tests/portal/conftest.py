"""The running service, and Chromium to look at it."""

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support.server import demo_shop

# Milliseconds. A busy machine takes more than the default of five seconds to draw the contract.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    server = demo_shop("sqlite", folder)
    yield server.base
    server.stop()


@pytest.fixture(scope="module")
def chromium():
    """Playwright keeps an event loop running in this thread, which other modules want for themselves."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("Chromium is not installed, so nobody has looked at the pages.")
    flags = ["--disable-background-networking", "--disable-component-update", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=flags, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address):
    """An empty page; the test fails if it asks another host for anything, or logs an error that is not an answer."""
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    strangers, errors = [], []
    page.on("request", lambda request: strangers.append(request.url) if is_strange(request.url, address) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if is_error(message) else None)
    yield page
    context.close()
    assert strangers == []
    assert errors == []


def is_strange(url, address):
    return not url.startswith((f"{address}/", "data:", "blob:"))


def is_error(message):
    """Chromium logs every request that fails, Swagger UI every `_` in a fragment; what fails is for the test to say."""
    noise = ("Failed to load resource", "Deprecated: escaping deep link whitespace")
    return message.type == "error" and not message.text.startswith(noise)
