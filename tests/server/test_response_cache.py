"""What the servers of a service keep is never older than what a writer has been told is done."""

import contextlib
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from db import migrations
from tests.support.databases import KINDS
from tests.support.migrations import Team
from tests.support.servers import JSON
from tests.support.wire import request

SECONDS = 3.0
UNITS = 100_000


@pytest.fixture(scope="module", params=KINDS)
def servers(request, start):
    """Two servers at one database."""
    first = start(request.param)
    return first, start(request.param, first.database_url, ACCORD_DATA_DIR=first.server.environment["ACCORD_DATA_DIR"])


def test_nobody_sees_an_old_stock_after_the_writer_has_its_answer(servers):
    """By a change, by an order, and by another program at the same database."""
    busy, _ = servers
    made = json.loads(busy.exchange("POST", "/api/v1/products", busy.authorization, JSON,
                                    body=busy.product(name="Zardozi", stock=UNITS)).body)  # fmt: skip
    item = f"/api/v1/products/{made['id']}"
    told, is_over = [UNITS], []

    def change(wire, stock):
        body = json.dumps({"stock": stock}).encode()
        wire.send(request("PATCH", item, busy.authorization, JSON, body=body))
        assert wire.answer().status == 200

    def order(wire, _):
        body = json.dumps({"items": [{"product_id": made["id"], "quantity": 1}]}).encode()
        wire.send(request("POST", "/api/v1/orders", busy.authorization, JSON, f"Idempotency-Key: {uuid4()}", body=body))
        assert wire.answer().status == 201

    def write():
        with contextlib.ExitStack() as open_ones, busy.neighbour() as do:
            wires = itertools.cycle([open_ones.enter_context(server.wire()) for server in servers])
            ways = itertools.cycle([
                change, order, lambda _, stock: do(f"update products set stock = {stock} where name = 'Zardozi'"),
            ])  # fmt: skip
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                next(ways)(next(wires), told[0] - 1)
                told[0] -= 1

    def read(server, target, shown):
        seen = set()
        with server.wire() as wire:
            while not is_over:
                at_most = told[0]
                wire.send(request("GET", target, busy.authorization))
                stock = shown(json.loads(wire.answer().body))["stock"]
                assert stock <= at_most
                seen.add(stock)
        return seen

    with ThreadPoolExecutor(12) as pool:
        asked = [("/api/v1/products?q=zardozi", lambda page: page["items"][0]), (item, lambda product: product)]
        readers = [pool.submit(read, server, *what) for server in servers for what in asked * 3]
        try:
            write()
        finally:
            is_over.append(True)
        assert all(len(reader.result()) > 1 for reader in readers)


def test_change_is_seen_at_once_after_a_migration_of_the_table(servers, tmp_path):
    """SQLite rebuilds the table in both directions, and nothing else than its triggers counts the changes."""
    busy, other = servers
    team = Team(busy.database_url, tmp_path)
    body = """
    with op.batch_alter_table("products", recreate="auto") as batch:
        batch.alter_column("{0}", type_=sa.{1}, existing_type=sa.{2})"""
    team.write(body.format("sku", "String(40)", "String(32)"), body.format("sku", "String(32)", "String(40)"))
    team.upgrade()
    team.downgrade(migrations.head_revision())
    assert busy.exchange("GET", "/health/ready").status == 200

    made = busy.exchange("POST", "/api/v1/products", busy.authorization, JSON, body=busy.product(name="Zari")).body
    item = f"/api/v1/products/{json.loads(made)['id']}"

    def prices():
        lists = (server.exchange("GET", "/api/v1/products?q=Zari") for server in servers)
        return [[product["price"] for product in json.loads(answer.body)["items"]] for answer in lists]

    assert prices() == [["9.50"], ["9.50"]]
    busy.exchange("PATCH", item, busy.authorization, JSON, body=b'{"price": "7.25"}')
    assert prices() == [["7.25"], ["7.25"]]
    busy.exchange("DELETE", item, busy.authorization)
    assert prices() == [[], []]
    assert other.exchange("GET", item).status == 404


def test_lost_trigger_is_named_by_the_readiness_and_by_check_and_migrate_creates_it(servers):
    busy, _ = servers
    with busy.neighbour() as do:
        do("DROP TRIGGER tags_count_insert" + (" ON tags" if busy.kind == "postgresql" else ""))
    for _ in range(2):
        answer = busy.exchange("GET", "/health/ready")
        assert (answer.status, b"trigger tags_count_insert of table tags" in answer.body) == (503, True)
    done = busy.server.run("check", check=False)
    assert done.returncode == 1
    assert "trigger tags_count_insert of table tags" in done.stderr
    assert "tags_count_insert" in busy.server.run("migrate").stderr
    assert busy.exchange("GET", "/health/ready").status == 200
    busy.server.run("check")
