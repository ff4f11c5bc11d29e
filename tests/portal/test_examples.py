"""The examples of the contract succeed on the demo data as they stand, for the admin, or a table says why not."""

import httpx
import pytest
from playwright.sync_api import expect

from services import demo_data
from tests.portal.test_docs import execute, log_in, operation
from tests.support.operations import OPERATIONS
from tests.support.server import demo_shop

UNSUCCESSFUL = {
    "refresh_tokens": (401, "A refresh token can be used once; log_in returns one."),
    "change_password": (422, "The current password of the admin is another one."),
    "revoke_session": (404, "The id of a session is in list_sessions."),
    "get_audit_event": (404, "The id of an event is in list_audit_events."),
    "get_api_key": (404, "There is no API key before create_api_key."),
    "update_api_key": (404, "There is no API key before create_api_key."),
    "rotate_api_key": (404, "There is no API key before create_api_key."),
    "delete_api_key": (404, "There is no API key before create_api_key."),
    "get_order": (404, "The id of an order is in list_orders."),
    "update_order": (404, "The id of an order is in list_orders."),
    "set_order_status": (404, "The id of an order is in list_orders."),
    "cancel_order": (404, "The id of an order is in list_orders."),
    "get_file": (404, "The id of a file is in list_files."),
    "get_file_content": (404, "The id of a file is in list_files."),
    "update_file": (404, "The id of a file is in list_files."),
    "delete_file": (404, "The id of a file is in list_files."),
    "delete_category": (409, "The category has products."),
    "delete_user": (404, "delete_users has deleted the user."),
    "delete_products": (404, "delete_product has deleted the product."),
    "delete_customer_photo": (404, "delete_customer has deleted the customer."),
    "log_out_all_sessions": (401, "log_out has ended the session."),
}
"""The status of each operation that does not succeed, and its reason."""

ORDER = ["GET", "POST", "PATCH", "PUT", "DELETE", "restoration", "logout"]

FIRST_VERSION = [o for o in OPERATIONS if o.version == "v1"]


def is_unique(schema, document):
    """Whether the contract declares a value in the schema that no second resource can have."""
    schema = document.resolve(schema)
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return schema.get("x-unique", False) or any(is_unique(part, document) for part in parts)


def creates_unique(operation):
    content = operation.resolve(operation.spec.get("requestBody", {})).get("content", {})
    media = content.get("application/json")
    return operation.method == "POST" and media is not None and is_unique(media["schema"], operation.document)


def is_creation(operation):
    return operation.method == "POST" and operation.body is not None and "201" in operation.spec["responses"]


def rank(operation):
    last = operation.path.rpartition("/")[2].partition("-")[0]
    return ORDER.index(last if last in ORDER else operation.method)


@pytest.fixture(scope="module")
def statuses(tmp_path_factory):
    """The statuses of all operations by their examples, those that delete at the end, on a shop of its own."""
    server = demo_shop("sqlite", tmp_path_factory.mktemp("examples"))
    username, password = demo_data.LOGINS["admin"]
    found = {}
    with httpx.Client(base_url=server.base, timeout=60) as client:
        tokens = client.post("/api/v1/auth/login", json={"username": username, "password": password}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        for each in sorted(FIRST_VERSION, key=rank):
            path = each.path
            for parameter in each.parameters:
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", each.example(parameter["schema"]))
            headers = {
                p["name"]: each.example(p["schema"])
                for p in each.parameters
                if p["in"] == "header" and p.get("required")
            }
            form = each.form or {}
            query = {p["name"]: each.example(p["schema"]) for p in each.parameters if p["name"] == "id"}
            response = client.request(each.method, path, params=query, json=each.body, headers=headers, **form)
            found[each.id] = response.status_code
    server.stop()
    return found


@pytest.mark.parametrize("name", [o.id for o in FIRST_VERSION if not creates_unique(o)])
def test_example_succeeds(statuses, name):
    status, _ = UNSUCCESSFUL.get(name, (200, ""))
    assert statuses[name] // 100 == 2 if status == 200 else statuses[name] == status


@pytest.mark.browser
def test_examples_of_creations_succeed_again_and_again(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#log-out")).to_be_visible()
    creations = [o.id for o in FIRST_VERSION if is_creation(o)]
    statuses = {}
    for name in creations:
        page.get_by_label("Search operations").fill(name)
        block = operation(page, name)
        statuses[name] = []
        for _ in range(2):
            with page.expect_response(lambda response: response.request.method == "POST") as response:
                block.get_by_role("button", name="Execute").click()
            statuses[name].append(response.value.status)
            expect(block.locator(".live-responses-table")).to_be_visible()
            block.get_by_role("button", name="Clear").click()
    assert statuses == {name: [201, 201] for name in creations}


@pytest.mark.browser
def test_body_that_the_reader_has_changed_is_left_alone(page):
    page.goto("/docs")
    log_in(page, *demo_data.LOGINS["admin"])
    expect(page.locator("#log-out")).to_be_visible()
    create = operation(page, "create_category")
    create.locator("textarea").fill('{"name": "Toys of the reader"}')
    expect(execute(create)).to_have_text("201")
    expect(create.locator("textarea")).to_have_value('{"name": "Toys of the reader"}')
