from sqlalchemy.orm import Mapped, mapped_column

from db import Base


class OrderYear(Base):
    """The number of orders of a year, from which order numbers come without gaps."""

    __tablename__ = "order_years"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    orders: Mapped[int]
