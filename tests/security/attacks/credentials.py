"""Coming in without a key: forged tokens, tokens that are over, and guessing."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from uuid import uuid4

import jwt
import psutil
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from accord.identity.signing_keys import open_signing_keys
from tests.security.target import somewhere
from tests.support.write_operations import FRESH

ME, LOG_IN, REGISTER = "/api/v1/auth/me", "/api/v1/auth/login", "/api/v1/auth/register"
KIDS = ["../../../../dev/null", "' UNION SELECT 'x", "\0", "", "x", None, ["x"]]


def forged_tokens(target, elsewhere="https://evil.example/keys"):
    """No token is taken that was not signed by the service, for itself, as of now."""
    good, stranger = target.tokens["admin"], generate_private_key(SECP256R1())
    header, claims = jwt.get_unverified_header(good), _claims(good)
    # The newest key may be another one: keys may have been rotated since this token was signed.
    own = open_signing_keys(Path(target.shop.server.environment["ACCORD_DATA_DIR"])).current().keys[header["kid"]]
    public = own.private.public_key()
    answer = target.send("GET", ME, _signed(own.private)(header, claims))
    assert answer.is_success, answer.text

    def tampered(kind, changes):
        return [kind(header | change, claims) for change in changes]

    spki = [public.public_bytes(each, PublicFormat.SubjectPublicKeyInfo) for each in (Encoding.PEM, Encoding.DER)]
    unsigned = tampered(_token(lambda _: b""), [{"alg": alg} for alg in ("none", "None", "NONE", "nOnE", "", None)])
    symmetric = [
        token
        for secret in (*spki, json.dumps(own.public_jwk()).encode(), own.id.encode(), b"")
        for token in tampered(_sealed(secret), [{"alg": "HS256"}, {"alg": "HS256", "kid": "/dev/null"}, {}])
    ]
    jwk = ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    stolen = [{}, {"jwk": jwk}, {"jku": elsewhere}, {"x5u": elsewhere}, {"kid": elsewhere}, *({"kid": k} for k in KIDS)]
    odd = [{"typ": "JWT"}, {"jku": elsewhere}, {"kid": "x"}, {"alg": "ES384"}, {"crit": ["b64"], "b64": False}]
    theirs = [*tampered(_signed(stranger), stolen), *tampered(_signed(own.private), odd)]
    now = int(time.time())
    wrong = [
        {"exp": now - 1}, {"exp": "9999999999"}, {"exp": now + 9e9}, {"iss": "https://accord.example"}, {"aud": "else"},
        {"aud": []}, {"nbf": now + 60}, {"iat": now + 60}, {"sub": "' OR 1=1--"}, {"sid": None}, {"scope": ["users"]},
    ]  # fmt: skip
    untimely = [_signed(own.private)(header, claims | change) for change in wrong]
    head, body, signature = good.split(".")
    raised = _part(_claims(target.tokens["customer"]) | {"roles": ["admin"], "scope": claims["scope"]})
    bent = [f"{head}.{raised}.{signature}", f"{head}.{body}.", f"{good}.{good}", f"{good},{good}", good.swapcase(), "."]
    for token in [*unsigned, *symmetric, *theirs, *untimely, *bent]:
        answer = target.refused("GET", ME, token)
        assert (answer.status_code, "invalid_token" in answer.headers["WWW-Authenticate"]) == (401, True), token
        assert target.refused("GET", "/api/v1/products", token).status_code == 401


def tokens_in_other_places(target):
    """A token is one in its place only, and nothing else is one there."""
    good, refresh = target.tokens["admin"], target.victim.logged_in(target.victim.login)["refresh_token"]
    for headers in (
        {"Cookie": f"access_token={good}; Authorization=Bearer {good}"}, {"X-Authorization": f"Bearer {good}"},
        {"Authorization": good}, {"Authorization": f"Basic {good}"}, {"Authorization": f"Bearer {refresh}"},
        {"Authorization": f"Bearer {target.key('users')}"}, {"X-API-Key": good}, {"Authorization": "Bearer null"},
    ):  # fmt: skip
        assert target.refused("GET", ME, headers=headers).status_code == 401, headers
    target.refused("GET", ME, params={"access_token": good})
    both = [f"Authorization: Bearer {token}" for token in (target.victim.token, good)]
    assert target.shop.exchange("GET", ME, *both).status == 401


def tokens_that_are_over(target):
    """What a log-out, a second use, a new password or the end of an account has ended stays so, in both versions."""

    def assert_over(pair):
        for version in ("v1", "v2"):
            renewal = {"json": {"refresh_token": pair["refresh_token"]}}
            assert target.refused("GET", f"/api/{version}/auth/me", pair["access_token"]).status_code == 401
            assert target.refused("POST", f"/api/{version}/auth/refresh", **renewal).status_code == 401

    person, new = target.admin.person(), FRESH["new_password"]()
    first, second, third, last = (target.admin.logged_in(person) for _ in range(4))
    target.send("POST", "/api/v1/auth/logout", first["access_token"])
    assert_over(first)
    stolen = target.send("POST", "/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]}).json()
    for token in (stolen["refresh_token"], second["refresh_token"]):
        target.send("POST", "/api/v1/auth/refresh", json={"refresh_token": token})
    assert_over(second)
    change = {"current_password": person["password"], "new_password": new}
    assert target.send("PUT", "/api/v1/auth/password", last["access_token"], json=change).is_success
    assert_over(third)
    who = target.send("GET", ME, last["access_token"]).json()["id"]
    assert target.send("DELETE", f"/api/v1/users/{who}", target.tokens["admin"]).is_success
    assert_over(last)
    for password in (person["password"], new):
        assert target.refused("POST", LOG_IN, json=person | {"password": password}).status_code == 401


def passwords_by_the_dozen(target):
    """One request tries one password, and nobody can have one that is soon guessed."""
    login = target.victim.login
    odd = [
        {"password": [login["password"], "x"]},
        {"username": {"$ne": None}},
        {"password": {"$gt": ""}},
        {"password": True},
    ]
    for body in ([login] * 2, *(login | each for each in odd)):
        assert target.refused("POST", LOG_IN, json=body).status_code == 422
    for short in ("", "short", "1234567"):
        target.refused("POST", REGISTER, json={"username": "guessed", "email": "g@shop.example", "password": short})


def passwords(strict):
    """Guessing ends after five, from wherever; whom it concerns stays logged in, and may soon log in again."""
    right, other = _registered(strict), _registered(strict)
    token = strict.send("POST", LOG_IN, json=right, headers=somewhere()).json()["access_token"]
    for name in (right["username"], right["username"].upper(), right["username"].title(), right["username"]):
        guess = {"json": {"username": name, "password": "a guess"}, "headers": somewhere()}
        assert strict.refused("POST", LOG_IN, **guess).status_code == 401
    for path in (LOG_IN, LOG_IN.replace("v1", "v2"), LOG_IN.replace("v1/", "")):
        refused = strict.refused("POST", path, json=right, headers=somewhere())
        assert refused.status_code == 429, path
    assert strict.send("POST", LOG_IN, json=other, headers=somewhere()).is_success
    assert strict.send("GET", ME, token).is_success
    time.sleep(int(refused.headers["Retry-After"]))
    assert strict.send("POST", LOG_IN, json=right, headers=somewhere()).is_success


def names_that_exist(strict):
    """A refused log-in says nothing of what was wrong, in its words and in the time of the processor that it takes."""
    took = {_registered(strict)["username"]: [], uuid4().hex: []}
    told, service = set(), psutil.Process(strict.shop.server.process.pid)
    for _ in range(4):
        for username, times in took.items():
            guess = {"json": {"username": username, "password": "a guess"}, "headers": somewhere()}
            before = sum(service.cpu_times()[:2])
            answer = strict.refused("POST", LOG_IN, **guess)
            times.append(sum(service.cpu_times()[:2]) - before)
            told.add((answer.status_code, answer.json()["detail"], *answer.headers.keys()))
    assert len(told) == 1
    fast, slow = sorted(sum(times) for times in took.values())
    assert slow < 3 * fast, took


def _registered(strict):
    """Name and password of somebody new."""
    form = {name: FRESH[name]() for name in ("username", "email", "password")}
    assert strict.send("POST", REGISTER, json=form, headers=somewhere()).is_success
    return {name: form[name] for name in ("username", "password")}


def _claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def _signed(private):
    return _token(lambda text: ECAlgorithm(ECAlgorithm.SHA256).sign(text, private))


def _sealed(secret):
    return _token(lambda text: hmac.digest(secret, text, hashlib.sha256))


def _token(sign):
    """What makes a token of a header and claims."""

    def made(header, claims):
        text = f"{_part(header)}.{_part(claims)}"
        return f"{text}.{_base64(sign(text.encode()))}"

    return made


def _part(value):
    return _base64(json.dumps(value).encode())


def _base64(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
