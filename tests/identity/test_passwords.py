"""Passwords are hashed at the cost the operator sets, and never all at once."""

import asyncio
import os
import threading
import time
from statistics import median

import argon2
import pytest

from accord.identity.passwords import PasswordHasher

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def passwords():
    return PasswordHasher(memory_cost=8, time_cost=1)


def test_a_password_fits_its_hash_only(passwords):
    kept = passwords.hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert passwords.verify(PASSWORD, kept)
    assert not passwords.verify(PASSWORD + " ", kept)
    assert not passwords.verify(PASSWORD.upper(), kept)


def test_no_two_hashes_of_a_password_are_the_same(passwords):
    assert passwords.hash(PASSWORD) != passwords.hash(PASSWORD)


@pytest.mark.parametrize("text", ["", "$argon2id$", "plain", "$2b$12$abcdefghijklmnopqrstuv"])
def test_nothing_fits_what_is_no_hash(passwords, text):
    assert not passwords.verify(PASSWORD, text)


def test_nothing_fits_where_there_is_no_hash(passwords):
    assert not passwords.verify(PASSWORD, None)


def test_a_user_that_is_not_there_costs_what_one_that_is_there_costs(passwords):
    parameters = argon2.extract_parameters
    assert parameters(passwords._dummy_hash) == parameters(passwords.hash(PASSWORD))


def test_no_hash_takes_as_long_as_a_wrong_password():
    passwords = PasswordHasher(memory_cost=4096, time_cost=3)
    kept = passwords.hash(PASSWORD)

    def duration(password_hash):
        started = time.process_time()
        passwords.verify("wrong", password_hash)
        return time.process_time() - started

    wrong, nobody = (median(duration(what) for _ in range(15)) for what in (kept, None))
    assert 0.5 < nobody / wrong < 2


def test_a_letter_written_in_another_way_is_the_same_letter(passwords):
    assert passwords.verify("cafe\u0301 au lait", passwords.hash("caf\u00e9 au lait"))


def test_a_hash_is_outdated_when_the_costs_have_changed(passwords):
    kept = passwords.hash(PASSWORD)
    assert not passwords.needs_rehash(kept)
    assert PasswordHasher(memory_cost=16, time_cost=1).needs_rehash(kept)
    assert PasswordHasher(memory_cost=8, time_cost=2).needs_rehash(kept)
    assert PasswordHasher(memory_cost=16, time_cost=2).verify(PASSWORD, kept)


def test_no_more_are_hashed_at_once_than_there_are_processors(monkeypatch):
    running, most, lock = 0, 0, threading.Lock()

    class Slow(argon2.PasswordHasher):
        def hash(self, password):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1
            return super().hash(password)

    monkeypatch.setattr("accord.identity.passwords.argon2.PasswordHasher", Slow)
    passwords = PasswordHasher(memory_cost=8, time_cost=1)

    async def burst():
        await asyncio.gather(*(asyncio.to_thread(passwords.hash, PASSWORD) for _ in range(20)))

    asyncio.run(burst())
    assert most == (os.cpu_count() or 1)
