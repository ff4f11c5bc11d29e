"""Whoever watches sees each attack; and what the service itself leans on may break, and lie."""

import json
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.security.target import named, somewhere

EVENTS = "/api/v1/audit-events"
SOON = 0.6
"""Seconds after which what has changed was noticed."""


def attacks_in_the_log(target):
    """Each refusal so far has its line: what, who, from where, and how it ended; and no token."""
    refused = [answer for answer in target.answers if answer.is_client_error]
    target.shop.server.logged(refused[-1].headers["X-Request-Id"])
    said = [json.loads(line) for line in target.log().splitlines() if '"logger":"access"' in line]
    lines = {line["request_id"]: line for line in said}
    assert len(refused) > 100, "There was no attack."
    for answer in refused:
        line = lines[answer.headers["X-Request-Id"]]
        told = answer.json()["type"].partition("#")[2]
        assert (line["status"], line["problem_type"], line["client_ip"]) == (answer.status_code, told, "127.0.0.1")
        token = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
        assert len(token) < 10 or token not in json.dumps(line)
    assert all(line["caller"] and line["operation"] for line in lines.values() if line["status"] == 403)


def attacks_in_the_metrics(target):
    """Refusals are counted, by operation and by kind."""

    def counts():
        text = target.send("GET", "/metrics", target.tokens["admin"]).text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return {(each.name, *sorted(each.labels.values())): each.value for each in samples if "_total" in each.name}

    before = counts()
    for _ in range(3):
        target.refused("GET", "/api/v1/users", target.intruder.token)
        target.refused("GET", "/api/v1/auth/me", "of.bad.news")
    problems = [("accord_problems_total", kind) for kind in ("forbidden", "unauthorized")]
    requests = [
        ("accord_http_requests_total", *sample) for sample in (("403", "GET", "list_users"), ("401", "GET", "get_me"))
    ]
    after = counts()
    assert all(after[sample] >= before.get(sample, 0) + 3 for sample in [*problems, *requests])


def writes_in_the_trail(target):
    """Who changed what, when and by which request is kept, without secrets, and changed by nobody."""
    token, form = target.tokens["admin"], target.admin.filled(named("create_user").body)
    made = target.send("POST", "/api/v1/users", token, json=form)
    changed = target.send("PATCH", made.headers["Location"], token, json={"role": "customer"})
    target.refused("PATCH", made.headers["Location"], target.intruder.token, json={"role": "admin"})
    trail = target.send("GET", EVENTS, token, params={"object_id": made.json()["id"]})
    events = trail.json()["items"]
    assert [(event["action"], event["request_id"], event["actor"]["username"]) for event in events] == [
        ("update_user", changed.headers["X-Request-Id"], "admin"),
        ("create_user", made.headers["X-Request-Id"], "admin"),
    ]
    assert form["password"] not in trail.text
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert target.refused(method, f"{EVENTS}/{events[0]['id']}", token, json={}).status_code == 405


def redis_that_lies(strict):
    """With a Redis that answers rubbish, requests are answered and limits kept; its password is told to nobody."""
    here = somewhere()
    answers = [strict.send("GET", "/api/v1/auth/me", headers=here) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert strict.send("GET", "/health/ready").is_success
    assert strict.shop.server.logged("Redis")
    assert "sesame" not in strict.log()


def keys_that_are_spoilt(target):
    """Signing keys that become nonsense while the service runs let nobody in, and throw nobody out."""
    file = Path(target.shop.server.environment["ACCORD_DATA_DIR"]) / "signing_keys.json"
    before = file.read_bytes()
    for content in (b"\xff", b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}', before):
        file.write_bytes(content)
        time.sleep(SOON)
        assert target.send("GET", "/api/v1/auth/me", target.tokens["customer"]).is_success
        target.refused("GET", "/api/v1/auth/me", "of.bad.news")


def rows_that_cannot_be(target):
    """What the database holds against the contract, whoever wrote it there, leaves the service in no answer."""
    body = target.admin.filled(named("create_product").body)
    made = target.send("POST", "/api/v1/products", target.tokens["admin"], json=body)
    with target.shop.neighbour() as execute:
        execute(f"update products set sku = '<script>' where sku = '{body['sku']}'")
    answer = target.client.get(made.headers["Location"])
    assert (answer.status_code, "script" in answer.text) == (500, False)
    assert target.send("DELETE", made.headers["Location"], target.tokens["admin"]).is_success
