"""After what is somebody else's, in ways that the rules of ownership and access do not try themselves."""

from uuid import UUID

from db import Base
from tests.conformance.test_ownership import CREATED, REACHED
from tests.security.target import named
from tests.support.operations import GETS, LISTS, OPERATIONS, ROLES, WITH_BODY, about

OF_CUSTOMERS = [scope for scope in ROLES["customer"] if scope not in ("account", "catalogue:read")]
HIDDEN = [
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if column.name.endswith("_hash") or column.name == "storage_key"
]
"""Tables and columns of which nobody is shown anything."""
NOT_FOR_CALLERS = {
    "role": "admin", "roles": ["admin"], "is_admin": True, "scopes": ["users"], "owner_id": str(UUID(int=0)),
    "password_hash": "x", "deleted_at": None, "version": 0, "_links": {}, "__proto__": {"role": "admin"}, "$where": "1",
}  # fmt: skip
"""Members that some body might take by mistake."""
PRETENCES = {
    "X-Original-URL": "/api/v1/tags", "X-Rewrite-URL": "/api/v1/tags", "X-Original-Method": "GET", "X-Role": "admin",
    "X-User": "admin", "X-Forwarded-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "127.0.0.1",
}  # fmt: skip
"""Headers that some proxy or framework might believe."""


def ids_of_others(target):
    """In no version does a stranger, or an admin's key that has a customer's scopes, get at what a customer has."""
    key = target.key(*OF_CUSTOMERS)
    for creation in CREATED:
        path = target.victim(creation).headers["Location"]
        for each, where in about(path):
            if each not in REACHED or target.ask(each, role=None, path=where).is_success:
                continue
            sent = {"json": target.victim.filled(each.body), "headers": each.required_headers()}
            for there in (where, where.replace("/v1/", "/v2/")):
                assert target.refused(each.method, there, target.intruder.token, **sent).status_code == 404, each.id
                assert target.refused(each.method, there, key=key, **sent).status_code == 404, each.id
        assert target.victim.ask(about(path)[0][0], path=path).is_success


def ids_written_in_other_ways(target):
    for creation in CREATED:
        parent, _, known = target.victim(creation).headers["Location"].rpartition("/")
        plain, coded = known.replace("-", ""), f"%{ord(known[0]):02x}{known[1:]}"
        for way in (known.upper(), plain, f"{{{known}}}", f"urn:uuid:{known}", coded, f"{known},{known}", f" {known}"):
            target.refused("GET", f"{parent}/{way}", target.intruder.token)
        for end in ("%00", "/", ".json", ";x=1", "%2f..", "?user_id=", "#"):
            target.refused("GET", f"{parent}/{known}{end}", target.intruder.token)
        for dots in ("..", "%2e%2e", "..;", ".%2e"):
            crooked = f"{target.intruder.home}/{dots}/{target.victim.home.rpartition('/')[2]}"
            answer = target.shop.exchange("GET", crooked, f"Authorization: Bearer {target.intruder.token}")
            assert answer.status in {400, 404}, crooked


def lists_of_others(target):
    """No parameter or header that names somebody makes a list theirs."""
    victim = target.victim.home.rpartition("/")[2]
    for listing in (o for o in LISTS if o in REACHED and not o.names("path")):
        for name in ("owner", "owner_id", "user_id", "user", "sub"):
            target.refused("GET", listing.path, target.intruder.token, params={name: victim})
        headers = {"X-User-Id": victim, "X-Owner": victim, "X-Account": victim}
        plain, posing = (target.send("GET", listing.path, target.intruder.token, headers=h) for h in ({}, headers))
        assert [item["id"] for item in posing.json()["items"]] == [item["id"] for item in plain.json()["items"]]


def keys_of_answers(target):
    """The same request under the same Idempotency-Key is another one if somebody else sends it."""
    for creation in (o for o in CREATED if "Idempotency-Key" in o.names("header") and o.body and not o.names("path")):
        sent = {"json": target.victim.filled(creation.body), "headers": {"Idempotency-Key": target.victim.token[-20:]}}
        people = (target.victim, target.intruder)
        one, other = (target.send("POST", creation.path, somebody.token, **sent) for somebody in people)
        assert one.json()["id"] != other.json()["id"], creation.id
        assert "Idempotency-Replayed" not in other.headers


def operations_of_others(target):
    """Who may not call an operation may not, however they write it down."""
    before = _totals(target)
    for each in (o for o in OPERATIONS if o.requires_credentials):
        role = next((role for role in reversed(ROLES) if not each.reaches(role)), None)
        path, token, sent = target.known(each), target.tokens.get(role), {"json": each.body}
        ways = [f"{path}/", path.replace("/api/", "/API/"), f"/.{path}", path.replace("/v1/", "/v1//"), f"{path};admin"]
        for way in [path, *ways, path.replace("/api/v1/", "/api/"), path[:-1] + f"%{ord(path[-1]):02X}"]:
            target.refused(each.method, way, token, headers=each.required_headers() | PRETENCES, **sent)
        for method in {"GET", "POST", each.method.lower()}:
            posing = PRETENCES | dict.fromkeys(("X-HTTP-Method-Override", "X-HTTP-Method"), each.method)
            target.refused(method, path, token, headers=posing, params={"_method": each.method})
    assert _totals(target) == before


def members_not_for_callers(target):
    """No body takes what its answer has beside it, nor what the table behind it might have."""
    for each in (o for o in WITH_BODY if isinstance(o.body, dict)):
        shown = dict.fromkeys(each.members(each.json_schema(each.success)), "forged")
        for name, value in (shown | NOT_FOR_CALLERS).items():
            if name not in each.whole:
                answer = target.ask(each, json=each.body | {name: value}, undeclared=True)
                assert answer.status_code == 422, (each.id, name, answer.text)
                assert f"/{name}" in [error["pointer"] for error in answer.json()["errors"]]


def roles_for_the_asking(target):
    """Whatever a customer writes about themselves, they stay one."""
    me, more = target.intruder, {"role": "admin", "is_active": True}
    for method, path in (("PATCH", "/api/v1/auth/me"), ("PATCH", me.home), ("PUT", me.home)):
        for body in ({"json": more}, {"data": more}, {"json": [more]}, {"params": more, "json": {"name": "Admin"}}):
            target.refused(method, path, me.token, **body)
    form = me.filled(named("register_user").body)
    target.refused("POST", "/api/v1/auth/register", json=form | more)
    target.refused("POST", "/api/v1/auth/login", json=me.login | {"scope": "users audit"})
    assert target.send("GET", "/api/v1/auth/me", me.token).json()["role"] == "customer"


def secrets_in_answers(target):
    """What the database keeps for itself is in no answer, in no media type; nor is who else is there, for customers."""
    kept = {row[0] for table, name in HIDDEN for row in target.shop.select(f"select {name} from {table}")} - {None}
    people = {row[0] for row in target.shop.select("select email from users")} - {"customer@example.com"}
    assert len(kept) > len(HIDDEN) > 4
    for each in GETS:
        path = target.known(each)
        for role in (None, *ROLES):
            for media_type in each.success.get("content", ["*/*"]):
                text = target.ask(each, role=role, path=path, headers={"Accept": media_type}).text
                assert not [secret for secret in kept if secret in text], each.id
                assert role not in (None, "customer") or not [email for email in people if email in text], each.id


def members_for_the_asking(target):
    """Nothing that chooses, sorts or filters knows members that are not shown."""
    for each in GETS:
        path = target.known(each)
        for name in ("fields", "sort", "expand", "password_hash", "filter[password_hash]"):
            answer = target.send("GET", path, target.tokens["admin"], params={name: "password_hash"})
            assert answer.status_code == 400, (each.id, name)


def _totals(target):
    """How much there is of everything."""
    return {o.path: target.ask(o, path=o.path).json().get("total") for o in LISTS if not o.names("path")}
