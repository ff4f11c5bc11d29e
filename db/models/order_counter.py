from sqlalchemy.orm import Mapped, mapped_column

from db import Base


class OrderYear(Base):
    """How many orders a year has; the next one's number is one more, so that there are no gaps."""

    __tablename__ = "order_years"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    orders: Mapped[int]
