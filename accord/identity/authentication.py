"""Who may come in: what the contract's security schemes ask."""

import time
from collections.abc import Awaitable

from accord.identity.access_tokens import Caller, Tokens
from accord.identity.api_key_cache import KnownKeys
from accord.identity.revocation_list import Revocations

__all__ = ["Caller", "verify", "verify_key"]


def verify(token: str, tokens: Tokens, revocations: Revocations) -> Caller | Awaitable[Caller | None] | None:
    """The caller an access token speaks for, unless its session has been ended.

    To be awaited only when what is known of ended sessions must be renewed first; that raises what reading them
    raises, because a token that cannot be checked is not let in.
    """
    caller = tokens.read(token)
    if caller is None:
        return None
    if time.monotonic() < revocations.current_until:
        return None if caller.session_id in revocations else caller
    return _renewed(caller, revocations)


def verify_key(key: str, known_keys: KnownKeys) -> Caller | Awaitable[Caller | None] | None:
    """The caller an API key speaks for; raises what reading it raises, as `verify` does."""
    return known_keys.caller(key)


async def _renewed(caller: Caller, revocations: Revocations) -> Caller | None:
    await revocations.renew()
    return None if caller.session_id in revocations else caller
