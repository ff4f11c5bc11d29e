"""Posts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ID = sa.Uuid().with_variant(sa.CHAR(36), "sqlite")
FOLDED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)
IS_LIVE = sa.text("deleted_at IS NULL")
IS_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "posts",
        sa.Column("id", ID, nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("author_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("search", FOLDED, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name="fk_posts_author_id", ondelete="CASCADE"),
    )
    for name, columns, where in (
        ("ix_posts_created_at_id", ["created_at", "id", "published", "author_id", "deleted_at"], IS_LIVE),
        ("ix_posts_author_id_created_at_id", ["author_id", "created_at", "id"], IS_LIVE),
        ("ix_posts_deleted_at", ["deleted_at"], IS_DELETED),
    ):
        op.create_index(name, "posts", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_table("posts")
