"""Text that somebody is to take for orders: a database, a spreadsheet, a parser, a log, or the service itself."""

import csv
import io
import json
import re
import socket
from pathlib import Path
from uuid import uuid4

import pytest

from tests.security.attacks.credentials import forged_tokens
from tests.security.target import named
from tests.support.operations import LISTS, WITH_BODY
from tests.support.pictures import drawn

SQL = [
    "' OR '1'='1", "') OR 1=1--", "'; DROP TABLE users;--", "' UNION SELECT password_hash FROM users--", "\\' OR 1=1--",
    "1; SELECT pg_sleep(9)--", "'||(SELECT randomblob(900000000))||'", '" OR ""="', "%(id)s",
]  # fmt: skip
OTHERS = [
    "{{7*7}}", "${7*7}", "{0.__class__}", "${jndi:ldap://127.0.0.1/a}", "<script>alert(1)</script>", "]]><x>",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)",
]  # fmt: skip
SPLITS = ["x%0d%0aX-Injected:%20y", "x%0aX-Injected:%20y", "%e5%98%8d%e5%98%8aX-Injected:y"]
NAMES = ["../../../escaped.png", "..\\..\\escaped.png", "/escaped.png", "escaped.png\0.pdf", 'a"\r\nX-Injected: y.png']
PATHS = ["/docs/swagger-ui/%2e%2e/%2e%2e/main.py", "/portal/..%2fmain.py", "/portal//etc/passwd", "/docs/..%5cmain.py"]


def sql(target):
    """In a filter, a search, an order, a cursor or an id it finds what nonsense finds, and does nothing."""
    token, counts = target.tokens["admin"], "select (select count(*) from users), (select count(*) from products)"
    before, first = target.shop.select(counts), len(target.answers)
    for listing in LISTS:
        path = target.known(listing)
        for text in SQL:
            target.refused("GET", f"{listing.path}/{text}".replace("{user_id}", text), token)
            for name in listing.names("query"):
                answer = target.send("GET", path, token, params={name: text})
                assert answer.status_code == 400 or not answer.json()["items"], (listing.id, name, text)
    for text in SQL:
        target.refused("POST", "/api/v1/auth/login", json={"username": text, "password": text})
    assert target.shop.select(counts) == before
    assert max(answer.elapsed.total_seconds() for answer in target.answers[first:]) < 9, "Somebody slept."


def texts_that_come_back(target):
    """What is kept is what was sent, and in XML and CSV it is text as well."""
    token, body = target.tokens["admin"], target.admin.filled(named("create_product").body)
    for text in [*SQL, *OTHERS]:
        sent = body | {"name": text, "sku": f"M{uuid4().hex[:20].upper()}"}
        made = target.send("POST", "/api/v1/products", token, json=sent)
        assert made.json()["name"] == text
        xml = target.send("GET", made.headers["Location"], headers={"Accept": "application/xml"}).text
        assert not re.search("<!DOCTYPE|<script|]]>", xml)
        query = "/api/v1/products?per_page=100&sort=-created_at"
        table = target.send("GET", query, headers={"Accept": "text/csv"}).text
        (row,) = [row for row in csv.DictReader(io.StringIO(table, newline="")) if row["sku"] == sent["sku"]]
        assert row["name"][0] not in "=+-@\t\r", row
        target.send("DELETE", made.headers["Location"], token)


def entities(target):
    """No XML is read, also not as a picture."""
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>'
    for each in WITH_BODY:
        for media_type in ("application/xml", "text/xml", "application/x-yaml"):
            answer = target.ask(each, content=bomb, headers={"Content-Type": media_type}, undeclared=True)
            assert answer.status_code == 415, (each.id, media_type)
    for kind in ("image/svg+xml", "image/png", "application/pdf"):
        upload = {"files": {"file": ("a.png", bomb, kind)}}
        assert target.refused("POST", "/api/v1/files", target.intruder.token, **upload).status_code == 415


def heads(target):
    """No line break gets from a request into the head of its answer."""
    for split in SPLITS:
        for path in ("/", "/api/", "/api/v1/products/", "/api/v1/products?q=", "/docs/"):
            assert target.shop.exchange("GET", path + split).header("x-injected") is None, path
    for line in ("X-Request-Id: abcdefgh\rX-Injected: y", "Idempotency-Key: abcdefgh\nX-Injected: y"):
        answer = target.shop.exchange("GET", "/api/v1/products", line)
        assert answer.header("x-injected") is None, line


def names_of_files(target):
    """What an upload is called leads nowhere, neither when it is kept nor when it is fetched, nor into a head."""
    folder, token = Path(target.shop.server.environment["ACCORD_DATA_DIR"]).parent, target.intruder.token
    for name in NAMES:
        made = target.send("POST", "/api/v1/files", token, files={"file": (name, drawn(), "image/png")})
        if made.is_success:
            told = target.send("GET", f"{made.headers['Location']}/content", token).headers
            assert told["Content-Disposition"].startswith("attachment")
            assert "X-Injected" not in told
            assert not set("/\\\0\r\n") & set(made.json()["name"] + told["Content-Disposition"].partition("''")[2])
    assert not list(folder.rglob("*escaped*"))
    for path in PATHS:
        assert target.shop.exchange("GET", path).status == 404, path


def lines_of_the_log(target):
    """A line of the log is one request's, whatever that says of itself."""
    mark = uuid4().hex
    forged = f'{mark}\n{{"time":"2020","logger":"access","status":200,"caller":"{mark}"}}\r\n\x1b[2J'
    target.send("POST", "/api/v1/auth/login", json={"username": forged, "password": forged})
    target.send("GET", "/api/v1/products", params={"q": forged, mark: forged})
    escaped = forged.translate({ord(each): f"%{ord(each):02x}" for each in "\n\r \x1b"})
    for path in (f"/{escaped}", f"/api/v1/{escaped}", f"/api/v1/products/{escaped}"):
        target.shop.exchange("GET", path, f"X-Request-Id: {mark}%0a", f"User-Agent: {mark}", f"traceparent: {mark}")
    target.shop.server.logged(target.send("GET", "/").headers["X-Request-Id"])
    lines = [json.loads(line) for line in target.log().splitlines() if line.startswith("{")]
    assert not [line for line in lines if line.get("caller") == mark or line["time"] == "2020"]
    assert "\x1b" not in target.log()


def urls(target):
    """Nothing that a caller says makes the service go and look: not as text, not in a head, and not in a token."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        host = f"127.0.0.1:{canary.getsockname()[1]}"
        url = f"http://{host}/"
        names = ("Referer", "Origin", "X-Forwarded-Host", "X-Original-URL", "X-Callback", "Link", "From", "Via")
        told = {"headers": dict.fromkeys(names, url)}
        for each in WITH_BODY:
            token = target.intruder.token if each.reaches("customer") else target.tokens["admin"]
            target.send(each.method, each.unknown(), token, json={"$ref": url}, **told)
            body = target.admin.filled(each.whole) if isinstance(each.body, dict) else {}
            for name in (name for name, value in body.items() if isinstance(value, str) and name != "refresh_token"):
                target.send(each.method, each.unknown(), token, json=body | {name: url}, **told)
        for each in LISTS:
            for name in (*each.names("query"), "url", "callback", "redirect_uri", "next"):
                target.send("GET", each.unknown(), target.tokens["admin"], params={name: url}, **told)
        svg = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="{url}"/></svg>'
        target.refused("POST", "/api/v1/files", target.intruder.token, files={"file": ("a.png", svg, "image/png")})
        for method, line in (("GET", url), ("CONNECT", host), ("GET", f"//{host}/"), ("GET", f"/{url}")):
            assert target.shop.exchange(method, line, f"Host: {host}", host=False).status < 500
        forged_tokens(target, elsewhere=url)
        canary.settimeout(0.3)
        with pytest.raises(TimeoutError):
            canary.accept()
        socket.create_connection(canary.getsockname()).close()
        canary.accept()[0].close()
