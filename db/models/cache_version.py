from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from db import Base


class CacheVersion(Base):
    """
    Version of what responses with a cache tag show: the sum of `version` over the shards of the tag.

    Triggers increment it in the transaction of the change. A connection writes to one shard only, so that concurrent
    writers seldom wait for each other.
    """

    __tablename__ = "cache_versions"

    tag: Mapped[str] = mapped_column(String(40), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
