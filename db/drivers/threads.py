"""Threads that run plain functions, for a database that works in the thread of its caller."""

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
    A pool of threads, which start with the first function that they run.

    Its overhead is a third of that of `ThreadPoolExecutor`, which would take most of the time of a short read.
    """

    def __init__(self, name: str, *, size: int, timeout: float) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._slots = asyncio.Semaphore(size)
        self._timeout = timeout
        self.waits = 0
        """Number of units of work that have waited for a thread."""
        self._names = [f"{name}-{n}" for n in range(size)]
        self._threads: list[Thread] = []

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Return the result of the function, run in a thread. It runs to its end if the caller is cancelled."""
        if not self._threads:
            # Only now, because workers may have been forked since this object was created, and threads are not forked.
            self._start_threads()
        await self._acquire_slot()
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

    def _start_threads(self) -> None:
        self._threads = [Thread(target=self._work, name=name, daemon=True) for name in self._names]
        for thread in self._threads:
            thread.start()

    async def _acquire_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        self.waits += 1
        try:
            async with asyncio.timeout(self._timeout):
                await self._slots.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("All connections to the database are in use.") from error

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, context, function, arguments = job
            try:
                result, error = context.run(function, *arguments), None
            except BaseException as exception:  # noqa: BLE001  # It is raised where the call is awaited.
                result, error = None, exception
            loop.call_soon_threadsafe(self._finish, future, result, error)
            # The thread waits for its next job without references to this one.
            del job, future, context, function, arguments, result, error

    def _finish(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._slots.release()
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


_Job = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Context, Callable[..., Any], tuple[Any, ...]]
