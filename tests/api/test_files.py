"""Documents and pictures of users: what is taken, who sees it, and what is left behind."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import unquote
from uuid import uuid4

import pytest

from tests.support.pictures import MEDIA_TYPES, drawn, pdf, two_pictures

FILES = "/api/v1/files"
MIB = 1024 * 1024


def sent(content=None, name="receipt.pdf", media_type="application/octet-stream"):
    """The files of a form, as the client wants them."""
    return {"file": (name, drawn("PDF") if content is None else content, media_type)}


@pytest.fixture
def upload(customer):
    def upload(*arguments, client=customer, description=None, **options):
        data = {} if description is None else {"description": description}
        answer = client.post(FILES, files=sent(*arguments, **options), data=data)
        assert answer.status_code == 201, answer.text
        return answer

    return upload


@pytest.fixture
def content_of(customer):
    def content_of(file, client=customer, **headers):
        return client.get(file.json()["_links"]["content"]["href"], headers=headers)

    return content_of


@pytest.fixture
def assert_left_nothing(store):
    """The store holds what it held at the beginning of the test."""
    before = store()
    yield
    assert store() == before


class TestUpload:
    @pytest.mark.parametrize("kind", ["PDF", "PNG", "JPEG"])
    @pytest.mark.parametrize("media_type", ["application/octet-stream", "text/plain", "image/png"])
    def test_file_is_known_by_its_content(self, upload, content_of, kind, media_type):
        content = drawn(kind)
        created = upload(content, "notes.txt", media_type, description="Signed.")
        known = created.json()
        assert (known["media_type"], known["bytes"]) == (MEDIA_TYPES[kind], len(content))
        assert known["sha256"] == hashlib.sha256(content).hexdigest()
        assert (known["name"], known["description"], known["owner"]["username"]) == ("notes.txt", "Signed.", "customer")
        assert content_of(created).content == content

    def test_jpeg_of_two_pictures_and_pdf_after_other_bytes_are_stored_as_they_are(self, upload, content_of):
        for content, media_type in ((two_pictures(), "image/jpeg"), (b"<br>\n" + pdf(2_000), "application/pdf")):
            file = content_of(upload(content))
            assert (file.content, file.headers["Content-Type"]) == (content, media_type)
            assert file.headers["X-Content-Type-Options"] == "nosniff"
            assert file.headers["Content-Disposition"].startswith("attachment")

    def test_created_file_is_where_location_says(self, upload, customer):
        created = upload()
        read = customer.get(created.headers["Location"])
        assert (read.json(), read.headers["ETag"]) == (created.json(), created.headers["ETag"])

    @pytest.mark.parametrize(
        "content", [b"MZ\x90\0", b"<html><script>alert(1)</script></html>", b"GIF89a", b"", b"%PD"]
    )
    @pytest.mark.parametrize("media_type", ["application/pdf", "image/png", "application/octet-stream"])
    @pytest.mark.usefixtures("assert_left_nothing")
    def test_wrong_content_under_a_right_name_is_refused(self, customer, content, media_type):
        answer = customer.post(FILES, files=sent(content, "receipt.pdf", media_type))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (415, "/file")

    @pytest.mark.usefixtures("assert_left_nothing")
    def test_gif_is_a_picture_of_customers_only(self, customer):
        assert customer.post(FILES, files=sent(drawn("GIF"), "x.png", "image/png")).status_code == 415

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\vinod\\scan.png", "scan.png"),
            ("a\x7f\u0085\u200bb.pdf", "ab.pdf"),
            ("Rechnung für Löwe 東京.pdf", "Rechnung für Löwe 東京.pdf"),
            ("invoice\u202egpj.exe", "invoicegpj.exe"),
            ("..", "file"),
            ("folder/", "file"),
            ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ],
    )
    def test_name_is_kept_without_path_and_control_characters(self, upload, name, kept):
        assert upload(name=name).json()["name"] == kept

    @pytest.mark.usefixtures("assert_left_nothing")
    def test_refused_upload_leaves_nothing(self, customer):
        form = partial(customer.post, FILES, files=sent())
        assert form(data={"description": "x" * 501}).status_code == 422
        assert form(data={"colour": "red"}).status_code == 422
        assert customer.post(FILES, files={"document": sent()["file"]}).status_code in {400, 422}
        assert customer.post(FILES, files={"file": (None, "text")}).status_code == 400
        assert customer.post(FILES, json={}, undeclared=True).status_code == 415
        assert customer.post(FILES, files=[("file", part) for part in (sent()["file"],) * 2]).status_code == 400

    @pytest.mark.usefixtures("assert_left_nothing")
    def test_file_above_the_limit_is_refused(self, customer):
        answer = customer.post(FILES, files=sent(pdf(16 * MIB + 1)))
        assert answer.status_code == 413

    def test_file_at_the_limit_is_kept(self, upload, content_of):
        content = pdf(16 * MIB)
        assert content_of(upload(content)).content == content

    def test_repeat_with_key_keeps_one_file(self, customer, store):
        before, key, form = store(), {"Idempotency-Key": str(uuid4())}, sent()
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: customer.post(FILES, files=form, headers=key), range(4)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert len(store() - before) == 1

    @pytest.mark.usefixtures("assert_left_nothing")
    def test_upload_without_credentials_is_not_read(self, anonymous):
        assert anonymous.post(FILES, files=sent()).status_code == 401


class TestDownload:
    @pytest.fixture
    def file(self, upload):
        return upload(b"%PDF-1.7\n" + bytes(range(256)) * 4)

    def test_content_is_to_be_kept_and_not_guessed(self, file, content_of):
        headers = content_of(file).headers
        assert headers["Content-Type"] == "application/pdf"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Disposition"].startswith("attachment;")
        assert headers["Content-Length"] == str(file.json()["bytes"])
        assert headers["ETag"] == f'"{file.json()["sha256"]}"'
        assert headers["Accept-Ranges"] == "bytes"
        assert "Last-Modified" in headers

    @pytest.mark.parametrize(
        "name",
        ['a"b.pdf', "a\r\nSet-Cookie: x=1.pdf", "Löwe 東京.pdf", "../../etc/passwd", "100%;x=y.pdf", "'; filename=x"],
    )
    def test_hostile_name_stays_a_name(self, upload, content_of, customer, name):
        file = upload()
        kept = customer.patch(file.headers["Location"], json={"name": name}).json()["name"]
        headers = content_of(file).headers
        disposition, _, encoded = headers["Content-Disposition"].rpartition("''")
        fallback = re.fullmatch(r'attachment; filename="([\x20-\x7e]+)"; filename\*=UTF-8', disposition)[1]
        assert not set(fallback) & set('"\\/%')
        assert fallback == kept or not kept.isascii() or set(kept) & set('"%:')
        assert encoded.isascii()
        assert not set(encoded) & set("\"'; \r\n/\\")
        assert unquote(encoded) == kept
        assert not set(kept) & set("/\\\r\n")
        assert "Set-Cookie" not in headers

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [("0-0", 0, 1), ("0-9", 0, 10), ("100-199", 100, 200), ("1000-", 1000, 1033), ("-1", 1032, 1033),
         ("-33", 1000, 1033), ("1000-99999", 1000, 1033), ("-99999", 0, 1033)],
    )  # fmt: skip
    def test_range_is_a_part(self, file, content_of, asked, start, end):
        whole, part = content_of(file), content_of(file, Range=f"bytes={asked}")
        assert (part.status_code, part.content) == (206, whole.content[start:end])
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/1033"
        assert part.headers["ETag"] == whole.headers["ETag"]

    @pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1", "bytes=x"])
    def test_what_is_no_single_range_gives_the_whole(self, file, content_of, asked):
        answer = content_of(file, Range=asked)
        assert (answer.status_code, len(answer.content)) == (200, 1033)

    @pytest.mark.parametrize("asked", ["bytes=1033-", "bytes=5000-6000", "bytes=-0"])
    def test_range_beyond_the_end_is_416(self, file, content_of, asked):
        answer = content_of(file, Range=asked)
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */1033")

    def test_range_holds_for_the_content_that_was_seen(self, file, content_of):
        tag = content_of(file).headers["ETag"]
        for seen, status in ((tag, 206), ('"other"', 200), (f"W/{tag}", 200), ("Sat, 21 Nov 2026 08:00:00 GMT", 200)):
            assert content_of(file, **{"Range": "bytes=0-9", "If-Range": seen}).status_code == status

    def test_what_the_caller_has_is_not_sent_again(self, file, content_of):
        tag = content_of(file).headers["ETag"]
        again = content_of(file, **{"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert content_of(file, **{"If-None-Match": tag, "Range": "bytes=0-9"}).status_code == 304
        assert content_of(file, **{"If-None-Match": '"other"'}).status_code == 200


class TestChange:
    def test_description_and_name_change_and_the_content_stays(self, upload, customer, content_of):
        file = upload()
        where, tag = file.headers["Location"], {"If-Match": file.headers["ETag"]}
        content_tag = content_of(file).headers["ETag"]
        changed = customer.patch(where, json={"name": "a/b.pdf", "description": "Paid."}, headers=tag)
        assert (changed.json()["name"], changed.json()["description"]) == ("b.pdf", "Paid.")
        assert customer.patch(where, json={"description": None}, headers=tag).status_code == 412
        assert customer.patch(where, json={"description": None}).json()["description"] is None
        assert content_of(file).headers["ETag"] == content_tag

    def test_what_a_file_is_cannot_be_changed(self, upload, customer):
        where = upload().headers["Location"]
        for member in ({"media_type": "image/png"}, {"owner": None}, {"sha256": "0" * 64}, {}):
            assert customer.patch(where, json=member, undeclared=True).status_code == 422

    def test_deleted_file_is_gone_with_its_content(self, upload, customer, content_of, store):
        before = store()
        file = upload()
        (stored,) = store() - before
        assert customer.delete(file.headers["Location"]).status_code == 204
        assert stored not in store()
        assert content_of(file).status_code == customer.get(file.headers["Location"]).status_code == 404
        assert customer.delete(file.headers["Location"]).status_code == 404

    def test_refused_deletion_keeps_the_content(self, upload, customer, content_of):
        file = upload()
        answer = customer.delete(file.headers["Location"], headers={"If-Match": '"other"'})
        assert answer.status_code == 412
        assert content_of(file).status_code == 200


class TestOwners:
    def test_files_of_others_are_not_there(self, upload, stranger, manager, content_of):
        file = upload(name=f"{uuid4()}.pdf")
        where = file.headers["Location"]
        for other in (stranger, manager):
            assert content_of(file, other).status_code == 404
            assert content_of(file, other, **{"If-None-Match": f'"{file.json()["sha256"]}"'}).status_code == 404
            assert content_of(file, other, Range="bytes=9999-").status_code == 404
            assert other.get(where).status_code == 404
            assert other.get(where, headers={"If-None-Match": file.headers["ETag"]}).status_code == 404
            assert other.patch(where, json={"name": "mine.pdf"}).status_code == 404
            assert other.patch(where, json={"name": "mine.pdf"}, headers={"If-Match": '"x"'}).status_code == 404
            assert other.delete(where).status_code == 404
            assert other.get(FILES, params={"q": file.json()["name"]}).json()["total"] == 0
        assert content_of(file).status_code == 200

    def test_admin_sees_everybodys(self, upload, admin, content_of):
        file = upload(name=f"{uuid4()}.pdf")
        assert admin.get(FILES, params={"q": file.json()["name"]}).json()["total"] == 1
        assert content_of(file, admin).status_code == 200
        assert (
            admin.patch(file.headers["Location"], json={"description": "Seen."}).json()["owner"] == file.json()["owner"]
        )
        assert admin.delete(file.headers["Location"]).status_code == 204


class TestList:
    def test_newest_come_first(self, upload, stranger):
        made = [upload(client=stranger).json()["id"] for _ in range(5)]
        page = stranger.get(FILES, params={"per_page": 2}).json()
        assert (page["total"], page["pages"]) == (5, 3)
        seen = [file["id"] for file in page["items"]]
        while "next" in page["_links"]:
            page = stranger.get(page["_links"]["next"]["href"]).json()
            seen += [file["id"] for file in page["items"]]
        assert seen == made[::-1]

    def test_filters_hold_together(self, upload, stranger):
        upload(name="Löwe 100%.pdf", client=stranger)
        upload(drawn("PNG"), "löwe_2.png", client=stranger)
        upload(drawn("JPEG"), "tiger.jpg", client=stranger)

        def names(**filters):
            page = stranger.get(FILES, params=filters).json()
            assert page["total"] == len(page["items"])
            return {file["name"] for file in page["items"]}

        assert names(q="LÖWE") == {"Löwe 100%.pdf", "löwe_2.png"}
        assert names(q="0%") == {"Löwe 100%.pdf"}
        assert names(q="_") == {"löwe_2.png"}
        assert names(q="löwe png") == {"löwe_2.png"}
        assert names(media_type="image/jpeg") == {"tiger.jpg"}
        assert names(media_type="image/png", q="löwe") == {"löwe_2.png"}
        assert names(media_type="image/png", q="tiger") == set()
