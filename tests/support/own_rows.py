"""What a process of several does at one database. The module imports little, because each process imports it."""

import asyncio
from functools import partial

from sqlalchemy import String, bindparam, literal, select

from db.database import open_database
from db.prepared import prepare


def count_wrong_rows(url, process):
    """Run statements that only this process has, several at once, and return how many got the rows of another one."""

    async def ask():
        database = open_database(url, pool_size=3, pool_timeout=60)

        def run(number, session):
            own = prepare(select(literal(f"{process}-{number}").label("own"), bindparam("given", type_=String())))
            (row,) = own.all(session, given=f"{number}")
            core = session.execute(select(literal(f"{process}/{number}"), bindparam("x", number))).one()
            return row["own"] == f"{process}-{number}" and tuple(core) == (f"{process}/{number}", number)

        try:
            modes = ("read", "write", "repeatable_read")
            units = (database.run(modes[number % 3], partial(run, number % 40)) for number in range(90))
            return (await asyncio.gather(*units)).count(False)
        finally:
            await database.close()

    return asyncio.run(ask())
