"""Access tokens: JWTs after RFC 9068, verified after RFC 8725."""

import hmac
import json
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from jwt.algorithms import ECAlgorithm

from accord.identity.callers import Caller
from accord.identity.signing_keys import ALGORITHM, JwkSet, SigningKeys

_TYPE = "at+jwt"
_FIRST_PARTY = "accord"
_SIGNATURE_LENGTH = 86
_SHAPE = re.compile(rf"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{{{_SIGNATURE_LENGTH}}}")
_MAX_LENGTH = 4_096
_MAX_TIMESTAMP = 2**53 - 1
_CLOCK_SKEW = 5
_CACHE_SIZE = 10_000
_es256 = ECAlgorithm(ECAlgorithm.SHA256)


class AccessTokens:
    """
    Issues and verifies access tokens, and derives refresh tokens.

    `roles` has the scopes of each role, `expires_in` the lifetime in seconds. `refresh_grace` is the time after the use
    of a refresh token in which its repetition gets the same successor.
    """

    def __init__(
        self,
        signing_keys: SigningKeys,
        *,
        issuer: str,
        audience: str,
        access_lifetime: timedelta,
        refresh_lifetime: timedelta,
        refresh_grace: timedelta = timedelta(0),
        roles: Mapping[str, Sequence[str]],
    ) -> None:
        self.expires_in = int(access_lifetime.total_seconds())
        self.refresh_lifetime = refresh_lifetime
        self.refresh_grace = refresh_grace
        self._signing_keys = signing_keys
        self._issuer = issuer
        self._audience = audience
        self._scopes = {role: " ".join(scopes) for role, scopes in roles.items()}
        self._cache: dict[str, tuple[str, Caller, int, int]] = {}
        self._cache_keys: JwkSet = signing_keys.current()
        self._latest = time.time()

    def issue(self, user_id: UUID, session_id: UUID, role: str) -> str:
        """Return a new token for a session of the user, with the scopes of the role."""
        key, now = self._signing_keys.current().newest, int(time.time())
        self._latest = max(self._latest, now)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "exp": now + self.expires_in,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "client_id": _FIRST_PARTY,
            "sid": str(session_id),
            "scope": self._scopes[role],
            "roles": [role],
        }
        return jwt.encode(claims, key.private, ALGORITHM, headers={"typ": _TYPE, "kid": key.id})

    def successor(self, refresh_token: str) -> str:
        """Return the successor of a refresh token: the same one each time, which only this installation can derive."""
        digest = hmac.digest(
            self._signing_keys.secret(), b"refresh-token-successor:" + refresh_token.encode(), "sha256"
        )
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def verify(self, token: str) -> Caller | None:
        """Return the caller of a token; None if it is malformed, expired, wrongly signed, or for another audience."""
        keys = self._signing_keys.current()
        if keys is not self._cache_keys:
            self._cache = {}
            self._cache_keys = keys
        # The signature identifies the token, and is hashed faster than the whole token.
        signature = token[-_SIGNATURE_LENGTH:]
        entry = self._cache.get(signature)
        if entry is None or entry[0] != token:
            try:
                entry = token, *self._verify_token(token)
            except (ValueError, RecursionError):
                return None
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[signature] = entry
        _, caller, valid_from, expires_at = entry
        now = time.time()
        # A clock that was set back does not invalidate tokens for a while. They could not log out, and would be valid
        # again later. It does not prolong them either.
        self.observe(now)
        return caller if valid_from - _CLOCK_SKEW <= self._latest and now < expires_at else None

    def observe(self, moment: float) -> None:
        """Take note of a time in seconds since 1970, so that a token issued until then is not one of the future."""
        self._latest = max(self._latest, moment)

    def session_of_future_token(self, token: str) -> UUID | None:
        """Return the session of a token that `verify` refused only because it is not valid yet."""
        known, caller, valid_from, _ = self._cache.get(token[-_SIGNATURE_LENGTH:], ("", None, 0, 0))
        return caller.session_id if caller and known == token and valid_from - _CLOCK_SKEW > self._latest else None

    def _verify_token(self, token: str) -> tuple[Caller, int, int]:
        """Return the caller of a token, and the beginning and the end of its validity in seconds since 1970.

        Raises ValueError for an invalid signature or claim, and RecursionError for JSON that is nested too deeply.
        """
        if len(token) > _MAX_LENGTH or not _SHAPE.fullmatch(token):
            raise ValueError("not a JWT with a signature")
        header, payload, signature = map(_decode, token.split("."))
        match _json(header):
            case {"kid": str(kid)} as members if members == {"alg": ALGORITHM, "typ": _TYPE, "kid": kid}:
                # Another process may sign with a new key already, so an unknown key id reloads the keys.
                key = self._signing_keys.current().keys.get(kid) or self._signing_keys.reload().keys.get(kid)
            case _:
                raise ValueError("unexpected JWT header")
        signed = token.rpartition(".")[0].encode()
        if key is None or not _es256.verify(signed, key.private.public_key(), signature):
            raise ValueError("invalid signature")
        return self._check_claims(_json(payload))

    def _check_claims(self, claims: Any) -> tuple[Caller, int, int]:
        """Return the caller, the beginning and the end of the validity; raises ValueError for invalid claims."""
        match claims:
            case {
                "iss": self._issuer,
                "aud": str() | list() as audience,
                "sub": str(user_id),
                "exp": expires_at,
                "iat": issued_at,
                "jti": str(),
                "client_id": str(),
                "sid": str(session_id),
                "scope": str(scope),
                "roles": [str(role)],
            }:
                pass
            case _:
                raise ValueError("missing or invalid claim")
        if self._audience not in ([audience] if isinstance(audience, str) else audience):
            raise ValueError("other audience")
        not_before = claims.get("nbf", issued_at)
        moments = issued_at, not_before, expires_at
        # `True` is an int in Python, and JSON parsers accept Infinity.
        if not all(type(moment) is int and 0 <= moment <= _MAX_TIMESTAMP for moment in moments):
            raise ValueError("invalid timestamp")
        if time.time() >= expires_at:
            raise ValueError("expired")
        caller = Caller(_uuid(user_id), _uuid(session_id), role, frozenset(scope.split()))
        return caller, max(issued_at, not_before), expires_at


def _uuid(text: str) -> UUID:
    value = UUID(text)
    if str(value) != text:
        raise ValueError("UUID not in canonical form")
    return value


def _decode(part: str) -> bytes:
    """Return the bytes of canonical base64url, without padding and trailing bits; raises ValueError."""
    decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise ValueError("base64url not in canonical form")
    return decoded


def _json(text: bytes) -> Any:
    """Return the value of JSON text in UTF-8; raises ValueError, also for duplicate members."""
    return json.loads(text.decode(), object_pairs_hook=_members)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate member")
    return members
