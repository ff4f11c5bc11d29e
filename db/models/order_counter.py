from sqlalchemy.orm import Mapped, mapped_column

from db import Base


class OrderCounter(Base):
    """Number of orders of a year. The next order number is one more, so that there are no gaps."""

    __tablename__ = "order_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    orders: Mapped[int]
