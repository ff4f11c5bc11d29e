"""Hooks of a unit of work: slow calls outside it, and calls that follow its commit or rollback."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.orm import Session
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from db.session import Call, Returned, UnitOfWorkSession

T = TypeVar("T")


def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """
    Return what a slow function returns; other requests are served while it runs in a thread.

    Close the session before, so that it holds no connection and no lock meanwhile.
    """
    if in_greenlet():
        return await_only(asyncio.to_thread(function, *arguments))
    return function(*arguments)


def run_outside_transaction(session: Session, function: Callable[..., T], *arguments: Any) -> T:
    """
    Return what a slow function returns, which is called while this unit of work has no transaction.

    A unit that has one already, because it has claimed a key or compared a tag, is rolled back, and run again from its
    beginning when the function has returned. It must make the same calls then, or RuntimeError is raised.
    """
    if not isinstance(session, UnitOfWorkSession):
        return function(*arguments)
    call, returned = (function, arguments), session.outside_results
    if session.outside_calls == len(returned):
        if session.has_connection:
            raise RestartUnitOfWork(call, returned)
        returned.append((call, function(*arguments)))
    elif returned[session.outside_calls][0] != call:
        raise RuntimeError("The repeated unit of work makes another call outside its transaction than the first time.")
    session.outside_calls += 1
    return returned[session.outside_calls - 1][1]  # type: ignore[no-any-return]


def on_commit(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """Call the function after the commit of the session's unit of work, and never after a rollback."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so it has no commit hooks.")
    session.commit_hooks.append(partial(function, *arguments))


def on_rollback(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """
    Call the function when the session's unit of work, or one attempt at it, is rolled back.

    It undoes what no transaction can, such as a file that was written. It is not called after a
    commit, nor when the result of the commit is unknown.
    """
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so it has no rollback hooks.")
    session.rollback_hooks.append(partial(function, *arguments))


def on_failure(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """Run `perform(*arguments, session)` in a unit of work of its own if this one fails, but not if it is retried."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so it has no rollback hooks.")
    session.failure_units.append(partial(function, *arguments))


class RestartUnitOfWork(BaseException):
    """The unit of work must run again after this call. `except Exception` must not catch it."""

    def __init__(self, call: Call, returned: Returned) -> None:
        super().__init__(call)
        self.call, self.returned = call, returned

    def resumed(self, function: Callable[..., T]) -> Callable[..., T]:
        def knowing(*arguments: Any) -> T:
            arguments[-1].outside_results = self.returned
            return function(*arguments)

        return knowing
