"""Runs plain functions in threads, for a database that works in the thread of its caller."""

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
    A pool of threads.

    Its overhead is a third of that of `ThreadPoolExecutor`, which would take most of the time of a short read.
    """

    def __init__(self, name: str, *, size: int, timeout: float) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._turns = asyncio.Semaphore(size)
        self._timeout = timeout
        self.waits = 0
        """How often a unit of work has waited for a thread."""
        self._threads = [Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(size)]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Return what the function returns in a thread; if the caller is cancelled, the function runs on to its end."""
        await self._turn()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.put((loop, future, copy_context(), function, arguments))
        return await future  # type: ignore[no-any-return]

    def close(self) -> None:
        """Wait for the work in progress, and end the threads."""
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
