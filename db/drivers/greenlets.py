"""Greenlets that run plain functions on the event loop, and are suspended while a coroutine is awaited."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, TypeVarTuple

from greenlet import getcurrent, greenlet

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class GreenletPool:
    """A pool of greenlets, because starting one costs more than a short read."""

    def __init__(self) -> None:
        self._free: list[_Worker] = []

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """
        Return the result of the function. SQLAlchemy's `await_only` inside of it does not block the event loop.

        A cancellation of the caller is raised where the function waits.
        """
        worker = self._free.pop() if self._free else _Worker()
        worker.gr_context = getcurrent().gr_context
        awaited = worker.switch(function, arguments)
        while awaited is not _DONE:
            try:
                value = await awaited
            except BaseException as exception:  # noqa: BLE001  # It is raised in the function.
                awaited = worker.throw(exception)
            else:
                awaited = worker.switch(value)
        result, error = worker.result, worker.exception
        worker.result = None
        worker.exception = None
        worker.gr_context = None
        if len(self._free) < _MAX_FREE:
            self._free.append(worker)
        if error is not None:
            try:
                raise error
            finally:
                # The traceback refers to this frame, so the frame must not refer to the exception.
                del error
        return result  # type: ignore[no-any-return]


_DONE: Any = object()
_MAX_FREE = 100


class _Worker(greenlet):
    # SQLAlchemy's asyncpg dialect awaits only in greenlets with this mark.
    __sqlalchemy_greenlet_provider__: ClassVar = True

    result: Any = None
    exception: BaseException | None = None

    def __init__(self) -> None:
        super().__init__()
        # A greenlet stores the arguments of its first switch as long as it exists, so it gets none.
        self.switch()

    def run(self) -> None:
        parent = self.parent
        assert parent is not None
        while True:
            function, arguments = parent.switch(_DONE)
            try:
                self.result = function(*arguments)
            except BaseException as error:  # noqa: BLE001  # It is raised where the call is awaited.
                self.exception = error
            del function, arguments
