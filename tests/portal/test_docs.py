"""The docs page in Chromium: whoever reads the contract there can log in and try it out."""

import json

import pytest
from playwright.sync_api import expect

from services import demo_data

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("role", "status"), [("admin", "201"), ("manager", "403"), ("customer", "403")])
def test_operation_is_tried_out_as_the_role_that_logged_in(page, role, status):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS[role])
    expect(page.locator("#log-out")).to_contain_text(f"Logged in as {role}")
    create = operation(page, "create_category")
    create.locator("textarea").fill(json.dumps({"name": f"Toys of the {role}"}))
    expect(execute(create)).to_have_text(status)


def test_catalogue_is_read_by_anybody_with_what_the_form_holds(page):
    page.goto("/docs")
    products = operation(page, "list_products")
    expect(execute(products)).to_have_text("200")
    expect(products.locator(".live-responses-table")).to_contain_text("Amul Butter")


def test_operation_says_whom_it_is_for(page):
    page.goto("/docs")
    expect(operation(page, "create_category")).to_contain_text(
        "Allowed for admin (scope catalogue:write) or API keys (scope catalogue:write)."
    )
    expect(operation(page, "list_products")).to_contain_text("No credentials required.")


def test_operation_says_how_often_it_may_be_called(page):
    page.goto("/docs")
    policies = page.request.get("/api/v1/openapi.json").json()["x-rate-limits"]["policies"]
    catalogue, signed_in = policies["catalogue"]["limits"][0], policies["signed-in"]["limits"][0]
    products = operation(page, "list_products")
    expect(products).to_contain_text(f"Rate limits: {catalogue} by address (catalogue);")
    expect(products).to_contain_text(f"{signed_in} by caller, except admin (signed-in)")
    expect(operation(page, "get_liveness")).to_contain_text("No rate limits.")


def test_operation_says_how_long_its_answer_is_good(page):
    page.goto("/docs")
    max_age = page.request.get("/api/v1/openapi.json").json()["x-cache-profiles"]["catalogue"]["max-age"]
    expect(operation(page, "list_products")).to_contain_text(f"Caching: without credentials, for {max_age} seconds.")
    expect(operation(page, "list_posts")).to_contain_text("revalidated with its ETag each time.")
    expect(operation(page, "list_orders")).not_to_contain_text("Caching:")


def test_other_version_of_an_operation_is_one_click_away(page):
    page.goto("/docs")
    customers = operation(page, "list_customers")
    expect(customers).to_contain_text("/api/v1/customers")
    expect(customers).to_contain_text("successor: /api/v2/customers.")
    page.get_by_role("link", name="v2", exact=True).click()
    customers = page.locator(".opblock.is-open", has_text="/api/v2/customers")
    customers.wait_for()
    expect(customers).not_to_contain_text("deprecated", ignore_case=True)


def test_loading_is_shown_until_the_operations_are(page):
    requests = []

    def hold(route):
        requests.append(route)

    page.route("**/openapi.json", hold)
    page.goto("/docs")
    expect(page.locator("#loading")).to_contain_text("Loading…")
    requests.pop().continue_()
    expect(page.locator(".opblock").first).to_be_visible()
    expect(page.locator("#loading")).to_have_count(0)


@pytest.mark.parametrize("outage", ["no connection", 503])
def test_contract_that_cannot_be_loaded_is_an_error_on_the_page(page, outage):
    page.route(
        "**/openapi.json", lambda route: route.fulfill(status=outage) if outage == 503 else route.abort("failed")
    )
    page.goto("/docs")
    reason = "responds with status 503" if outage == 503 else "does not respond"
    expect(page.locator("#loading")).to_have_text(
        f"The contract cannot be shown: The service {reason}. Reload the page to try again."
    )


def test_page_without_javascript_leads_to_the_contract(chromium, address):
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/docs")
    # Playwright turns scripts off after the parser has decided not to draw `noscript`.
    assert '<noscript><p class="prose">This page needs JavaScript.' in page.content()
    expect(page.locator("#loading")).to_be_hidden()
    context.close()


def test_operations_come_before_the_prose(page):
    page.goto("/docs")
    expect(page.locator(".opblock").first).to_be_in_viewport()
    expect(page.get_by_text("Every request and every response is checked")).to_be_hidden()
    page.get_by_text("Conventions of all operations").click()
    expect(page.get_by_text("Every request and every response is checked")).to_be_visible()


@pytest.mark.parametrize(
    ("phrase", "found"),
    [
        ("create_product", ["create_product", "create_products"]),  # an operationId
        ("THEFT refresh", ["refresh_tokens"]),  # words of a description, in any order and case
        ("/customers/{customer_id}/photo put", ["replace_customer_photo"]),  # path and method
        ("tags", ["list_tags"]),
    ],
)
def test_search_finds_operations_by_name_and_by_words_of_their_descriptions(page, phrase, found):
    page.goto("/docs")
    # A closed tag does not hide what is found.
    page.locator(".opblock-tag", has_text="Products").first.click()
    page.get_by_label("Search operations").fill(phrase)
    for operation_id in found:
        expect(page.locator(f".opblock[id$='-{operation_id}']")).to_be_visible()
    if phrase != "tags":
        expect(page.locator(".opblock")).to_have_count(len(found))
    page.get_by_label("Search operations").fill("")
    expect(page.locator(".opblock[id$='-get_index']")).to_be_visible()


def test_search_without_result_says_so(page):
    page.goto("/docs")
    page.get_by_label("Search operations").fill("xyzzy")
    expect(page.locator(".found")).to_have_text("No operation matches “xyzzy”.")
    expect(page.locator(".opblock")).to_have_count(0)


def test_type_of_a_problem_leads_to_its_explanation(page):
    problem = page.request.get("/api/v1/auth/me").json()
    page.goto(problem["type"])
    expect(page.get_by_role("heading", name="unauthorized")).to_be_in_viewport()


@pytest.mark.parametrize("path", ["/docs", "/problems"])
def test_page_fits_a_phone(page, path):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    if path == "/docs":
        log_in(page, "admin", "not the password")
        expect(page.locator("#notice")).to_be_in_viewport()
        execute(operation(page, "list_products"))
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def log_in(page, username, password):
    page.get_by_label("User name", exact=True).fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()


def operation(page, operation_id):
    """The unfolded block of an operation."""
    block = page.locator(f".opblock[id$='-{operation_id}']")
    block.locator(".opblock-summary-control").click()
    return block


def execute(block):
    """Where the status of the answer to a trial stands."""
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table tbody .response-col_status").first
