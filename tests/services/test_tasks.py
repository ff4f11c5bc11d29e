"""The order of tasks."""

from uuid import UUID, uuid4

from sqlalchemy import update

from accord.identity.callers import Caller
from db.columns import utc_now
from db.models import Task
from db.pagination import CursorSigner
from services import tasks

CURSORS = CursorSigner(lambda: b"a secret of this test")


def test_tasks_of_one_moment_keep_one_order_on_all_pages(service):
    owner = Caller(service.register().id, uuid4(), "customer", frozenset({"tasks"}))
    made = [service(tasks.create, owner.id, title="Count", status="pending").id for _ in range(7)]
    service(lambda session: session.execute(update(Task).values(created_at=utc_now())))

    def page(**asked):
        return service(tasks.find, CURSORS, owner, **{"page": 1, "cursor": None, "per_page": 2, **asked})

    by_number = [item["id"] for number in range(1, 5) for item in page(page=number)["items"]]
    by_cursor, cursor = [], "*"
    while cursor:
        shown = page(cursor=cursor)
        by_cursor += [item["id"] for item in shown["items"]]
        cursor = shown["next_cursor"]
    assert [UUID(str(task_id)) for task_id in by_number] == sorted(made, reverse=True)
    assert by_cursor == by_number
