"""A client that openapi-python-client makes of the served contract works with the service as it is."""

import re
import subprocess
import sys
from importlib import import_module
from uuid import uuid4

import pytest

from services.demo import LOGINS
from tests.server import ROOT


@pytest.fixture(scope="module")
def generated(server, tmp_path_factory):
    """The generated package."""
    folder = tmp_path_factory.mktemp("generated")
    configuration = folder / "configuration.yaml"
    configuration.write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    source = ["--url", f"{server.base}/api/v1/openapi.json", "--config", configuration]
    done = subprocess.run(
        [*command, *source, "--output-path", folder / "accord_client"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # It writes no CSV, and leaves it to JSON to bring a batch of products.
    warnings = re.findall(r"^(?:WARNING|ERROR) .*\n\n(.*)", done.stdout, re.MULTILINE)
    assert set(warnings) <= {"Unsupported content type text/csv"}, done.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module("accord_client")
    for name in [name for name in sys.modules if name.partition(".")[0] == "accord_client"]:
        del sys.modules[name]


def call(operation, client, **arguments):
    return import_module(f"accord_client.api.{operation}").sync_detailed(client=client, **arguments)


@pytest.fixture
def models(generated):
    return import_module("accord_client.models")


@pytest.fixture
def anybody(server, generated):
    with generated.Client(base_url=server.base) as client:
        yield client


@pytest.fixture
def admin(server, generated, models, anybody):
    pair = call("accounts.log_in", anybody, body=models.Login(*LOGINS["admin"])).parsed
    with generated.AuthenticatedClient(base_url=server.base, token=pair.access_token) as client:
        yield client


def test_log_in_leads_to_the_own_account(models, admin):
    assert call("accounts.get_me", admin).parsed.role == models.Role.ADMIN


def test_list_is_filtered_and_sorted(models, anybody):
    order = models.ProductSort("-price")
    page = call(
        "products.list_products",
        anybody,
        in_stock=True,
        sort=order,
        per_page=2,
        fields=[models.ProductFieldNamesItem("price")],
    ).parsed
    prices = [float(item.price) for item in page.items]
    assert len(prices) == 2
    assert prices == sorted(prices, reverse=True)


def test_product_is_created_read_changed_and_deleted(models, anybody, admin):
    category = call("categories.list_categories", anybody).parsed.items[0]
    new = models.ProductCreate(sku=uuid4().hex[:20].upper(), name="Pen", price="1.00", category_id=category.id)
    product = call("products.create_product", admin, body=new).parsed
    assert isinstance(product, models.Product)
    assert (product.sku, product.stock, product.description, product.category.id) == (new.sku, 0, None, category.id)
    assert call("products.get_product", anybody, product_id=product.id).parsed == product

    twin = call("products.create_product", admin, body=new)
    assert (twin.status_code, twin.parsed.status, twin.parsed.errors[0].pointer) == (409, 409, "/sku")

    change = {"product_id": product.id, "body": models.ProductPatch(price="2.00")}
    stale = call("products.update_product", admin, **change, if_match='"other"').parsed
    assert (type(stale), stale.status) == (models.Problem, 412)
    assert call("products.update_product", admin, **change).parsed.price == "2.00"
    assert call("products.delete_product", admin, product_id=product.id).status_code == 204
    assert call("products.get_product", anybody, product_id=product.id).parsed.title == "Not Found"


def test_batch_of_products_comes_and_goes(models, anybody, admin):
    category = call("categories.list_categories", anybody).parsed.items[0]
    new = [models.ProductCreate(uuid4().hex[:20].upper(), "Pen", "1.00", category.id) for _ in range(3)]
    made = call("products.create_products", admin, body=new).parsed.items
    assert [product.sku for product in made] == [product.sku for product in new]
    assert call("products.delete_products", admin, id=[product.id for product in made]).status_code == 204
