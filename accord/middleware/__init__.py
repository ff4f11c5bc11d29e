"""ASGI middleware around the contract."""
