"""Rows by id: load and change them, and write them with the error of each constraint that refuses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import Base
from db.errors import violated_constraint

Row = TypeVar("Row", bound=Base)

Constraints = Mapping[str, Callable[[], Exception]]
"""What makes the exception to raise when a constraint or unique index refuses, by the name of that."""
Taken = list[tuple[str | None, str]]
"""The unique members whose values other rows have: the pointer to the row, None if it is unknown, and the member."""


def load_live(session: Session, model: type[Row], row_id: UUID) -> Row | None:
    """Return the row with this id; None if there is none, or if it is deleted."""
    row = session.get(model, row_id)
    return row if row is not None and getattr(row, "deleted_at", None) is None else None


def load_deleted(session: Session, model: type[Row], row_id: UUID) -> Row | None:
    """Return the deleted row with this id; None if there is none, or if it is not deleted."""
    row = session.get(model, row_id)
    return row if row is not None and getattr(row, "deleted_at", None) is not None else None


def assign(row: Base, changes: Mapping[str, Any]) -> None:
    """Set the attributes of *row* that *changes* names."""
    for name, value in changes.items():
        setattr(row, name, value)


def flush(session: Session, constraints: Constraints) -> None:
    """Write pending changes; raises the exception of the constraint that refuses them."""
    with translate_violations(constraints):
        session.flush()


@contextmanager
def translate_violations(constraints: Constraints) -> Iterator[None]:
    """Raise the exception of the constraint instead of IntegrityError; one of another constraint stays."""
    try:
        yield
    except IntegrityError as error:
        make = constraints.get(violated_constraint(error))
        if make is None:
            raise
        raise make() from error


def flush_unique(
    session: Session,
    rows: Mapping[str, Base],
    members: Mapping[str, tuple[str, Any]],
    conflict: Callable[[Taken], Exception],
) -> None:
    """
    Write pending changes of *rows*, each by the pointer to it; raises `conflict(taken)` if unique values are taken.

    *members* has the unique index of each unique member, and the column that the index compares. `taken` has every
    member of the rows whose value a live row, or a row before in *rows*, has; it is looked up after a rollback.
    """
    model = type(next(iter(rows.values())))
    wanted = [
        (pointer, member, getattr(row, column.key), row.id)  # type: ignore[attr-defined]
        for pointer, row in rows.items()
        for member, (_, column) in members.items()
    ]

    def refused(member: str) -> Exception:
        # The unit of work has failed; without what it wrote, only other rows have the values.
        session.rollback()
        holders = _holders(session, model, members, wanted)
        taken: Taken = [
            (pointer, member)
            for pointer, member, value, row_id in wanted
            if value is not None and holders.setdefault((member, value), row_id) != row_id
        ]
        # The row that had the value may be gone by now.
        only = next(iter(rows)) if len(rows) == 1 else None
        return conflict(taken or [(only, member)])

    flush(session, {index: partial(refused, member) for member, (index, _) in members.items()})


def _holders(
    session: Session, model: Any, members: Mapping[str, tuple[str, Any]], wanted: list[tuple[str, str, Any, UUID]]
) -> dict[tuple[str, Any], UUID]:
    holders: dict[tuple[str, Any], UUID] = {}
    for member, (_, column) in members.items():
        values = [value for _, of, value, _ in wanted if of == member and value is not None]
        held = select(column, model.id).where(column.in_(values), model.deleted_at.is_(None))
        holders |= {(member, value): row_id for value, row_id in session.execute(held)}
    return holders
