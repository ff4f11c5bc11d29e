"""Authentication: the functions of the contract's security schemes."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from accord.identity.access_tokens import AccessTokens
from accord.identity.api_key_cache import ApiKeyCache
from accord.identity.callers import Caller
from accord.identity.revocation_list import RevocationList

LastUse = Callable[[UUID], Awaitable[datetime | None]]
"""Returns the time at which a session was last used, by the clock of the server that it used; None without it."""


def verify_access_token(
    token: str, access_tokens: AccessTokens, revocation_list: RevocationList, session_last_use: LastUse
) -> Caller | Awaitable[Caller | None] | None:
    """Return the caller of an access token, None if it is invalid or its session has ended.

    An awaitable is returned if a query is needed first. It raises the errors of that query, because a token that cannot
    be checked is not accepted.
    """
    caller = access_tokens.verify(token)
    if caller is None:
        session_id = access_tokens.session_of_future_token(token)
        if session_id is None:
            return None
        return _verify_future_token(token, access_tokens, revocation_list, session_last_use(session_id))
    if time.monotonic() < revocation_list.fresh_until:
        return None if caller.session_id in revocation_list else caller
    return _check_revocation(caller, revocation_list)


def verify_api_key(key: str, api_key_cache: ApiKeyCache) -> Caller | Awaitable[Caller | None] | None:
    """Return the caller of an API key, None if it is invalid, or an awaitable that raises the query's errors."""
    return api_key_cache.authenticate(key)


async def _verify_future_token(
    token: str, access_tokens: AccessTokens, revocation_list: RevocationList, last_use: Awaitable[datetime | None]
) -> Caller | None:
    """
    Return the caller of a token that is not valid yet by the clock of this server.

    If its session was used at that time, this clock is behind the one of the server that issued the token. The session
    must be able to log out here as well.
    """
    if moment := await last_use:
        access_tokens.observe(moment.timestamp())
    caller = access_tokens.verify(token)
    return await _check_revocation(caller, revocation_list) if caller else None


async def _check_revocation(caller: Caller, revocation_list: RevocationList) -> Caller | None:
    """Refresh the revocation list, and return *caller*; None if its session is revoked."""
    await revocation_list.refresh()
    return None if caller.session_id in revocation_list else caller
