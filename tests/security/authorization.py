"""After what is somebody else's, in ways that the rules of ownership and access do not try themselves."""

from uuid import UUID

from db import Base
from tests.contract.operations import GETS, LISTS, OPERATIONS, ROLES, WITH_BODY, about
from tests.contract.test_ownership import CREATED, REACHED
from tests.security.target import operation

OF_CUSTOMERS = [scope for scope in ROLES["customer"] if scope not in ("account", "catalogue:read")]
PRETENCES = {
    "X-Original-URL": "/api/v1/tags", "X-Rewrite-URL": "/api/v1/tags", "X-Original-Method": "GET", "X-Role": "admin",
    "X-User": "admin", "X-Forwarded-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "127.0.0.1",
}  # fmt: skip
"""Headers that some proxy or framework might believe."""
NOT_FOR_CALLERS = {
    "role": "admin", "roles": ["admin"], "is_admin": True, "is_superuser": True, "scope": "users", "scopes": ["users"],
    "owner_id": str(UUID(int=0)), "user_id": str(UUID(int=0)), "owner": {"id": str(UUID(int=0))},
    "password_hash": "x", "deleted_at": None, "version": 0, "stored_as": "x", "_links": {},
    "__proto__": {"role": "admin"}, "constructor": {"prototype": {}}, "__class__": "Admin", "$where": "1",
}  # fmt: skip
"""Members that some body might take by mistake."""


def ids_of_others(target):
    """Neither version and no key of an admin's, which has a customer's scopes, opens what a customer has made."""
    key = target.key(*OF_CUSTOMERS)
    for creation in CREATED:
        path = target.victim(creation).headers["Location"]
        for each, where in about(path):
            if each not in REACHED or target.ask(each, role=None, path=where).is_success:
                continue
            body = target.victim.filled(each.body)
            for version in ("v1", "v2"):
                asked = {"json": body, "headers": each.required_headers()}
                there = where.replace("/v1/", f"/{version}/")
                answers = [
                    target.refused(each.method, there, target.intruder.token, **asked),
                    target.refused(each.method, there, key=key, **asked),
                ]
                assert [answer.status_code for answer in answers] == [404, 404], (each.id, answers[0].text)
        assert target.victim.ask(about(path)[0][0], path=path).is_success


def ids_written_in_other_ways(target):
    for creation in CREATED:
        path = target.victim(creation).headers["Location"]
        parent, _, known = path.rpartition("/")
        ways = [
            known.upper(), known.replace("-", ""), f"{{{known}}}", f"urn:uuid:{known}", f"%{ord(known[0]):02x}{known[1:]}",
            f"{known}%00", f"{known}/", f"{known}.json", f"{known};x=1", f"{known}%2f..", f"{known},{known}", f" {known}",
        ]  # fmt: skip
        for way in ways:
            target.refused("GET", f"{parent}/{way}", target.intruder.token)
        home = target.intruder.home.encode()
        for dots in (b"..", b"%2e%2e", b"..;", b".%2e"):
            crooked = home + b"/" + dots + b"/" + path.removeprefix("/api/v1/users/").encode()
            answer = target.shop.exchange("GET", crooked, f"Authorization: Bearer {target.intruder.token}")
            assert answer.status in {400, 404}, crooked


def lists_of_others(target):
    """No parameter or header that names somebody makes a list theirs."""
    names = ("owner", "owner_id", "user_id", "user", "account_id", "sub")
    victim = target.victim.home.rpartition("/")[2]
    for listing in (o for o in LISTS if o in REACHED and not o.names("path")):
        for name in names:
            target.refused("GET", listing.path, target.intruder.token, params={name: victim})
        headers = {f"X-{name.title().replace('_', '-')}": victim for name in names}
        plain, named = (target.send("GET", listing.path, target.intruder.token, headers=h) for h in ({}, headers))
        assert [item["id"] for item in named.json()["items"]] == [item["id"] for item in plain.json()["items"]]


def things_in_bodies(target):
    """A body that names what its sender may not see is refused as one that names nothing."""
    order = target.intruder.filled(operation("create_order").body) | {"note": None}
    customer = target.admin(operation("create_customer")).json()["id"]
    keys = [{"Idempotency-Key": f"theirs-{n}-{customer}"} for n in range(2)]
    asked = [order | {"customer_id": each} for each in (customer, str(UUID(int=1)))]
    known, unknown = (
        target.refused("POST", "/api/v1/orders", target.intruder.token, json=body, headers=headers)
        for body, headers in zip(asked, keys, strict=True)
    )
    assert known.json()["errors"] == unknown.json()["errors"]


def key_of_an_answer(target):
    """The same request under the same Idempotency-Key is somebody else's if somebody else sends it."""
    for creation in (o for o in CREATED if "Idempotency-Key" in o.names("header") and o.body and not o.names("path")):
        body, headers = target.victim.filled(creation.body), {"Idempotency-Key": f"shared-{target.victim.home[-12:]}"}
        people = (target.victim, target.intruder)
        one, other = (target.send("POST", creation.path, p.token, json=body, headers=headers) for p in people)
        assert one.json()["id"] != other.json()["id"], creation.id
        assert "Idempotency-Replayed" not in other.headers


def operations_of_others(target):
    """Who may not call an operation may not, however they write it down."""
    before = _totals(target)
    for each in (o for o in OPERATIONS if o.requires_credentials):
        path, sent = target.known(each), {"json": each.body}
        ways = [
            path, f"{path}/", path.replace("/api/", "/API/"), f"/.{path}", path.replace("/v1/", "/v1//"),
            path.replace("/api/v1/", "/api/"), f"{path};admin", path[:-1] + f"%{ord(path[-1]):02X}",
        ]  # fmt: skip
        for role in (None, *[role for role in ROLES if not each.reaches(role)][-1:]):
            token, needed = target.tokens.get(role), each.required_headers()
            target.refused(each.method, path, token, headers=needed | PRETENCES, **sent)
            for way in ways:
                target.refused(each.method, way, token, headers=needed, **sent)
            for method in {"GET", "POST", each.method.lower()}:
                headers = PRETENCES | dict.fromkeys(("X-HTTP-Method-Override", "X-HTTP-Method"), each.method)
                answer = target.send(method, path, token, headers=headers, params={"_method": each.method})
                assert answer.is_client_error, (each.id, method, answer.text)
    assert _totals(target) == before


def members_not_for_callers(target):
    """No body takes what its answer has beside it, nor what the table behind it might have."""
    for each in (o for o in WITH_BODY if isinstance(o.body, dict)):
        taken = each.whole.keys()
        shown = dict.fromkeys(each.members(each.json_schema(each.success)), "forged")
        for name, value in (shown | NOT_FOR_CALLERS).items():
            if name not in taken:
                answer = target.ask(each, json=each.body | {name: value}, undeclared=True)
                assert answer.status_code == 422, (each.id, name, answer.text)
                assert f"/{name}" in [fault["pointer"] for fault in answer.json()["errors"]]


def roles_for_the_asking(target):
    """Whatever a customer writes about themselves, they stay one."""
    me, sent = target.intruder, {"role": "admin", "is_active": True}
    for method, path in (("PATCH", "/api/v1/auth/me"), ("PATCH", me.home), ("PUT", me.home)):
        for media_type in ("application/json", "application/merge-patch+json", "application/x-www-form-urlencoded"):
            body = {"json": sent} if "json" in media_type else {"data": sent}
            target.refused(method, path, me.token, headers={"Content-Type": media_type}, **body)
        target.refused(method, path, me.token, params=sent, json={"name": "Admin"})
    form = me.filled(operation("register_user").body)
    target.refused("POST", "/api/v1/auth/register", json=form | sent)
    target.refused("POST", "/api/v1/auth/login", json=me.login | {"scope": "users audit"})
    assert target.send("GET", "/api/v1/auth/me", me.token).json()["role"] == "customer"


def secrets_in_answers(target):
    """What the database keeps for itself is in no answer, in no media type, whoever asks."""
    hidden = [
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_hash") or column.name == "stored_as"
    ]
    assert len(hidden) > 4
    kept = {row[0] for table, name in hidden for row in target.shop.select(f"select {name} from {table}")} - {None}
    people = {row[0] for row in target.shop.select("select email from users")}
    assert len(kept) > 4
    for each in GETS:
        for role in (None, *ROLES):
            for media_type in each.success.get("content", ["*/*"]):
                answer = target.ask(each, role=role, path=target.known(each), headers={"Accept": media_type})
                assert not [secret for secret in kept if secret in answer.text], each.id
                if role in (None, "customer"):
                    told = {email for email in people if email in answer.text} - {"customer@example.com"}
                    assert not told, (each.id, told)


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
