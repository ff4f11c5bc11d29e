"""
The engine compiles an OpenAPI document into operations, and serves requests with them.

Its parts are routing, security, parsers, policies, renderers, and the ASGI middleware that calls them in this order.
"""
