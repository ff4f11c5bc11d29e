"""The shop under attack, and who attacks it."""

import socketserver
import threading

import httpx
import pytest

# Fixtures of other rooms: pytest finds them here by their names, which arguments then have, too.
from tests.conformance.conftest import ask, client, key, known  # noqa: F401
from tests.security.target import Target
from tests.support.servers import Shop, shop  # noqa: F401


@pytest.fixture
def target(shop, ask, known, key, tokens):  # noqa: F811
    with httpx.Client(base_url=shop.base, timeout=30) as sending:
        yield Target(sending, shop, ask, known, key, tokens)


@pytest.fixture
def strict(serious):
    """A target that is in earnest; who comes from `somewhere` new has all their attempts before them."""
    with httpx.Client(base_url=serious.base, timeout=30) as sending:
        yield Target(sending, serious)


class _Rubbish(socketserver.BaseRequestHandler):
    """Answers each command in another way that is wrong, and now and then not at all."""

    answers = (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$99999999999\r\n", b"+OK\r\n", b"*-7\r\n", b"\xff\x00", b"")

    def handle(self):
        for answer in self.answers:
            if self.request.recv(65_536):
                self.request.sendall(answer)


@pytest.fixture(scope="session")
def garbled_redis():
    """The URL of something that speaks, but not as Redis does."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Rubbish) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://:sesame@127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session")
def serious(shared_server, garbled_redis):
    """A service as it would be in earnest, behind a proxy; only those who guess passwords need not wait a minute."""
    running = shared_server(
        "sqlite",
        ACCORD_BODY_TIMEOUT="1",
        ACCORD_HEADER_TIMEOUT="1",
        ACCORD_PASSWORD_MEMORY_COST="19456",
        ACCORD_PASSWORD_TIME_COST="2",
        ACCORD_RATE_LIMITS='{"log-in": ["5 per 3 seconds", "20 per hour"]}',
        ACCORD_REDIS_URL=garbled_redis,
        ACCORD_TRUSTED_PROXIES="127.0.0.1",
    )
    return Shop(running)
