"""Renderers: turn the result of a handler into the declared response, in JSON, XML or CSV, or from a file."""
