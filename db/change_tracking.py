"""The changes of a unit of work. The ORM records them at a flush, and callers do after statements that bypass it."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, SessionTransaction

from db import Base
from db.session import Change, Pair, UnitOfWorkSession

UNKNOWN: Final = object()
"""The value of a member that was not read or is secret."""


def record_change(session: Session, model: type[Base], object_id: UUID, changed: Mapping[str, Pair]) -> None:
    """
    Record that members of an object have *changed*: old and new value by name.

    Call it for every statement that bypasses the ORM, and for members that are stored as rows of their own. Raises
    TypeError for a session outside a unit of work.
    """
    if not isinstance(session, UnitOfWorkSession):
        raise TypeError("The session does not belong to a unit of work, so its changes cannot be recorded.")
    kinds = _column_kinds(model)
    members = {
        name: (UNKNOWN, UNKNOWN) if kinds.get(name) == "secret" else (old, new)
        for name, (old, new) in changed.items()
        if kinds.get(name) != "derived" and old != new
    }
    if members:
        session.changes.append(Change(model.__tablename__, object_id, members))


@cache
def _column_kinds(model: type[Base]) -> dict[str, str]:
    """Return "derived", "secret" or "" for each column, according to its `info`."""
    return {
        name: next((kind for kind in ("derived", "secret") if column.info.get(kind)), "")
        for name, column in inspect(model).columns.items()
    }


@cache
def _recorded_columns(model: type[Base]) -> list[str]:
    """Return the recorded columns of a model. Models without `id` are part of others and have none."""
    kinds = _column_kinds(model)
    return [name for name, kind in kinds.items() if kind != "derived"] if "id" in kinds else []


@event.listens_for(UnitOfWorkSession, "after_flush")
def _record_flushed(session: UnitOfWorkSession, _: object) -> None:
    for instances, pair in (
        (session.new, _change_of_new),
        (session.dirty, _change_of_updated),
        (session.deleted, _change_of_deleted),
    ):
        for instance in instances:
            model: type[Base] = type(instance)
            if members := _recorded_columns(model):
                record_change(session, model, instance.id, {name: pair(instance, name) for name in members})


def _change_of_new(instance: Any, name: str) -> Pair:
    return None, vars(instance).get(name)


def _change_of_updated(instance: Any, name: str) -> Pair:
    history = inspect(instance).attrs[name].history
    if not history.added:
        return None, None
    return history.deleted[0] if history.deleted else UNKNOWN, history.added[0]


def _change_of_deleted(instance: Any, name: str) -> Pair:
    return vars(instance).get(name, UNKNOWN), None


@event.listens_for(UnitOfWorkSession, "after_transaction_create")
def _mark_savepoint(session: UnitOfWorkSession, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info[transaction] = len(session.changes)


@event.listens_for(UnitOfWorkSession, "after_soft_rollback")
def _return_to_savepoint(session: UnitOfWorkSession, transaction: SessionTransaction) -> None:
    if transaction.nested:
        del session.changes[session.info[transaction] :]
