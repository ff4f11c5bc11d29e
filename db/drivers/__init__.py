"""Drivers: PostgreSQL in greenlets on the event loop, SQLite in threads."""
