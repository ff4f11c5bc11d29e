"""Clients that openapi-python-client makes of the contract, as the guide says, work with the service as it is."""

import re
import subprocess
import sys
from importlib import import_module
from io import BytesIO
from uuid import uuid4

import pytest

from accord.app.documents import CONTRACTS
from services.demo_data import LOGINS
from tests.support.pictures import drawn
from tests.support.server import ROOT

GUIDE = ROOT.joinpath("docs", "generating-clients.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```(yaml|python)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL))
NO_CSV = "Unsupported content type text/csv"
BASE = "http://127.0.0.1:8080"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("generated")


@pytest.fixture(scope="session", params=CONTRACTS)
def package(request, folder):
    """The name of the package that is generated of a version."""
    name = f"accord_{request.param}"
    if not (folder / name).exists():
        contract, configuration = folder / f"{name}.json", folder / "client.yaml"
        configuration.write_text(BLOCKS["yaml"])
        run("main", "openapi", "--version", request.param, contract)
        options = ["--path", contract, "--config", configuration, "--meta", "none", "--output-path", folder / name]
        warnings = run("openapi_python_client", "generate", *options)
        assert re.findall("^(?:WARNING|ERROR) .*\n\n(.*)", warnings, re.MULTILINE) == [NO_CSV]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield name


def run(module, *arguments, cwd=ROOT):
    """Run a module, and return what it warned of."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@pytest.fixture
def call(package):
    """Call an operation by its tag and name."""
    return lambda operation, client, **arguments: import_module(f"{package}.api.{operation}").sync_detailed(
        client=client, **arguments
    )


@pytest.fixture
def models(package):
    return import_module(f"{package}.models")


@pytest.fixture
def anybody(server, package):
    with import_module(package).Client(base_url=server.base) as client:
        yield client


@pytest.fixture
def admin(server, package, models, call, anybody):
    pair = call("accounts.log_in", anybody, body=models.Login(*LOGINS["admin"])).parsed
    with import_module(package).AuthenticatedClient(base_url=server.base, token=pair.access_token) as client:
        yield client


@pytest.fixture
def picture(package):
    return import_module(f"{package}.types").File(BytesIO(drawn()), "dot.png", "image/png")


def test_types_hold(package, folder):
    run("mypy", "--strict", "--config-file=", "--cache-dir", folder / "types", package, cwd=folder)


@pytest.mark.parametrize("package", ["v2"], indirect=True)
def test_guide_makes_a_customer(server, package):
    made = {}
    code = BLOCKS["python"].replace("accord_client", package).replace(BASE, server.base)
    exec(code, made)  # noqa: S102  # The code of the guide is ours.
    assert (made["asha"].name, made["asha"].location) == ("Asha", "Pune")


def test_log_in_leads_to_the_own_account(models, call, admin):
    assert call("accounts.get_me", admin).parsed.role == models.Role.ADMIN


def test_list_is_filtered_and_sorted(models, call, anybody):
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


def test_product_is_created_read_changed_and_deleted(models, call, anybody, admin):
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


def test_batch_of_products_comes_and_goes(models, call, anybody, admin):
    category = call("categories.list_categories", anybody).parsed.items[0]
    new = [models.ProductCreate(uuid4().hex[:20].upper(), "Pen", "1.00", category.id) for _ in range(3)]
    made = call("products.create_products", admin, body=new).parsed.items
    assert [product.sku for product in made] == [product.sku for product in new]
    assert call("products.delete_products", admin, id=[product.id for product in made]).status_code == 204


def test_order_is_placed_changed_and_cancelled(models, call, anybody, admin):
    product = call("products.list_products", anybody, in_stock=True).parsed.items[0]
    basket = models.OrderCreate(items=[models.OrderItemCreate(product_id=product.id, quantity=1)])
    placed = call("orders.create_order", admin, body=basket, idempotency_key=str(uuid4()))
    assert placed.parsed.total == product.price
    order, tag = {"order_id": placed.parsed.id}, placed.headers["ETag"]
    changed = call("orders.update_order", admin, **order, body=models.OrderPatch(note="Ring twice."), if_match=tag)
    assert changed.parsed.note == "Ring twice."
    assert call("orders.cancel_order", admin, **order, if_match=tag).parsed.status == 412
    cancelled = call("orders.cancel_order", admin, **order, if_match=changed.headers["ETag"]).parsed
    assert cancelled.status == models.OrderStatus.CANCELLED


def test_file_comes_back_as_it_was_sent(models, call, admin, picture):
    file = call("files.create_file", admin, body=models.FileCreate(picture, description="A dot.")).parsed
    assert (file.name, file.media_type, file.description) == ("dot.png", "image/png", "A dot.")
    assert call("files.get_file_content", admin, file_id=file.id).content == picture.payload.getvalue()
    assert call("files.get_file_content", admin, file_id=file.id, range_="bytes=1-3").content == b"PNG"


def test_customer_comes_with_a_photo(package, models, call, admin, picture):
    members = {"name": "Asha", "email": f"{uuid4().hex}@shop.example", "photo": picture}
    if package == "accord_v1":
        members["phone"] = f"+91{str(uuid4().int)[:10]}"
    customer = call("customers.create_customer", admin, body=models.CustomerCreateForm(**members)).parsed
    assert call("customers.get_customer_photo", admin, customer_id=customer.id).content == picture.payload.getvalue()
