"""The pages in Chromium below a prefix, which nginx removes."""

import pytest
from playwright.sync_api import expect

from services import demo_data
from tests.portal.test_docs import execute, log_in, operation
from tests.support.proxies import nginx
from tests.support.server import demo_shop

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    server = demo_shop("sqlite", tmp_path_factory.mktemp("pages"), ACCORD_ROOT_PATH="/shop")
    with nginx(server.port, location="", server="location /shop/ { proxy_pass http://service/; }") as base:
        yield f"{base}/shop"
    server.stop()


def test_contract_is_tried_out(page, address):
    page.goto(f"{address}/docs")
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#log-out")).to_contain_text("Logged in as admin")
    expect(execute(operation(page, "list_orders"))).to_have_text("200")
    page.get_by_role("link", name="Problems").click()
    expect(page).to_have_url(f"{address}/problems")


def test_status_is_plotted(page, address):
    page.goto(f"{address}/status")
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#log-out")).to_contain_text("Logged in as admin")


def test_link_in_the_description_leads_to_the_problems(page, address):
    page.goto(f"{address}/docs")
    page.get_by_text("Conventions of all operations").click()
    expect(page.get_by_role("link", name="an explanation")).to_have_attribute("href", "/shop/problems")
