"""Runs plain functions on the event loop, in greenlets that are suspended while a coroutine is awaited."""

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
        Return what the function returns; SQLAlchemy's `await_only` inside it does not block the loop.

        A cancellation of the caller is raised where the function waits.
        """
        worker = self._free.pop() if self._free else _Worker()
        worker.gr_context = getcurrent().gr_context
        awaited = worker.switch(function, arguments)
        while awaited is not _DONE:
            try:
                value = await awaited
            except BaseException as error:  # noqa: BLE001  # It is raised in the function.
                awaited = worker.throw(error)
            else:
                awaited = worker.switch(value)
        answer, raised = worker.answer, worker.raised
        worker.answer = None
        worker.raised = None
        worker.gr_context = None
        if len(self._free) < _KEPT:
            self._free.append(worker)
        if raised is not None:
            try:
                raise raised
            finally:
                del raised
        return answer  # type: ignore[no-any-return]


_DONE: Any = object()
_KEPT = 100


class _Worker(greenlet):
    # SQLAlchemy's asyncpg dialect awaits only in greenlets with this mark.
    __sqlalchemy_greenlet_provider__: ClassVar = True

    answer: Any = None
    raised: BaseException | None = None

    def __init__(self) -> None:
        super().__init__()
        # A greenlet keeps the arguments of its first switch as long as it lives, so it gets none.
        self.switch()

    def run(self) -> None:
        parent = self.parent
        assert parent is not None
        while True:
            function, arguments = parent.switch(_DONE)
            try:
                self.answer = function(*arguments)
            except BaseException as error:  # noqa: BLE001  # It is raised where the call is awaited.
                self.raised = error
            del function, arguments
