"""Runs the contract: compiles an OpenAPI document into operations and serves requests with them."""
