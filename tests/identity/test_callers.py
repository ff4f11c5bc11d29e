"""An owner is one user or EVERYONE; a missing owner opens nothing."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from accord.identity import users
from accord.identity.callers import EVERYONE, Caller, owned_by, owner_filter, visible_owner
from db.models import File, Order, Task
from db.pagination import FIRST, CursorSigner
from services import files, orders, tasks

CURSORS = CursorSigner(lambda: b"a secret of this test")
ID = UUID("0190a0c2-6a57-7d0e-8f0b-3f6f2f7c1a11")
PAGE = {"page": 1, "per_page": 10}


def test_visible_owner_is_everyone_with_the_scope_only():
    caller = Caller(uuid4(), uuid4(), "customer", frozenset({"orders"}))
    assert visible_owner(caller, "orders:all") == caller.id
    assert visible_owner(Caller(caller.id, None, "admin", frozenset({"orders:all"})), "orders:all") is EVERYONE


def test_rows_belong_to_their_owner_and_to_everyone():
    assert owned_by(ID, ID)
    assert owned_by(ID, EVERYONE)
    assert not owned_by(ID, uuid4())
    assert owner_filter("owner", ID) == {"owner": ID}
    assert owner_filter("owner", EVERYONE) == {}


@pytest.mark.parametrize("wrong", [None, "", "everyone", str(ID), ID.int, False])
def test_anything_else_is_no_owner(wrong):
    with pytest.raises(TypeError, match="UUID or EVERYONE"):
        owned_by(ID, wrong)
    with pytest.raises(TypeError, match="UUID or EVERYONE"):
        owner_filter("owner", wrong)


@pytest.fixture(scope="module")
def owned(service):
    """A file, an order and a task of one user, without what they are of: their owner is what matters here."""
    owner_id = service.register().id

    def make(session):
        file = File(name="a.pdf", name_key="a.pdf", media_type="application/pdf", bytes=1, sha256="0" * 64,
                    storage_key=uuid4().hex, owner_id=owner_id)  # fmt: skip
        order = Order(number=uuid4().hex[:11], owner_id=owner_id, status="pending", total=Decimal(1))
        task = Task(title="Count", status="pending", owner_id=owner_id)
        session.add_all([file, order, task])
        session.flush()
        return {"file": file.id, "order": order.id, "task": task.id, "user": owner_id}

    return service(make)


WAYS = {
    "files.find": lambda session, owner, _: files.find(session, owner, **PAGE),
    "files.get": lambda session, owner, ids: files.get(session, owner, ids["file"]),
    "files.update": lambda session, owner, ids: files.update(session, owner, ids["file"], description="Mine."),
    "files.delete": lambda session, owner, ids: files.delete(session, None, owner, ids["file"]),
    "files.content": lambda session, owner, ids: files.download(session, None, owner, ids["file"]),
    "orders.find": lambda session, owner, _: orders.find(session, CURSORS, owner, cursor=FIRST, per_page=10),
    "orders.get": lambda session, owner, ids: orders.get(session, owner, ids["order"]),
    "orders.update": lambda session, owner, ids: orders.update(
        session, owner, ids["order"], may_reference_customers=True
    ),
    "orders.set_status": lambda session, owner, ids: orders.set_status(session, owner, ids["order"], "paid"),
    "orders.cancel": lambda session, owner, ids: orders.cancel(session, owner, ids["order"]),
    "users.get": lambda session, owner, ids: users.get(session, owner, ids["user"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_none_opens_nothing(service, owned, way):
    with pytest.raises(TypeError, match="UUID or EVERYONE"):
        service(lambda session: WAYS[way](session, None, owned))


@pytest.mark.parametrize("way", ["orders.get", "orders.find", "files.get", "files.find", "users.get"])
def test_everyone_opens_all(service, owned, way):
    assert service(lambda session: WAYS[way](session, EVERYONE, owned))


def test_caller_without_an_id_sees_no_tasks(service, owned):
    nobody = Caller(None, uuid4(), "customer", frozenset({"tasks"}))
    with pytest.raises(TypeError, match="UUID or EVERYONE"):
        service(lambda session: tasks.get(session, nobody, owned["task"]))
    with pytest.raises(TypeError, match="UUID or EVERYONE"):
        service(lambda session: tasks.find(session, CURSORS, nobody, **PAGE, cursor=None))
