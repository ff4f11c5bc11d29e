"""Access tokens: what is minted is read again, and nothing else is."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from accord.identity import access_tokens as module
from accord.identity.access_tokens import AccessTokens
from accord.identity.callers import Caller
from accord.identity.signing_keys import JwkSet, SigningKey, SigningKeys, open_signing_keys

USER, SESSION = UUID("01890a5d-ac96-774b-bcce-b302099a8057"), UUID("01890a5d-ac96-774b-bcce-b302099a8058")
ISSUER, AUDIENCE = "https://shop.example", "accord"
ROLES = {"customer": ["account", "catalogue"], "admin": ["account", "users"]}
KEY, STRANGERS = SigningKey.make(), SigningKey.make()


def tokens(keys=None, **changes):
    lifetimes = {"access_lifetime": timedelta(hours=1), "refresh_lifetime": timedelta(days=7)}
    settings = {"issuer": ISSUER, "audience": AUDIENCE, **lifetimes, "roles": ROLES, **changes}
    return AccessTokens(keys or SigningKeys(JwkSet({KEY.id: KEY})), **settings)


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signature(signed, key=KEY):
    return part(ECAlgorithm(ECAlgorithm.SHA256).sign(signed.encode(), key.private))


def header(**changes):
    return {
        name: value
        for name, value in {"alg": "ES256", "typ": "at+jwt", "kid": KEY.id, **changes}.items()
        if value != ...
    }


def claims(**changes):
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "exp": now + 600,
        "iat": now,
        "jti": "5b1f",
        "client_id": "accord",
        "sid": str(SESSION),
        "scope": "account users",
        "roles": ["admin"],
    }
    return {name: value for name, value in {**good, **changes}.items() if value != ...}


def signed(the_header=None, the_claims=None, key=KEY):
    """A token that is good but for what it is given; `...` leaves a member out."""
    text = (
        f"{part(header() if the_header is None else the_header)}.{part(claims() if the_claims is None else the_claims)}"
    )
    return f"{text}.{signature(text, key)}"


def hmac_signed(the_header, secret):
    text = f"{part(the_header)}.{part(claims())}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def test_what_is_minted_is_read():
    minted = tokens()
    caller = minted.verify(minted.issue(USER, SESSION, "customer"))
    assert caller == Caller(USER, SESSION, "customer", frozenset({"account", "catalogue"}))


def test_others_verify_our_tokens_with_the_public_keys():
    minted = tokens().issue(USER, SESSION, "admin")
    public = jwt.PyJWKSet.from_dict(JwkSet({KEY.id: KEY}).public_jwks())
    unverified = jwt.get_unverified_header(minted)
    assert unverified == {"alg": "ES256", "typ": "at+jwt", "kid": KEY.id}
    said = jwt.decode(minted, public[unverified["kid"]], algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert said["exp"] - said["iat"] == 3600
    assert said.keys() == {"iss", "aud", "sub", "exp", "iat", "jti", "client_id", "sid", "scope", "roles"}


def test_no_two_tokens_are_the_same():
    assert tokens().issue(USER, SESSION, "admin") != tokens().issue(USER, SESSION, "admin")


def test_a_role_the_contract_does_not_know_gets_no_token():
    with pytest.raises(KeyError):
        tokens().issue(USER, SESSION, "king")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"aud": [AUDIENCE]},
        {"aud": ["other", AUDIENCE]},
        {"nbf": int(time.time()) - 1},
        {"iat": int(time.time()) + 3},  # another server's clock
        {"extra": {"anything": None}},
        {"scope": ""},
    ],
)
def test_a_token_of_ours_is_read(said):
    assert tokens().verify(signed(the_claims=claims(**said))).id == USER


NOW = int(time.time())
DUPLICATE = json.dumps(claims())[:-1] + ', "sub": "01890a5d-ac96-774b-bcce-b302099a8059"}'
GOOD = signed()
PUBLIC_PEM = KEY.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
P384 = generate_private_key(SECP384R1())
SIGNED, SIGNATURE = GOOD.rsplit(".", 1)
R, S = (base64.urlsafe_b64decode(SIGNATURE + "==")[:32], base64.urlsafe_b64decode(SIGNATURE + "==")[32:])
DER = KEY.private.sign(SIGNED.encode(), ECDSA(hashes.SHA256()))
REFUSED = {
    # Not a token at all.
    "empty": "",
    "a word": "token",
    "dots": "..",
    "two parts": SIGNED,
    "four parts": GOOD + ".e30",
    "five parts, encrypted": "e30.e30.e30.e30." + SIGNATURE,
    "NUL": "\0",
    "too long": signed(the_claims=claims(extra="x" * 5000)),
    "enormous": "e30." * 1_000_000,
    "a surrogate": GOOD[:-1] + "\ud800",
    "JSON serialisation": json.dumps({"protected": part(header()), "payload": part(claims()), "signature": SIGNATURE}),
    # Base64url that is not strict.
    "white space before": " " + GOOD,
    "line feed after": GOOD + "\n",
    "line feed inside": GOOD[:5] + "\n" + GOOD[5:],
    "padding": GOOD + "==",
    "padding of the header": GOOD.replace(".", "=.", 1),
    "plain base64": SIGNED + "." + SIGNATURE[:-2] + "+/",
    "digits that are not ASCII": SIGNED + "." + "\u0663" * 86,
    "letters that look alike": GOOD.replace("e", "\u0435", 1),
    "bits to spare in the signature": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "a part of impossible length": "e" + GOOD,
    "short signature": GOOD[:-2],
    "no signature": SIGNED + ".",
    # Signatures.
    "signature of zeros": SIGNED + "." + "A" * 86,
    "r of zero": SIGNED + "." + part(bytes(32) + S),
    "s of zero": SIGNED + "." + part(R + bytes(32)),
    "r and s of the group's order": SIGNED
    + "."
    + part(bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") * 2),
    "r and s exchanged": SIGNED + "." + part(S + R),
    "signature in DER": SIGNED + "." + part(DER),
    "signature in DER, cut": SIGNED + "." + part(DER[:64]),
    "signature of another token": signed(the_claims=claims(jti="b")).rsplit(".", 1)[0] + "." + SIGNATURE,
    "other claims": f"{GOOD.split('.')[0]}.{part(claims(scope='everything'))}.{SIGNATURE}",
    "another's key": signed(key=STRANGERS),
    "another's key by its own name": signed(header(kid=STRANGERS.id), key=STRANGERS),
    "signed with P-384": f"{SIGNED}.{part(P384.sign(SIGNED.encode(), ECDSA(hashes.SHA256()))[:64])}",
    # Algorithms.
    "none": f"{part(header(alg='none'))}.{part(claims())}.",
    "None": f"{part(header(alg='None'))}.{part(claims())}.",
    "none, with a signature": signed(header(alg="none")),
    "no alg": signed(header(alg=...)),
    "alg null": signed(header(alg=None)),
    "alg a list": signed(header(alg=["ES256"])),
    "alg in lower case": signed(header(alg="es256")),
    "ES384": signed(header(alg="ES384")),
    "ES256K": signed(header(alg="ES256K")),
    "EdDSA": signed(header(alg="EdDSA")),
    "HS256 with the public key in PEM": hmac_signed(header(alg="HS256"), PUBLIC_PEM),
    "HS256 with the public key's x": hmac_signed(header(alg="HS256"), KEY.public_jwk()["x"].encode()),
    "HS256 with nothing": hmac_signed(header(alg="HS256"), b""),
    "HS256 said to be ES256": hmac_signed(header(), PUBLIC_PEM),
    # Other members of the header.
    "typ JWT": signed(header(typ="JWT")),
    "no typ": signed(header(typ=...)),
    "typ in capitals": signed(header(typ="AT+JWT")),
    "typ in full": signed(header(typ="application/at+jwt")),
    "typ of an ID token": signed(header(typ="id+jwt")),
    "no kid": signed(header(kid=...)),
    "kid of nobody": signed(header(kid="nobody")),
    "kid empty": signed(header(kid="")),
    "kid null": signed(header(kid=None)),
    "kid a number": signed(header(kid=5)),
    "kid a list": signed(header(kid=[KEY.id])),
    "kid a path": signed(header(kid="../../dev/null")),
    "kid SQL": signed(header(kid="' or 1=1 --")),
    "jku": signed(header(jku="https://evil.example/jwks.json")),
    "x5u": signed(header(x5u="https://evil.example/cert.pem")),
    "x5c": signed(header(x5c=["MIIB"])),
    "x5t": signed(header(x5t="x")),
    "jwk": signed(header(jwk=STRANGERS.public_jwk()), key=STRANGERS),
    "crit": signed(header(crit=["exp"])),
    "crit empty": signed(header(crit=[])),
    "b64": signed(header(b64=False, crit=["b64"])),
    "zip": signed(header(zip="DEF")),
    "cty": signed(header(cty="JWT")),
    "an unknown member": signed(header(foo=1)),
    "header not an object": signed(["ES256"]),
    "header null": signed(b"null"),
    "header not JSON": signed(b"{"),
    "header empty": signed(b""),
    "header of invalid UTF-8": signed(b'{"alg":"\xff"}'),
    "header in UTF-16": signed(json.dumps(header()).encode("utf-16")),
    "header with a byte order mark": signed(b"\xef\xbb\xbf" + json.dumps(header()).encode()),
    "header nested deep": signed(b"[" * 2500),
    "a header member twice": signed(json.dumps(header()).encode()[:-1] + b', "alg": "ES256"}'),
    "a number of 3000 digits": signed(b'{"alg":' + b"9" * 2900 + b"}"),
    # Claims.
    "claims not an object": signed(the_claims=[claims()]),
    "claims a string": signed(the_claims=b'"claims"'),
    "claims not JSON": signed(the_claims=b"{"),
    "claims empty": signed(the_claims=b""),
    "claims of invalid UTF-8": signed(the_claims=b"\xff"),
    "claims nested deep": signed(the_claims=b"[" * 2500),
    "a claim twice": signed(the_claims=DUPLICATE.encode()),
    "expired": signed(the_claims=claims(exp=NOW - 1)),
    "expired long ago": signed(the_claims=claims(exp=0)),
    "expires now": signed(the_claims=claims(exp=NOW)),
    "exp negative": signed(the_claims=claims(exp=-5)),
    "exp true": signed(the_claims=claims(exp=True)),
    "exp a float": signed(the_claims=claims(exp=NOW + 600.5)),
    "exp with an exponent": signed(the_claims=json.dumps(claims(exp=0)).replace('"exp": 0', '"exp": 9e99').encode()),
    "exp infinite": signed(the_claims=claims(exp=float("inf"))),
    "exp not a number": signed(the_claims=claims(exp=float("nan"))),
    "exp a string": signed(the_claims=claims(exp=str(NOW + 600))),
    "exp huge": signed(the_claims=claims(exp=10**300)),
    "exp null": signed(the_claims=claims(exp=None)),
    "not yet": signed(the_claims=claims(nbf=NOW + 3600)),
    "nbf null": signed(the_claims=claims(nbf=None)),
    "nbf a string": signed(the_claims=claims(nbf=str(NOW))),
    "issued tomorrow": signed(the_claims=claims(iat=NOW + 86_400, exp=NOW + 90_000)),
    "iat a string": signed(the_claims=claims(iat=str(NOW))),
    "another issuer": signed(the_claims=claims(iss="https://evil.example")),
    "issuer with a slash": signed(the_claims=claims(iss=ISSUER + "/")),
    "issuer a list": signed(the_claims=claims(iss=[ISSUER])),
    "another audience": signed(the_claims=claims(aud="other")),
    "a longer audience": signed(the_claims=claims(aud="accord-admin")),
    "a part of the audience": signed(the_claims=claims(aud="a")),
    "other audiences": signed(the_claims=claims(aud=["other", "accord-admin"])),
    "no audience in a list": signed(the_claims=claims(aud=[])),
    "audience an object": signed(the_claims=claims(aud={AUDIENCE: 1})),
    "sub not a UUID": signed(the_claims=claims(sub="admin")),
    "sub a number": signed(the_claims=claims(sub=1)),
    "sub in capitals": signed(the_claims=claims(sub=str(USER).upper())),
    "sub a URN": signed(the_claims=claims(sub=USER.urn)),
    "sub without hyphens": signed(the_claims=claims(sub=USER.hex)),
    "sub with NUL": signed(the_claims=claims(sub=f"{USER}\0")),
    "sid not a UUID": signed(the_claims=claims(sid="mine")),
    "sid null": signed(the_claims=claims(sid=None)),
    "scope a list": signed(the_claims=claims(scope=["account"])),
    "roles a string": signed(the_claims=claims(roles="admin")),
    "roles empty": signed(the_claims=claims(roles=[])),
    "roles of numbers": signed(the_claims=claims(roles=[1])),
    "two roles": signed(the_claims=claims(roles=["admin", "customer"])),
    "jti a number": signed(the_claims=claims(jti=5)),
    "client_id null": signed(the_claims=claims(client_id=None)),
    **{f"no {name}": signed(the_claims=claims(**{name: ...})) for name in claims()},
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_refused(token):
    assert tokens().verify(token) is None


def test_clock_that_was_set_back_neither_invalidates_nor_prolongs_a_token(monkeypatch):
    """Another server, whose clock has never been there, refuses a token from the future."""
    issuer, reader, now = tokens(), tokens(), time.time
    token = issuer.issue(USER, SESSION, "admin")
    monkeypatch.setattr(time, "time", lambda: now() - 120)
    assert issuer.verify(token)
    assert tokens().verify(token) is None
    monkeypatch.setattr(time, "time", lambda: now() + 3_600)
    assert issuer.verify(token) is None
    assert reader.verify(token) is None


def test_each_single_character_of_a_token_counts():
    reader, alphabet = tokens(), "Aa0-_.=é"
    for place, was in enumerate(GOOD):
        other = alphabet[place % len(alphabet)]
        assert other == was or reader.verify(GOOD[:place] + other + GOOD[place + 1 :]) is None
        assert reader.verify(GOOD[:place] + GOOD[place + 1 :]) is None


@given(st.text() | st.binary().map(part) | st.lists(st.binary().map(part), min_size=3, max_size=3).map(".".join))
@example("\ud800.\ud800.\ud800")
def test_no_text_makes_a_caller_or_an_error(text):
    assert tokens().verify(text) is None


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(name=st.sampled_from(sorted(claims())), value=JSON)
def test_a_claim_of_any_other_value_makes_no_error(name, value):
    caller = tokens().verify(signed(the_claims=claims(**{name: value})))
    assert caller is None or name in {"exp", "iat", "jti", "client_id", "scope", "roles"}


@given(name=st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "other"]), value=JSON)
def test_a_header_member_of_any_other_value_is_refused(name, value):
    assert tokens().verify(signed(header(**{name: value}))) is None


def test_a_token_is_verified_once_and_then_remembered():
    reader = tokens()
    assert reader.verify(GOOD) is reader.verify(GOOD)


def test_a_remembered_token_is_refused_once_expired():
    reader = tokens()
    token = signed(the_claims=claims(exp=int(time.time()) + 1))
    assert reader.verify(token)
    time.sleep(1.1)
    assert reader.verify(token) is None


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_CACHE_SIZE", 3)
    reader = tokens()
    for _ in range(10):
        assert reader.verify(reader.issue(USER, SESSION, "admin"))
        assert len(reader._cache) <= 3


def test_refused_tokens_are_not_remembered():
    reader = tokens()
    reader.verify(signed(key=STRANGERS))
    assert not reader._cache


def test_rotation_logs_nobody_out(tmp_path):
    keys = open_signing_keys(tmp_path)
    server = tokens(keys)
    before = server.issue(USER, SESSION, "admin")
    assert server.verify(before)
    keys.rotate(3600)
    after = server.issue(USER, SESSION, "admin")
    assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]
    assert server.verify(before)
    assert server.verify(after)


def test_a_token_signed_by_another_server_with_a_new_key_is_read_at_once(tmp_path):
    here, there = open_signing_keys(tmp_path), open_signing_keys(tmp_path)
    server = tokens(here)
    there.rotate(3600)
    assert server.verify(tokens(there).issue(USER, SESSION, "admin"))


def test_a_removed_key_takes_its_tokens_along(tmp_path):
    keys = open_signing_keys(tmp_path)
    server = tokens(keys)
    token = server.issue(USER, SESSION, "admin")
    assert server.verify(token)
    next(tmp_path.iterdir()).write_text(JwkSet({STRANGERS.id: STRANGERS}).private_jwks())
    keys.reload()
    assert server.verify(token) is None
