"""The signing keys: kept, read, rotated."""

import json
import stat
import threading
import time

import pytest
from jwt.algorithms import ECAlgorithm

from accord.identity import signing_keys
from accord.identity.signing_keys import JwkSet, SigningKey, SigningKeys, SigningKeysError, open_signing_keys


def jwk(**changes):
    """A private JSON Web Key; a change to None leaves the member out."""
    return {name: value for name, value in {**SigningKey.make().private_jwk(), **changes}.items() if value is not None}


def key_set(*jwks):
    return json.dumps({"keys": jwks})


def test_keys_are_made_on_first_start_for_their_owner_only(tmp_path):
    folder = tmp_path / "data"
    made = open_signing_keys(folder).current()
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(made.keys) == 1


def test_keys_are_the_same_after_a_restart(tmp_path):
    assert open_signing_keys(tmp_path).current().private_jwks() == open_signing_keys(tmp_path).current().private_jwks()


def test_servers_starting_at_once_agree_on_one_key(tmp_path):
    barrier, seen = threading.Barrier(8), []

    def start():
        barrier.wait()
        seen.append(open_signing_keys(tmp_path).current().newest.id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_the_public_key_set_has_no_private_part(tmp_path):
    (public,) = open_signing_keys(tmp_path).current().public_jwks()["keys"]
    assert public.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (public["kty"], public["crv"], public["use"], public["alg"]) == ("EC", "P-256", "sig", "ES256")


def test_a_key_is_named_by_its_thumbprint(monkeypatch):
    point = {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }
    secret = {**point, "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}
    monkeypatch.setattr(signing_keys, "generate_private_key", lambda curve: ECAlgorithm.from_jwk(secret))
    assert SigningKey.make().id == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_rotation_signs_with_a_new_key_and_keeps_the_old(tmp_path):
    source = open_signing_keys(tmp_path)
    before = source.current()
    after = source.rotate(3600)
    assert after is source.current()
    assert after.newest.id not in before.keys
    assert list(after.keys)[1:] == list(before.keys)
    assert stat.S_IMODE(next(tmp_path.iterdir()).stat().st_mode) == 0o600


def test_a_running_server_takes_up_rotated_keys_by_itself(tmp_path):
    server, operator = open_signing_keys(tmp_path), open_signing_keys(tmp_path)
    assert server.current() is server.current()
    rotated = operator.rotate(3600)
    deadline = time.monotonic() + 10
    while server.current().private_jwks() != rotated.private_jwks():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_unknown_key_is_looked_for_at_once(tmp_path):
    server, operator = open_signing_keys(tmp_path), open_signing_keys(tmp_path)
    rotated = operator.rotate(3600)
    assert server.reload().private_jwks() == rotated.private_jwks()


def test_the_file_is_not_asked_at_every_use(tmp_path):
    source = open_signing_keys(tmp_path)
    next(tmp_path.iterdir()).unlink()
    assert source.current() is source.current()


@pytest.mark.parametrize("damage", ["remove", "empty", "binary"])
def test_a_running_server_keeps_its_keys_when_the_file_is_damaged(tmp_path, caplog, damage):
    source = open_signing_keys(tmp_path)
    before, (file,) = source.current(), tmp_path.iterdir()
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else b"\xff")
    assert source.reload() is source.reload() is before
    assert len(caplog.records) == 1
    assert str(file) in caplog.text


def test_a_damaged_file_stops_the_start(tmp_path):
    open_signing_keys(tmp_path)
    next(tmp_path.iterdir()).write_text("{}")
    with pytest.raises(SigningKeysError, match="not a JSON Web Key Set"):
        open_signing_keys(tmp_path)


def test_a_folder_that_cannot_be_used_stops_the_start(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SigningKeysError, match=r"signing_keys\.json cannot be used"):
        open_signing_keys(tmp_path / "data")


def test_a_key_is_dropped_once_all_it_signed_has_expired():
    now = int(time.time())
    newest, retired, older = (SigningKey.read(jwk(iat=now - age)) for age in (100, 5000, 9000))
    rotated = JwkSet({key.id: key for key in (newest, retired, older)}).with_new_key(3600)
    # `retired` signed until 100 seconds ago, `older` until 5000 seconds ago.
    assert list(rotated.keys)[1:] == [newest.id, retired.id]


def test_keys_of_unknown_age_are_kept():
    before = JwkSet.read(key_set(jwk(iat=None), jwk(iat=None)))
    assert list(before.with_new_key(1).keys)[1:] == list(before.keys)


def test_keys_given_by_the_settings_touch_no_folder(tmp_path):
    given = key_set(jwk(), jwk())
    source = open_signing_keys(tmp_path / "data", given)
    assert list(source.current().keys) == [key["kid"] for key in json.loads(given)["keys"]]
    assert source.reload() is source.current()
    assert not (tmp_path / "data").exists()


def test_keys_given_by_the_settings_are_rotated_there():
    with pytest.raises(SigningKeysError, match="Put a new key first"):
        SigningKeys(JwkSet.read(key_set(jwk()))).rotate(3600)


def test_a_key_set_survives_writing_and_reading():
    before = JwkSet.read(key_set(jwk(), jwk(iat=None)))
    assert JwkSet.read(before.private_jwks()).private_jwks() == before.private_jwks()


@pytest.mark.parametrize("operations", [["sign"], ["sign", "verify"], ["verify", "sign"], None])
def test_a_key_for_signing_is_taken(operations):
    assert SigningKey.read(jwk(key_ops=operations))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kty": "RSA"}, "`kty` is not EC"),
        ({"kty": None}, "`kty` is not EC"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "`kty` is not EC"),
        ({"crv": "P-384"}, "`crv` is not P-256"),
        ({"crv": "secp256k1"}, "`crv` is not P-256"),
        ({"use": "enc"}, "`use` is not sig"),
        ({"alg": "ES384"}, "`alg` is not ES256"),
        ({"alg": "none"}, "`alg` is not ES256"),
        ({"key_ops": ["verify"]}, "`key_ops` does not contain sign"),
        ({"key_ops": ["sign", "encrypt"]}, "`key_ops` does not contain sign"),
        ({"key_ops": "sign"}, "`key_ops` does not contain sign"),
        ({"kid": None}, "`kid` of 1 to 128"),
        ({"kid": ""}, "`kid` of 1 to 128"),
        ({"kid": 5}, "`kid` of 1 to 128"),
        ({"kid": "k" * 129}, "`kid` of 1 to 128"),
        ({"iat": "now"}, "`iat`"),
        ({"iat": True}, "`iat`"),
        ({"d": None}, "`d` is missing"),
        ({"d": SigningKey.make().private_jwk()["d"]}, "is not a valid key"),
        ({"d": "AA"}, "is not a valid key"),
        ({"d": 5}, "is not a valid key"),
        ({"x": "AA"}, "is not a valid key"),
        ({"x": "é"}, "is not a valid key"),
        ({"x": None}, "is not a valid key"),
        ({"y": SigningKey.make().private_jwk()["y"]}, "is not a valid key"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_by_name(changes, message):
    with pytest.raises(SigningKeysError, match=message):
        JwkSet.read(key_set(jwk(**changes)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "5", "{}", '{"keys": {}}', '{"keys": []}', '{"keys": [5]}', "[" * 100_000, key_set({})],
)
def test_what_is_not_a_key_set_is_refused(text):
    with pytest.raises(SigningKeysError):
        JwkSet.read(text)


def test_two_keys_of_one_name_are_refused():
    with pytest.raises(SigningKeysError, match="same `kid`"):
        JwkSet.read(key_set(jwk(kid="a"), jwk(kid="a")))
