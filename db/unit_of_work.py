"""Functions of a unit of work: hooks for its commit, rollback and failure, and slow calls outside of it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from zlib import crc32

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from db.session import Call, CallResults, UnitOfWorkSession

T = TypeVar("T")


def run_in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """
    Return the result of a slow function, which runs in a thread while other requests are served.

    Close the session before, so that it holds no connection and no lock meanwhile.
    """
    if in_greenlet():
        return await_only(asyncio.to_thread(function, *arguments))
    return function(*arguments)


def run_outside_transaction(session: Session, function: Callable[..., T], *arguments: Any) -> T:
    """
    Return the result of a slow function, which is called while this unit of work has no transaction.

    If the unit of work has a transaction, because it has claimed an idempotency key or compared an entity tag, it is
    rolled back, and runs again from its beginning after the call. It must then make the same calls, or RuntimeError is
    raised.
    """
    if not isinstance(session, UnitOfWorkSession):
        return function(*arguments)
    call, results = (function, arguments), session.outside_results
    if session.outside_call_count == len(results):
        if session.has_connection:
            raise RestartUnitOfWork(call, results)
        results.append((call, function(*arguments)))
    elif results[session.outside_call_count][0] != call:
        raise RuntimeError("The repeated unit of work makes another call outside its transaction than the first time.")
    session.outside_call_count += 1
    return results[session.outside_call_count - 1][1]  # type: ignore[no-any-return]


def on_commit(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """Call the function after the commit of the session's unit of work. It is not called after a rollback."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so it has no commit hooks.")
    session.commit_hooks.append(partial(function, *arguments))


def on_rollback(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """
    Call the function when the session's unit of work, or one attempt at it, is rolled back.

    It undoes effects outside of the database, such as a file that was written. It is not called after a commit, or if
    the result of the commit is unknown.
    """
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so it has no rollback hooks.")
    session.rollback_hooks.append(partial(function, *arguments))


def on_failure(session: Session, function: Callable[..., object], *arguments: Any) -> None:
    """Run `function(*arguments, session)` in a new unit of work if this one fails, but not if it is retried."""
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so it has no failure hooks.")
    session.failure_hooks.append(partial(function, *arguments))


def lock_exclusively(session: Session, name: str) -> None:
    """
    Wait until no other unit of work has the lock *name*, and hold it until the end of the transaction.

    On SQLite, the unit of work is the only writer from now on.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(crc32(name.encode()))))


class RestartUnitOfWork(BaseException):
    """The unit of work must run again after *call*. As a BaseException, it passes `except Exception`."""

    def __init__(self, call: Call, results: CallResults) -> None:
        super().__init__(call)
        self.call = call
        self.results = results

    def resume(self, function: Callable[..., T]) -> Callable[..., T]:
        """Return a function that calls *function* with a session that has the results of the calls so far."""

        def run_with_results(*arguments: Any) -> T:
            arguments[-1].outside_results = self.results
            return function(*arguments)

        return run_with_results
