"""What lies in a file is streamed, whole or in part."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.support.engine import start

CONTENTS = """
paths:
  /picture:
    get:
      operationId: get_picture
      parameters:
        - {name: If-None-Match, in: header, schema: {type: string}}
        - {name: If-Modified-Since, in: header, schema: {type: string}}
        - {name: Range, in: header, schema: {type: string}}
      responses:
        '200': &picture
          description: It.
          headers:
            ETag: {required: true, schema: {type: string}}
            Last-Modified: {required: true, schema: {type: string}}
            Content-Disposition: {required: true, schema: {type: string}}
          content: {image/png: {}, image/jpeg: {}}
        '206': *picture
"""


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(bytes(range(200)))
    modified_at = datetime(2026, 11, 21, tzinfo=UTC)
    return SimpleNamespace(path=path, media_type="image/png", name="a.png", etag="abc", modified_at=modified_at)


@pytest.fixture
def engine(picture):
    return start(CONTENTS, {"get_picture": lambda: picture})


def test_content_is_sent_as_what_it_is(engine):
    reply = engine.get("/picture")
    assert (reply.status, reply.body) == (200, bytes(range(200)))
    expected = {
        "content-type": "image/png", "content-length": "200", "etag": '"abc"', "accept-ranges": "bytes",
        "content-disposition": "attachment; filename=\"a.png\"; filename*=UTF-8''a.png",
        "last-modified": "Sat, 21 Nov 2026 00:00:00 GMT",
    }  # fmt: skip
    assert {name: reply.header(name) for name in expected} == expected


def test_head_and_unchanged_content_send_no_bytes(engine):
    headed = engine.send("HEAD", "/picture")
    assert (headed.status, headed.body, headed.header("content-length")) == (200, b"", "200")
    same = engine.get("/picture", {"If-None-Match": '"abc"'})
    assert (same.status, same.body, same.header("etag")) == (304, b"", '"abc"')


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Sat, 21 Nov 2026 00:00:00 GMT", 304),
        ("Sunday, 22-Nov-26 00:00:00 GMT", 304),
        ("Sun Nov 22 00:00:00 2026", 304),
        ("Fri, 20 Nov 2026 23:59:59 GMT", 200),
        ("yesterday", 200),
        ("Sat, 21 Nov 99999999999 00:00:00 GMT", 200),
    ],
)
def test_content_that_has_not_changed_since_a_date_is_not_sent(engine, since, status):
    assert engine.get("/picture", {"If-Modified-Since": since}).status == status
    assert engine.get("/picture", {"If-Modified-Since": since, "If-None-Match": '"other"'}).status == 200


def test_what_has_not_changed_is_not_sent_in_part(engine):
    for unchanged in ({"If-None-Match": '"abc"'}, {"If-Modified-Since": "Sat, 21 Nov 2026 00:00:00 GMT"}):
        assert engine.get("/picture", {**unchanged, "Range": "bytes=0-9"}).status == 304
        assert engine.get("/picture", {**unchanged, "Range": "bytes=900-"}).status == 304


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=190-", 190, 200), ("bytes=-5", 195, 200), ("bytes=198-999", 198, 200),
     ("bytes=-999", 0, 200), ("BYTES=3-3", 3, 4)],
)  # fmt: skip
def test_part_of_the_content_is_a_206(engine, asked, start, end):
    reply = engine.get("/picture", {"Range": asked})
    assert (reply.status, reply.body) == (206, bytes(range(start, end)))
    assert reply.header("content-range") == f"bytes {start}-{end - 1}/200"
    assert reply.header("content-length") == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=500-600", "bytes=-0"])
def test_range_without_any_byte_is_a_416_that_says_how_many_there_are(engine, asked):
    reply = engine.get("/picture", {"Range": asked})
    assert (reply.status, reply.header("content-range")) == (416, "bytes */200")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes", "bytes=", "bytes=x-y", "bytes=9-1"])
def test_what_is_no_single_range_of_bytes_gives_the_whole(engine, asked):
    assert engine.get("/picture", {"Range": asked}).status == 200


@pytest.mark.parametrize(("tag", "status"), [('"abc"', 206), ('"old"', 200), ('W/"abc"', 200)])
def test_if_range_gives_the_whole_of_what_has_changed(engine, tag, status):
    assert engine.get("/picture", {"Range": "bytes=0-1", "If-Range": tag}).status == status


def test_name_cannot_break_out_of_its_header(engine, picture):
    picture.name = '../a"\r\nSet-Cookie: x=1; \u00e9.png'
    header = engine.get("/picture").header("content-disposition")
    quoted = "..%2Fa%22%0D%0ASet-Cookie%3A%20x%3D1%3B%20%C3%A9.png"
    assert header == f"attachment; filename=\".._a___Set-Cookie_ x=1; e.png\"; filename*=UTF-8''{quoted}"


def test_media_type_that_is_not_declared_breaks_the_promise(engine, picture):
    picture.media_type = "text/html"
    assert engine.get("/picture").status == 500


def test_content_that_is_gone_is_not_found(engine, picture):
    picture.path.unlink()
    assert engine.get("/picture").status == 404
