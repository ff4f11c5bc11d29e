"""Log-in and API key of the portal in Chromium: shared by its pages, renewed, and forgotten (ADR 28)."""

import pytest
from playwright.sync_api import expect

from services import demo_data
from tests.portal.test_docs import execute, log_in, operation
from tests.support.server import demo_shop

pytestmark = pytest.mark.browser

STORED = "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]"
NOTHING = ["", "{}", "{}"]


def test_log_in_lasts_over_a_reload_other_pages_and_new_tabs(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["admin"])
    logged_in(page, "admin")
    page.reload()
    expect(execute(operation(page, "list_users"))).to_have_text("200")
    page.get_by_role("link", name="v2", exact=True).click()
    logged_in(page, "admin")
    page.get_by_role("link", name="Status", exact=True).click()
    logged_in(page, "admin")
    expect(page.locator("#state")).not_to_contain_text("Log in")
    tab = page.context.new_page()
    tab.goto("/docs")
    expect(execute(operation(tab, "list_users"))).to_have_text("200")


def test_api_key_lasts_over_a_reload_other_pages_and_new_tabs(page):
    page.goto("/docs")
    use_api_key(page, new_api_key(page))
    page.reload()
    expect(execute(operation(page, "list_users"))).to_have_text("200")
    page.get_by_role("link", name="Status", exact=True).click()
    logged_in(page, "API key ak_")
    tab = page.context.new_page()
    tab.goto("/docs?version=v2")
    expect(execute(operation(tab, "list_users"))).to_have_text("200")
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(tab.locator("#log-in")).to_be_visible()
    assert tab.evaluate(STORED) == NOTHING


def test_log_out_ends_the_session_and_is_forgotten_in_every_tab(page):
    page.goto("/docs")
    with page.expect_response("**/auth/login") as response:
        log_in(page, *demo_data.LOGINS["admin"])
    token = response.value.json()["access_token"]
    tab = page.context.new_page()
    tab.goto("/docs")
    expect(execute(operation(tab, "list_users"))).to_have_text("200")
    expect(tab.locator("body")).to_contain_text(token)  # in the curl command
    page.get_by_role("button", name="Log out", exact=True).click()
    for each in (page, tab):
        expect(each.locator("#notice")).to_have_text("Logged out.")
        expect(each.locator("#log-in")).to_be_visible()
        expect(each.locator("body")).not_to_contain_text(token)
        assert each.evaluate(STORED) == NOTHING
    assert page.request.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).status == 401


def test_log_out_without_connection_is_forgotten_as_well(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["customer"])
    logged_in(page, "customer")
    page.context.set_offline(True)
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("Logged out in this browser, but the session has not ended")
    assert page.evaluate(STORED) == NOTHING


def test_page_from_the_back_forward_cache_notices_a_log_out(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["customer"])
    logged_in(page, "customer")
    # The page gets no event of a change by itself, as a page in the cache gets none.
    page.evaluate("localStorage.clear()")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.locator("#log-in")).to_be_visible()
    assert page.evaluate(STORED) == NOTHING


def test_log_in_is_renewed_before_its_token_expires(page):
    page.clock.install()
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["admin"])
    logged_in(page, "admin")
    tab = page.context.new_page()
    tab.goto("/docs")
    logged_in(tab, "admin")
    for _ in range(2):
        with page.expect_response("**/auth/refresh") as response:
            page.clock.fast_forward("55:00")
        token = response.value.json()["access_token"]
        expect(execute(operation(page, "list_users"))).to_have_text("200")
        expect(page.locator(".curl-command")).to_contain_text(token)
        operation(page, "list_users")
    expect(execute(operation(tab, "list_users"))).to_have_text("200")
    expect(tab.locator(".curl-command")).to_contain_text(token)


def test_log_in_that_no_tab_renews_expires(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["admin"])
    logged_in(page, "admin")
    tab = page.context.new_page()
    tab.clock.install()
    tab.goto("/docs")
    logged_in(tab, "admin")
    page.close()
    tab.clock.fast_forward("01:00:01")
    expect(tab.locator("#notice")).to_have_text("Your log-in has expired. Log in again.")
    expect(tab.locator("#log-in")).to_be_visible()
    assert tab.evaluate(STORED) == NOTHING


def test_log_in_of_another_tab_is_not_ended_by_an_old_refresh_token(page):
    page.goto("/docs")
    tab = page.context.new_page()
    tab.goto("/docs")
    log_in(page, *demo_data.LOGINS["manager"])
    logged_in(tab, "manager")
    tab.get_by_role("button", name="Log out", exact=True).click()
    expect(page.locator("#log-in")).to_be_visible()
    log_in(tab, *demo_data.LOGINS["admin"])
    logged_in(page, "admin")
    assert page.evaluate("sessionStorage.length") == 0


def test_session_that_has_ended_elsewhere_is_noticed(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["customer"])
    expect(execute(operation(page, "log_out_all_sessions"))).to_have_text("204")
    expect(execute(operation(page, "get_me"))).to_have_text("401")
    expect(page.locator("#notice")).to_have_text("Your session has ended. Log in again.")
    assert page.evaluate(STORED) == NOTHING


def test_refusal_of_something_else_does_not_end_the_session(page):
    """Only `invalid_token` is about the token (RFC 6750, section 3.1)."""
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["customer"])
    expect(execute(operation(page, "refresh_tokens"))).to_have_text("401")
    logged_in(page, "customer")


def test_wrong_password_is_an_error_beside_the_form_and_moves_nothing(page):
    page.goto("/docs")
    first = page.locator(".opblock").first
    before = first.bounding_box()
    log_in(page, "admin", "not the password")
    expect(page.locator("#notice")).to_have_text("The username or the password is wrong.")
    expect(page.locator("#notice")).to_be_in_viewport()
    expect(page.locator("#log-out")).to_be_hidden()
    expect(page.get_by_label("User name", exact=True)).to_have_value("admin")
    assert first.bounding_box() == before
    page.get_by_label("Password", exact=True).fill("a")
    expect(page.locator("#notice")).to_be_empty()


def test_log_in_without_connection_is_an_error_beside_the_form(page):
    page.goto("/docs")
    page.context.set_offline(True)
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#notice")).to_have_text("The service does not respond. Try again later.")
    page.context.set_offline(False)
    log_in(page, *demo_data.LOGINS["admin"])
    logged_in(page, "admin")
    expect(page.locator("#notice")).to_be_empty()


def test_log_in_beyond_the_rate_limit_says_when_to_retry(chromium, tmp_path):
    server = demo_shop("sqlite", tmp_path, ACCORD_RATE_LIMITS='{"log-in": ["1 per minute"]}')
    context = chromium.new_context(base_url=server.base)
    page = context.new_page()
    page.goto("/status")
    log_in(page, "admin", "not the password")
    expect(page.locator("#notice")).to_have_text("The username or the password is wrong.")
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#notice")).to_contain_text("Retry in")
    context.close()
    server.stop()


def test_message_stays_in_view_while_the_page_scrolls(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["customer"])
    expect(execute(operation(page, "log_out_all_sessions"))).to_have_text("204")
    expect(execute(operation(page, "list_files"))).to_have_text("401")
    expect(page.locator("#notice")).to_be_in_viewport()


def logged_in(page, name):
    expect(page.locator("#log-out")).to_contain_text(f"Logged in as {name}")


def use_api_key(page, key):
    page.get_by_text("API key", exact=True).first.click()
    page.get_by_label("API key", exact=True).fill(key)
    page.get_by_role("button", name="Use", exact=True).click()
    logged_in(page, "API key ak_")


def new_api_key(page):
    username, password = demo_data.LOGINS["admin"]
    tokens = page.request.post("/api/v1/auth/login", data={"username": username, "password": password}).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    body = {"name": "Portal", "scopes": ["users", "metrics"]}
    return page.request.post("/api/v1/api-keys", data=body, headers=headers).json()["key"]
