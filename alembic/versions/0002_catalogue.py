"""Categories, tags and products."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.Uuid().with_variant(sa.CHAR(36), "sqlite")
FOLDED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MONEY = sa.Numeric(12, 2).with_variant(sa.BigInteger(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
IS_LIVE = sa.text("deleted_at IS NULL")
IS_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "categories",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("name_key", FOLDED, nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_categories"),
    )
    op.create_index("uq_categories_name_key", "categories", ["name_key"], unique=True)

    op.create_table(
        "tags",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("name_key", FOLDED, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
    )
    op.create_index("uq_tags_name_key", "tags", ["name_key"], unique=True)

    op.create_table(
        "products",
        sa.Column("id", ID, nullable=False),
        sa.Column("sku", sa.String(32), nullable=False),
        sa.Column("name", sa.String(150), nullable=False),
        sa.Column("name_key", FOLDED, nullable=False),
        sa.Column("search", FOLDED, nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("category_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.CheckConstraint("price > 0", name=op.f("ck_products_price")),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_products_stock")),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name="fk_products_category_id", ondelete="RESTRICT"
        ),
    )
    op.create_index("ix_products_category_id", "products", ["category_id"])
    op.create_index("uq_products_sku", "products", ["sku"], unique=True, postgresql_where=IS_LIVE, sqlite_where=IS_LIVE)
    for column in ("name_key", "price", "stock", "created_at"):
        op.create_index(
            f"ix_products_{column}_id",
            "products",
            [column, "id"],
            postgresql_where=IS_LIVE,
            sqlite_where=IS_LIVE,
        )
    op.create_index(
        "ix_products_deleted_at", "products", ["deleted_at"], postgresql_where=IS_DELETED, sqlite_where=IS_DELETED
    )

    op.create_table(
        "product_tags",
        sa.Column("product_id", ID, nullable=False),
        sa.Column("tag_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", "tag_id", name="pk_product_tags"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_product_tags_product_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name="fk_product_tags_tag_id", ondelete="RESTRICT"),
    )
    op.create_index("ix_product_tags_tag_id", "product_tags", ["tag_id"])


def downgrade() -> None:
    op.drop_table("product_tags")
    op.drop_table("products")
    op.drop_table("tags")
    op.drop_table("categories")
