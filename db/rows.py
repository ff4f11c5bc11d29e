"""Functions that load, change and write rows, and translate violated constraints into errors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, inspect, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import Base
from db.change_tracking import record_change
from db.errors import violated_constraint
from db.prepared import prepare

Row = TypeVar("Row", bound=Base)

Constraints = Mapping[str, Callable[[], Exception]]
"""Functions that return the exception for a violated constraint or unique index, by its name."""
Taken = list[tuple[str | None, str]]
"""Unique members whose values other rows have: the pointer to the row, or None if it is unknown, and the member."""


def load_live(session: Session, model: type[Row], row_id: UUID) -> Row | None:
    """Return the row with this id; None if it does not exist or is deleted."""
    row = session.get(model, row_id)
    return row if row is not None and getattr(row, "deleted_at", None) is None else None


def load_deleted(session: Session, model: type[Row], row_id: UUID) -> Row | None:
    """Return the deleted row with this id; None if it does not exist or is not deleted."""
    row = session.get(model, row_id)
    return row if row is not None and getattr(row, "deleted_at", None) is not None else None


def assign(row: Base, changes: Mapping[str, Any]) -> None:
    """Set the attributes of *row* that *changes* names."""
    for name, value in changes.items():
        setattr(row, name, value)


class RowUpdate:
    """
    Prepared statements that change columns of a live row, at a third of the cost of the ORM.

    The row is locked until the end of the transaction, so that the audit log has its values before the change.
    """

    def __init__(self, model: type[Base], *names: str) -> None:
        """*names* are the columns that can change. The model is `Versioned` and has `deleted_at`."""
        columns = inspect(model).columns
        is_row = columns["id"] == bindparam("of_id")
        live = select(*(columns[name] for name in names)).where(is_row, columns["deleted_at"].is_(None))
        self._model = model
        self._lock = prepare(live.with_for_update(key_share=True))
        self._update = prepare(update(model).where(is_row).values(version=columns["version"] + 1), values=names)

    def apply(self, session: Session, row_id: UUID, changes: Mapping[str, Any]) -> dict[str, Any] | None:
        """
        Change the columns that *changes* names, and return their values before; None if there is no such row.

        The row is written before the session's next statement, which then raises the violation of a constraint.
        """
        before = self._lock.first(session, of_id=row_id)
        if before is not None and any(before[name] != value for name, value in changes.items()):
            self._update.execute_later(session, [{**before, **changes, "of_id": row_id}])
            record_change(
                session, self._model, row_id, {name: (before[name], value) for name, value in changes.items()}
            )
        return before


def flush(session: Session, constraints: Constraints) -> None:
    """Write pending changes. Raises the exception of the constraint that they violate."""
    with translate_violations(constraints):
        session.flush()


@contextmanager
def translate_violations(constraints: Constraints) -> Iterator[None]:
    """Raise the exception of a violated constraint instead of IntegrityError, which stays for other constraints."""
    try:
        yield
    except IntegrityError as error:
        make_exception = constraints.get(violated_constraint(error))
        if make_exception is None:
            raise
        raise make_exception() from error


def flush_unique(
    session: Session,
    rows: Mapping[str, Base],
    members: Mapping[str, tuple[str, Any]],
    conflict: Callable[[Taken], Exception],
) -> None:
    """
    Write pending changes of *rows*, by the pointers to them. Raises `conflict(taken)` if unique values are taken.

    *members* has the unique index of each unique member, and the column that the index compares. `taken` has every
    member of the rows whose value another live row, or an earlier row of *rows*, has. It is queried after a rollback.
    All rows must have their ids before the flush, and their model needs the column `deleted_at`.
    """
    model = type(next(iter(rows.values())))
    values = [
        (pointer, member, getattr(row, column.key), row.id)  # type: ignore[attr-defined]
        for pointer, row in rows.items()
        for member, (_, column) in members.items()
    ]

    assert all(row_id is not None for *_, row_id in values)

    def make_conflict(member: str) -> Exception:
        # The unit of work has failed. After the rollback of its rows, only other rows have the values.
        session.rollback()
        holders = _holders(session, model, members, values)
        taken: Taken = [
            (pointer, member)
            for pointer, member, value, row_id in values
            if value is not None and holders.setdefault((member, value), row_id) != row_id
        ]
        # The row that had the value may have been deleted in the meantime.
        only_pointer = next(iter(rows)) if len(rows) == 1 else None
        return conflict(taken or [(only_pointer, member)])

    flush(session, {index: partial(make_conflict, member) for member, (index, _) in members.items()})


def _holders(
    session: Session, model: Any, members: Mapping[str, tuple[str, Any]], values: list[tuple[str, str, Any, UUID]]
) -> dict[tuple[str, Any], UUID]:
    """Return the ids of the live rows that have the values of unique members, by member and value."""
    holders: dict[tuple[str, Any], UUID] = {}
    for member, (_, column) in members.items():
        candidates = [value for _, name, value, _ in values if name == member and value is not None]
        statement = select(column, model.id).where(column.in_(candidates), model.deleted_at.is_(None))
        holders |= {(member, value): row_id for value, row_id in session.execute(statement)}
    return holders
