"""What is there that should not be, and what it says to who only looks around."""

import json
import re
from functools import cache
from pathlib import Path

import httpx

from composition import PUBLISHED
from contract.document import METHODS
from tests.contract import operations
from tests.contract.operations import OPERATIONS
from tests.security.target import LEAK
from tests.service.wire import request

ELSEWHERE = "https://evil.example"
UNDECLARED = [
    "/.env", "/.git/config", "/accord.db", "/data/signing_keys.json", "/main.py", "/settings.py", "/openapi/v1/openapi.yaml",
    "/admin", "/console", "/debug", "/actuator/env", "/server-status", "/phpinfo.php", "/graphql", "/swagger.json", "/ui",
    "/openapi.json", "/api", "/api/v1", "/api/v1/", "/api/v0/products", "/api/v3/products", "/api/v1.0/products", "/v1/products",
    "/api/beta/products", "/api/internal/users", "/api/v1/admin", "/api/v1/debug", "/api/v01/products",
    "/api/v1/auth/token", "/api/v1/auth/reset", "/metrics/", "/health", "/health/db", "/static/x", "/docs/swagger-ui/index.html~",
]  # fmt: skip
SERVED = Path(operations.__file__).with_name("operations.txt")
"""What `main.py operations` lists, as another test makes sure."""
DEFAULTS = {
    "ACCORD_ENVIRONMENT": "production", "ACCORD_CORS_ORIGINS": "*", "ACCORD_LOG_LEVEL": "debug",
    "ACCORD_DATABASE_URL": "postgresql://accord:accord@db/accord",
}  # fmt: skip


def undeclared_paths(target):
    """There is nothing where nothing is declared, also for an admin."""
    for path in UNDECLARED:
        for token in (None, target.tokens["admin"]):
            answer = target.send("GET", path, token)
            assert answer.status_code == 404 or (path.startswith("/api/v3"), answer.status_code) == (True, 400), path
    for name, version in (
        ("X-API-Version", "3"),
        ("X-API-Version", "v1' OR 1"),
        ("Accept", "application/vnd.accord.v0+json"),
    ):
        refused = target.refused("GET", "/api/products", headers={name: version})
        assert (refused.status_code, all(known.strip("v") in refused.text for known in PUBLISHED)) == (400, True)


def undeclared_methods(target):
    """A path has the methods that the contract says, and tells which; a request is never sent back."""
    for path in {each.path for each in OPERATIONS}:
        declared = {each.method for each in OPERATIONS if each.path == path}
        where = next(each for each in OPERATIONS if each.path == path).unknown()
        for method in {name.upper() for name in METHODS} - declared - {"HEAD", "OPTIONS"} | {"PROPFIND"}:
            answer = target.refused(method, where, target.tokens["admin"], headers={"X-Canary": "canary"})
            assert (answer.status_code, "canary" in answer.text) == (405, False), (method, path)
            assert set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == declared


def inventory(target):
    """What is served is what is published, in each version; what is deprecated says so, until when, and what follows."""
    published = {version: target.send("GET", at).json() for version, at in PUBLISHED.items()}
    told = {
        (item[method]["operationId"], method.upper(), path)
        for contract in published.values()
        for path, item in contract["paths"].items()
        for method in METHODS
        if method in item
    }
    served = {tuple(line.split()[:3]) for line in SERVED.read_text().splitlines()}
    assert served == told
    assert all(contract["info"]["version"] for contract in published.values())
    for each in OPERATIONS:
        headers = target.send("HEAD" if each.method == "GET" else each.method, each.unknown()).headers
        assert ("Deprecation" in headers) == each.spec.get("deprecated", False), each.label
        if each.spec.get("deprecated"):
            assert {"Sunset", "Link"} <= {name.title() for name in headers}, each.label


def what_failures_say(target):
    """What is broken, on either side, tells a caller no more than how to ask for help."""
    with target.shop.neighbour() as execute:
        execute("alter table tags rename to labels")
        answer = target.client.get("/api/v1/tags", params={"page": 7})
        execute("alter table labels rename to tags")
    assert answer.status_code == 500
    assert answer.json().keys() == {"type", "title", "status", "detail", "instance", "request_id"}
    assert not LEAK.search(answer.text)
    assert "labels" not in answer.text
    for sent in (
        b"nonsense\r\n\r\n",
        request("GET", "/", "Transfer-Encoding: chunked", "Content-Length: 3", body=b"0\r\n\r\n"),
    ):
        with target.shop.wire() as wire:
            wire.tell(sent)
            refused = wire.answer()
            assert (refused.status, refused.closes, LEAK.search(refused.body.decode())) == (400, True, None)


def headers(target):
    """No answer, of whatever kind, says who made it, sets a cookie, may be framed, sniffed, or read from elsewhere."""
    for method in ("GET", "POST", "OPTIONS", "TRACE", "HEAD"):
        for path in (
            "/",
            "/docs",
            "/problems",
            "/status",
            "/nowhere",
            "/api/v1/products",
            "/api/products?version=9",
            *PUBLISHED.values(),
        ):
            asked = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "DELETE", "Cookie": "canary"}
            told = target.send(method, path, headers=asked, content=b"canary" if method == "TRACE" else None).headers
            assert not {"server", "x-powered-by", "set-cookie"} & told.keys(), path
            assert not [name for name in told if name.startswith("access-control-")], path
            assert (told["X-Content-Type-Options"], told["X-Frame-Options"]) == ("nosniff", "DENY")
            assert "default-src 'none'" in told["Content-Security-Policy"]
            assert "unsafe" not in told["Content-Security-Policy"]
            assert told["Cache-Control"], path


def hosts(target):
    """Links lead where the contract says, whatever host a caller names."""
    for path in (
        "/",
        "/api/v1/products",
        "/api/products",
        "/docs",
        "/nowhere",
        "/docs//x",
        "/api/v1/openapi.json",
        "/pages//docs.js",
    ):
        lines = [
            f"{name}: evil.example"
            for name in ("Host", "X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "Forwarded")
        ]
        answer = target.shop.exchange("GET", path, *lines, host=False)
        assert "evil" not in f"{answer.headers}{answer.body!r}", path


def defaults(target):
    """In earnest nothing starts that is only good for trying things out, and each such setting is named."""
    refused = _started_with_defaults(target.shop.server)
    named = set(re.findall(r"^(?:Error: )?(ACCORD_\w+): in production", refused.stderr, re.MULTILINE))
    assert refused.returncode == 1
    assert named >= {
        "ACCORD_CORS_ORIGINS", "ACCORD_DATABASE_URL", "ACCORD_ISSUER", "ACCORD_LOG_LEVEL", "ACCORD_PASSWORD_MEMORY_KIB",
        "ACCORD_PASSWORD_TIME_COST", "ACCORD_SIGNING_KEYS", "ACCORD_TRUSTED_PROXIES",
    }  # fmt: skip
    assert "accord:accord" not in refused.stderr


@cache
def _started_with_defaults(server):
    before = dict(server.environment)
    server.environment |= DEFAULTS
    refused = server.run("serve", check=False)
    server.environment = before
    return refused


def documents(target):
    """What is published for readers names nothing of the program, and no page runs what is not a file of this host."""
    for at in PUBLISHED.values():
        text = target.send("GET", at).text
        assert not re.search(
            r"handlers\.|services\.|x-\w+InfoFunc|router-controller|localhost|127\.0\.0\.1|\$argon2", text
        )
        assert json.loads(text)["servers"][0]["url"] == "/"
    for page in ("/docs", "/problems", "/status"):
        html = target.send("GET", page).text
        assert not re.search(
            r"<script(?![^>]*\bsrc=[\"']?/)|\son\w+=|(?:src|href)=[\"']?(?:https?:)?//(?!www\.rfc-editor)", html
        ), page
        answer = httpx.get(f"{target.shop.base}{page}", params={"version": "<script>alert(1)</script>"})
        assert "<script>alert" not in answer.text
