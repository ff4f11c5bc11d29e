"""Coming in without a key: forged tokens, tokens that are over, and guessing."""

import base64
import hashlib
import hmac
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.keys import open_keys
from tests.security.target import operation, somewhere

ME, LOG_IN = "/api/v1/auth/me", "/api/v1/auth/login"
PASSWORD = "correct horse battery staple"


def forged_tokens(target, elsewhere="https://evil.example/keys"):
    """No token is taken that was not signed by the service, for itself, as of now."""
    own = open_keys(Path(target.shop.server.environment["ACCORD_DATA_DIR"])).current().newest
    good, stranger = target.tokens["admin"], generate_private_key(SECP256R1())
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    public, now = own.private.public_key(), int(time.time())
    assert target.send("GET", ME, _signed(own.private, header, claims)).is_success

    unsigned = [_unsigned(header | {"alg": alg}, claims) for alg in ("none", "None", "NONE", "nOnE", "", None)]
    spki = [
        public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo) for encoding in (Encoding.PEM, Encoding.DER)
    ]
    secrets = [*spki, json.dumps(own.public()).encode(), own.id.encode(), own.public()["x"].encode(), b""]
    symmetric = [
        _hmac(header | {"alg": "HS256", **kid}, claims, s) for s in secrets for kid in ({}, {"kid": "/dev/null"})
    ]
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    named = (
        {},
        {"jwk": jwk},
        {"jku": elsewhere},
        {"x5u": elsewhere},
        {"kid": elsewhere},
        {"crit": ["b64"], "b64": False},
    )
    kids = ("../../../../dev/null", "' UNION SELECT 'x", "\0", "", own.id.upper(), f"{own.id} ")
    theirs = [_signed(stranger, header | more, claims) for more in (*named, *({"kid": kid} for kid in kids))]
    headers = [header | {"typ": "JWT"}, header | {"jku": elsewhere}, header | {"kid": "x"}, header | {"alg": "ES384"}]
    unlike = [_signed(own.private, changed, claims) for changed in headers]
    changes = (
        {"exp": now - 1}, {"exp": "9999999999"}, {"exp": now + 9e9}, {"iss": "https://accord.example"}, {"iss": None},
        {"aud": "else"}, {"aud": []}, {"nbf": now + 60}, {"iat": now + 60}, {"sub": "admin"}, {"sub": "' OR 1=1--"},
        {"sid": None}, {"scope": ["users"]}, {"roles": []},
    )  # fmt: skip
    wrong = [_signed(own.private, header, claims | change) for change in changes]
    head, body, signature = good.split(".")
    raised = _part(jwt.decode(target.tokens["customer"], options={"verify_signature": False}) | {"roles": ["admin"]})
    bent = [
        f"{head}.{raised}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{good}.{good}",
        good[:-1],
        f"{good}=",
    ]
    bent += [f"{good},{good}", good.swapcase(), good.replace(".", ".."), f"{head}.{body}.{_base64(bytes(64))}"]
    for token in [*unsigned, *symmetric, *theirs, *unlike, *wrong, *bent]:
        answer = target.refused("GET", ME, token)
        assert (answer.status_code, "invalid_token" in answer.headers["WWW-Authenticate"]) == (401, True), token
        assert target.refused("GET", "/api/v1/products", token).status_code == 401


def tokens_in_other_places(target):
    """A token is one in its place only, and nothing else is one there."""
    good = target.tokens["admin"]
    refresh, key = target.victim.logged_in(target.victim.login)["refresh_token"], target.key("users")
    for headers in (
        {"Cookie": f"access_token={good}; Authorization=Bearer {good}"}, {"X-Authorization": f"Bearer {good}"},
        {"Authorization": good}, {"Authorization": f"Basic {good}"}, {"Authorization": f"JWT {good}"},
        {"Authorization": f"Bearer {refresh}"}, {"Authorization": f"Bearer {key}"}, {"X-API-Key": good},
        {"Proxy-Authorization": f"Bearer {good}"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer null"},
        {"Authorization": f"Basic {_base64(b'admin:admin-demo-password')}"},
    ):  # fmt: skip
        assert target.refused("GET", ME, headers=headers).status_code == 401, headers
    target.refused("GET", ME, params={"access_token": good})
    both = [f"Authorization: Bearer {token}" for token in (target.victim.token, good)]
    assert target.shop.exchange("GET", ME, *both).status == 401


def tokens_that_are_over(target):
    """What a log-out, a second use, a new password or the end of an account has ended stays so, in both versions."""

    def ended(person, pair):
        for version in ("v1", "v2"):
            renew = {"json": {"refresh_token": pair["refresh_token"]}}
            assert target.refused("GET", ME.replace("v1", version), pair["access_token"]).status_code == 401
            assert target.refused("POST", f"/api/{version}/auth/refresh", **renew).status_code == 401

    write = target.admin
    person = write.person()
    first, second, third, last = (write.logged_in(person) for _ in range(4))
    target.send("POST", "/api/v1/auth/logout", first["access_token"])
    ended(person, first)
    for _ in range(2):
        target.send("POST", "/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
    ended(person, second)
    new = {"current_password": person["password"], "new_password": PASSWORD}
    assert target.send("PUT", "/api/v1/auth/password", last["access_token"], json=new).is_success
    ended(person, third)
    assert target.refused("POST", LOG_IN, json=person).status_code == 401
    owner = target.send("GET", ME, last["access_token"]).json()["id"]
    assert target.send("DELETE", f"/api/v1/users/{owner}", target.tokens["admin"]).is_success
    ended(person, last)
    assert target.refused("POST", LOG_IN, json=person | {"password": PASSWORD}).status_code == 401


def refresh_tokens_used_at_once(target):
    """Of those who use one refresh token at the same time, at most one comes in, and not for long."""
    pair = target.admin.logged_in()
    renew = {"json": {"refresh_token": pair["refresh_token"]}}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: target.send("POST", "/api/v1/auth/refresh", **renew), range(6)))
    assert sum(answer.is_success for answer in answers) <= 1
    assert target.refused("GET", ME, pair["access_token"]).status_code == 401


def names_that_exist(strict):
    """A refused log-in says nothing of what was wrong, in its words and in the time it takes."""
    name, unknown = _registered(strict), uuid4().hex
    took = {name: [], unknown: []}
    told = set()
    for _ in range(4):
        for username, times in took.items():
            began = time.perf_counter()
            answer = strict.refused(
                "POST", LOG_IN, json={"username": username, "password": "wrong"}, headers=somewhere()
            )
            times.append(time.perf_counter() - began)
            told.add((answer.status_code, answer.json()["detail"], *sorted(answer.headers.keys())))
    assert len(told) == 1
    fast, slow = sorted(statistics.median(times) for times in took.values())
    assert slow < 2 * fast, took


def passwords(strict):
    """Guessing ends after five, from wherever; whom it concerns stays logged in, and may soon log in again."""
    name, other = _registered(strict), _registered(strict)
    right = {"username": name, "password": PASSWORD}
    token = strict.send("POST", LOG_IN, json=right, headers=somewhere()).json()["access_token"]
    guesses = [
        strict.refused("POST", LOG_IN, json={"username": spelt, "password": f"guess {n}"}, headers=somewhere())
        for n, spelt in enumerate([name, name.upper(), name.title(), name])
    ]
    assert {answer.status_code for answer in guesses} == {401}
    for path in (LOG_IN, LOG_IN.replace("v1", "v2"), LOG_IN.replace("v1/", "")):
        refused = strict.refused("POST", path, json=right, headers=somewhere())
        assert refused.status_code == 429, path
    assert strict.send("POST", LOG_IN, json=right | {"username": other}, headers=somewhere()).is_success
    assert strict.send("GET", ME, token).is_success
    time.sleep(int(refused.headers["Retry-After"]))
    assert strict.send("POST", LOG_IN, json=right, headers=somewhere()).is_success


def passwords_by_the_dozen(target):
    """One request tries one password."""
    for login in (
        [target.victim.login] * 2,
        target.victim.login | {"password": [target.victim.login["password"], "other"]},
        target.victim.login | {"username": {"$ne": None}},
        target.victim.login | {"password": {"$gt": ""}},
        target.victim.login | {"password": True},
        target.victim.login | {"password": None},
        {"username": target.victim.login["username"]},
    ):
        assert target.refused("POST", LOG_IN, json=login).status_code == 422
    form = target.admin.filled(operation("register_user").body)
    for short in ("", "short", "1234567", "x" * 129):
        target.refused("POST", "/api/v1/auth/register", json=form | {"password": short})


def _registered(strict):
    name = f"p{uuid4().hex[:12]}"
    form = {"username": name, "email": f"{name}@shop.example", "password": PASSWORD}
    assert strict.send("POST", "/api/v1/auth/register", json=form, headers=somewhere()).is_success
    return name


def _signed(private, header, claims):
    text = f"{_part(header)}.{_part(claims)}"
    return (
        f"{text}.{_base64(jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(text.encode(), private))}"
    )


def _unsigned(header, claims):
    return f"{_part(header)}.{_part(claims)}."


def _hmac(header, claims, secret):
    text = f"{_part(header)}.{_part(claims)}"
    return f"{text}.{_base64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def _part(value):
    return _base64(json.dumps(value).encode())


def _base64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
