"""Whoever watches sees each attack; and what the service itself leans on may break, and lie."""

import json
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.contract.writing import FRESH
from tests.security.target import operation, somewhere

SOON = 1.5
"""Seconds after which all was said and counted."""
LINE = {"time", "request_id", "operation", "method", "path", "status", "ms", "caller", "client", "problem"}


def attacks_in_the_log(target):
    """Each refusal has its line: when, what, who, from where, and how it ended; and nothing that was said in confidence."""
    time.sleep(SOON)
    lines = {}
    for line in target.log().splitlines():
        if line.startswith("{") and (said := json.loads(line)).get("logger") == "requests":
            lines[said["request_id"]] = said
    refused = [answer for answer in target.answers if answer.is_client_error]
    assert len(refused) > 100, "There was no attack."
    for answer in refused:
        line = lines[answer.headers["X-Request-Id"]]
        assert line.keys() >= LINE
        assert (line["status"], line["client"]) == (answer.status_code, "127.0.0.1")
        if "json" in answer.headers.get("Content-Type", ""):
            assert answer.json()["type"] == f"/problems#{line['problem']}"
        for secret in (
            answer.request.headers.get("Authorization", "").removeprefix("Bearer "),
            target.victim.login["password"],
        ):
            assert not secret or f'"{secret}"' not in json.dumps(line)
    denied = [line for line in lines.values() if line["status"] == 403]
    assert all(line["caller"] and line["operation"] for line in denied)


def attacks_in_the_metrics(target):
    """Refusals are counted by operation and by kind."""

    def counts():
        time.sleep(SOON)
        text = target.send("GET", "/metrics", target.tokens["admin"]).text
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name in {"accord_problems_total", "accord_requests_total"}
        }

    before = counts()
    for _ in range(3):
        target.refused("GET", "/api/v1/users", target.intruder.token)
        target.refused("GET", "/api/v1/auth/me", "of.bad.news")
    after = counts()
    for sample in (
        ("accord_problems_total", "forbidden"),
        ("accord_problems_total", "unauthorized"),
        ("accord_requests_total", "GET", "list_users", "403"),
        ("accord_requests_total", "GET", "get_me", "401"),
    ):
        assert after[sample] >= before.get(sample, 0) + 3, sample


def writes_in_the_trail(target):
    """Who changed what, when and by which request is kept, without secrets; nobody can change that."""
    secret = FRESH["password"]()
    form = target.admin.filled(operation("create_user").body) | {"password": secret}
    made = target.send("POST", "/api/v1/users", target.tokens["admin"], json=form)
    raised = target.send("PATCH", made.headers["Location"], target.tokens["admin"], json={"role": "customer"})
    target.refused("PATCH", made.headers["Location"], target.intruder.token, json={"role": "admin"})
    asked = {"params": {"object_id": made.json()["id"]}}
    trail = target.send("GET", "/api/v1/audit-events", target.tokens["admin"], **asked)
    events = {event["action"]: event for event in trail.json()["items"]}
    assert {name: event["request_id"] for name, event in events.items()} == {
        "create_user": made.headers["X-Request-Id"],
        "update_user": raised.headers["X-Request-Id"],
    }
    assert all(event["actor"] and event["at"] for event in events.values())
    assert secret not in trail.text
    assert "$argon2" not in trail.text
    event = f"/api/v1/audit-events/{events['create_user']['id']}"
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert target.refused(method, event, target.tokens["admin"], json={}).status_code == 405


def redis_that_lies(strict):
    """With a Redis that answers rubbish, requests are answered and limits kept; its password is told to nobody."""
    here = somewhere()
    answers = [strict.send("GET", "/api/v1/auth/me", headers=here) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert strict.send("GET", "/health/ready").is_success
    assert "Redis" in strict.log()
    assert "sesame" not in strict.log()


def keys_that_are_spoilt(target):
    """Signing keys that were overwritten with nonsense while the service runs let nobody in, and throw nobody out."""
    file = Path(target.shop.server.environment["ACCORD_DATA_DIR"]) / "signing_keys.json"
    before = file.read_bytes()
    for nonsense in (b"\xff", b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}'):
        file.write_bytes(nonsense)
        time.sleep(0.6)
        assert target.send("GET", "/api/v1/auth/me", target.tokens["customer"]).is_success
        target.refused("GET", "/api/v1/auth/me", "of.bad.news")
    file.write_bytes(before)
    time.sleep(0.6)
    assert target.send("GET", "/api/v1/auth/me", target.tokens["customer"]).is_success


def rows_that_cannot_be(target):
    """What the database holds against the contract, whoever wrote it there, leaves the service with no answer."""
    body = target.admin.filled(operation("create_product").body)
    made = target.send("POST", "/api/v1/products", target.tokens["admin"], json=body)
    with target.shop.neighbour() as execute:
        execute(f"update products set sku = '<script>' where sku = '{body['sku']}'")
    answer = target.client.get(made.headers["Location"])
    assert (answer.status_code, "script" in answer.text) == (500, False)
    assert target.send("DELETE", made.headers["Location"], target.tokens["admin"]).is_success
