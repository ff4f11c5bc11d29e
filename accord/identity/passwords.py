"""Password hashing with argon2id."""

import os
import secrets
from base64 import b64encode
from collections.abc import Sequence
from threading import BoundedSemaphore
from unicodedata import normalize

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from db.unit_of_work import run_in_thread


class PasswordHasher:
    """Hashes and verifies passwords; `memory_cost` is the memory of one hash in KiB, `time_cost` its number of passes.

    Hashing runs in threads, at most one for each processor, so that a burst of log-ins cannot take all the memory.
    """

    def __init__(self, *, memory_cost: int, time_cost: int) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
        # No password has this hash, which is not computed, because that would take time and memory at start.
        salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
        self._dummy_hash = f"$argon2id$v=19$m={memory_cost},t={time_cost},p=1${salt}${digest}"
        self._slots = BoundedSemaphore(os.cpu_count() or 1)

    def hash(self, password: str) -> str:
        """Return the hash of a password in PHC format."""
        return run_in_thread(self._hash, normalize("NFC", password))

    def hash_all(self, passwords: Sequence[str]) -> list[str]:
        """Return the hash of each password."""
        return [self.hash(password) for password in passwords]

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Return whether the hash is of this password. Without a hash, return False after the same time."""
        is_correct = run_in_thread(self._verify, normalize("NFC", password), password_hash or self._dummy_hash)
        return is_correct and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Return whether the hash has other costs than the current ones."""
        return self._hasher.check_needs_rehash(password_hash)

    def _hash(self, password: str) -> str:
        with self._slots:
            return self._hasher.hash(password)

    def _verify(self, password: str, password_hash: str) -> bool:
        with self._slots:
            try:
                return self._hasher.verify(password_hash, password)
            except (VerificationError, InvalidHashError):
                return False
