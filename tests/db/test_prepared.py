"""Compiled statements answer as SQLAlchemy would, on the driver's own connection."""

import traceback
from datetime import UTC, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import String, TypeDecorator, bindparam, cast, delete, func, insert, select, text, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.columns import utc_now
from db.drivers import postgresql
from db.drivers.postgresql_messages import run_messages
from db.errors import DatabaseUnavailable, violated_constraint
from db.models import Category, IdempotencyKey, Product
from db.prepared import prepare
from db.unit_of_work import on_rollback
from tests.db.catalogue import BUTTER, GROCERIES, take_one

POSTGRESQL = pytest.mark.parametrize("database_kind", ["postgresql"])

BY_ID = prepare(
    select(
        Product.id,
        Product.price,
        Product.created_at,
        Product.description,
        Category.id.label("category__id"),
        Category.name.label("category__name"),
    )
    .join(Product.category)
    .where(Product.id == bindparam("id"), Product.deleted_at.is_(None), Product.stock >= 1)
)
CREATE = prepare(
    insert(Category).returning(Category.id, Category.version, Category.created_at), values=("name", "name_key")
)
RENAME = prepare(
    update(Category).where(Category.id == bindparam("of_id")).returning(Category.updated_at), values=("name",)
)


def once(tell, perform, mode="read"):
    async def story(database):
        return await database.run(mode, perform)

    return tell(story)


@pytest.mark.parametrize("mode", ["read", "write", "repeatable_read"])
@pytest.mark.parametrize("id_", [BUTTER, str(BUTTER)])
def test_rows_are_nested_dicts_of_values(tell, mode, id_):
    butter = once(tell, lambda session: BY_ID.first(session, id=id_), mode)
    assert str(butter.pop("id")) == str(BUTTER)
    assert str(butter["category"].pop("id")) == str(GROCERIES)
    assert utc_now() - butter["created_at"] < timedelta(minutes=1)
    assert butter.pop("created_at").tzinfo is UTC
    assert str(butter["price"]) == "50.00"
    assert butter == {"price": Decimal(50), "description": None, "category": {"name": "Groceries"}}


def test_nothing_found_is_none(tell):
    assert once(tell, lambda session: BY_ID.first(session, id=UUID(int=9))) is None


def test_it_answers_as_sqlalchemy_does(tell):
    everything = prepare(select(Product.__table__))

    def both(session):
        ours, theirs = everything.first(session), dict(session.execute(everything.statement).mappings().one())
        return [{name: str(value) for name, value in row.items()} for row in (ours, theirs)]

    ours, theirs = once(tell, both)
    assert ours == theirs


def test_any_session_will_do(tell):
    def plain(session):
        with Session(session.connection()) as other:
            return BY_ID.first(other, id=BUTTER)["category"]["name"]

    assert once(tell, plain, "write") == "Groceries"


class Unreadable(TypeDecorator):
    impl = String
    cache_ok = True

    def process_result_value(self, value, dialect):
        raise ValueError(value)


def test_traceback_shows_the_source_that_makes_dicts(tell):
    names = prepare(select(type_coerce(Product.name, Unreadable()).label("name")).where(Product.id == BUTTER))
    with pytest.raises(ValueError, match="Butter") as failed:
        once(tell, names.first)
    assert "return [{'name': p0(c0)} for c0, in rows]" in [frame.line for frame in traceback.extract_tb(failed.tb)]


def test_a_missing_value_is_an_error(tell):
    with pytest.raises(KeyError, match="id"):
        once(tell, BY_ID.first)


def test_inserts_fill_in_defaults(tell):
    created = once(tell, lambda session: CREATE.first(session, name="Toys", name_key="toys"), "write")
    assert UUID(str(created["id"])).version == 7
    assert created["version"] == 1
    assert utc_now() - created["created_at"] < timedelta(minutes=1)


def test_updates_fill_in_what_changes_with_them(tell):
    before = utc_now()
    renamed = once(tell, lambda session: RENAME.first(session, of_id=GROCERIES, name="Food"), "write")
    assert renamed["updated_at"] >= before - timedelta(milliseconds=1)


def test_pending_changes_are_seen(tell):
    total = prepare(select(func.sum(Product.price).label("total")))

    def change(session):
        session.get(Product, BUTTER).price = Decimal("12.34")
        return total.first(session)["total"]

    assert once(tell, change, "write") == Decimal("12.34")


def test_its_own_integrity_errors_name_the_constraint(tell):
    def again(session):
        CREATE.first(session, name="Groceries", name_key="groceries")

    with pytest.raises(IntegrityError) as raised:
        once(tell, again, "write")
    assert violated_constraint(raised.value) == "uq_categories_name_key"
    assert "groceries" not in str(raised.value).lower()


def test_statements_that_return_nothing(tell):
    remove = prepare(delete(IdempotencyKey).where(IdempotencyKey.key == bindparam("key")))
    assert once(tell, lambda session: remove.execute(session, key="k"), "write") is None


def test_lists_of_any_length_are_refused(tell):
    some = prepare(select(Product.id).where(Product.id.in_(bindparam("ids", expanding=True))))
    with pytest.raises(TypeError, match="in_"):
        once(tell, lambda session: some.all(session, ids=[BUTTER]))


def test_it_sees_what_its_transaction_has_done(tell):
    left = prepare(select(Product.stock))

    def sell(session):
        take_one(session)
        return left.first(session)["stock"]

    assert once(tell, sell, "repeatable_read") == 99


LATER = prepare(insert(Category), values=("name", "name_key"))
RENAMED = {"name": "A", "of_id": GROCERIES}
TWO = [{"name": name, "name_key": "same"} for name in ("A", "B")]


@pytest.mark.parametrize("look", [RENAME.all, lambda session, **_: session.scalars(select(Category.name)).all()])
def test_what_runs_later_has_run_before_the_next_statement(tell, look):
    def insert_later(session):
        LATER.execute_later(session, [{"name": name, "name_key": name} for name in ("A", "B")])
        look(session, name="Groceries", of_id=GROCERIES)
        return sorted(session.scalars(select(Category.name)))

    assert once(tell, insert_later, "write") == ["A", "B", "Groceries"]


@pytest.mark.parametrize("mode", ["write", "repeatable_read"])
def test_an_error_of_what_runs_later_is_raised_at_the_commit_and_undoes_all(tell, mode):
    async def story(database):
        for _ in range(3):
            with pytest.raises(IntegrityError) as refused:
                await database.run(mode, lambda session: LATER.execute_later(session, TWO))
            assert violated_constraint(refused.value) == "uq_categories_name_key"
            assert "INSERT INTO categories" in refused.value.statement
        return await database.run("read", lambda session: session.scalars(select(Category.name)).all())

    assert tell(story) == ["Groceries"]


def test_what_returns_rows_cannot_run_later(tell):
    with pytest.raises(TypeError, match="later"):
        once(tell, lambda session: CREATE.execute_later(session, TWO), "write")


@POSTGRESQL
class TestPipeline:
    """BEGIN and what runs later are sent with the next statement, or with COMMIT."""

    SLOW = prepare(
        update(Category).where(
            Category.id == bindparam("of_id"), cast(func.pg_sleep(bindparam("seconds")), String) == "never"
        ),
        values=("name",),
    )
    STOCK = prepare(select(Product.name).where(Product.stock == bindparam("stock")))

    def names(self, session):
        return session.scalars(select(Category.name).order_by(Category.name)).all()

    @pytest.mark.parametrize("mode", ["write", "repeatable_read"])
    @pytest.mark.parametrize("later", [[], [{"name": "C", "name_key": "C"}]])
    def test_argument_that_the_driver_refuses_leaves_nothing_behind(self, tell, mode, later):
        def know(session):
            self.STOCK.all(session, stock=1)
            LATER.execute_later(session, [{"name": "B", "name_key": "B"}])

        def fail(session):
            LATER.execute_later(session, later)
            self.STOCK.all(session, stock=2**40)

        async def story(database):
            await database.run(mode, know)
            with pytest.raises(asyncpg.DataError):
                await database.run(mode, fail)
            level = await database.run("write", lambda session: session.scalar(text("show transaction_isolation")))
            return level, await database.run("write", self.names)

        assert tell(story) == ("read committed", ["B", "Groceries"])

    @pytest.mark.parametrize("after", [[], [{"name": "C", "name_key": "C"}]])
    def test_unit_of_work_outlives_an_argument_that_the_driver_refuses(self, tell, after):
        def go_on(fail, session):
            LATER.execute_later(session, [{"name": "B", "name_key": "B"}])
            with pytest.raises(asyncpg.DataError):
                self.STOCK.all(session, stock=2**40)
            LATER.execute_later(session, after)
            if fail:
                raise LookupError

        async def story(database):
            await database.run("read", lambda session: self.STOCK.all(session, stock=1))
            with pytest.raises(LookupError):
                await database.run("write", go_on, True)
            undone = await database.run("write", self.names)
            await database.run("write", go_on, False)
            return undone, await database.run("write", self.names)

        assert tell(story) == (["Groceries"], ["B", *(row["name"] for row in after), "Groceries"])

    def test_connection_outlives_an_argument_that_the_driver_refuses(self, tell):
        async def story(database):
            pids = []
            for _ in range(2):
                pids.append(
                    await database.run("write", lambda session: session.scalar(text("select pg_backend_pid()")))
                )
                with pytest.raises(asyncpg.DataError):
                    await database.run("write", lambda session: self.STOCK.all(session, stock=2**40))
            return pids

        first, second = tell(story)
        assert first == second

    def test_statement_that_times_out_at_the_commit_has_undone_all(self, tell):
        """COMMIT was skipped, so that what no transaction undoes has to be undone."""
        undone = []

        def fail(session):
            on_rollback(session, undone.append, "file")
            self.SLOW.execute_later(session, [RENAMED | {"seconds": 20}])

        async def story(database):
            # The first time the statement runs before COMMIT, because the connection does not know it.
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await database.run("write", fail)

        tell(story, statement_timeout=1)
        assert undone == ["file"] * 3

    def test_each_statement_has_its_timeout(self, tell, monkeypatch):
        monkeypatch.setattr(postgresql, "_COMMAND_TIMEOUT_MARGIN", 0.1)

        async def story(database):
            await database.run(
                "write", lambda session: self.SLOW.execute_later(session, [RENAMED | {"seconds": 0.4}] * 5)
            )
            return await database.run("read", self.names)

        assert tell(story, statement_timeout=1) == ["Groceries"]


def test_member_of_an_enumeration_is_its_value():
    class Size(str, Enum):  # noqa: UP042  # Its `str` is its name, unlike that of StrEnum.
        SMALL = "s"

    assert run_messages("name", [Size.SMALL]) == run_messages("name", ["s"])
