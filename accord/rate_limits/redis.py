"""Counts in Redis, for all server processes together."""

import asyncio
import logging
from collections.abc import Hashable, Sequence
from contextlib import suppress

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from accord.engine.policies.rate_limits import HitResult, Window
from accord.rate_limits.memory import MemoryStorage

log = logging.getLogger(__name__)

_PREFIX = "accord:rate-limit"
_CONNECTIONS = 50
_FAILURES = (RedisError, OSError, TimeoutError)

# All windows of a request in one round trip; what another process does comes before or after it.
_HIT = """
local granted, told = 1, {}
for n, key in ipairs(KEYS) do
  local used, left = tonumber(redis.call('GET', key) or 0), redis.call('PTTL', key)
  if left < 0 then
    used, left = 0, tonumber(ARGV[2 * n])
  elseif used >= tonumber(ARGV[2 * n - 1]) then
    granted = 0
  end
  told[n] = {used, left}
end
if granted == 1 then
  for n, key in ipairs(KEYS) do
    if told[n][1] == 0 then
      redis.call('SET', key, 1, 'PX', ARGV[2 * n])
    else
      redis.call('INCR', key)
    end
    told[n][1] = told[n][1] + 1
  end
end
return {granted, told}
"""


class RedisStorage:
    """
    Counts in the Redis at *url*.

    While that does not answer within *patience* seconds, requests are counted in this process
    instead, and none of them waits: whether it is back is asked once every *pause* seconds.
    `fallbacks` is how many requests were counted here.
    """

    def __init__(self, url: str, *, timeout: float = 1.0, retry_interval: float = 1.0) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, retry=Retry(NoBackoff(), 0), socket_connect_timeout=timeout
        )
        self._redis = Redis.from_pool(pool)
        self._hit = self._redis.register_script(_HIT)
        self._memory = MemoryStorage()
        self._timeout, self._retry_interval = timeout, retry_interval
        self._return: asyncio.Task[None] | None = None
        self.fallbacks = 0

    async def hit(self, windows: Sequence[Window], partition_keys: Sequence[Hashable]) -> HitResult:
        if self._return is None:
            keys = [f"{_PREFIX}:{window.counter}:{who}" for window, who in zip(windows, partition_keys, strict=True)]
            numbers = [number for window in windows for number in (window.quota, window.seconds * 1000)]
            try:
                async with asyncio.timeout(self._timeout):
                    granted, told = await self._hit(keys, numbers)
            except _FAILURES as error:
                self._fall_back(error)
            else:
                return bool(granted), [(used, left / 1000) for used, left in told]
        self.fallbacks += 1
        return await self._memory.hit(windows, partition_keys)

    @property
    def error(self) -> str | None:
        """What is wrong at this moment."""
        return "Redis does not answer; rate limits are counted in each process." if self._return else None

    async def close(self) -> None:
        if self._return:
            self._return.cancel()
        with suppress(*_FAILURES):
            await self._redis.aclose()

    def _fall_back(self, error: Exception) -> None:
        if self._return is None:
            reason = str(error) or type(error).__name__
            log.warning("Redis does not answer (%s); rate limits are counted in this process.", reason)
            self._return = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        """Wait until Redis takes what is written; one that only reads would answer a PING."""
        while self._return:
            await asyncio.sleep(self._retry_interval)
            with suppress(*_FAILURES):
                async with asyncio.timeout(self._timeout):
                    await self._redis.set(f"{_PREFIX}:probe", 1, px=1000)
                self._return = None
        log.warning("Redis answers again; rate limits are counted there.")
