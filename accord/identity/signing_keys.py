"""The keys that sign access tokens: where they are kept, how they rotate, what the public sees of them."""

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

from accord.storage.atomic import written

ALGORITHM = "ES256"

_KIND = {"kty": "EC", "crv": "P-256"}
_PURPOSE = {"use": "sig", "alg": ALGORITHM}
_OPERATIONS = (["sign"], ["sign", "verify"], ["verify", "sign"])
_FILE = "signing_keys.json"
_SECONDS_BETWEEN_LOOKS = 0.5
_log = logging.getLogger(__name__)


class KeysError(Exception):
    """The signing keys cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A private key; `made_at` is in seconds since 1970, if known."""

    id: str
    private: EllipticCurvePrivateKey
    made_at: int | None = None

    @classmethod
    def make(cls) -> "SigningKey":
        private = generate_private_key(SECP256R1())
        return cls(_thumbprint(private.public_key()), private, int(time.time()))

    @classmethod
    def read(cls, jwk: Any) -> "SigningKey":
        """The key of a private JSON Web Key (RFC 7517); raises KeysError for one that cannot sign our tokens."""
        if not isinstance(jwk, dict) or not isinstance(kid := jwk.get("kid"), str) or not 0 < len(kid) <= 128:
            raise KeysError("A signing key is not a JSON Web Key with a `kid` of 1 to 128 characters.")
        for member, value in _KIND.items():
            if jwk.get(member) != value:
                raise KeysError(f"Signing key {kid!r} has the wrong type: `{member}` is not {value}.")
        for member, value in _PURPOSE.items():
            if jwk.get(member, value) != value:
                raise KeysError(f"Signing key {kid!r} is not for signing: `{member}` is not {value}.")
        if jwk.get("key_ops", ["sign"]) not in _OPERATIONS:
            raise KeysError(f"Signing key {kid!r} is not for signing: `key_ops` does not contain sign.")
        made_at = jwk.get("iat")
        if made_at is not None and type(made_at) is not int:
            raise KeysError(f"Signing key {kid!r}: `iat` is not an integer number of seconds.")
        try:
            private = ECAlgorithm.from_jwk(jwk)
        except (PyJWTError, ValueError, TypeError) as error:
            raise KeysError(f"Signing key {kid!r} is not a valid key: {error}") from None
        if not isinstance(private, EllipticCurvePrivateKey):
            raise KeysError(f"Signing key {kid!r} has no private part: `d` is missing.")
        return cls(kid, private, made_at)

    def public(self) -> dict[str, str]:
        """The JSON Web Key for those who verify our tokens."""
        return {**ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True), "kid": self.id, **_PURPOSE}

    def secret(self) -> dict[str, Any]:
        """The JSON Web Key that `read` takes."""
        made_at = {} if self.made_at is None else {"iat": self.made_at}
        return {**ECAlgorithm.to_jwk(self.private, as_dict=True), "kid": self.id, **_PURPOSE, **made_at}


@dataclass(frozen=True)
class KeySet:
    """Keys by id, newest first: the newest signs, each of them verifies."""

    keys: Mapping[str, SigningKey]

    @classmethod
    def read(cls, text: str) -> "KeySet":
        """The keys of a JSON Web Key Set; raises KeysError when it is none, or any key does not fit."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(jwks := document.get("keys"), list) or not jwks:
            raise KeysError(
                'The signing keys are not a JSON Web Key Set with at least one key, such as {"keys": [...]}.'
            )
        keys = [SigningKey.read(jwk) for jwk in jwks]
        if len(by_id := {key.id: key for key in keys}) < len(keys):
            raise KeysError("Two of the signing keys have the same `kid`.")
        return cls(by_id)

    @property
    def newest(self) -> SigningKey:
        return next(iter(self.keys.values()))

    def public(self) -> dict[str, list[dict[str, str]]]:
        """The JSON Web Key Set for those who verify our tokens."""
        return {"keys": [key.public() for key in self.keys.values()]}

    def secret(self) -> str:
        """The JSON text that `read` takes."""
        return json.dumps({"keys": [key.secret() for key in self.keys.values()]}, indent=2) + "\n"

    def rotated(self, seconds_kept: int) -> "KeySet":
        """
        This set with a new key in front.

        A key that stopped signing more than `seconds_kept` ago is left out: what it signed has expired.
        """
        newest = SigningKey.make()
        kept, retired_at = [newest], newest.made_at
        for key in self.keys.values():
            if retired_at is None or newest.made_at is None or newest.made_at - retired_at <= seconds_kept:
                kept.append(key)
            retired_at = key.made_at
        return KeySet({key.id: key for key in kept})


class Keys:
    """The keys of this installation, as the settings give them."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def current(self) -> KeySet:
        """The keys to use now; the same object until they change."""
        return self._keys

    def look(self) -> KeySet:
        """The keys to use now, seen anew."""
        return self._keys

    def rotate(self, seconds_kept: int) -> KeySet:
        """Sign with a new key from now on; the old ones verify as long as what they signed may be in use."""
        raise KeysError("The signing keys come from the settings. Put a new key first there, and keep the old keys.")


class KeyFile(Keys):
    """
    Keys in a file of `folder`, for its owner's eyes only; made when there is none yet.

    Servers that run take up a rotated file within half a second. When it has become unreadable they keep the
    keys they have, and say so in the log.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        try:
            with _locked(folder):
                if not self._file.exists():
                    self._write(KeySet({(key := SigningKey.make()).id: key}))
            self._seen = self._mark()
            super().__init__(KeySet.read(self._file.read_text("utf-8")))
        except (OSError, UnicodeDecodeError, KeysError) as error:
            raise KeysError(f"The signing keys in {self._file} cannot be used: {error}") from error
        self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS

    def current(self) -> KeySet:
        return self._keys if time.monotonic() < self._next_look else self.look()

    def look(self) -> KeySet:
        self._next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
        try:
            if (mark := self._mark()) != self._seen:
                # Noted before reading, so that a file replaced in between is read again at the next look.
                self._seen = mark
                self._keys = KeySet.read(self._file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, KeysError) as error:
            _log.error("The signing keys in %s cannot be used, so the previous keys stay in use: %s", self._file, error)
        return self._keys

    def rotate(self, seconds_kept: int) -> KeySet:
        with _locked(self._file.parent):
            self._write(self.look().rotated(seconds_kept))
        return self.look()

    def _write(self, keys: KeySet) -> None:
        with written(self._file) as stream:
            stream.write(keys.secret().encode())

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def open_keys(folder: Path, given: str | None = None) -> Keys:
    """The keys given by the settings or else the ones in `folder`; raises KeysError when they cannot be used."""
    return KeyFile(folder) if given is None else Keys(KeySet.read(given))


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
    """The name that the key gives itself (RFC 7638)."""
    canonical = json.dumps(ECAlgorithm.to_jwk(key, as_dict=True), sort_keys=True, separators=(",", ":")).encode()
    return urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
