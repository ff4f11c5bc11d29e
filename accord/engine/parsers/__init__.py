"""Parsers: turn the bytes of a request into Python values, and report all errors of a request at once."""
