"""Who may come in: what the contract's security schemes ask."""

import time
from collections.abc import Awaitable

from accord.identity.access_tokens import AccessTokens, Caller
from accord.identity.api_key_cache import ApiKeyCache
from accord.identity.revocation_list import RevocationList

__all__ = ["Caller", "verify_access_token", "verify_api_key"]


def verify_access_token(
    token: str, access_tokens: AccessTokens, revocation_list: RevocationList
) -> Caller | Awaitable[Caller | None] | None:
    """The caller an access token speaks for, unless its session has been ended.

    To be awaited only when what is known of ended sessions must be renewed first; that raises what reading them
    raises, because a token that cannot be checked is not let in.
    """
    caller = access_tokens.verify(token)
    if caller is None:
        return None
    if time.monotonic() < revocation_list.fresh_until:
        return None if caller.session_id in revocation_list else caller
    return _unless_revoked(caller, revocation_list)


def verify_api_key(key: str, api_key_cache: ApiKeyCache) -> Caller | Awaitable[Caller | None] | None:
    """The caller an API key speaks for; raises what reading it raises, as `verify` does."""
    return api_key_cache.authenticate(key)


async def _unless_revoked(caller: Caller, revocation_list: RevocationList) -> Caller | None:
    await revocation_list.refresh()
    return None if caller.session_id in revocation_list else caller
