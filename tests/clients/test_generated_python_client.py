"""A client that openapi-python-client makes of the served contract works with the service as it is."""

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
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    source = ["--url", f"{server.base}/api/v1/openapi.json", "--config", configuration]
    done = subprocess.run(
        [*command, *source, "--output-path", folder / "accord_client"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module("accord_client")
    for name in [name for name in sys.modules if name.partition(".")[0] == "accord_client"]:
        del sys.modules[name]


def call(operation, client, **arguments):
    return import_module(f"accord_client.api.{operation}").sync_detailed(client=client, **arguments)


def test_generated_client_fills_the_catalogue(server, generated):
    models = import_module("accord_client.models")
    anybody = generated.Client(base_url=server.base)
    pair = call("accounts.log_in", anybody, body=models.Login(*LOGINS["admin"])).parsed
    admin = generated.AuthenticatedClient(base_url=server.base, token=pair.access_token)
    assert call("accounts.get_me", admin).parsed.role == models.Role.ADMIN

    page = call("products.list_products", anybody, in_stock=True, sort=models.ProductSort.VALUE_3, per_page=2).parsed
    assert [item.price for item in page.items] == sorted((item.price for item in page.items), key=float, reverse=True)

    new = models.ProductCreate(sku=uuid4().hex[:20].upper(), name="Pen", price="1.00", category_id=page.items[0].category.id)
    product = call("products.create_product", admin, body=new).parsed
    assert (product.sku, product.stock, product.description) == (new.sku, 0, None)
    assert call("products.get_product", anybody, product_id=product.id).parsed == product

    refused = call("products.create_product", admin, body=new)
    assert (refused.status_code, refused.parsed.status) == (409, 409)
    assert [fault.pointer for fault in refused.parsed.errors] == ["/sku"]

    patch = models.ProductPatch(price="2.00")
    stale = call("products.update_product", admin, product_id=product.id, body=patch, if_match='"other"')
    assert (type(stale.parsed), stale.parsed.status) == (models.Problem, 412)
    assert call("products.update_product", admin, product_id=product.id, body=patch).parsed.price == "2.00"
    assert call("products.delete_product", admin, product_id=product.id).status_code == 204
    assert call("products.get_product", anybody, product_id=product.id).parsed.title == "Not Found"
