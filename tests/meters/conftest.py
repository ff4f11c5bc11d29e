"""A Redis, for what counts there."""

import tempfile
from pathlib import Path

import pytest

from tests.redis import RedisServer


@pytest.fixture
def redis():
    # The path of a socket may not be long.
    with tempfile.TemporaryDirectory(prefix="accord-") as folder:
        server = RedisServer(Path(folder))
        yield server
        server.resume()
        server.kill()
