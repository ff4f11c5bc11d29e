"""Customers and their photos."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.Uuid().with_variant(sa.CHAR(36), "sqlite")
FOLDED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)
IS_LIVE = sa.text("deleted_at IS NULL")
IS_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("name_key", FOLDED, nullable=False),
        sa.Column("location", sa.String(120)),
        sa.Column("location_key", FOLDED),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", FOLDED, nullable=False),
        sa.Column("phone", sa.String(16)),
        sa.Column("search", FOLDED, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
    )
    for column in ("email_key", "phone"):
        op.create_index(
            f"uq_customers_{column}",
            "customers",
            [column],
            unique=True,
            postgresql_where=IS_LIVE,
            sqlite_where=IS_LIVE,
        )
    for columns in (["name_key", "id"], ["created_at", "id"], ["location_key", "name_key", "id"]):
        op.create_index(
            f"ix_customers_{'_'.join(columns)}",
            "customers",
            columns,
            postgresql_where=IS_LIVE,
            sqlite_where=IS_LIVE,
        )
    op.create_index(
        "ix_customers_deleted_at", "customers", ["deleted_at"], postgresql_where=IS_DELETED, sqlite_where=IS_DELETED
    )

    op.create_table(
        "photos",
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("stored_as", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_photos"),
        sa.CheckConstraint("bytes > 0", name=op.f("ck_photos_bytes")),
        sa.CheckConstraint("width > 0", name=op.f("ck_photos_width")),
        sa.CheckConstraint("height > 0", name=op.f("ck_photos_height")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_photos_customer_id", ondelete="CASCADE"),
    )
    op.create_index("uq_photos_stored_as", "photos", ["stored_as"], unique=True)


def downgrade() -> None:
    op.drop_table("photos")
    op.drop_table("customers")
