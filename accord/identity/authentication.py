"""Authentication: the functions of the contract's security schemes."""

import time
from collections.abc import Awaitable

from accord.identity.access_tokens import Caller, Tokens
from accord.identity.api_key_cache import KnownKeys
from accord.identity.revocation_list import Revocations

__all__ = ["Caller", "verify", "verify_key"]


def verify(token: str, tokens: Tokens, revocations: Revocations) -> Caller | Awaitable[Caller | None] | None:
    """Return the caller of an access token, None if it is invalid or its session has ended.

    An awaitable is returned if the revocation list must be refreshed first. It raises the errors of that query,
    because a token that cannot be checked is not accepted.
    """
    caller = tokens.read(token)
    if caller is None:
        return None
    if time.monotonic() < revocations.current_until:
        return None if caller.session_id in revocations else caller
    return _renewed(caller, revocations)


def verify_key(key: str, known_keys: KnownKeys) -> Caller | Awaitable[Caller | None] | None:
    """Return the caller of an API key, None if it is invalid, or an awaitable that raises the query's errors."""
    return known_keys.caller(key)


async def _renewed(caller: Caller, revocations: Revocations) -> Caller | None:
    await revocations.renew()
    return None if caller.session_id in revocations else caller
