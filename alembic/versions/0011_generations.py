"""How often what caches keep has changed: counted by triggers, whoever changes it."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

STRIPES = 32
"""Rows that a noun is counted in, so that those who write at once seldom wait for each other; SQLite has one writer."""
ALL = ("INSERT", "UPDATE", "DELETE")
SHOWN = {
    "catalogue": {"products": ALL, "product_tags": ALL, "tags": ALL, "categories": ALL},
    "posts": {"posts": ALL, "users": ("UPDATE OF username, deleted_at",)},
}
"""Which changes of which tables are seen in what."""
COUNT = "UPDATE generations SET changes = changes + 1 WHERE noun ="


def upgrade() -> None:
    generations = op.create_table(
        "generations",
        sa.Column("noun", sa.String(40), nullable=False),
        sa.Column("stripe", sa.Integer(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("noun", "stripe", name="pk_generations"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    stripes = range(1 if is_sqlite else STRIPES)
    op.bulk_insert(generations, [{"noun": noun, "stripe": n, "changes": 0} for noun in SHOWN for n in stripes])
    if not is_sqlite:
        op.execute(
            "CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{COUNT} TG_ARGV[0] AND stripe = pg_backend_pid() % {STRIPES}; RETURN NULL; END $$"
        )
    for noun, table, name, change in _triggers():
        does = f"BEGIN {COUNT} '{noun}'; END" if is_sqlite else f"EXECUTE FUNCTION count_change('{noun}')"
        op.execute(f"CREATE TRIGGER {name} AFTER {change} ON {table} {does}")


def downgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for _, table, name, _ in _triggers():
        op.execute(f"DROP TRIGGER {name}" if is_sqlite else f"DROP TRIGGER {name} ON {table}")
    if not is_sqlite:
        op.execute("DROP FUNCTION count_change()")
    op.drop_table("generations")


def _triggers() -> Iterator[tuple[str, str, str, str]]:
    """Yield the noun, the table, the name and the change of each trigger; on PostgreSQL it is one for a statement."""
    for noun, tables in SHOWN.items():
        for table, changes in tables.items():
            for change in changes:
                yield noun, table, f"{table}_count_{change.split()[0].lower()}", change
