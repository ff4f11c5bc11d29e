"""Forms arrive as objects: fields as Python values, files as uploads."""

from datetime import date

import pytest

from accord.engine.parsers.forms import UploadedFile
from accord.engine.request import BodyLimits
from tests.support.engine import echo, start, taking

MULTIPART = "multipart/form-data; boundary=frontier"
URLENCODED = "application/x-www-form-urlencoded"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
FORM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["n"],
    "properties": {
        "n": {"type": "integer"},
        "on": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "note": {"type": ["string", "null"]},
        "sku": {"type": "string", "pattern": "^[A-Z]*$"},
    },
}
PHOTO = {
    "type": "object",
    "required": ["title", "photo"],
    "properties": {
        "title": {"type": "string", "maxLength": 9, "pattern": "^[^\\x00]*$"},
        "photo": {"type": "string", "format": "binary"},
        "pages": {"type": "string", "contentMediaType": "application/pdf"},
        "sizes": {"type": "array", "items": {"type": "integer"}},
    },
}


def part(name, content, filename=None, media_type=None, more=b""):
    file = b'; filename="%s"' % filename.encode() if filename is not None else b""
    kind = b"\r\nContent-Type: " + media_type.encode() if media_type else b""
    head = b'Content-Disposition: form-data; name="%s"%s%s%s' % (name.encode(), file, kind, more)
    return b"--frontier\r\n%s\r\n\r\n%s\r\n" % (head, content)


def upload(*parts, end=b"--frontier--\r\n", media_type=MULTIPART, engine=None, path="/photos"):
    return (engine or photos()).send("POST", path, b"".join(parts) + end, media_type=media_type)


def photos(encoding=None, schema=PHOTO, **options):
    content = {"multipart/form-data": {"schema": schema, "encoding": encoding or {}}}
    body = {"required": True, "content": content}
    raw = {"paths": {"/photos": {"post": {"operationId": "add_photo", "requestBody": body}}}}

    def add_photo(body):
        return {name: shown(value) for name, value in body.items()}

    return start(raw, {"add_photo": add_photo}, **options)


def shown(value):
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, UploadedFile):
        return [value.name, value.media_type, value.size, value.file.read().decode("latin-1")]
    return value


TITLE = part("title", b"Sunset")
FILE = part("photo", b"pixels", "sunset.png", "image/png")


def test_urlencoded_fields_arrive_as_python_values():
    engine = taking(FORM, URLENCODED)
    engine.send("POST", "/take", b"n=7&on=2026-01-31&tags=a&tags=%C3%A9+b&note=", media_type=URLENCODED)
    assert engine.database.kept["body"] == {"n": 7, "on": date(2026, 1, 31), "tags": ["a", "é b"], "note": None}


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [
        (b"", 422, {("/n", "required")}),
        (b"n=x&tags=", 422, {("/n", "type"), ("/tags/0", "minLength")}),
        (b"n=1&other=2", 422, {("/other", "additionalProperties")}),
        (b"n=1&n=2", 400, {("/n", "repeated")}),
        (b"n=1&sku=a%00b", 422, {("/sku", "pattern")}),
        (b"n=1&a%00=b", 422, {("/a\0", "additionalProperties")}),
        (b"n=%ff", 400, set()),
        (b"n=\xff", 400, set()),
    ],
)
def test_urlencoded_form_that_is_wrong_is_refused(body, status, errors):
    refused = echo(FORM, URLENCODED).send("POST", "/echo", body, media_type=URLENCODED)
    assert (refused.status, refused.errors) == (status, errors)


def test_multipart_has_fields_and_files():
    reply = upload(TITLE, FILE, part("sizes", b"1"), part("sizes", b"2"))
    assert reply.json == {"title": "Sunset", "photo": ["sunset.png", "image/png", 6, "pixels"], "sizes": [1, 2]}


def test_file_without_a_media_type_is_octets():
    assert upload(TITLE, part("photo", b"?", "x")).json["photo"] == ["x", "application/octet-stream", 1, "?"]


def test_empty_file_is_a_file():
    assert upload(TITLE, part("photo", b"", "x.png", "image/png")).json["photo"] == ["x.png", "image/png", 0, ""]


def test_large_file_arrives_whole():
    content = b"0123456789" * 200_000
    reply = upload(TITLE, part("photo", content, "x"), engine=photos(body_limits=BodyLimits(max_size=3_000_000)))
    assert reply.json["photo"] == ["x", "application/octet-stream", 2_000_000, content.decode()]


@pytest.mark.parametrize(
    ("parts", "status", "errors"),
    [
        ((), 422, {("/title", "required"), ("/photo", "required")}),
        ((TITLE,), 422, {("/photo", "required")}),
        ((part("title", b"much too long"), FILE), 422, {("/title", "maxLength")}),
        ((TITLE, TITLE, FILE), 400, {("/title", "repeated")}),
        ((TITLE, FILE, FILE), 400, {("/photo", "repeated")}),
        ((TITLE, FILE, part("sizes", b"x")), 422, {("/sizes/0", "type")}),
        ((part("title", b"a\0b"), FILE), 422, {("/title", "pattern")}),
        ((TITLE, part("photo", b"pixels")), 400, {("/photo", "type")}),
        ((part("title", b"x", "x.txt"), FILE), 400, {("/title", "type")}),
    ],
)
def test_multipart_form_that_is_wrong_is_refused(parts, status, errors):
    refused = upload(*parts)
    assert (refused.status, refused.errors) == (status, errors)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (TITLE + FILE, "multipart/form-data"),
        (TITLE + FILE, "multipart/form-data; boundary="),
        (TITLE + FILE, 'multipart/form-data; boundary="'),
        (TITLE + FILE, "multipart/form-data; boundary=" + "x" * 300),
        (TITLE + FILE, "multipart/form-data; boundary=frontière"),
        (TITLE + FILE, "multipart/form-data; boundary=another"),
        (b"nonsense", MULTIPART),
        (
            b"--frontier\r\nContent-Disposition: form-data\r\n\r\nx\r\n--frontier--",
            "multipart/form-data; boundary=frontier",
        ),
        (b"--frontier\r\n\xff\xfe: \x00\r\n\r\nx\r\n--frontier--", MULTIPART),
        (part("title", b"\xff") + FILE, MULTIPART),
        (part("title", b"x", more=b"\r\nContent-Type: text/plain; charset=klingon") + FILE, MULTIPART),
        (part("title", b"x", more=b"\r\nContent-Type: text/plain; charset=punycode") + FILE, MULTIPART),
        (part("_charset_", b"klingon") + TITLE + FILE, MULTIPART),
        (part("title", b"x", more=b'\r\nContent-Disposition: form-data; name="photo"') + FILE, MULTIPART),
        ((TITLE + FILE).replace(b"form-data;", b"attachment;"), MULTIPART),
        ((TITLE + FILE).replace(b"\r\n", b"\n"), MULTIPART),
        (TITLE + FILE.replace(b"; filename", b";\r\n filename"), MULTIPART),
    ],
)
def test_multipart_that_is_broken_is_refused(body, media_type):
    refused = upload(body, media_type=media_type)
    assert refused.status == 400
    assert refused.json["detail"].startswith("The body is not a multipart form: ")


def in_pieces(body, size):
    """The chunks of a body, of this many bytes each."""
    return [body[at : at + size] for at in range(0, len(body), size)]


EQUAL_FRAMES = {
    "preamble": lambda body: b"This is a message in MIME format.\r\n--not it\r\n" + body,
    "line break as preamble": lambda body: b"\r\n" + body,
    "long preamble": lambda body: b"-" * 5_000 + b"\r\n" + body,
    "epilogue": lambda body: body + b"This is the epilogue.\r\n--frontier\r\n",
    "long epilogue": lambda body: body + b"-" * 5_000,
    "no last line break": lambda body: body.removesuffix(b"\r\n"),
    "padding": lambda body: body.replace(b"--frontier\r\n", b"--frontier \t \r\n"),
    "padding at the end": lambda body: body.replace(b"--frontier--", b"--frontier--\t "),
    "header names in lower case": lambda body: body.replace(b"Content-", b"content-"),
    "header names in upper case": lambda body: body.replace(b"Content-", b"CONTENT-"),
    "unknown headers": lambda body: body.replace(b"\r\nContent-", b"\r\nX-Part: 1\r\nContent-"),
    "binary encoding": lambda body: body.replace(
        b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: Binary\r\nContent-Length: 6\r\n\r\n"
    ),
}


@pytest.mark.parametrize("frame", EQUAL_FRAMES)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_the_framing_of_multipart_leaves_open_changes_nothing(frame, size):
    """RFC 2046, section 5.1.1: preamble, epilogue and padding are ignored. RFC 7578, section 4.7 and 4.8."""
    body = EQUAL_FRAMES[frame](TITLE + FILE + b"--frontier--\r\n")
    reply = photos().send("POST", "/photos", chunks=in_pieces(body, size), media_type=MULTIPART)
    assert reply.json == {"title": "Sunset", "photo": ["sunset.png", "image/png", 6, "pixels"]}


@pytest.mark.parametrize("boundary", ["gc0pJq0M:08jU534c0p", "=_a(b)+_,-./:=?c", "two words", "a" * 70, "'x'"])
def test_boundary_may_have_each_character_of_the_grammar(boundary):
    """RFC 2046, section 5.1.1: bcharsnospace and inner spaces; RFC 9110, section 5.6.6: quoted, name in any case."""
    body = (TITLE + FILE + b"--frontier--\r\n").replace(b"frontier", boundary.encode())
    media_type = f'Multipart/Form-Data; charset=utf-8; Boundary="{boundary}"'
    assert photos().send("POST", "/photos", body, media_type=media_type).json["title"] == "Sunset"


def test_content_may_look_like_a_delimiter():
    content = b"--frontier--\r\n--frontie\r\n-- frontier\r\n\r\n"
    assert upload(TITLE, part("photo", content, "x")).json["photo"][3] == content.decode()
    assert upload(TITLE, part("photo", content, "x"), end=b"").status == 400


def test_text_of_a_form_has_the_charset_that_its_part_declares():
    """RFC 7578, section 4.5 and 4.6."""
    latin = part("title", "Löwe".encode("latin-1"), more=b"\r\nContent-Type: text/plain; charset=ISO-8859-1")
    assert upload(latin, FILE).json["title"] == "Löwe"
    default = part("_charset_", b"windows-1252")
    assert upload(default, part("title", "10 €".encode("cp1252")), FILE).json["title"] == "10 €"
    assert upload(part("_charset_", b"UTF-8"), part("title", "Löwe".encode()), FILE).json["title"] == "Löwe"


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
def test_encoded_part_is_refused_with_what_to_send(encoding):
    """RFC 7578, section 4.7: senders should not use Content-Transfer-Encoding."""
    encoded = part("photo", b"cGl4ZWxz", "x.png", more=b"\r\nContent-Transfer-Encoding: " + encoding)
    refused = upload(TITLE, encoded)
    assert refused.status == 400
    assert "photo has a Content-Transfer-Encoding; send it as binary" in refused.json["detail"]


def test_file_with_an_extended_name_only_is_refused_with_what_to_send():
    """RFC 7578, section 4.2: `filename*` must not be used."""
    extended = FILE.replace(b'filename="sunset.png"', b"filename*=UTF-8''s%C3%BCn.png")
    refused = upload(TITLE, extended)
    assert refused.status == 400
    assert "photo has filename* only; send filename" in refused.json["detail"]
    both = FILE.replace(b'filename="sunset.png"', b"filename=\"sunset.png\"; filename*=UTF-8''s%C3%BCn.png")
    assert upload(TITLE, both).json["photo"][0] == "sunset.png"


def test_multipart_that_is_cut_off_is_refused():
    assert upload(TITLE, FILE[:-10], end=b"").status in (400, 422)
    assert upload(TITLE, FILE, end=b"").status == 400


def test_too_many_parts_are_refused():
    assert upload(*[part(f"f{n}", b"") for n in range(2000)]).status == 400


def test_file_of_a_wrong_media_type_is_a_415_that_names_the_right_ones():
    engine = photos({"photo": {"contentType": "image/png, image/JPEG"}})
    assert upload(TITLE, part("photo", PNG, "x", "Image/Jpeg; q=1"), engine=engine).status == 200
    refused = upload(TITLE, part("photo", b"GIF89a...", "x", "image/png"), engine=engine)
    assert (refused.status, refused.errors) == (415, {("/photo", "contentType")})
    assert "image/png, image/jpeg" in refused.json["detail"]


def test_media_type_of_a_file_may_be_a_range():
    engine = photos({"photo": {"contentType": "image/*"}})
    assert upload(TITLE, part("photo", PNG, "x", "image/gif"), engine=engine).status == 200
    assert upload(TITLE, part("photo", b"", "x", "text/html"), engine=engine).status == 415


@pytest.mark.parametrize("declared", ["image/png", "image/jpeg", "text/plain", "application/octet-stream", None])
def test_file_is_what_its_content_shows(declared):
    engine = photos({"photo": {"contentType": "image/png, image/jpeg"}})
    taken = upload(TITLE, part("photo", PNG, "x.jpg", declared), engine=engine)
    assert (taken.status, taken.json["photo"][1]) == (200, "image/png")
    for content in (b"<script>", b"GIF89a...", b"", b"MZ\x90\0", b"just text"):
        refused = upload(TITLE, part("photo", content, "x.png", declared), engine=engine)
        assert (refused.status, refused.errors) == (415, {("/photo", "contentType")})


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n", b"HTTP/1.1 200 OK\r\n\r\n", bytes(1019), b"From: a\n"])
def test_header_of_a_pdf_may_have_bytes_before_it(before):
    """ISO 32000-1, annex H, note 13: the header is within the first 1,024 bytes."""
    assert upload(TITLE, FILE, part("pages", before + b"%PDF-1.7\n", "x.pdf")).status == 200


@pytest.mark.parametrize("before", [bytes(1020), PNG, b"\xff\xd8\xff\xe0", b"GIF89a", b"MZ\x90\0", b"PK\3\4"])
def test_header_of_a_pdf_far_away_or_in_a_file_of_another_kind_is_none(before):
    assert upload(TITLE, FILE, part("pages", before + b"%PDF-1.7\n", "x.pdf")).status == 415


@pytest.mark.parametrize("at", [4, 60, 524])
def test_signature_at_the_beginning_of_a_file_outweighs_bytes_within(at):
    """An ICC profile and the notes of a camera have any bytes, also those of other signatures."""
    engine = photos({"photo": {"contentType": "image/jpeg"}})
    for within in (b"\4\0\0\0", b"BOOKMOBI", b"ftypheic", b"%PDF-1.7"):
        content = (b"\xff\xd8\xff\xe1" + bytes(600))[:at] + within + bytes(600)
        assert upload(TITLE, part("photo", content, "x"), engine=engine).json["photo"][1] == "image/jpeg"


@pytest.mark.parametrize(
    "content", [b"\0\0\0\x0cjP  \r\n\x87\n", b"\\377\\330\\377", b"\\x89PNG", b"<html>" + PNG, b"\xff\xd8"]
)
def test_content_that_only_resembles_a_picture_is_refused(content):
    engine = photos({"photo": {"contentType": "image/png, image/jpeg"}})
    assert upload(TITLE, part("photo", content, "x.png", "image/png"), engine=engine).status == 415


def test_text_is_taken_for_what_it_is_called():
    engine = photos({"photo": {"contentType": "text/csv"}})
    assert upload(TITLE, part("photo", b"a,b", "x", "text/csv"), engine=engine).status == 200
    assert upload(TITLE, part("photo", b"a,b", "x", "application/octet-stream"), engine=engine).status == 415


def test_file_has_a_limit_of_its_own_beside_that_of_the_body():
    file = {"type": "string", "contentMediaType": "application/octet-stream", "maxLength": 2000}
    schema = {"type": "object", "properties": {"photo": file, "title": {"type": "string"}}}
    engine = photos({"photo": {"contentType": "*/*"}}, schema, body_limits=BodyLimits(1000, 20))
    assert upload(part("photo", b"x" * 2000, "x"), engine=engine).status == 200
    refused = upload(part("photo", b"x" * 2001, "x"), engine=engine)
    assert (refused.status, refused.errors) == (413, {("/photo", "maxLength")})
    assert upload(part("photo", b"x" * 3000, "x"), engine=engine).status == 413


def test_content_media_type_says_what_a_file_must_be():
    assert upload(TITLE, FILE, part("pages", b"", "x", "text/html")).status == 415
    assert upload(TITLE, FILE, part("pages", b"%PDF-1.7", "x.pdf", "application/pdf")).status == 200


def test_several_files_of_one_name_are_a_list():
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": 2}
    engine = photos(schema={"type": "object", "properties": {"files": files}})
    one, two, three = (part("files", b"%d" % n, f"{n}.txt", "text/plain") for n in (1, 2, 3))
    listed = [["1.txt", "text/plain", 1, "1"], ["2.txt", "text/plain", 1, "2"]]
    assert upload(one, two, engine=engine).json == {"files": listed}
    assert upload(one, two, three, engine=engine).errors == {("/files", "maxItems")}


def test_odd_names_of_files_arrive_as_text():
    reply = upload(TITLE, part("photo", b"", "../../etc/pässwd\\x.png", "image/png"))
    assert reply.status == 200
    assert isinstance(reply.json["photo"][0], str)


def test_python_values_are_made_of_multipart_fields_too():
    engine = taking(FORM, "multipart/form-data")
    upload(part("n", b"1"), part("on", b"2026-01-31"), engine=engine, path="/take")
    assert engine.database.kept["body"] == {"n": 1, "on": date(2026, 1, 31)}


def test_date_of_a_form_that_python_cannot_keep_is_a_422_with_a_pointer():
    refused = echo(FORM, URLENCODED).send("POST", "/echo", b"n=1&on=0000-01-01", media_type=URLENCODED)
    assert refused.status == 422
    assert {pointer for pointer, _ in refused.errors} == {"/on"}
