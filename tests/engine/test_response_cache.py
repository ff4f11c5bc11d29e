"""Answers that the service keeps: when they are given again, to whom, and when not."""

import asyncio
from random import Random

import pytest

from accord.contract.errors import ContractError
from accord.engine.policies import response_cache
from accord.engine.policies.response_cache import ResponseCache
from accord.engine.request import Request
from accord.middleware.compression import CompressionMiddleware
from tests.support.engine import Engine, NotThere, start

NOTES = """
x-cache-profiles: {notes: {description: Notes., max-age: 60, server-cache: true}}
components:
  securitySchemes:
    bearer:
      type: http
      scheme: bearer
      x-bearerInfoFunc: tests.support.callers.by_token
      x-roles: {reader: [read], writer: [read, write]}
  schemas:
    Notes:
      type: object
      properties: {texts: {type: array, items: {type: string}}, at_least: {type: integer}}
paths:
  /notes:
    get:
      operationId: list_notes
      x-cache-profile: notes
      security: [{bearer: [read]}, {}]
      parameters:
        - {name: at_least, in: query, schema: {type: integer, default: 1}}
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: price, in: query, schema: {type: string, format: decimal, maxLength: 9}}
        - name: cost
          in: query
          schema: {anyOf: [{type: string, format: decimal, maxLength: 3}, {type: string, format: decimal}]}
        - &tags {name: If-None-Match, in: header, schema: {type: string}}
      responses: {'200': {
        description: Them., headers: {ETag: {schema: {type: string}}}, content: {
          application/json: {schema: {$ref: '#/components/schemas/Notes'}},
          application/xml: {schema: {$ref: '#/components/schemas/Notes'}}}}}
  /notes/own:
    get:
      operationId: list_own
      x-cache-profile: notes
      security: [{bearer: [read]}, {}]
      parameters: [*tags]
      responses: {'200': {
        description: Them., headers: {ETag: {schema: {type: string}}}, content: {application/json: {schema: {}}}}}
"""


class Changes:
    """Counts changes, as a database would."""

    tags = frozenset({"notes"})

    def __init__(self):
        self.count, self.asked = 0, 0

    async def current(self):
        self.asked += 1
        return {"notes": self.count}


class Shop:
    """An engine with two notes, of which it can be told how often they were read."""

    def __init__(self, size=100_000):
        self.changes, self.reads = Changes(), 0
        self.answers = ResponseCache(self.changes, size)
        self.fails = False
        self.engine = start(
            NOTES, {"list_notes": self.list_notes, "list_own": self.list_own}, response_cache=self.answers
        )
        self.engine.database.kept["notes"] = ["one", "two"]

    def list_notes(self, session, at_least, tag=None, price=None, cost=None):
        self.reads += 1
        if self.fails:
            raise NotThere
        amounts = [str(amount) for amount in (price, cost) if amount is not None]
        return {"texts": [*session["notes"], *(tag or ()), *amounts], "at_least": at_least}

    def list_own(self, session, caller):
        self.reads += 1
        return [caller.id] if caller else []

    def get(self, target="/notes", token=None, **headers):
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.engine.get(target, {name.replace("_", "-"): value for name, value in headers.items()})

    def write(self, text):
        self.engine.database.kept["notes"].append(text)
        self.changes.count += 1


@pytest.fixture
def shop():
    return Shop()


def test_what_has_not_changed_is_read_once(shop):
    first, again, head = shop.get(), shop.get(), shop.engine.send("HEAD", "/notes")
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    assert (head.headers, head.body) == (first.headers, b"")
    assert shop.reads == 1
    assert (shop.answers.stats.hits["list_notes"], shop.answers.stats.misses["list_notes"]) == (2, 1)


def test_what_has_changed_is_read_again(shop):
    shop.get()
    shop.write("three")
    assert shop.get().json["texts"] == ["one", "two", "three"]


def test_only_stored_responses_read_the_versions(shop):
    """A response that is not stored, or known to be stale, is rendered without; the first of all reads them."""
    many = [f"/notes?at_least={n}" for n in range(5)]
    for target in many:
        shop.get(target)
    assert (shop.changes.asked, shop.reads) == (1, 5)
    shop.write("three")
    for target in many:
        assert shop.get(target).json["texts"] == ["one", "two", "three"]
    assert (shop.changes.asked, shop.reads) == (2, 10)
    for target in many:
        shop.get(target)
    assert (shop.changes.asked, shop.reads) == (7, 10)


def test_response_rendered_without_reading_the_versions_is_not_served_after_a_change(shop):
    shop.get("/notes?at_least=1")
    shop.write("three")
    shop.get("/notes?at_least=2")
    shop.write("four")
    assert shop.get("/notes?at_least=2").json["texts"] == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ({}, {"target": "/notes?at_least=2"}),
        ({"target": "/notes?tag=a&tag=b"}, {"target": "/notes?tag=a%2Cb"}),
        ({"target": "/notes?price=1.0"}, {"target": "/notes?price=1.00"}),
        ({"target": "/notes?cost=1.0"}, {"target": "/notes?cost=1.00"}),
        ({}, {"Accept": "application/xml"}),
        ({}, {"token": "reader"}),
        ({"token": "reader"}, {"token": "writer"}),
        ({}, {"target": "/notes/own"}),
    ],
)
def test_another_question_has_another_answer(shop, asked, other):
    shop.get(**asked)
    fresh = Shop().get(**other)
    got = shop.get(**other)
    assert (got.headers, got.body, shop.reads) == (fresh.headers, fresh.body, 2)


def test_default_that_is_said_is_the_same_question(shop):
    shop.get("/notes")
    shop.get("/notes?at_least=1")
    assert shop.reads == 1


def test_answer_that_depends_on_the_caller_is_kept_for_nobody_in_particular_only(shop):
    assert [shop.get("/notes/own", token).json for token in ("reader", "writer", None, "reader", None)] == [
        ["reader"], ["writer"], [], ["reader"], [],
    ]  # fmt: skip
    assert shop.reads == 4


def test_304_is_made_of_what_is_kept_and_keeps_nothing_itself(shop):
    tag = Shop().get().header("etag")
    assert [shop.get(If_None_Match=tag).status for _ in range(2)] == [304, 304]
    assert (shop.get().status, shop.reads) == (200, 1)
    shop.write("three")
    assert shop.get(If_None_Match=tag).status == 200


def test_failure_is_not_kept(shop):
    shop.fails = True
    assert [shop.get().status for _ in range(2)] == [404, 404]
    shop.fails = False
    assert (shop.get().status, shop.reads) == (200, 3)


def test_nothing_is_kept_longer_than_a_minute(shop, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(response_cache, "monotonic", lambda: now[0])
    for now[0], reads in ((0, 1), (59, 1), (61, 2)):
        shop.get()
        assert shop.reads == reads


def test_those_used_longest_ago_go_first():
    shop = Shop(size=9_000)
    for n in range(7):
        shop.get(f"/notes?at_least={n}")
        shop.get("/notes?at_least=0")
    before = shop.reads
    shop.get("/notes?at_least=0")
    shop.get("/notes?at_least=6")
    assert shop.reads == before
    for n in range(7, 20):
        shop.get(f"/notes?at_least={n}")
    shop.get("/notes?at_least=6")
    assert shop.reads == before + 14


def test_answer_that_takes_too_much_room_is_not_kept():
    shop = Shop(size=9_000)
    for _ in range(2):
        shop.get("/notes?tag=" + 500 * "long")
    assert shop.reads == 2


@pytest.fixture
def compressing():
    """A shop whose answers are compressed, with room for twelve of them as they are."""
    shop = Shop(size=40_000)
    shop.engine = Engine(CompressionMiddleware(shop.engine.app), shop.engine.database)
    shop.write(Random(1).randbytes(1_000).hex())
    return shop


@pytest.mark.parametrize(("coding", "other"), [("br", "gzip"), ("gzip", "br")])
def test_what_is_kept_is_compressed_once(compressing, coding, other):
    first, foreign, again = (compressing.get(Accept_Encoding=each) for each in (coding, other, coding))
    assert (first.header("content-encoding"), first.header("etag")) == (coding, again.header("etag"))
    assert again.body is first.body
    assert foreign.header("content-encoding") == other
    compressing.write("three")
    assert compressing.get(Accept_Encoding=coding).body != first.body


def test_published_contract_is_compressed_once(compressing):
    first, again = (compressing.get("/openapi.json", Accept_Encoding="br") for _ in range(2))
    assert first.header("content-encoding") == "br"
    assert again.body is first.body


@pytest.mark.parametrize(("coding", "has_room"), [("identity", True), ("br", False)])
def test_what_is_compressed_takes_room_as_well(compressing, coding, has_room):
    for n in range(11):
        compressing.get(f"/notes?at_least={n}", Accept_Encoding=coding)
    before = compressing.reads
    compressing.get("/notes?at_least=0")
    assert (compressing.reads == before) is has_room


class Slow:
    """A database whose units of work wait until they are let go."""

    def __init__(self, database):
        self.database, self.begun, self.gate = database, 0, asyncio.Event()

    async def run(self, *arguments):
        self.begun += 1
        await self.gate.wait()
        return await self.database.run(*arguments)


def ask(shop, database):
    """The task of an answer, as far as it comes by itself."""
    operation = next(o for o in shop.engine.contract.operations if o.id == "list_notes")
    scope = {"type": "http", "method": "GET", "path": "/notes", "headers": [], "query_string": b""}
    request = Request(scope, None, ())

    async def asked():
        await operation.parse_request(request)
        return await shop.answers.get_or_render(operation, request, database)

    return asyncio.create_task(asked())


def test_stampede_reads_once(shop):
    async def story():
        slow = Slow(shop.engine.database)
        tasks = [ask(shop, slow) for _ in range(50)]
        await asyncio.sleep(0.01)
        slow.gate.set()
        assert len({answer.body for answer in await asyncio.gather(*tasks)}) == 1
        assert slow.begun == 1

    asyncio.run(story())


def test_who_asks_after_a_change_does_not_get_what_was_begun_before_it(shop):
    async def story():
        slow = Slow(shop.engine.database)
        early = ask(shop, slow)
        await asyncio.sleep(0.01)
        shop.write("three")
        late = ask(shop, slow)
        await asyncio.sleep(0.01)
        slow.gate.set()
        assert b"three" in (await late).body
        await early
        assert slow.begun == 2
        assert b"three" in (await ask(shop, slow)).body

    asyncio.run(story())


def test_who_waits_for_one_that_fails_reads_for_itself(shop):
    async def story():
        slow, shop.fails = Slow(shop.engine.database), True
        tasks = [ask(shop, slow) for _ in range(3)]
        await asyncio.sleep(0.01)
        slow.gate.set()
        assert [type(failure) for failure in await asyncio.gather(*tasks, return_exceptions=True)] == [NotThere] * 3

    asyncio.run(story())


def test_who_goes_away_takes_nothing_from_who_waits(shop):
    async def story():
        slow = Slow(shop.engine.database)
        tasks = [ask(shop, slow) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.sleep(0.01)
        slow.gate.set()
        assert (await tasks[2]).status == 200

    asyncio.run(story())


def test_without_a_keeper_every_answer_is_made(shop):
    engine = start(NOTES, {"list_notes": shop.list_notes, "list_own": shop.list_own})
    engine.database.kept["notes"] = []
    tags = [engine.get("/notes").header("etag") for _ in range(2)]
    assert (shop.reads, engine.get("/notes", {"If-None-Match": tags[0]}).status) == (2, 304)


def test_class_whose_changes_nobody_counts_refuses_to_start():
    changes = Changes()
    changes.tags = frozenset({"posts"})
    functions = {"list_notes": lambda session, at_least, tag=None: 1, "list_own": lambda session, caller: 1}
    with pytest.raises(
        ContractError, match='cache profile "notes" has server-cache, but no changes are counted under "notes"'
    ):
        start(NOTES, functions, response_cache=ResponseCache(changes, 1_000))
