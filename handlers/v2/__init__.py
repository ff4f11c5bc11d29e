"""Handlers of version 2, where it differs from version 1."""
