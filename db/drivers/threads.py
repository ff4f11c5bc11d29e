"""Runs plain functions in threads of their own, for a database that works in the caller's thread."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

from db.errors import DatabaseUnavailable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ThreadPool:
    """
    Threads that wait for work.

    Handing over costs a third of what an executor takes, which is most of a short read.
    """

    def __init__(self, name: str, *, size: int, timeout: float) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._turns = asyncio.Semaphore(size)
        self._timeout = timeout
        self.waits = 0
        """How often somebody had to wait for a thread so far."""
        self._threads = [Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(size)]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Call the function in a thread; when its caller is cancelled it goes on to its end."""
        await self._turn()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.put((loop, future, copy_context(), function, arguments))
        return await future  # type: ignore[no-any-return]

    def close(self) -> None:
        """Wait until all work is done."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        self.waits += 1
        try:
            async with asyncio.timeout(self._timeout):
                await self._turns.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("All connections to the database are in use.") from error

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, context, function, arguments = job
            try:
                answer, error = context.run(function, *arguments), None
            except BaseException as raised:  # noqa: BLE001  # It is raised where the call is awaited.
                answer, error = None, raised
            loop.call_soon_threadsafe(self._hand_back, future, answer, error)
            del job, future, context, function, arguments, answer, error

    def _hand_back(self, future: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
        self._turns.release()
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)


_Job = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Context, Callable[..., Any], tuple[Any, ...]]
