"""How units of work run on each database: PostgreSQL in greenlets, SQLite in threads."""
