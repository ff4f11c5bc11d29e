from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base


class Generation(Base):
    """
    A counter of changes; the version of a noun is the sum over its stripes.

    Triggers increment it in the transaction of the change; a connection uses one stripe only.
    """

    __tablename__ = "generations"

    noun: Mapped[str] = mapped_column(String(40), primary_key=True)
    stripe: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    changes: Mapped[int] = mapped_column(BigInteger)
