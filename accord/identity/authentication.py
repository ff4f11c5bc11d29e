"""Authentication: the functions of the contract's security schemes."""

import time
from collections.abc import Awaitable

from accord.identity.access_tokens import AccessTokens
from accord.identity.api_key_cache import ApiKeyCache
from accord.identity.callers import Caller
from accord.identity.revocation_list import RevocationList


def verify_access_token(
    token: str, access_tokens: AccessTokens, revocation_list: RevocationList
) -> Caller | Awaitable[Caller | None] | None:
    """Return the caller of an access token, None if it is invalid or its session has ended.

    An awaitable is returned if the revocation list must be refreshed first. It raises the errors of that query,
    because a token that cannot be checked is not accepted.
    """
    caller = access_tokens.verify(token)
    if caller is None:
        return None
    if time.monotonic() < revocation_list.fresh_until:
        return None if caller.session_id in revocation_list else caller
    return _check_revocation(caller, revocation_list)


def verify_api_key(key: str, api_key_cache: ApiKeyCache) -> Caller | Awaitable[Caller | None] | None:
    """Return the caller of an API key, None if it is invalid, or an awaitable that raises the query's errors."""
    return api_key_cache.authenticate(key)


async def _check_revocation(caller: Caller, revocation_list: RevocationList) -> Caller | None:
    """Refresh the revocation list, and return *caller*; None if its session is revoked."""
    await revocation_list.refresh()
    return None if caller.session_id in revocation_list else caller
