"""Text that somebody else is to take for orders: a database, a spreadsheet, a parser, a log, or the service itself."""

import csv
import io
import json
import socket
import time
from uuid import uuid4

import pytest

from tests.contract.operations import LISTS, OPERATIONS, WITH_BODY
from tests.pictures import drawn
from tests.security.credentials import forged_tokens
from tests.security.target import operation

SQL = [
    "' OR '1'='1", "') OR 1=1--", "'; DROP TABLE users;--", "' UNION SELECT password_hash FROM users--", '" OR ""="', "\\' OR 1=1--",
    "1; SELECT pg_sleep(9)--", "'||(SELECT randomblob(900000000))||'", "*/ OR 1=1 /*", "$$ OR 1=1", ":id", "%(id)s", "?1",
]  # fmt: skip
TEMPLATES = ["{{7*7}}", "${7*7}", "{0.__class__}", "%s%n", "#{7*7}", "<%= 7*7 %>", "${jndi:ldap://127.0.0.1/a}"]
MARKUP = ["<script>alert(1)</script>", "]]><x>", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;"]
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\uff1d1+1"]
SPLITS = ["x%0d%0aX-Injected:%20yes", "x%0aX-Injected:%20yes", "%e5%98%8d%e5%98%8aX-Injected:yes"]


def sql(target):
    """In a filter, a search, an order, a cursor or an id it finds what nonsense finds, and does nothing."""
    token, tables = target.tokens["admin"], ("users", "products", "orders", "audit_events")
    before = {table: target.shop.select(f"select count(*) from {table}") for table in tables}
    for listing in LISTS:
        path = target.known(listing)
        for name in listing.names("query"):
            for text in SQL:
                began = time.perf_counter()
                answer = target.send("GET", path, token, params={name: text})
                assert answer.status_code == 400 or not answer.json()["items"], (listing.id, name, text)
                assert time.perf_counter() - began < 2, (listing.id, name, text)
    for each in (o for o in OPERATIONS if o.method == "GET" and o.names("path")):
        for text in SQL:
            target.refused("GET", each.unknown().replace("-", f"{text} "), token)
    for text in SQL:
        target.refused("POST", "/api/v1/auth/login", json={"username": text, "password": text})
    assert {table: target.shop.select(f"select count(*) from {table}") for table in tables} == before


def texts_that_come_back(target):
    """What is kept is what was sent, and in XML and CSV it is text as well."""
    body = target.admin.filled(operation("create_product").body)
    for text in [*SQL, *TEMPLATES, *MARKUP, *FORMULAS]:
        mark, sent = f"M{uuid4().hex[:20].upper()}", body | {"name": f"{text} x", "description": text}
        made = target.send("POST", "/api/v1/products", target.tokens["admin"], json=sent | {"sku": mark})
        if made.is_client_error:
            assert made.status_code in {400, 422}, (text, made.text)
            continue
        assert (made.json()["name"], made.json()["description"]) == (f"{text} x", text)
        xml = target.send("GET", made.headers["Location"], headers={"Accept": "application/xml"}).text
        assert "<!" not in xml
        assert "<script" not in xml
        table = target.send(
            "GET", "/api/v1/products?per_page=100&sort=-created_at", headers={"Accept": "text/csv"}
        ).text
        (row,) = [row for row in csv.DictReader(io.StringIO(table, newline="")) if row["sku"] == mark]
        assert row["name"][0] not in "=+-@\t\r", row
        assert row["description"][0] not in "=+-@\t\r\uff1d", row
        target.send("DELETE", made.headers["Location"], target.tokens["admin"])


def entities(target):
    """No XML is read, also not as a picture; and no form names what is in the file system."""
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>'
    for each in WITH_BODY:
        for media_type in ("application/xml", "text/xml", "application/xml+json", "application/x-yaml"):
            answer = target.ask(each, content=bomb, headers={"Content-Type": media_type}, undeclared=True)
            assert answer.status_code == 415, (each.id, media_type)
    for name, kind in (("a.svg", "image/svg+xml"), ("a.png", "image/png"), ("a.pdf", "application/pdf")):
        upload = {"files": {"file": (name, bomb, kind)}}
        assert target.refused("POST", "/api/v1/files", target.intruder.token, **upload).status_code == 415


def headers(target):
    """No line break gets from a request into the head of its answer."""
    for split in SPLITS:
        for path in (
            f"/api/v1/{split}",
            f"/api/v1/products/{split}",
            f"/api/v1/products?q={split}",
            f"/docs/{split}",
            f"/{split}",
        ):
            answer = target.shop.exchange("GET", path)
            assert answer.header("x-injected") is None, path
    for line in (
        "X-Request-Id: abcdefgh\rX-Injected: yes",
        "Idempotency-Key: abcdefgh\nX-Injected: yes",
        "Origin: http://a\r",
    ):
        answer = target.shop.exchange("GET", "/api/v1/products", line)
        assert (answer.header("x-injected"), answer.header("access-control-allow-origin")) == (None, None)
    for name in ('a"\r\nX-Injected: yes.png', "a\nb.png", '"; filename="b.exe', "\u202egnp.exe"):
        made = target.send("POST", "/api/v1/files", target.intruder.token, files={"file": (name, drawn(), "image/png")})
        if made.is_success:
            told = target.send("GET", f"{made.headers['Location']}/content", target.intruder.token).headers
            assert "X-Injected" not in told
            assert told["Content-Disposition"].startswith("attachment"), told
            assert not set("\r\n\u202e") & set(told["Content-Disposition"])


def names_of_files(target):
    """What an upload is called leads nowhere, neither when it is kept nor when it is fetched."""
    store = target.shop.server.log.parent
    before = {file for file in store.rglob("*") if "files" not in file.parts and file.suffix != ".log"}
    for name in (
        "../../../escaped.png",
        "/tmp/escaped.png",
        "..\\..\\escaped.png",
        "C:\\escaped.png",
        "escaped.png\0.pdf",
        ".",
    ):
        made = target.send("POST", "/api/v1/files", target.intruder.token, files={"file": (name, drawn(), "image/png")})
        assert made.is_client_error or not set("/\\\0") & set(made.json()["name"]), made.text
    assert not [file for file in store.rglob("*escaped*")]
    assert before >= {
        f for f in store.rglob("*") if "files" not in f.parts and f.suffix not in {".log", ""} and f.is_dir()
    }
    for path in (
        "/docs/swagger-ui/%2e%2e/%2e%2e/main.py",
        "/pages/..%2fmain.py",
        "/pages//etc/passwd",
        "/docs/..%5c..%5csettings.py",
    ):
        assert target.shop.exchange("GET", path).status == 404, path


def lines_of_the_log(target):
    """A line of the log is one request's, whatever that says of itself."""
    mark = uuid4().hex
    forged = (
        f'{mark}\n{{"time":"2020-01-01","level":"info","logger":"requests","status":200,"caller":"{mark}"}}\r\n\x1b[2J'
    )
    target.send("POST", "/api/v1/auth/login", json={"username": forged, "password": forged})
    target.send("GET", "/api/v1/products", params={"q": forged, mark: forged})
    escaped = forged.replace("\n", "%0a").replace("\r", "%0d").replace(" ", "%20").replace("\x1b", "%1b")
    for path in (f"/{escaped}", f"/api/v1/{escaped}", f"/api/v1/products/{escaped}"):
        target.shop.exchange("GET", path, f"X-Request-Id: {mark}%0a", f"User-Agent: {mark}", f"traceparent: {mark}")
    time.sleep(0.5)
    lines = [json.loads(line) for line in target.log().splitlines() if line.startswith("{")]
    assert not [line for line in lines if line.get("caller") == mark or line["time"] == "2020-01-01"]
    assert "\x1b" not in target.log()


def urls(target):
    """Nothing that a caller says makes the service go and look: not as text, not in a head, and not in a token."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        host = f"127.0.0.1:{canary.getsockname()[1]}"
        url, token = f"http://{host}/", target.tokens["admin"]
        names = ("Referer", "Origin", "X-Forwarded-Host", "X-Original-URL", "X-Callback", "Link", "From", "Via")
        told = {"headers": dict.fromkeys(names, url)}
        for each in WITH_BODY:
            target.send(each.method, each.unknown(), token, json={"$ref": url}, **told)
            body = target.admin.filled(each.whole) if isinstance(each.body, dict) else {}
            for name in (name for name, value in body.items() if isinstance(value, str) and name != "refresh_token"):
                target.send(each.method, each.unknown(), token, json=body | {name: url}, **told)
        for each in LISTS:
            for name in (*each.names("query"), "url", "callback", "redirect_uri", "next"):
                target.send("GET", each.unknown(), token, params={name: url}, **told)
        svg = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="{url}"/></svg>'
        target.refused("POST", "/api/v1/files", token, files={"file": ("a.png", svg, "image/png")})
        for method, line in (("GET", url), ("CONNECT", host), ("GET", f"//{host}/"), ("GET", f"/{url}")):
            assert target.shop.exchange(method, line, f"Host: {host}", host=False).status < 500
        forged_tokens(target, elsewhere=url)
        canary.settimeout(0.3)
        with pytest.raises(TimeoutError):
            canary.accept()
        socket.create_connection(canary.getsockname()).close()
        canary.accept()[0].close()
