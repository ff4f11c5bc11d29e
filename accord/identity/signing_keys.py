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
    """The signing keys cannot be used. The message has the reason and the remedy."""


@dataclass(frozen=True)
class SigningKey:
    """A private key; `created_at` is in seconds since 1970, None if it is unknown."""

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
        """Return the key of a private JSON Web Key (RFC 7517). Raises SigningKeysError if it cannot sign tokens."""
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
        created_at = jwk.get("iat")
        if created_at is not None and type(created_at) is not int:
            raise SigningKeysError(f"Signing key {kid!r}: `iat` is not an integer number of seconds.")
        try:
            private = ECAlgorithm.from_jwk(jwk)
        except (PyJWTError, ValueError, TypeError) as error:
            raise SigningKeysError(f"Signing key {kid!r} is not a valid key: {error}") from None
        if not isinstance(private, EllipticCurvePrivateKey):
            raise SigningKeysError(f"Signing key {kid!r} has no private part: `d` is missing.")
        return cls(kid, private, created_at)

    def public_jwk(self) -> dict[str, str]:
        """Return the public JSON Web Key, which verifies access tokens."""
        return {**ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True), "kid": self.id, **_PURPOSE}

    def private_jwk(self) -> dict[str, Any]:
        """Return the private JSON Web Key, as `read` takes it."""
        issued_at = {} if self.created_at is None else {"iat": self.created_at}
        return {**ECAlgorithm.to_jwk(self.private, as_dict=True), "kid": self.id, **_PURPOSE, **issued_at}


@dataclass(frozen=True)
class JwkSet:
    """Signing keys by id, newest first. The newest key signs, and all keys verify."""

    keys: Mapping[str, SigningKey]

    @classmethod
    def read(cls, text: str) -> "JwkSet":
        """Return the keys of a JSON Web Key Set; raises SigningKeysError if it or a key in it is invalid."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(jwks := document.get("keys"), list) or not jwks:
            raise SigningKeysError(
                'The signing keys are not a JSON Web Key Set with at least one key, such as {"keys": [...]}.'
            )
        keys = [SigningKey.read(jwk) for jwk in jwks]
        by_id = {key.id: key for key in keys}
        if len(by_id) < len(keys):
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

    def with_new_key(self, token_lifetime: int) -> "JwkSet":
        """
        Return this set with a new key in front.

        Keys that stopped signing more than *token_lifetime* seconds ago are left out, because their tokens have
        expired.
        """
        newest = SigningKey.make()
        keys = [newest]
        retired_at = newest.created_at
        for key in self.keys.values():
            if retired_at is None or newest.created_at is None or newest.created_at - retired_at <= token_lifetime:
                keys.append(key)
            retired_at = key.created_at
        return JwkSet({key.id: key for key in keys})


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

    def secret(self) -> bytes:
        """Return a secret of the installation: that of the oldest key, which all servers have and keep longest."""
        oldest = list(self.current().keys.values())[-1]
        secret: str = oldest.private_jwk()["d"]
        return secret.encode()

    def rotate(self, token_lifetime: int) -> JwkSet:
        """Sign with a new key from now on. Old keys verify for *token_lifetime* seconds. Raises SigningKeysError."""
        raise SigningKeysError(
            "The signing keys come from the settings. Put a new key first there, and keep the old keys."
        )


class SigningKeyFile(SigningKeys):
    """
    Signing keys in a file of *folder*, which its owner alone can read. A missing file is created.

    Running servers load a rotated file within half a second. If the file becomes unreadable, they log an error and
    use the keys that they have. Raises SigningKeysError if the file cannot be used at first.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        try:
            with _locked(folder):
                if not self._file.exists():
                    key = SigningKey.make()
                    self._write(JwkSet({key.id: key}))
            self._loaded_version = self._file_version()
            super().__init__(JwkSet.read(self._file.read_text("utf-8")))
        except (OSError, UnicodeDecodeError, SigningKeysError) as error:
            raise SigningKeysError(f"The signing keys in {self._file} cannot be used: {error}") from error
        self._next_reload = time.monotonic() + _RELOAD_INTERVAL

    def current(self) -> JwkSet:
        return self._keys if time.monotonic() < self._next_reload else self.reload()

    def reload(self) -> JwkSet:
        self._next_reload = time.monotonic() + _RELOAD_INTERVAL
        try:
            version = self._file_version()
            if version != self._loaded_version:
                # Set before reading, so that a file replaced in between is read again at the next reload.
                self._loaded_version = version
                self._keys = JwkSet.read(self._file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, SigningKeysError) as error:
            _log.error("The signing keys in %s cannot be used, so the previous keys stay in use: %s", self._file, error)
        return self._keys

    def rotate(self, token_lifetime: int) -> JwkSet:
        with _locked(self._file.parent):
            self._write(self.reload().with_new_key(token_lifetime))
        return self.reload()

    def _write(self, keys: JwkSet) -> None:
        with atomic_write(self._file) as stream:
            stream.write(keys.private_jwks().encode())

    def _file_version(self) -> tuple[int, int, int] | None:
        """Return inode, time of change and size of the file, which differ after a rotation; None without a file."""
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def open_signing_keys(folder: Path, jwks: str | None = None) -> SigningKeys:
    """Return the keys in the JSON text *jwks*, or else those in *folder*. Raises SigningKeysError if invalid."""
    return SigningKeyFile(folder) if jwks is None else SigningKeys(JwkSet.read(jwks))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock of the folder, which is created if it is missing, against other processes."""
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
