"""Rate limit storage in Redis, for all server processes together."""

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

# One round trip for all windows of a request. Redis runs scripts one after the other, so counts are exact.
_HIT = """
local granted, usage = 1, {}
for n, key in ipairs(KEYS) do
  local used, left = tonumber(redis.call('GET', key) or 0), redis.call('PTTL', key)
  if left < 0 then
    used, left = 0, tonumber(ARGV[2 * n])
  elseif used >= tonumber(ARGV[2 * n - 1]) then
    granted = 0
  end
  usage[n] = {used, left}
end
if granted == 1 then
  for n, key in ipairs(KEYS) do
    if usage[n][1] == 0 then
      redis.call('SET', key, 1, 'PX', ARGV[2 * n])
    else
      redis.call('INCR', key)
    end
    usage[n][1] = usage[n][1] + 1
  end
end
return {granted, usage}
"""


class RedisStorage:
    """
    Counts requests in the Redis at *url*.

    If Redis does not answer within *timeout* seconds, requests are counted in this process instead, without waiting,
    until Redis is available again. This is tried every *retry_interval* seconds. `fallbacks` is the number of requests
    that were counted in this process.
    """

    def __init__(self, url: str, *, timeout: float = 1.0, retry_interval: float = 1.0) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, retry=Retry(NoBackoff(), 0), socket_connect_timeout=timeout
        )
        self._redis = Redis.from_pool(pool)
        self._hit = self._redis.register_script(_HIT)
        self._memory = MemoryStorage()
        self._timeout, self._retry_interval = timeout, retry_interval
        self._recovery: asyncio.Task[None] | None = None
        self.fallbacks = 0

    async def hit(self, windows: Sequence[Window], partition_keys: Sequence[Hashable]) -> HitResult:
        if self._recovery is None:
            keys = [f"{_PREFIX}:{window.counter}:{key}" for window, key in zip(windows, partition_keys, strict=True)]
            numbers = [number for window in windows for number in (window.quota, window.seconds * 1000)]
            try:
                async with asyncio.timeout(self._timeout):
                    granted, usage = await self._hit(keys, numbers)
            except _FAILURES as error:
                self._fall_back(error)
            else:
                return bool(granted), [(used, left / 1000) for used, left in usage]
        self.fallbacks += 1
        return await self._memory.hit(windows, partition_keys)

    @property
    def error(self) -> str | None:
        """The current error, for the health check, or None."""
        return "Redis does not answer; rate limits are counted in each process." if self._recovery else None

    async def close(self) -> None:
        if self._recovery:
            self._recovery.cancel()
        with suppress(*_FAILURES):
            await self._redis.aclose()

    def _fall_back(self, error: Exception) -> None:
        if self._recovery is None:
            reason = str(error) or type(error).__name__
            log.warning("Redis does not answer (%s); rate limits are counted in this process.", reason)
            self._recovery = asyncio.create_task(self._wait_for_redis())

    async def _wait_for_redis(self) -> None:
        """Wait until Redis accepts a write. A read-only replica would answer a PING, too."""
        while self._recovery:
            await asyncio.sleep(self._retry_interval)
            with suppress(*_FAILURES):
                async with asyncio.timeout(self._timeout):
                    await self._redis.set(f"{_PREFIX}:probe", 1, px=1000)
                self._recovery = None
        log.warning("Redis answers again; rate limits are counted there.")
