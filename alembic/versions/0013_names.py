"""Rename `generations`, `order_years` and the column `stored_as` to the terms that the code uses."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

SHARDS = 32
ALL = ("INSERT", "UPDATE", "DELETE")
TABLES_BY_TAG = {
    "catalogue": {"products": ALL, "product_tags": ALL, "tags": ALL, "categories": ALL},
    "posts": {"posts": ALL, "users": ("UPDATE OF username, deleted_at",)},
}
"""Tables of each cache tag, and the changes of them that change its responses."""

VERSIONS = ("cache_versions", "tag", "shard", "version")
GENERATIONS = ("generations", "noun", "stripe", "changes")
FILES = ("files", "photos")


def upgrade() -> None:
    _replace_versions(GENERATIONS, VERSIONS)
    _replace_counters("order_years", "order_counters")
    for table in FILES:
        _rename_column(table, "stored_as", "storage_key")


def downgrade() -> None:
    for table in FILES:
        _rename_column(table, "storage_key", "stored_as")
    _replace_counters("order_counters", "order_years")
    _replace_versions(VERSIONS, GENERATIONS)


def _replace_versions(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    # The triggers refer to the table, so they are dropped before it and created after it.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for _, table, name, _ in _triggers():
        op.execute(f"DROP TRIGGER {name}" if is_sqlite else f"DROP TRIGGER {name} ON {table}")
    if not is_sqlite:
        op.execute("DROP FUNCTION count_change()")
    op.create_table(
        new[0],
        sa.Column(new[1], sa.String(40), nullable=False),
        sa.Column(new[2], sa.Integer(), nullable=False),
        sa.Column(new[3], sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(new[1], new[2], name=f"pk_{new[0]}"),
    )
    _copy(old, new)
    count = f"UPDATE {new[0]} SET {new[3]} = {new[3]} + 1 WHERE {new[1]} ="  # noqa: S608  # All parts are constants of this module.
    if not is_sqlite:
        op.execute(
            "CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{count} TG_ARGV[0] AND {new[2]} = pg_backend_pid() % {SHARDS}; RETURN NULL; END $$"
        )
    for tag, table, name, change in _triggers():
        action = f"BEGIN {count} '{tag}'; END" if is_sqlite else f"EXECUTE FUNCTION count_change('{tag}')"
        op.execute(f"CREATE TRIGGER {name} AFTER {change} ON {table} {action}")


def _replace_counters(old: str, new: str) -> None:
    op.create_table(
        new,
        sa.Column("year", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=f"pk_{new}"),
    )
    _copy((old, "year", "orders"), (new, "year", "orders"))


def _copy(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Move the rows of the table *old* to *new*. Each tuple has the name of a table and the names of its columns."""
    rows = f"SELECT {', '.join(old[1:])} FROM {old[0]}"  # noqa: S608  # All parts are constants of this module.
    op.execute(f"INSERT INTO {new[0]} ({', '.join(new[1:])}) {rows}")
    op.drop_table(old[0])


def _rename_column(table: str, old: str, new: str) -> None:
    op.drop_index(f"uq_{table}_{old}", table)
    op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    op.create_index(f"uq_{table}_{new}", table, [new], unique=True)


def _triggers() -> Iterator[tuple[str, str, str, str]]:
    """Yield the tag, the table, the name and the change of each trigger."""
    for tag, tables in TABLES_BY_TAG.items():
        for table, changes in tables.items():
            for change in changes:
                yield tag, table, f"{table}_count_{change.split()[0].lower()}", change
