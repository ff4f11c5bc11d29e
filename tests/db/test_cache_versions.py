"""Every commit that changes what is shown of a noun is counted, whoever makes it, and in whatever way."""

import asyncio
import shutil
import sqlite3
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, text, update

from db.cache_versions import TAGS, CacheVersions
from db.columns import utc_now
from db.database import open_database
from db.errors import DatabaseUnavailable
from db.models import CacheVersion, Category, Post, Product, ProductTag, Tag, User
from tests.db.catalogue import BUTTER, product, take_one

VINOD, NEWS, DAIRY = UUID(int=3), UUID(int=4), UUID(int=5)


def fill(session):
    person = {"username": "vinod", "username_key": "vinod", "email": "vinod@vinod.co", "email_key": "vinod@vinod.co"}
    session.add(User(id=VINOD, **person, role="customer", password_hash="-"))
    session.add(Tag(id=DAIRY, name="Dairy", name_key="dairy"))
    session.flush()
    session.add(ProductTag(product_id=BUTTER, tag_id=DAIRY, position=0))
    session.add(Post(id=NEWS, author_id=VINOD, title="We open", content="On Monday.", published=True, search="-"))


CATALOGUE = {
    "a unit of work": take_one,
    "a batch": lambda session: session.add_all([product("GHEE"), product("MILK")]),
    "a deletion": lambda session: session.delete(session.get(Product, BUTTER)),
    "a statement": lambda session: session.execute(update(Product).values(units_sold=1)),
    "text": lambda session: session.execute(text("update products set stock = 7")),
    "tags taken away": lambda session: session.execute(delete(ProductTag)),
    "a new tag": lambda session: session.execute(insert(Tag).values(name="New", name_key="new")),
    "a tag's name": lambda session: session.execute(update(Tag).values(name="DAIRY")),
    "a new category": lambda session: session.add(Category(name="Books", name_key="books")),
    "a category's name": lambda session: session.execute(update(Category).values(name="Food")),
}
POSTS = {
    "a withdrawal": lambda session: session.execute(update(Post).values(published=False)),
    "the end of a post": lambda session: session.delete(session.get(Post, NEWS)),
    "the author's name": lambda session: session.execute(update(User).values(username="Vinod")),
    "the end of the author": lambda session: session.execute(update(User).values(deleted_at=utc_now())),
}
WAYS = [("catalogue", way) for way in CATALOGUE] + [("posts", way) for way in POSTS]


@pytest.mark.parametrize(("noun", "way"), WAYS)
def test_change_of_what_is_shown_is_counted(tell, noun, way):
    async def story(database):
        await database.run("write", fill)
        generations = CacheVersions(database)
        before = await generations.current()
        await database.run("write", (CATALOGUE | POSTS)[way])
        after = await generations.current()
        assert {name for name in TAGS if before[name] != after[name]} == {noun}
        assert await generations.current() == after

    tell(story)


def test_what_is_rolled_back_is_not_counted(tell):
    def fail(session):
        take_one(session)
        raise LookupError

    async def story(database):
        generations = CacheVersions(database)
        before = await generations.current()
        with pytest.raises(LookupError):
            await database.run("write", fail)
        assert await generations.current() == before

    tell(story)


def test_log_in_changes_nothing_that_is_shown(tell):
    async def story(database):
        await database.run("write", fill)
        generations = CacheVersions(database)
        before = await generations.current()
        await database.run("write", lambda session: session.execute(update(User).values(password_hash="new")))
        assert await generations.current() == before

    tell(story)


class Counted:
    """A database that counts its queries."""

    def __init__(self, database):
        self.database, self.runs = database, 0

    def data_version(self):
        return self.database.data_version()

    async def fetch(self, *arguments):
        self.runs += 1
        return await self.database.fetch(*arguments)


def test_many_who_ask_at_once_ask_the_database_once_or_twice(tell):
    async def story(database):
        counted = Counted(database)
        generations = CacheVersions(counted)
        asked = [asyncio.create_task(generations.current()) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked += [asyncio.create_task(generations.current()) for _ in range(20)]
        assert len({str(found) for found in await asyncio.gather(*asked)}) == 1
        assert counted.runs <= 2

    tell(story)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_sqlite_is_asked_again_only_after_a_commit(tell):
    """Whoever commits; of what is rolled back, nothing is known."""

    async def story(database):
        counted = Counted(database)
        generations = CacheVersions(counted)
        versions = [await generations.current() for _ in range(3)]
        assert counted.runs == 1
        other = sqlite3.connect(tell.url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("begin immediate")
        other.execute("update products set stock = stock - 1")
        versions.append(await generations.current())
        assert counted.runs == 1
        assert versions == versions[:1] * 4
        other.execute("commit")
        assert (await generations.current())["catalogue"] == versions[0]["catalogue"] + 1
        assert counted.runs == 2
        other.execute("update products set stock = stock - 1")
        other.execute("pragma wal_checkpoint(truncate)")
        other.close()
        assert (await generations.current())["catalogue"] == versions[0]["catalogue"] + 2

    tell(story)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_who_asks_without_a_change_does_not_keep_the_wal_from_being_reset(tell):
    async def story(database):
        generations = CacheVersions(database)
        await generations.current()
        await generations.current()
        await database.run("write", take_one)
        await generations.current()
        other = sqlite3.connect(tell.url.removeprefix("sqlite:///"))
        is_busy, left, _ = other.execute("pragma wal_checkpoint(truncate)").fetchone()
        other.close()
        assert (is_busy, left) == (0, 0)

    tell(story)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_database_that_cannot_be_opened_is_unavailable_and_may_come_back(tell, tmp_path):
    async def story(_):
        folder = tmp_path / "later"
        database = open_database(f"sqlite:///{folder / 'shop.db'}")
        generations = CacheVersions(database)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await generations.current()
        folder.mkdir()
        shutil.copy(tell.url.removeprefix("sqlite:///"), folder / "shop.db")
        assert set(await generations.current()) == TAGS
        await database.close()

    tell(story)


def test_who_asks_after_a_commit_gets_what_is_after_it(tell):
    """However many ask, and whatever is under way."""

    async def story(database):
        generations, is_over = CacheVersions(database), False

        async def ask():
            while not is_over:
                await generations.current()
                await asyncio.sleep(0)

        asking = [asyncio.create_task(ask()) for _ in range(5)]
        last = (await generations.current())["catalogue"]
        for _ in range(50):
            await database.run("write", take_one)
            now_is = (await generations.current())["catalogue"]
            assert now_is > last
            last = now_is
        is_over = True
        await asyncio.gather(*asking)

    tell(story)


def test_every_noun_is_counted_from_the_beginning(tell):
    async def story(database):
        nouns = await database.run("read", lambda session: set(session.scalars(select(CacheVersion.tag))))
        assert nouns == TAGS

    tell(story)
