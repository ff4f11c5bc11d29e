"""Photos of customers, in both versions of the contract: what is taken, and what is left behind."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psutil
import pytest

from tests.support.pictures import MEDIA_TYPES, drawn, png, two_pictures, with_metadata

VERSIONS = ["/api/v1/customers", "/api/v2/customers"]
MIB = 1024 * 1024


def sent(content=None, name="vinod.png", media_type="application/octet-stream"):
    """The files of a form, as the client wants them."""
    return {"photo": (name, drawn() if content is None else content, media_type)}


def member_of(where):
    """A customer as a version wants them, who is not there yet."""
    phone = {"phone": f"+91{uuid4().int % 10**10:010}"} if "/v1/" in where else {}
    return {"name": "Asha", "email": f"{uuid4().hex}@customers.example"} | phone


@pytest.fixture(params=VERSIONS, ids=["v1", "v2"])
def customers(request):
    """Where customers are, in each version."""
    return request.param


@pytest.fixture
def place(customers, manager):
    """Where the photo of a new customer is, who has none yet."""
    return manager.post(customers, json=member_of(customers)).headers["Location"] + "/photo"


@pytest.fixture
def assert_left_nothing(store):
    """The store holds what it held at the beginning of the test."""
    before = store()
    yield
    assert store() == before


def test_customer_comes_with_a_photo(customers, manager):
    content = drawn("JPEG")
    created = manager.post(customers, data=member_of(customers), files=sent(content))
    assert created.status_code == 201, created.text
    photo = manager.get(created.headers["Location"] + "/photo")
    assert (photo.content, photo.headers["Content-Type"]) == (content, "image/jpeg")


def test_customer_comes_as_a_form_without_a_photo_too(customers, manager):
    body = member_of(customers)
    form = {name: (None, value) for name, value in body.items()}
    created = manager.post(customers, files=form)
    assert (created.status_code, created.json()["email"]) == (201, body["email"])
    assert manager.get(created.headers["Location"] + "/photo").status_code == 404


def test_each_version_says_where_the_photo_is(manager):
    content = drawn("PNG", (30, 20))
    made = manager.post(VERSIONS[0], data=member_of(VERSIONS[0]), files=sent(content)).json()
    assert manager.get(made["photo_url"]).content == content
    photo = manager.get(f"{VERSIONS[1]}/{made['id']}").json()["photo"]
    assert manager.get(photo.pop("url")).content == content
    assert photo == {"media_type": "image/png", "bytes": len(content), "width": 30, "height": 20}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_photo_is_known_by_its_content(place, manager, kind):
    content = drawn(kind)
    assert manager.put(place, files=sent(content, "vinod.txt", "text/plain")).status_code == 204
    photo = manager.get(place)
    assert (photo.content, photo.headers["Content-Type"]) == (content, MEDIA_TYPES[kind])
    assert photo.headers["X-Content-Type-Options"] == "nosniff"
    assert manager.get(place, headers={"If-None-Match": photo.headers["ETag"]}).status_code == 304
    part = manager.get(place, headers={"Range": "bytes=-5"})
    assert (part.status_code, part.content) == (206, content[-5:])


@pytest.mark.parametrize("content", [two_pictures(), with_metadata(), drawn("JPEG", mode="CMYK") + b"more"])
def test_jpeg_as_devices_write_it_is_stored_as_it_is(place, manager, content):
    assert manager.put(place, files=sent(content, "P1010001.MPO", "image/mpo")).status_code == 204
    photo = manager.get(place)
    assert (photo.content, photo.headers["Content-Type"]) == (content, "image/jpeg")


@pytest.mark.parametrize("kind", ["PDF", "WEBP", "BMP"])
@pytest.mark.usefixtures("assert_left_nothing")
def test_content_of_another_kind_is_refused(place, manager, kind):
    answer = manager.put(place, files=sent(drawn(kind), "vinod.png", "image/png"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (415, "/photo")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.usefixtures("assert_left_nothing")
def test_broken_picture_is_refused(place, manager, kind):
    whole = drawn(kind)
    for content in (whole[: len(whole) // 2], whole[:-1], whole[:40]):
        answer = manager.put(place, files=sent(content))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/photo")


@pytest.mark.usefixtures("assert_left_nothing")
def test_picture_that_would_fill_the_memory_is_refused_at_once(place, manager, server):
    bomb = png(20_000, 20_000, bytes(2_501) * 20_000, padding=MIB - 50_000)
    service = psutil.Process(server.process.pid)
    before = service.cpu_times().user
    answer = manager.put(place, files=sent(bomb))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/photo")
    assert service.cpu_times().user - before < 1


def test_picture_of_as_many_pixels_as_may_be_is_kept(place, manager):
    assert manager.put(place, files=sent(png(8_000, 5_000))).status_code == 204
    assert manager.put(place, files=sent(png(8_000, 5_001))).status_code == 422


@pytest.mark.usefixtures("assert_left_nothing")
def test_photo_above_the_limit_is_refused(place, manager):
    content = png(64, 48, padding=2 * MIB)
    assert manager.put(place, files=sent(content)).status_code == 413


def test_photo_at_the_limit_is_kept(place, manager):
    content = png(64, 48, padding=2 * MIB - len(png(64, 48)))
    assert len(content) == 2 * MIB
    assert manager.put(place, files=sent(content)).status_code == 204


@pytest.mark.usefixtures("assert_left_nothing")
def test_refused_customer_leaves_no_photo(customers, manager):
    body = member_of(customers)
    taken = manager.post(customers, json=body).json()["email"]
    assert manager.post(customers, data=member_of(customers) | {"email": taken}, files=sent()).status_code == 409
    assert manager.post(customers, data=member_of(customers) | {"name": ""}, files=sent()).status_code == 422
    assert manager.post(customers, data=member_of(customers), files=sent(drawn()[:-9])).status_code == 422
    assert manager.post(customers, data=member_of(customers), files=sent(b"MZ")).status_code == 415
    assert manager.put(f"{customers}/{uuid4()}/photo", files=sent()).status_code == 404


def test_replaced_photo_vanishes_and_the_customer_changes(place, manager, store):
    customer = place.removesuffix("/photo")
    before, tags = store(), {manager.get(customer).headers["ETag"]}
    for _ in range(3):
        content = drawn()
        assert manager.put(place, files=sent(content)).status_code == 204
        assert manager.get(place).content == content
        assert len(store() - before) == 1
        tags.add(manager.get(customer).headers["ETag"])
    assert len(tags) == 4


def test_refused_photo_leaves_the_one_there_was(place, manager):
    content = drawn()
    manager.put(place, files=sent(content))
    assert manager.put(place, files=sent(drawn()[:-9])).status_code == 422
    assert manager.get(place).content == content


def test_of_photos_that_come_at_once_one_stays(place, manager, store):
    before = store()
    contents = [drawn() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda content: manager.put(place, files=sent(content)), contents))
    assert {answer.status_code for answer in answers} <= {204, 503}
    assert manager.get(place).content in contents
    assert len(store() - before) == 1


def test_deleted_photo_vanishes(place, manager, store):
    before = store()
    manager.put(place, files=sent())
    assert manager.delete(place).status_code == 204
    assert store() == before
    assert manager.get(place).status_code == manager.delete(place).status_code == 404
    assert manager.put(place, files=sent()).status_code == 204


def test_photo_of_a_deleted_customer_comes_back_with_them(place, admin):
    content, customer = drawn(), place.removesuffix("/photo")
    admin.put(place, files=sent(content))
    admin.delete(customer)
    assert admin.get(place).status_code == admin.delete(place).status_code == 404
    assert admin.put(place, files=sent()).status_code == 404
    admin.post(f"{customer}/restoration")
    assert admin.get(place).content == content


def test_photo_changes_only_as_it_was_seen(place, manager):
    manager.put(place, files=sent())
    seen = {"If-Match": manager.get(place).headers["ETag"]}
    assert manager.put(place, files=sent(), headers=seen).status_code == 204
    assert manager.put(place, files=sent(), headers=seen).status_code == 412
    assert manager.delete(place, headers=seen).status_code == 412
    assert manager.delete(place, headers={"If-Match": manager.get(place).headers["ETag"]}).status_code == 204


def test_customers_of_the_api_do_not_see_photos(place, customer):
    assert customer.get(place).status_code == 403
    assert customer.put(place, files=sent()).status_code == 403


def test_photos_of_version_1_are_deprecated(manager):
    place = manager.post(VERSIONS[0], json=member_of(VERSIONS[0])).headers["Location"] + "/photo"
    manager.put(place, files=sent())
    answer = manager.get(place)
    assert "Deprecation" in answer.headers
    assert place.replace("/v1/", "/v2/") in answer.headers["Link"]
