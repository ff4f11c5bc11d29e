"""Passwords: hashed with argon2id, never kept."""

import os
import secrets
from collections.abc import Sequence
from threading import BoundedSemaphore
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from db.unit_of_work import aside


class Passwords:
    """Hashes and checks passwords; each takes the memory and the passes that the operator sets.

    Others are served meanwhile, and no more run at once than there are processors: a burst of log-ins waits, and
    does not take all the memory.
    """

    def __init__(self, *, memory_kib: int, time_cost: int) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._nobodys = self._hasher.hash(secrets.token_hex())
        self._room = BoundedSemaphore(os.cpu_count() or 1)

    def hash(self, password: str) -> str:
        return aside(self._hash, normalize("NFC", password))

    def hash_all(self, passwords: Sequence[str]) -> list[str]:
        return [self.hash(password) for password in passwords]

    def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is of this password; without a hash the answer is no, and takes as long."""
        fits = aside(self._fits, normalize("NFC", password), password_hash or self._nobodys)
        return fits and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other costs than are set now."""
        return self._hasher.check_needs_rehash(password_hash)

    def _hash(self, password: str) -> str:
        with self._room:
            return self._hasher.hash(password)

    def _fits(self, password: str, password_hash: str) -> bool:
        with self._room:
            try:
                return self._hasher.verify(password_hash, password)
            except (VerificationError, InvalidHashError):
                return False
