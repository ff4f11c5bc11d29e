"""What lists of users are filtered and sorted by."""

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

FOLDED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
IS_LIVE = sa.text("deleted_at IS NULL")
USERS = sa.table("users", sa.column("id"), sa.column("name"), sa.column("name_key"))


def upgrade() -> None:
    op.add_column("users", sa.Column("name_key", FOLDED))
    named = op.get_bind().execute(sa.select(USERS.c.id, USERS.c.name).where(USERS.c.name.is_not(None))).all()
    for user_id, name in named:
        key = normalize("NFKC", normalize("NFKC", name).casefold())
        op.execute(USERS.update().where(USERS.c.id == user_id).values(name_key=key))
    for column in ("age", "created_at", "role"):
        op.create_index(
            f"ix_users_{column}_id", "users", [column, "id"], postgresql_where=IS_LIVE, sqlite_where=IS_LIVE
        )


def downgrade() -> None:
    for column in ("age", "created_at", "role"):
        op.drop_index(f"ix_users_{column}_id", "users")
    op.drop_column("users", "name_key")
