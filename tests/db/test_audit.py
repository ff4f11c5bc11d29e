"""Who changed what is written by the transaction that changes it, in whatever way it does."""

import asyncio
import re
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from db import Base, audit
from db.change_tracking import UNKNOWN, record_change
from db.columns import utc_now
from db.models import AuditEvent, Category, Product, User
from db.unit_of_work import on_failure
from tests.db.catalogue import BUTTER, GROCERIES, product, take_one

ACTOR, PERSON = UUID(int=7), UUID(int=8)


def user(**members):
    named = {"username": "vinod", "username_key": "vinod", "email": "v@shop.example", "email_key": "v@shop.example"}
    return User(id=PERSON, **named, role="customer", password_hash="$argon2id$first", **members)


def followed(change):
    """A unit of work that does this, and is followed."""

    def perform(session):
        audit.track(session, actor=ACTOR, operation="change_it", request_id="request-1")
        return change(session)

    return perform


def events(session):
    rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    return [(row.object_type, row.object_id, row.changes) for row in rows]


@pytest.fixture
def left(tell):
    """The events that these changes leave, one unit of work each."""

    def left(*changes):
        async def story(database):
            for change in changes:
                await database.run("write", followed(change))
            return await database.run("read", events)

        return tell(story)

    return left


def change_butter(**members):
    def change(session):
        butter = session.get(Product, BUTTER)
        for name, value in members.items():
            setattr(butter, name, value)

    return change


def test_event_says_who_what_when_and_in_which_request(tell):
    async def story(database):
        before = utc_now()
        await database.run("write", followed(take_one))
        return before, (await database.run("read", lambda session: session.scalars(select(AuditEvent)).one()))

    before, event = tell(story)
    assert (event.actor_id, event.action, event.request_id) == (ACTOR, "change_it", "request-1")
    assert before <= event.at <= utc_now()


def test_what_is_made_has_its_values(left):
    made = Category(id=PERSON, name="Dairy", name_key="dairy")
    assert left(lambda session: session.add(made)) == [("categories", PERSON, {"name": {"from": None, "to": "Dairy"}})]


def test_what_is_changed_has_what_it_was_and_is(left):
    assert left(change_butter(price=Decimal("45.00"), description="Salted.", category_id=GROCERIES)) == [
        (
            "products",
            BUTTER,
            {"price": {"from": "50.00", "to": "45.00"}, "description": {"from": None, "to": "Salted."}},
        )
    ]


def test_what_is_deleted_has_what_it_was(left):
    made = Category(id=PERSON, name="Dairy", name_key="dairy")
    *_, last = left(lambda session: session.add(made), lambda session: session.delete(session.get(Category, PERSON)))
    assert last == ("categories", PERSON, {"name": {"from": "Dairy", "to": None}})


def test_secrets_are_named_without_their_values(left):
    def renew(session):
        session.get(User, PERSON).password_hash = "$argon2id$second"

    def renew_without_the_orm(session):
        session.execute(update(User).values(password_hash="$argon2id$third"))
        record_change(session, User, PERSON, {"password_hash": ("$argon2id$second", "$argon2id$third")})

    first, *others = left(lambda session: session.add(user()), renew, renew_without_the_orm)
    assert first[2]["password_hash"] == {}
    assert others == [("users", PERSON, {"password_hash": {}})] * 2


def test_columns_that_sound_secret_are_marked():
    for table in Base.metadata.tables.values():
        if "id" in table.columns:
            secret = [c for c in table.columns if re.search("password|secret|token|hash$", c.name)]
            assert [str(column) for column in secret if not column.info.get("secret")] == []


def test_what_the_orm_would_not_note_is_not_left_to_it():
    """The ORM does not tell of rows that it deletes because their owner let go of them."""
    for mapper in Base.registry.mappers:
        for relation in mapper.relationships:
            assert not (relation.cascade.delete_orphan and "id" in relation.mapper.columns), relation


def test_changes_of_one_object_are_one_event_from_the_first_to_the_last(left):
    def change_twice(session):
        take_one(session)
        take_one(session)
        record_change(session, Product, BUTTER, {"tags": ([], ["Dairy"])})

    changes = {"stock": {"from": 100, "to": 98}, "tags": {"from": [], "to": ["Dairy"]}}
    assert left(change_twice) == [("products", BUTTER, changes)]


def test_what_was_undone_or_was_so_before_leaves_none(left):
    def undo(session):
        take_one(session)
        session.get(Product, BUTTER).stock += 1
        session.flush()
        record_change(session, Product, BUTTER, {"name": ("Amul", "Amul"), "name_key": ("amul", "other")})

    assert left(undo, change_butter(stock=100), lambda _: None) == []


def test_member_that_nobody_had_read_has_no_before(left):
    said = left(lambda session: record_change(session, Product, BUTTER, {"stock": (UNKNOWN, 5)}))
    assert said == [("products", BUTTER, {"stock": {"to": 5}})]


def test_long_texts_are_cut_and_still_change(left):
    long = "é" * 300
    (event,) = left(change_butter(description=long), change_butter(description=long + "!"))[1:]
    assert {len(value) for value in event[2]["description"].values()} == {200}


def test_many_objects_leave_an_event_each(left):
    many = [product(f"SKU-{n}") for n in range(100)]
    assert len({object_id for _, object_id, _ in left(lambda session: session.add_all(many))}) == 100


def test_unit_that_nobody_follows_leaves_none(tell):
    async def story(database):
        await database.run("write", take_one)
        return await database.run("read", events)

    assert tell(story) == []


def test_what_is_rolled_back_leaves_none(tell):
    def fail(session):
        take_one(session)
        raise LookupError

    def start_over(session):
        take_one(session)
        session.rollback()
        session.get(Product, BUTTER).name = "Butter"

    def add_two(session):
        with session.begin_nested():
            session.add(product("SALT"))
            session.flush()
            session.add(product("BUTTER"))

    def return_to_savepoint(session):
        session.get(Product, BUTTER).stock = 1
        with pytest.raises(IntegrityError):
            add_two(session)
        with session.begin_nested():
            record_change(session, Product, BUTTER, {"tags": ([], ["Dairy"])})

    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", followed(fail))
        for change in (start_over, return_to_savepoint):
            await database.run("write", followed(change))
        return [changes for _, _, changes in await database.run("read", events)]

    assert tell(story) == [
        {"name": {"from": "Amul Butter", "to": "Butter"}},
        {"stock": {"from": 100, "to": 1}, "tags": {"from": [], "to": ["Dairy"]}},
    ]


def test_work_that_is_done_again_leaves_its_events_once(tell):
    tries = []

    def overtaken(session):
        take_one(session)
        tries.append(1)
        if len(tries) == 1:
            raise StaleDataError

    async def story(database):
        await database.run("write", followed(overtaken))
        return await database.run("read", events)

    assert tell(story) == [("products", BUTTER, {"stock": {"from": 100, "to": 99}})]


def test_work_that_is_kept_although_the_rest_is_refused_leaves_its_events(tell):
    def refuse(session):
        session.get(Product, BUTTER).name = "Never"
        on_failure(session, take_one)
        raise LookupError

    async def story(database):
        with pytest.raises(LookupError):
            await database.run("write", followed(refuse))
        return await database.run("read", lambda session: (events(session), session.scalars(select(AuditEvent)).one()))

    left, event = tell(story)
    assert left == [("products", BUTTER, {"stock": {"from": 100, "to": 99}})]
    assert (event.actor_id, event.action, event.request_id) == (ACTOR, "change_it", "request-1")


def test_events_that_cannot_be_written_undo_the_change(tell):
    def forget_the_table(session):
        take_one(session)
        session.execute(text("alter table audit_events rename to gone"))

    async def story(database):
        with pytest.raises(Exception, match="audit_events"):
            await database.run("write", followed(forget_the_table))
        return await database.run("read", lambda session: session.get(Product, BUTTER).stock)

    assert tell(story) == 100


@pytest.mark.parametrize("statement", [update(AuditEvent).values(action="nothing"), delete(AuditEvent)])
def test_database_refuses_to_change_or_delete_events(tell, statement):
    async def story(database):
        await database.run("write", followed(take_one))
        with pytest.raises(DBAPIError, match="append-only"):
            await database.run("write", lambda session: session.execute(statement))
        return await database.run("read", events)

    assert len(tell(story)) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_postgresql_refuses_to_empty_the_table(tell):
    async def story(database):
        with pytest.raises(DBAPIError, match="append-only"):
            await database.run("write", lambda session: session.execute(text("truncate audit_events")))

    tell(story)


def test_units_at_once_do_not_mix_their_events(tell):
    def make(n, session):
        audit.track(session, actor=ACTOR, operation="make", request_id=f"request-{n}")
        session.add(product(f"SKU-{n}"))

    async def story(database):
        await asyncio.gather(*[database.run("write", make, n) for n in range(20)])
        return await database.run("read", lambda session: session.scalars(select(AuditEvent)).all())

    assert {(e.request_id, e.changes["sku"]["to"]) for e in tell(story)} == {
        (f"request-{n}", f"SKU-{n}") for n in range(20)
    }


def test_other_sessions_are_neither_followed_nor_told():
    with pytest.raises(TypeError):
        audit.track(Session(), actor=None, operation="x", request_id="y")
    with pytest.raises(TypeError):
        record_change(Session(), Product, BUTTER, {})
