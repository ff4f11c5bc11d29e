"""Runs the contract: compiles an OpenAPI 3.1 document into operations, and serves them."""
