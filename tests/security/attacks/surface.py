"""What is there that should not be, and what it says to who only looks around."""

import re
from functools import cache
from pathlib import Path

from accord.app.documents import PUBLISHED
from accord.contract.document import METHODS
from tests.security.target import LEAK
from tests.support import operations
from tests.support.operations import OPERATIONS
from tests.support.wire import request

SERVED = Path(operations.__file__).parents[1] / "conformance" / "operations.txt"
"""What `main.py operations` lists, as another test makes sure."""
UNDECLARED = [
    "/.env", "/.git/config", "/accord.db", "/data/signing_keys.json", "/main.py", "/openapi/v1/openapi.yaml", "/admin",
    "/console", "/debug", "/ui", "/actuator/env", "/server-status", "/graphql", "/swagger.json", "/openapi.json",
    "/api", "/api/v1", "/api/v1/", "/api/v0/products", "/api/v3/products", "/api/v1.0/products", "/api/v01/products",
    "/v1/products", "/api/beta/products", "/api/internal/users", "/api/v1/admin", "/api/v1/auth/token", "/metrics/",
]  # fmt: skip
UNKNOWN = [("X-API-Version", "3"), ("X-API-Version", "1' OR 1"), ("Accept", "application/vnd.accord.v0+json")]
PAGES = [
    "/", "/docs", "/problems", "/status", "/nowhere", "/api/v1/products", "/api/products?version=9", "/portal//docs.js",
]  # fmt: skip
DEFAULTS = {
    "ACCORD_ENVIRONMENT": "production", "ACCORD_CORS_ORIGINS": "*", "ACCORD_LOG_LEVEL": "debug",
    "ACCORD_DATABASE_URL": "postgresql://accord:accord@db/accord",
}  # fmt: skip
UNSAFE = {
    "ACCORD_CORS_ORIGINS",
    "ACCORD_DATABASE_URL",
    "ACCORD_TOKEN_ISSUER",
    "ACCORD_LOG_LEVEL",
    "ACCORD_PASSWORD_MEMORY_COST",
    "ACCORD_PASSWORD_TIME_COST",
    "ACCORD_SIGNING_KEYS",
    "ACCORD_TRUSTED_PROXIES",
}
BROKEN = [
    b"nonsense\r\n\r\n",
    request("GET", "/", "Transfer-Encoding: chunked", "Content-Length: 3", body=b"0\r\n\r\n"),
]


def undeclared_paths(target):
    """There is nothing where nothing is declared, also for an admin; an unknown version is told which there are."""
    for path in UNDECLARED:
        for token in (None, target.tokens["admin"]):
            assert target.send("GET", path, token).status_code == 404, path
    for name, version in UNKNOWN:
        refused = target.refused("GET", "/api/products", headers={name: version})
        assert (refused.status_code, all(known.strip("v") in refused.text for known in PUBLISHED)) == (400, True)


def inventory(target):
    """What is served is what is published, in each version; what is deprecated says so, and until when."""
    published = [target.send("GET", at).json() for at in PUBLISHED.values()]
    told = {
        (item[method]["operationId"], method.upper(), path)
        for contract in published
        for path, item in contract["paths"].items()
        for method in METHODS
        if method in item
    }
    assert {tuple(line.split()[:3]) for line in SERVED.read_text().splitlines()} == told
    for each in OPERATIONS:
        answer = target.send("HEAD" if each.method == "GET" else each.method, each.unknown())
        wanted = {"deprecation", "sunset"} if each.spec.get("deprecated") else set()
        assert {"deprecation", "sunset"} & answer.headers.keys() == wanted, each.label


def failures(target):
    """What is broken, on either side, tells a caller no more than how to ask for help."""
    with target.shop.neighbour() as execute:
        execute("alter table tags rename to labels")
        answer = target.client.get("/api/v1/tags", params={"page": 7})
        execute("alter table labels rename to tags")
    assert answer.status_code == 500
    assert answer.json().keys() == {"type", "title", "status", "detail", "instance", "request_id"}
    assert not re.search(f"labels|{LEAK.pattern}", answer.text)
    for sent in BROKEN:
        with target.shop.wire() as wire:
            wire.tell(sent)
            refused = wire.answer()
            assert (refused.status, refused.closes, LEAK.search(refused.body.decode())) == (400, True, None)


def heads(target):
    """No answer says what made it, sets a cookie, sends back what came, or may be read from elsewhere."""
    for method in ("GET", "POST", "OPTIONS", "TRACE"):
        for path in (*PAGES, *PUBLISHED.values()):
            asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE", "Cookie": "canary=1"}
            answer = target.send(method, path, headers=asked)
            told = answer.headers
            assert "canary" not in answer.text, path
            assert not {"server", "x-powered-by", "set-cookie"} & told.keys(), path
            assert not [name for name in told if name.startswith("access-control-")], path
            assert "'none'" in told["Content-Security-Policy"], path
            assert "Cache-Control" in told, path


def hosts(target):
    """Links lead where the contract says, whatever host a caller names."""
    lines = [f"{name}: evil.example" for name in ("Host", "X-Forwarded-Host", "X-Host", "Forwarded")]
    for path in PAGES:
        answer = target.shop.exchange("GET", path, *lines, host=False)
        assert "evil" not in f"{answer.headers}{answer.body!r}", path


def defaults(target):
    """In earnest nothing starts that is only good for trying things out, and each such setting is named."""
    refused = _started_with_defaults(target.shop.server)
    assert refused.returncode == 1
    assert set(re.findall(r"^(?:Error: )?(ACCORD_\w+): in production", refused.stderr, re.MULTILINE)) >= UNSAFE
    assert "accord:accord" not in refused.stderr


@cache
def _started_with_defaults(server):
    before = server.environment
    server.environment = before | DEFAULTS
    refused = server.run("serve", check=False)
    server.environment = before
    return refused
