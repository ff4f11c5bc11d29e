"""Rate limit storage: memory of one process, or Redis."""
