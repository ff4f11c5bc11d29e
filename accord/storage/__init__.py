"""File content on disk."""
