"""How often an operation may be called, because its contract says so."""

import pytest

from accord.contract.errors import ContractError
from accord.engine.policies.rate_limits import override_limits
from accord.rate_limits.memory import MemoryStorage
from tests.support.engine import read, start

CONTRACT = """
x-rate-limits:
  default: [anonymous, signed-in]
  policies:
    anonymous: {by: [address], limits: [2 per minute]}
    signed-in: {by: [caller], exempt: [admin], limits: [3 per minute]}
    keys: {by: [api-key], limits: [1 per minute]}
    reading: {by: [address], limits: [2 per minute, 3 per hour]}
    log-in: {by: [address, account], account-property: name, limits: [2 per minute]}
    changing: {by: [account], account-property: name, limits: [2 per minute]}
security: [{token: [read]}, {}]
paths:
  /inherited: {get: {operationId: inherit}}
  /secret: {get: {operationId: keep, security: [{token: [read]}]}}
  /read: {get: {operationId: look, x-rate-limit: [reading]}}
  /read-more: {get: {operationId: look_on, x-rate-limit: [reading]}}
  /free: {get: {operationId: free, x-rate-limit: []}}
  /keys: {get: {operationId: turn, x-rate-limit: [keys, signed-in]}}
  /write:
    post:
      operationId: write
      requestBody: {required: true, content: {application/json: {schema: {type: string}}}}
  /log-in:
    post:
      operationId: log_in
      x-rate-limit: [log-in]
      requestBody: &named
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string}}}
  /by-account: {post: {operationId: change, x-rate-limit: [changing], requestBody: *named}}
components:
  securitySchemes:
    token:
      type: http
      scheme: bearer
      x-bearerInfoFunc: tests.support.callers.by_token
      x-roles: {reader: [read], admin: [read, write]}
"""
FUNCTIONS = {name: lambda: None for name in ("inherit", "keep", "look", "look_on", "free", "turn")}
FUNCTIONS |= {name: lambda body: None for name in ("write", "log_in", "change")}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(clock):
    return start(CONTRACT, FUNCTIONS, rate_limit_storage=MemoryStorage(clock=clock))


def token(name):
    return {"Authorization": f"Bearer {name}"}


def statuses(engine, path, count, **options):
    return [engine.get(path, **options).status for _ in range(count)]


def test_one_too_many_is_refused_and_told_when_to_come_again(engine, clock):
    assert statuses(engine, "/inherited", 2) == [200, 200]
    clock.now = 17.5
    reply = engine.get("/inherited")
    assert (reply.status, reply.header("Retry-After")) == (429, "43")
    assert reply.json["detail"] == 'Rate limit "anonymous" exceeded: 2 requests per minute. Retry in 43 seconds.'
    clock.now = 59.9
    assert engine.get("/inherited").header("Retry-After") == "1"
    clock.now = 60
    assert engine.get("/inherited").status == 200


def test_every_answer_says_what_is_left(engine, clock):
    engine.get("/read")
    clock.now = 20
    reply = engine.get("/read")
    assert reply.header("RateLimit-Policy") == '"reading-minute";q=2;w=60, "reading-hour";q=3;w=3600'
    assert reply.header("RateLimit") == '"reading-minute";r=0;t=40, "reading-hour";r=1;t=3580'
    assert (reply.header("X-RateLimit-Limit"), reply.header("X-RateLimit-Remaining")) == ("2", "0")
    missing = engine.get("/read?colour=red", headers=token("writer"))
    assert (missing.status, missing.header("RateLimit")) == (400, None)


def test_what_is_refused_uses_nothing_up(engine, clock):
    assert statuses(engine, "/read", 5) == [200, 200, 429, 429, 429]
    clock.now = 60
    assert statuses(engine, "/read", 2) == [200, 429]
    assert engine.get("/read").header("Retry-After") == "3540"


def test_operations_of_a_class_count_together(engine):
    assert [engine.get(path).status for path in ("/read", "/read-more", "/read")] == [200, 200, 429]


def test_operation_without_limits_says_nothing_of_them(engine):
    assert statuses(engine, "/free", 9) == [200] * 9
    assert engine.get("/free").header("RateLimit") is None


def test_callers_count_apart_from_each_other_and_from_nobody(engine):
    assert statuses(engine, "/inherited", 3) == [200, 200, 429]
    assert statuses(engine, "/inherited", 4, headers=token("reader")) == [200, 200, 200, 429]


def test_key_has_a_count_of_its_own(engine):
    assert statuses(engine, "/keys", 2, headers=token("robot")) == [200, 429]
    assert statuses(engine, "/keys", 4, headers=token("reader")) == [200, 200, 200, 429]


def test_role_that_is_exempt_is_not_counted(engine):
    assert statuses(engine, "/inherited", 9, headers=token("writer")) == [200] * 9


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:0:0:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_nobody_is_known_by_their_address(engine, first, second, is_same):
    engine.address = first
    assert statuses(engine, "/inherited", 3) == [200, 200, 429]
    engine.address = second
    assert (engine.get("/inherited").status == 429) is is_same


def test_wrong_credentials_count_as_none(engine):
    assert statuses(engine, "/secret", 3, headers=token("forged")) == [401, 401, 429]
    assert engine.get("/inherited").status == 429


def test_scopes_that_do_not_reach_count_for_their_caller(engine):
    assert statuses(engine, "/secret", 4, headers=token("nobody")) == [403, 403, 403, 429]
    assert engine.get("/inherited").status == 200


def test_body_of_a_request_too_many_is_not_waited_for(engine):
    assert [engine.post("/write", "text").status for _ in range(2)] == [200, 200]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"6")]
    assert engine.raw("POST", "/write", headers, []).status == 429


def test_account_counts_however_it_is_written_and_wherever_it_comes_from(engine):
    for number, name in enumerate(["vinod", "VINOD"]):
        engine.address = f"192.0.2.{number}"
        assert engine.post("/log-in", {"name": name}).status == 200
    engine.address = "192.0.2.9"
    reply = engine.post("/log-in", {"name": "Vinod"})
    assert reply.status == 429
    assert reply.header("RateLimit") == '"log-in-address";r=2;t=60, "log-in-account";r=0;t=60'
    assert engine.post("/log-in", {"name": "john"}).status == 200


def test_how_often_somebody_else_logged_in_is_not_told(engine):
    assert engine.post("/log-in", {"name": "vinod"}).header("RateLimit") == '"log-in-address";r=1;t=60'
    assert engine.post("/by-account", {"name": "vinod"}).header("RateLimit") is None


def test_body_that_names_no_account_counts_for_the_address(engine):
    assert [engine.post("/log-in", {}).status for _ in range(2)] == [422, 422]
    assert engine.send("POST", "/log-in", b"no JSON").status == 429


def test_tally_has_what_passed_and_what_did_not(engine):
    statuses(engine, "/read", 5)
    statuses(engine, "/free", 5)
    tally = engine.contract.rate_limit_stats
    assert (tally.granted, tally.rejected) == ({"reading": 2}, {"reading": 3})


def test_operator_has_the_last_word_and_readers_see_it():
    document = read(CONTRACT)
    override_limits(document, {"anonymous": ["4 per day"]})
    assert document.public()["x-rate-limits"]["policies"]["anonymous"]["limits"] == ["4 per day"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"anonymos": ["1 per day"]}, 'unknown rate limit policy "anonymos"; known: anonymous, signed-in'),
        (
            {"anonymous": ["often"]},
            "rate limit policy \"anonymous\": 'often' is not a limit; write one like `10 per minute`.",
        ),
        ({"anonymous": []}, 'rate limit policy "anonymous": limits must have at least one'),
    ],
)
def test_operator_is_told_what_cannot_be(given, said):
    with pytest.raises(ContractError, match=said):
        override_limits(read(CONTRACT), given)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[reading]", "[raeding]", 'look: unknown rate limit policy "raeding"; known: anonymous, signed-in'),
        (
            "3 per hour",
            "3 an hour",
            "rate limit policy \"reading\": '3 an hour' is not a limit; write one like `10 per minute`.",
        ),
        ("3 per hour", "0 per hour", "rate limit policy \"reading\": '0 per hour' allows no request"),
        (
            "3 per hour",
            "3 per 60 seconds",
            'rate limit policy "reading": limits must have at least one entry, and no two',
        ),
        (
            "by: [caller]",
            "by: [everybody]",
            'rate limit policy "signed-in": `by` must list what requests are counted by',
        ),
        ("account-property: name,", "", 'rate limit policy "log-in": `by` must list what requests are counted by'),
        (
            "exempt: [admin]",
            "exempt: [king]",
            'rate limit policy "signed-in": unknown role king in `exempt`; no x-roles has it.',
        ),
        (
            "exempt: [admin]",
            "except: [admin]",
            'rate limit policy "signed-in": unknown key except; known: account-property, by',
        ),
        ("property: name", "property: nickname", "log_in: its rate limits count by nickname of the body"),
        ("    keys:", "    Keys:", 'rate limit policy "Keys": the name must consist of lower-case letters'),
    ],
)
def test_class_that_cannot_be_enforced_refuses_to_start(before, after, said):
    assert before in CONTRACT
    with pytest.raises(ContractError, match=said.replace("[", r"\[")) as refused:
        start(CONTRACT.replace(before, after, 1), FUNCTIONS, rate_limit_storage=MemoryStorage())
    assert "openapi/v1/openapi.yaml:" in str(refused.value)


def test_limits_without_a_meter_refuse_to_start():
    with pytest.raises(ContractError, match="inherit has rate limits; pass Contract a rate limit storage"):
        start(CONTRACT, FUNCTIONS)


def test_limited_operation_must_declare_429():
    contract = {
        "x-rate-limits": {"default": ["all"], "policies": {"all": {"by": ["address"], "limits": ["1 per day"]}}},
        "openapi": "3.1.0",
        "info": {"title": "Small", "version": "1"},
        "paths": {"/t": {"get": {"operationId": "t", "security": [], "responses": {
            "204": {"description": "Fine."}, "400": {"description": "No."}, "5XX": {"description": "No."}}}}},
    }  # fmt: skip
    with pytest.raises(ContractError, match="t can respond with 429; declare"):
        start(contract, {"t": lambda: None}, completed=False, rate_limit_storage=MemoryStorage())
