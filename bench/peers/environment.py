"""What the runner tells every peer."""

from os import environ

DATABASE_URL = environ["BENCH_DATABASE_URL"]
"""`postgresql://…` or `sqlite:///…`, without the name of a driver."""
POOL_SIZE = int(environ["BENCH_POOL_SIZE"])
SECRET = environ["BENCH_SECRET"]
"""Of the HS256 tokens."""
SCOPE = environ["BENCH_SCOPE"]
"""What a token must allow for a product to be created."""
ORDER_SCOPE = environ["BENCH_ORDER_SCOPE"]
"""What a token must allow for an order to be placed. Its subject is the id of the owner."""
