"""Orders, and how many units of a product they have."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.Uuid().with_variant(sa.CHAR(36), "sqlite")
MONEY = sa.Numeric(12, 2).with_variant(sa.BigInteger(), "sqlite")
SUM = sa.Numeric(17, 2).with_variant(sa.BigInteger(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
IS_LIVE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    op.add_column("products", sa.Column("units_sold", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "ix_products_units_sold_id",
        "products",
        ["units_sold", "id"],
        postgresql_where=IS_LIVE,
        sqlite_where=IS_LIVE,
    )

    op.create_table(
        "order_years",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name="pk_order_years"),
    )

    op.create_table(
        "orders",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(15), nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("customer_id", ID),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("note", sa.String(500)),
        sa.Column("total", SUM, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_orders_owner_id", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_orders_customer_id", ondelete="SET NULL"),
    )
    op.create_index("uq_orders_number", "orders", ["number"], unique=True)
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])
    for columns in (["created_at", "id"], ["owner_id", "created_at", "id"], ["status", "created_at", "id"]):
        op.create_index(f"ix_orders_{'_'.join(columns)}", "orders", columns)

    op.create_table(
        "order_items",
        sa.Column("order_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", MONEY, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "position", name="pk_order_items"),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_items_quantity")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_items_order_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name="fk_order_items_product_id", ondelete="RESTRICT"),
    )
    op.create_index("ix_order_items_product_id", "order_items", ["product_id"])


def downgrade() -> None:
    op.drop_table("order_items")
    op.drop_table("orders")
    op.drop_table("order_years")
    op.drop_index("ix_products_units_sold_id", "products")
    op.drop_column("products", "units_sold")
