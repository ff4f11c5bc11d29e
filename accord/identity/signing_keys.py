"""Signing keys of access tokens: storage, rotation, and the public JWK Set (RFC 7517)."""

import fcntl
import hashlib
import json
import logging
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import PyJWTError

from accord.storage.atomic import atomic_write

ALGORITHM = "ES256"

_KIND = {"kty": "EC", "crv": "P-256"}
_PURPOSE = {"use": "sig", "alg": ALGORITHM}
_OPERATIONS = (["sign"], ["sign", "verify"], ["verify", "sign"])
_FILE = "signing_keys.json"
_RELOAD_INTERVAL = 0.5
_log = logging.getLogger(__name__)


class SigningKeysError(Exception):
    """The signing keys cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A private key; `made_at` is in seconds since 1970, None if it is unknown."""

    id: str
    private: EllipticCurvePrivateKey
    created_at: int | None = None

    @classmethod
    def make(cls) -> "SigningKey":
        """Return a new key, whose id is its thumbprint."""
        private = generate_private_key(SECP256R1())
        return cls(_thumbprint(private.public_key()), private, int(time.time()))

    @classmethod
    def read(cls, jwk: Any) -> "SigningKey":
        """Return the key of a private JSON Web Key (RFC 7517); raises KeysError for one that cannot sign tokens."""
        if not isinstance(jwk, dict) or not isinstance(kid := jwk.get("kid"), str) or not 0 < len(kid) <= 128:
            raise SigningKeysError("A signing key is not a JSON Web Key with a `kid` of 1 to 128 characters.")
        for member, value in _KIND.items():
            if jwk.get(member) != value:
                raise SigningKeysError(f"Signing key {kid!r} has the wrong type: `{member}` is not {value}.")
        for member, value in _PURPOSE.items():
            if jwk.get(member, value) != value:
                raise SigningKeysError(f"Signing key {kid!r} is not for signing: `{member}` is not {value}.")
        if jwk.get("key_ops", ["sign"]) not in _OPERATIONS:
            raise SigningKeysError(f"Signing key {kid!r} is not for signing: `key_ops` does not contain sign.")
        made_at = jwk.get("iat")
        if made_at is not None and type(made_at) is not int:
            raise SigningKeysError(f"Signing key {kid!r}: `iat` is not an integer number of seconds.")
        try:
            private = ECAlgorithm.from_jwk(jwk)
        except (PyJWTError, ValueError, TypeError) as error:
            raise SigningKeysError(f"Signing key {kid!r} is not a valid key: {error}") from None
        if not isinstance(private, EllipticCurvePrivateKey):
            raise SigningKeysError(f"Signing key {kid!r} has no private part: `d` is missing.")
        return cls(kid, private, made_at)

    def public_jwk(self) -> dict[str, str]:
        """Return the public JSON Web Key, which verifies access tokens."""
        return {**ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True), "kid": self.id, **_PURPOSE}

    def private_jwk(self) -> dict[str, Any]:
        """Return the private JSON Web Key, as `read` takes it."""
        made_at = {} if self.created_at is None else {"iat": self.created_at}
        return {**ECAlgorithm.to_jwk(self.private, as_dict=True), "kid": self.id, **_PURPOSE, **made_at}


@dataclass(frozen=True)
class JwkSet:
    """Signing keys by id, newest first: the newest signs, all verify."""

    keys: Mapping[str, SigningKey]

    @classmethod
    def read(cls, text: str) -> "JwkSet":
        """Return the keys of a JSON Web Key Set; raises KeysError if it is invalid, or any key in it."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(jwks := document.get("keys"), list) or not jwks:
            raise SigningKeysError(
                'The signing keys are not a JSON Web Key Set with at least one key, such as {"keys": [...]}.'
            )
        keys = [SigningKey.read(jwk) for jwk in jwks]
        if len(by_id := {key.id: key for key in keys}) < len(keys):
            raise SigningKeysError("Two of the signing keys have the same `kid`.")
        return cls(by_id)

    @property
    def newest(self) -> SigningKey:
        """Return the key that signs."""
        return next(iter(self.keys.values()))

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public JSON Web Key Set, which verifies access tokens."""
        return {"keys": [key.public_jwk() for key in self.keys.values()]}

    def private_jwks(self) -> str:
        """Return the JSON text of the private keys, as `read` takes it."""
        return json.dumps({"keys": [key.private_jwk() for key in self.keys.values()]}, indent=2) + "\n"

    def rotated(self, seconds_kept: int) -> "JwkSet":
        """
        Return this set with a new key in front.

        Keys that stopped signing more than `seconds_kept` ago are left out, because their tokens have expired.
        """
        newest = SigningKey.make()
        kept, retired_at = [newest], newest.created_at
        for key in self.keys.values():
            if retired_at is None or newest.created_at is None or newest.created_at - retired_at <= seconds_kept:
                kept.append(key)
            retired_at = key.created_at
        return JwkSet({key.id: key for key in kept})


class SigningKeys:
    """The signing keys of this installation, from the settings."""

    def __init__(self, keys: JwkSet) -> None:
        self._keys = keys

    def current(self) -> JwkSet:
        """Return the current keys, the same object until they change."""
        return self._keys

    def reload(self) -> JwkSet:
        """Reload and return the current keys."""
        return self._keys

    def rotate(self, seconds_kept: int) -> JwkSet:
        """Sign with a new key from now on; old keys verify for `seconds_kept`. Raises KeysError."""
        raise SigningKeysError(
            "The signing keys come from the settings. Put a new key first there, and keep the old keys."
        )


class SigningKeyFile(SigningKeys):
    """
    Signing keys in a file of `folder`, readable by its owner only; created if it is missing. Raises KeysError.

    Running servers load a rotated file within half a second. If it becomes unreadable, they keep the keys they
    have, and log an error.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        try:
            with _locked(folder):
                if not self._file.exists():
                    self._write(JwkSet({(key := SigningKey.make()).id: key}))
            self._seen = self._mark()
            super().__init__(JwkSet.read(self._file.read_text("utf-8")))
        except (OSError, UnicodeDecodeError, SigningKeysError) as error:
            raise SigningKeysError(f"The signing keys in {self._file} cannot be used: {error}") from error
        self._next_reload = time.monotonic() + _RELOAD_INTERVAL

    def current(self) -> JwkSet:
        return self._keys if time.monotonic() < self._next_reload else self.reload()

    def reload(self) -> JwkSet:
        self._next_reload = time.monotonic() + _RELOAD_INTERVAL
        try:
            if (mark := self._mark()) != self._seen:
                # Set before reading, so that a file replaced in between is read again at the next reload.
                self._seen = mark
                self._keys = JwkSet.read(self._file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, SigningKeysError) as error:
            _log.error("The signing keys in %s cannot be used, so the previous keys stay in use: %s", self._file, error)
        return self._keys

    def rotate(self, seconds_kept: int) -> JwkSet:
        with _locked(self._file.parent):
            self._write(self.reload().rotated(seconds_kept))
        return self.reload()

    def _write(self, keys: JwkSet) -> None:
        with atomic_write(self._file) as stream:
            stream.write(keys.private_jwks().encode())

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def open_signing_keys(folder: Path, given: str | None = None) -> SigningKeys:
    """Return the keys of the settings, or else those in `folder`; raises KeysError if they are invalid."""
    return SigningKeyFile(folder) if given is None else SigningKeys(JwkSet.read(given))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _thumbprint(key: EllipticCurvePublicKey) -> str:
    """Return the thumbprint of the key (RFC 7638)."""
    canonical = json.dumps(ECAlgorithm.to_jwk(key, as_dict=True), sort_keys=True, separators=(",", ":")).encode()
    return urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
