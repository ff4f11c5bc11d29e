"""Tasks of users."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accord.errors import require
from accord.identity import accounts
from accord.identity.callers import Caller, Everyone, owned_by, owner_filter, visible_owner
from db.list_query import ListQuery, filter_values
from db.models import Task, User
from db.pagination import CursorSigner, Page
from db.rows import assign, load_live


def _select_task(task: Any) -> Select[*tuple[Any, ...]]:
    columns = [task.id, task.title, task.description, task.status, task.due_date, task.created_at, task.updated_at]
    owner_columns = [User.id.label("owner__id"), User.username.label("owner__username")]
    return select(*columns, *owner_columns).join(User, User.id == task.owner_id)


_FILTERS = {"owner": Task.owner_id, "status": Task.status, "due_before": lambda day: Task.due_date < day}
_TASKS = ListQuery(Task, _select_task, _FILTERS)


def find(
    session: Session,
    cursors: CursorSigner,
    reader: Caller,
    *,
    page: int,
    per_page: int,
    cursor: str | None,
    **filters: Any,
) -> Page:
    """Return a page of the tasks that *reader* may read and that match all filters; raises InvalidCursor."""
    values = filter_values(**filters) | owner_filter("owner", visible_owner(reader, "tasks:all"))
    return _TASKS.find(session, cursors, values, filters, page=page, per_page=per_page, cursor=cursor)


def get(session: Session, reader: Caller, task_id: UUID) -> Task:
    """Return the task if *reader* may read it; raises NotFound."""
    return _load(session, visible_owner(reader, "tasks:all"), task_id)


def create(session: Session, owner_id: UUID, **members: Any) -> Task:
    """Create a task of the owner; raises Unauthenticated if the account is closed."""
    task = Task(owner=accounts.get(session, owner_id), **members)
    session.add(task)
    session.flush()
    return task


def update(session: Session, owner_id: UUID, task_id: UUID, **changes: Any) -> Task:
    """Change members of the owner's task; raises NotFound."""
    task = _load(session, owner_id, task_id)
    assign(task, changes)
    session.flush()
    return task


def delete(session: Session, remover: Caller, task_id: UUID) -> None:
    """Delete the task if *remover* may; raises NotFound."""
    session.delete(_load(session, visible_owner(remover, "tasks:delete"), task_id))
    session.flush()


def _load(session: Session, owner: UUID | Everyone, task_id: UUID) -> Task:
    task = load_live(session, Task, task_id)
    return require("task", task if task and owned_by(task.owner_id, owner) else None)
