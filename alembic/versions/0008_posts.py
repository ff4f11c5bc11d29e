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
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("search", FOLDED, nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("author_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name="fk_posts_author_id", ondelete="CASCADE"),
    )
    for columns in (["created_at", "id"], ["author_id", "created_at", "id"]):
        op.create_index(
            f"ix_posts_{'_'.join(columns)}", "posts", columns, postgresql_where=IS_LIVE, sqlite_where=IS_LIVE
        )
    op.create_index(
        "ix_posts_deleted_at", "posts", ["deleted_at"], postgresql_where=IS_DELETED, sqlite_where=IS_DELETED
    )


def downgrade() -> None:
    op.drop_table("posts")
